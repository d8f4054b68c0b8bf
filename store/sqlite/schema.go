package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
)

// migrations are the steps of the schema, in the order of their names. A step
// that was published never changes; PRAGMA user_version counts those taken.
//
//go:embed migrations/*.sql
var migrations embed.FS

// ErrNewer means that a newer version of the gateway wrote the database. An
// older one cannot know what it would break.
var ErrNewer = errors.New("the database was written by a newer version")

// prepareDatabase brings the schema up to date and clears what an earlier
// process left behind.
func prepareDatabase(ctx context.Context, conn *sql.Conn, log *slog.Logger) error {
	var mode string
	if err := conn.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&mode); err != nil {
		return err
	}
	if mode != "wal" {
		return fmt.Errorf("its file system does not support a write-ahead log (journal mode %s)", mode)
	}
	if err := migrate(ctx, conn, log); err != nil {
		return err
	}
	return inTransaction(ctx, conn, "DELETE FROM records; DELETE FROM record_channels; DELETE FROM leases")
}

func migrate(ctx context.Context, conn *sql.Conn, log *slog.Logger) error {
	steps, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return err
	}
	var taken int
	if err := conn.QueryRowContext(ctx, "PRAGMA user_version").Scan(&taken); err != nil {
		return err
	}
	if taken > len(steps) {
		return fmt.Errorf("%w: its schema is %d, known are those up to %d", ErrNewer, taken, len(steps))
	}
	for i := taken; i < len(steps); i++ {
		step, err := migrations.ReadFile(steps[i])
		if err != nil {
			return err
		}
		// The version is part of the transaction: a step is taken whole or
		// not at all.
		if err := inTransaction(ctx, conn, fmt.Sprintf("%s; PRAGMA user_version = %d", step, i+1)); err != nil {
			return fmt.Errorf("%s: %w", steps[i], err)
		}
		log.Info("schema of the database brought forward", slog.Int("from", i), slog.Int("to", i+1))
	}
	return nil
}

func inTransaction(ctx context.Context, conn *sql.Conn, script string) error {
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, script); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}
