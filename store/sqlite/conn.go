package sqlite

import (
	"context"
	"database/sql"
	"errors"
)

// conn is the connection that writes, with its prepared statements. It serves
// one goroutine. It runs under no context: one caller who leaves must not
// break the transaction of all.
type conn struct {
	raw      *sql.Conn
	prepared map[string]*sql.Stmt
}

func newConn(raw *sql.Conn) *conn { return &conn{raw: raw, prepared: make(map[string]*sql.Stmt)} }

// statement prepares each text once. The texts are constants of this package.
func (c *conn) statement(query string) (*sql.Stmt, error) {
	if known := c.prepared[query]; known != nil {
		return known, nil
	}
	statement, err := c.raw.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, err
	}
	c.prepared[query] = statement
	return statement, nil
}

// exec gives how many rows a statement changed.
func (c *conn) exec(query string, args ...any) (int64, error) {
	statement, err := c.statement(query)
	if err != nil {
		return 0, err
	}
	result, err := statement.ExecContext(context.Background(), args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// row gives the one row of a statement; its Scan may tell sql.ErrNoRows.
func (c *conn) row(query string, args ...any) scanner {
	statement, err := c.statement(query)
	if err != nil {
		return failedRow{err}
	}
	return statement.QueryRowContext(context.Background(), args...)
}

// control begins and ends transactions.
func (c *conn) control(command string) error {
	_, err := c.exec(command)
	return err
}

// rollback has no answer: SQLite may have rolled back by itself, as it does on
// a full disk, and if it truly failed the next BEGIN says so.
func (c *conn) rollback() { _ = c.control("ROLLBACK") }

func (c *conn) close() error {
	var failed []error
	for _, statement := range c.prepared {
		failed = append(failed, statement.Close())
	}
	return errors.Join(append(failed, c.raw.Close())...)
}

// scanner is a row that can be read.
type scanner interface{ Scan(into ...any) error }

type failedRow struct{ err error }

func (r failedRow) Scan(...any) error { return r.err }
