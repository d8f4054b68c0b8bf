package sqlite

import (
	"errors"
	"strings"
)

// LogPlan gives how SQLite means to answer each statement of the log, by its
// text.
func (s *Store) LogPlan() (map[string][]string, error) {
	plans := make(map[string][]string)
	for _, query := range []string{
		selectLog, updateLog, deleteLog, selectPlace, selectQuota,
		selectHead, selectPageUp, selectPageDown,
		freeQuota, deleteMessages, emptyMessages, selectDueLog, selectFirstKept, deleteForgotten, selectOldestID,
		updateMark, countMarks, selectMark, deleteMarks, deleteQuota,
	} {
		values := make([]any, strings.Count(query, "?"))
		if query == deleteForgotten { // its parameters are numbered
			values = make([]any, 4)
		}
		rows, err := s.readers.db.Query("EXPLAIN QUERY PLAN "+query, values...)
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
