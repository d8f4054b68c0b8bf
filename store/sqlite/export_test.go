package sqlite

import (
	"context"
	"errors"
)

// HoldWriter keeps the writer busy until release is called; what is written
// meanwhile waits in the queue.
func (s *Store) HoldWriter() (release func()) {
	held, let := make(chan struct{}), make(chan struct{})
	go func() {
		_ = s.writer.submit(context.Background(), func(*conn) error {
			close(held)
			<-let
			return nil
		})
	}()
	<-held
	return func() { close(let) }
}

// Plan gives how SQLite means to answer each query of the readers, by its
// text.
func (s *Store) Plan() (map[string][]string, error) {
	plans := make(map[string][]string)
	for _, query := range []string{
		selectUserByID, selectUserByEmail, selectUserByRoot, selectRevocations,
		selectRecords, selectRecordOfClient, selectRecordsOfRoot, selectRecordsOfChannel,
	} {
		rows, err := s.readers.db.Query("EXPLAIN QUERY PLAN "+query, "a", "b", "c")
		if err != nil {
			return nil, err
		}
		for rows.Next() {
			var id, parent, unused int
			var step string
			if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
				return nil, err
			}
			plans[query] = append(plans[query], step)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return nil, err
		}
	}
	return plans, nil
}
