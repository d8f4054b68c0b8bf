package sqlite

import (
	"context"
	"math"
	"time"

	"github.com/walkergate/walkergate/auth"
)

const (
	upsertRevocation = `INSERT INTO revocations (user_id, token_id, generation, at, ends) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET generation = max(generation, excluded.generation),
			at = max(at, excluded.at), ends = max(ends, excluded.ends)`

	deleteEndedRevocations = `DELETE FROM revocations WHERE ends <= ?`

	selectRevocations = `SELECT user_id, token_id, generation, at, ends FROM revocations WHERE at >= ? ORDER BY at`
)

// RevokeToken meets auth.RevocationStore.
func (s *Store) RevokeToken(ctx context.Context, revocation auth.Revocation) error {
	return s.writer.submit(ctx, func(c *conn) error { return revoke(c, revocation) })
}

// RevocationsSince meets auth.RevocationStore.
func (s *Store) RevocationsSince(ctx context.Context, since time.Time) ([]auth.Revocation, error) {
	if err := s.readable(); err != nil {
		return nil, err
	}
	from := int64(math.MinInt64)
	if !since.IsZero() {
		from = milliseconds(since)
	}
	rows, err := s.readers.revocations.QueryContext(ctx, from)
	if err != nil {
		return nil, readError(ctx, err)
	}
	defer rows.Close()
	var found []auth.Revocation
	for rows.Next() {
		var revocation auth.Revocation
		var at, ends int64
		if err := rows.Scan(&revocation.UserID, &revocation.TokenID, &revocation.Generation, &at, &ends); err != nil {
			return nil, err
		}
		revocation.At, revocation.Ends = timeOf(at), timeOf(ends)
		found = append(found, revocation)
	}
	return found, readError(ctx, rows.Err())
}

// revoke records a revocation and forgets those that have ended by then: the
// table grows by what comes and shrinks by the same hand.
func revoke(c *conn, revocation auth.Revocation) error {
	if _, err := c.exec(deleteEndedRevocations, milliseconds(revocation.At)); err != nil {
		return err
	}
	_, err := c.exec(upsertRevocation, revocation.UserID, revocation.TokenID, revocation.Generation,
		milliseconds(revocation.At), milliseconds(revocation.Ends))
	return err
}

// endGeneration ends all tokens below a generation. Those that were ended singly
// stay so by themselves: one of another issuer may be younger than the end.
func endGeneration(c *conn, userID string, generation int64, end auth.EndTokens) error {
	return revoke(c, auth.Revocation{UserID: userID, Generation: generation, At: end.At, Ends: end.Ends})
}
