package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/walkergate/walkergate/channels"
	"github.com/walkergate/walkergate/store"
)

const (
	logColumns = `number, epoch, born, head, first, messages, age, used, due`

	selectLog = `SELECT ` + logColumns + ` FROM logs WHERE channel_id = ?`
	insertLog = `INSERT INTO logs (channel_id, epoch, born, head, first, messages, age, used, due)
		SELECT ?, epoch, epoch AS born, 0, 1, ?, ?, ?, ? FROM base_epoch RETURNING ` + logColumns
	updateLog = `UPDATE logs SET epoch = ?, head = ?, first = ?, messages = ?, age = ?, used = ?, due = ?
		WHERE number = ?`
	deleteLog = `DELETE FROM logs WHERE number = ?`

	insertMessage = `INSERT INTO messages
		(log, seq, id, keyed, digest, client_id, root_id, owner, at, known_until, data)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (log, id) DO NOTHING`
	selectPlace = `SELECT seq, digest, at FROM messages WHERE log = ? AND id = ?`

	selectQuota = `SELECT bytes FROM quotas WHERE owner = ?`
	addToQuota  = `INSERT INTO quotas (owner, bytes) VALUES (?, ?)
		ON CONFLICT DO UPDATE SET bytes = bytes + excluded.bytes`
)

// logRow is the row of a channel's log. Times and the age are in milliseconds.
type logRow struct {
	number         int64
	epoch, born    string
	head, first    int64
	messages       int
	age, used, due int64
}

func scanLog(row scanner) (r logRow, known bool, err error) {
	err = row.Scan(&r.number, &r.epoch, &r.born, &r.head, &r.first, &r.messages, &r.age, &r.used, &r.due)
	if errors.Is(err, sql.ErrNoRows) {
		return r, false, nil
	}
	return r, err == nil, err
}

func (r *logRow) write(c *conn) error {
	_, err := c.exec(updateLog, r.epoch, r.head, r.first, r.messages, r.age, r.used, r.due, r.number)
	return err
}

// Append meets channels.Store. All of it is one transaction, that of the group
// it is committed in; so what is dense here needs no argument, and quotas are
// exact.
func (s *Store) Append(ctx context.Context, appending channels.Appending) (epoch string, places []channels.Place, err error) {
	if err := store.CheckAppending(&appending); err != nil {
		return "", nil, err
	}
	a := logAppend{asked: &appending}
	if err := s.writer.submit(ctx, a.run); err != nil {
		return "", nil, err
	}
	return a.row.epoch, a.places, nil
}

// logAppend is one Append under way.
type logAppend struct {
	asked    *channels.Appending
	row      logRow
	places   []channels.Place
	accounts map[string]*account // of the owners
	made     bool                // the row is of this append
}

// account is what an owner has stored, and what this append adds to it.
type account struct{ stored, added int64 }

// run begins from nothing: it may run twice.
func (a *logAppend) run(c *conn) error {
	a.places = make([]channels.Place, len(a.asked.Messages))
	a.accounts = make(map[string]*account)
	first, now := store.Moments(a.asked.Messages)
	if err := a.open(c, now); err != nil {
		return fmt.Errorf("open a log: %w", err)
	}
	before := a.row.head
	for i := range a.asked.Messages {
		var err error
		if a.places[i], err = a.add(c, &a.asked.Messages[i]); err != nil {
			return fmt.Errorf("append to a log: %w", err)
		}
	}
	switch {
	case a.row.head > before:
		return a.finish(c, first, now)
	case a.made: // and all were refused: a log has a row from its first message on
		_, err := c.exec(deleteLog, a.row.number)
		return err
	}
	return nil
}

// open reads the row of the log, or makes it.
func (a *logAppend) open(c *conn, now time.Time) error {
	row, known, err := scanLog(c.row(selectLog, a.asked.ChannelID))
	if err == nil && !known {
		retention, at := a.asked.Retention, milliseconds(now)
		age := retention.Age.Milliseconds()
		row, _, err = scanLog(c.row(insertLog, a.asked.ChannelID, retention.Messages, age, at, at+age))
	}
	a.row, a.made = row, !known
	return err
}

// add writes one message, or says why not. Whether its ID is known comes before
// whether there is room: who repeats a message that was stored has used the
// room up by it.
func (a *logAppend) add(c *conn, message *channels.Message) (channels.Place, error) {
	owner, err := a.account(c, message.Owner)
	if err != nil {
		return channels.Place{}, err
	}
	cost := store.Cost(message)
	room := message.Owner == "" || a.asked.Quota == 0 || owner.stored+owner.added+cost <= a.asked.Quota
	if room {
		added, err := a.insert(c, message)
		if err != nil {
			return channels.Place{}, err
		}
		if added {
			a.row.head++
			owner.added += cost
			return channels.Place{Seq: a.row.head}, nil
		}
	}
	place, at := channels.Place{Before: true}, int64(0)
	err = c.row(selectPlace, a.row.number, message.ID).Scan(&place.Seq, &place.Digest, &at)
	if errors.Is(err, sql.ErrNoRows) && !room {
		return channels.Place{Refused: channels.ErrQuota}, nil
	}
	place.At = timeOf(at)
	return place, err
}

// insert reports false where the ID is known.
func (a *logAppend) insert(c *conn, message *channels.Message) (bool, error) {
	var clientID, rootID sql.NullString
	if from := message.From; from != nil {
		clientID, rootID = sql.NullString{String: from.ClientID, Valid: true}, sql.NullString{String: from.RootID, Valid: true}
	}
	changed, err := c.exec(insertMessage, a.row.number, a.row.head+1, message.ID, message.Keyed, message.Digest,
		clientID, rootID, message.Owner, milliseconds(message.At), milliseconds(store.KnownUntil(message)), []byte(message.Data))
	return changed > 0, err
}

// account gives an owner's account; that of nobody is never looked at.
func (a *logAppend) account(c *conn, owner string) (*account, error) {
	if known := a.accounts[owner]; known != nil {
		return known, nil
	}
	fresh := &account{}
	if owner != "" {
		err := c.row(selectQuota, owner).Scan(&fresh.stored)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return nil, err
		}
	}
	a.accounts[owner] = fresh
	return fresh, nil
}

// finish writes what follows from messages that were added. The first of them
// came at first.
func (a *logAppend) finish(c *conn, first, now time.Time) error {
	for owner, account := range a.accounts {
		if owner == "" || account.added == 0 {
			continue
		}
		if _, err := c.exec(addToQuota, owner, account.added); err != nil {
			return fmt.Errorf("count the bytes of an owner: %w", err)
		}
	}
	row, age := &a.row, a.asked.Retention.Age.Milliseconds()
	if age < row.age {
		row.due = milliseconds(now)
	}
	// Sweep comes in time by itself, but for a message that is older than its
	// last look, or an age that is shorter than store.LookAgain.
	row.due = min(row.due, milliseconds(first)+age)
	row.messages, row.age, row.used = a.asked.Retention.Messages, age, milliseconds(now)
	if first := store.TrimTo(row.first, row.head, a.asked.Retention); first > row.first {
		if err := row.letGo(c, first, now); err != nil {
			return err
		}
	}
	return row.write(c)
}
