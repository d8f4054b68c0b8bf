package sqlite

import (
	"context"

	"github.com/walkergate/walkergate/notify"
)

const (
	upsertLease = `INSERT INTO leases (node_id, beat, bus, serving, condemned) VALUES (?, ?, ?, ?, FALSE)
		ON CONFLICT DO UPDATE SET beat = excluded.beat, bus = excluded.bus, serving = excluded.serving, condemned = FALSE`
	updateLease  = `UPDATE leases SET beat = ?, bus = ?, serving = ? WHERE node_id = ? AND NOT condemned`
	condemnLease = `UPDATE leases SET condemned = TRUE WHERE node_id = ? AND beat = ?`
	deleteLease  = `DELETE FROM leases WHERE node_id = ?`

	selectLeases = `SELECT node_id, beat, bus, serving, condemned FROM leases ORDER BY node_id`
)

// HoldLease meets notify.LeaseStore.
func (s *Store) HoldLease(ctx context.Context, lease notify.Lease) (held bool, err error) {
	err = s.writer.submit(ctx, func(c *conn) error {
		if lease.Beat == 0 {
			held = true
			_, err := c.exec(upsertLease, lease.NodeID, lease.Beat, lease.Bus, lease.Serving)
			return err
		}
		changed, err := c.exec(updateLease, lease.Beat, lease.Bus, lease.Serving, lease.NodeID)
		held = changed > 0
		return err
	})
	return held && err == nil, err
}

// Leases meets notify.LeaseStore.
func (s *Store) Leases(ctx context.Context) ([]notify.Lease, error) {
	if err := s.readable(); err != nil {
		return nil, err
	}
	rows, err := s.readers.leases.QueryContext(ctx)
	if err != nil {
		return nil, readError(ctx, err)
	}
	defer rows.Close()
	var found []notify.Lease
	for rows.Next() {
		var lease notify.Lease
		if err := rows.Scan(&lease.NodeID, &lease.Beat, &lease.Bus, &lease.Serving, &lease.Condemned); err != nil {
			return nil, err
		}
		found = append(found, lease)
	}
	return found, readError(ctx, rows.Err())
}

// CondemnLease meets notify.LeaseStore.
func (s *Store) CondemnLease(ctx context.Context, nodeID string, beat int64) (condemned bool, err error) {
	err = s.writer.submit(ctx, func(c *conn) error {
		changed, err := c.exec(condemnLease, nodeID, beat)
		condemned = changed > 0
		return err
	})
	return condemned && err == nil, err
}

// ForgetLease meets notify.LeaseStore.
func (s *Store) ForgetLease(ctx context.Context, nodeID string) error {
	return s.writer.submit(ctx, func(c *conn) error {
		_, err := c.exec(deleteLease, nodeID)
		return err
	})
}
