package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"math"

	"github.com/walkergate/walkergate/channels"
	"github.com/walkergate/walkergate/fault"
	"github.com/walkergate/walkergate/store"
)

const (
	updateMark  = `UPDATE marks SET seq = max(seq, ?) WHERE root_id = ? AND channel_id = ?`
	countMarks  = `SELECT count(*) FROM marks WHERE root_id = ?`
	insertMark  = `INSERT INTO marks (seq, root_id, channel_id) VALUES (?, ?, ?)`
	selectMark  = `SELECT seq FROM marks WHERE root_id = ? AND channel_id = ?`
	deleteMarks = `DELETE FROM marks WHERE root_id = ?`
	deleteQuota = `DELETE FROM quotas WHERE owner = ?`
)

var errMarks = fault.New(fault.Busy, "this user has marks in as many channels as there may be")

// Mark meets channels.Store.
func (s *Store) Mark(ctx context.Context, rootID, channelID string, seq int64) error {
	full := false
	err := s.writer.submit(ctx, func(c *conn) error {
		full = false
		changed, err := c.exec(updateMark, seq, rootID, channelID)
		if err != nil || changed > 0 {
			return err
		}
		var count int
		if err := c.row(countMarks, rootID).Scan(&count); err != nil {
			return err
		}
		if full = count >= channels.MaxMarks; full {
			return nil
		}
		_, err = c.exec(insertMark, seq, rootID, channelID)
		return err
	})
	if err == nil && full {
		return errMarks
	}
	return err
}

// Marked meets channels.Store.
func (s *Store) Marked(ctx context.Context, rootID, channelID string) (seq int64, err error) {
	if err := s.readable(); err != nil {
		return 0, err
	}
	err = s.readers.mark.QueryRowContext(ctx, rootID, channelID).Scan(&seq)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return seq, readError(ctx, err)
}

// Forget meets channels.Store. The stream's row stays under a new epoch, until
// Sweep removes it as it does every row that nobody uses.
func (s *Store) Forget(ctx context.Context, rootID string) error {
	epoch := store.NewEpoch()
	return s.writer.submit(ctx, func(c *conn) error {
		if err := emptyStream(c, rootID, epoch); err != nil {
			return err
		}
		if _, err := c.exec(deleteMarks, rootID); err != nil {
			return err
		}
		_, err := c.exec(deleteQuota, rootID)
		return err
	})
}

func emptyStream(c *conn, rootID, epoch string) error {
	row, known, err := scanLog(c.row(selectLog, channels.StreamOf(rootID)))
	if err != nil || !known {
		return err
	}
	if err := row.free(c, row.head+1); err != nil {
		return err
	}
	if _, err := c.exec(deleteMessages, row.number, 0, row.head+1, int64(math.MaxInt64)); err != nil {
		return err
	}
	row.epoch, row.head, row.first = epoch, 0, 1
	return row.write(c)
}
