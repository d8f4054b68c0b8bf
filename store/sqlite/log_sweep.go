package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/walkergate/walkergate/channels"
	"github.com/walkergate/walkergate/store"
)

const (
	// sweepLogs and sweepMessages bound one step of Sweep, and so how long
	// it holds up other writes.
	sweepLogs     = 64
	sweepMessages = channels.MaxPage

	freeQuota = `UPDATE quotas SET bytes = max(0, quotas.bytes - gone.bytes)
		FROM (SELECT owner, sum(length(data) + ?) AS bytes FROM messages
			WHERE log = ? AND seq >= ? AND seq < ? AND owner <> '' GROUP BY owner) AS gone
		WHERE quotas.owner = gone.owner`
	deleteMessages = `DELETE FROM messages WHERE log = ? AND seq >= ? AND seq < ? AND known_until <= ?`
	emptyMessages  = `UPDATE messages SET data = NULL, client_id = NULL, root_id = NULL, owner = ''
		WHERE log = ? AND seq >= ? AND seq < ?`

	selectDueLog    = `SELECT ` + logColumns + ` FROM logs WHERE due <= ? ORDER BY due LIMIT 1`
	selectFirstKept = `SELECT seq, at FROM
			(SELECT seq, at FROM messages WHERE log = ? AND seq >= ? ORDER BY seq LIMIT ?)
		WHERE at > ? ORDER BY seq LIMIT 1`
	deleteForgotten = `DELETE FROM messages WHERE log = ?1 AND seq IN
		(SELECT seq FROM messages WHERE log = ?1 AND seq < ?2 AND known_until <= ?3 ORDER BY seq LIMIT ?4)`
	selectOldestID = `SELECT known_until FROM messages WHERE log = ? AND seq < ? ORDER BY seq LIMIT 1`

	updateBaseEpoch = `UPDATE base_epoch SET epoch = ? WHERE epoch = ?`
)

// letGo lets go of the messages below first. The IDs that have to be known for
// longer stay behind, for Sweep. The row is not written.
func (r *logRow) letGo(c *conn, first int64, now time.Time) error {
	if err := r.free(c, first); err != nil {
		return err
	}
	if _, err := c.exec(deleteMessages, r.number, r.first, first, milliseconds(now)); err != nil {
		return err
	}
	if _, err := c.exec(emptyMessages, r.number, r.first, first); err != nil {
		return err
	}
	r.first = first
	r.due = min(r.due, milliseconds(now.Add(channels.RetryLife)))
	return nil
}

// free gives their owners back what the kept messages below first count. An
// owner who was forgotten has no quota any more.
func (r *logRow) free(c *conn, first int64) error {
	_, err := c.exec(freeQuota, channels.MessageCost, r.number, r.first, first)
	return err
}

// Sweep meets channels.Store.
func (s *Store) Sweep(ctx context.Context, now time.Time) (more bool, err error) {
	err = s.writer.submit(ctx, func(c *conn) (err error) {
		more, err = sweep(c, now)
		return err
	})
	return more && err == nil, err
}

func sweep(c *conn, now time.Time) (more bool, err error) {
	touched := 0
	for range sweepLogs {
		row, known, err := scanLog(c.row(selectDueLog, milliseconds(now)))
		if err != nil || !known {
			return false, err
		}
		count, err := row.sweep(c, now)
		if err != nil {
			return false, err
		}
		if touched += count; touched >= sweepMessages {
			break
		}
	}
	return true, nil
}

// sweep brings one channel in order, or a step closer to it, and says how many
// messages that took.
func (r *logRow) sweep(c *conn, now time.Time) (touched int, err error) {
	next := milliseconds(store.NextLook(now, time.Duration(r.age)*time.Millisecond))
	first, at, err := r.firstKept(c, milliseconds(now)-r.age)
	if err != nil {
		return 0, err
	}
	touched = int(first - r.first)
	if touched > 0 {
		if err := r.letGo(c, first, now); err != nil {
			return 0, err
		}
	}
	if first <= r.head {
		next = min(next, at+r.age)
	}
	forgotten, err := c.exec(deleteForgotten, r.number, r.first, milliseconds(now), sweepMessages)
	if err != nil {
		return 0, err
	}
	touched += int(forgotten)
	var knownUntil int64
	err = c.row(selectOldestID, r.number, r.first).Scan(&knownUntil)
	known := err == nil
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, err
	}
	if known {
		next = min(next, max(knownUntil, milliseconds(now)))
	}
	if !known && r.first > r.head && r.used <= milliseconds(now.Add(-store.ChannelLife)) {
		return touched, r.forget(c)
	}
	r.due = next
	return touched, r.write(c)
}

// firstKept gives the first message that came after a time, and when that was.
// It looks at so many and no more: where all of them are older it gives the one
// behind them, with that time.
func (r *logRow) firstKept(c *conn, after int64) (first, at int64, err error) {
	err = c.row(selectFirstKept, r.number, r.first, sweepMessages, after).Scan(&first, &at)
	if errors.Is(err, sql.ErrNoRows) {
		return min(r.first+sweepMessages, r.head+1), after, nil
	}
	return first, at, err
}

// forget removes the row of a channel that keeps nothing. From then on its head
// is that of every channel without a row, under an epoch that none of its
// messages ever bore.
func (r *logRow) forget(c *conn) error {
	if _, err := c.exec(updateBaseEpoch, store.NewEpoch(), r.born); err != nil {
		return err
	}
	_, err := c.exec(deleteLog, r.number)
	return err
}
