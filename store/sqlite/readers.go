package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"runtime"
)

// readers are the connections that read. They cannot write: the database is
// opened read-only.
type readers struct {
	db                                *sql.DB
	userByID, userByEmail, userByRoot *sql.Stmt
	revocations                       *sql.Stmt
	allRecords, clientRecord          *sql.Stmt
	recordsOfRoot, recordsOfChannel   *sql.Stmt
	leases                            *sql.Stmt
	head, baseEpoch, mark             *sql.Stmt
	pageUp, pageDown                  *sql.Stmt
}

func openReaders(ctx context.Context, path string) (*readers, error) {
	db, err := sql.Open("sqlite", readerDSN(path))
	if err != nil {
		return nil, err
	}
	count := max(minReaders, runtime.GOMAXPROCS(0))
	db.SetMaxOpenConns(count)
	db.SetMaxIdleConns(count)
	r := &readers{db: db}
	for query, statement := range map[string]**sql.Stmt{
		selectUserByID: &r.userByID, selectUserByEmail: &r.userByEmail, selectUserByRoot: &r.userByRoot,
		selectRevocations: &r.revocations,
		selectRecords:     &r.allRecords, selectRecordOfClient: &r.clientRecord,
		selectRecordsOfRoot: &r.recordsOfRoot, selectRecordsOfChannel: &r.recordsOfChannel,
		selectLeases: &r.leases,
		selectHead:   &r.head, selectBaseEpoch: &r.baseEpoch, selectMark: &r.mark,
		selectPageUp: &r.pageUp, selectPageDown: &r.pageDown,
	} {
		if *statement, err = db.PrepareContext(ctx, query); err != nil {
			return nil, errors.Join(err, db.Close())
		}
	}
	return r, nil
}

func (r *readers) ping(ctx context.Context) error {
	var one int
	return readError(ctx, r.db.QueryRowContext(ctx, "SELECT 1 FROM sqlite_schema LIMIT 1").Scan(&one))
}

// close waits for the queries under way.
func (r *readers) close() error { return r.db.Close() }
