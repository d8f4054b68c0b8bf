// Package sqlite is the store of a node that stands alone: one SQLite database
// in a directory of its own, without cgo and without a server.
//
// One goroutine writes. It commits what waits in groups, so that many callers
// share one transaction, and each caller is answered after the commit that
// holds its write. Reads have connections of their own and are not held up by
// writes. A lock on the directory keeps a second process out.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"

	_ "modernc.org/sqlite" // the driver

	"github.com/walkergate/walkergate/store"
)

// databaseFile is the name of the database in its directory.
const databaseFile = "walkergate.db"

// defaultQueue is how many writes may wait where nothing else is said.
const defaultQueue = 4096

// minReaders is the least number of connections that read.
const minReaders = 4

// Options configures a Store. Its zero value is useful.
type Options struct {
	// Queue is how many writes may wait for the writer; more are answered
	// fault.Busy. Zero means 4096.
	Queue int
	Log   *slog.Logger
}

// Store is a store.Store in one directory.
type Store struct {
	lock    *dirLock
	db      *sql.DB // the writer's, of one connection
	writer  *writer
	readers *readers
	closed  atomic.Bool
}

var _ store.Store = (*Store)(nil)

// Open opens the database in dir and brings its schema up to date. The
// directory is made where it is missing. It must belong to the gateway alone:
// one that others may use is narrowed where nothing but the gateway's files
// lies in it, and refused otherwise. ErrInUse where another process has it
// open, ErrNewer where a newer version wrote it.
//
// Records of connections and the lease that an earlier process left behind are
// cleared: the lock says that none of them can be alive.
func Open(ctx context.Context, dir string, options Options) (*Store, error) {
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	if options.Queue <= 0 {
		options.Queue = defaultQueue
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("find the data directory: %w", err)
	}
	if err := prepareDir(dir, options.Log); err != nil {
		return nil, err
	}
	lock, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	s := &Store{lock: lock}
	if err := s.open(ctx, filepath.Join(dir, databaseFile), options); err != nil {
		return nil, errors.Join(fmt.Errorf("open the database in %s: %w", dir, err), s.release())
	}
	return s, nil
}

// open opens the writer first: it alone may make the file and its journal.
func (s *Store) open(ctx context.Context, path string, options Options) error {
	if err := makePrivate(path); err != nil {
		return err
	}
	var err error
	if s.db, err = sql.Open("sqlite", writerDSN(path)); err != nil {
		return err
	}
	s.db.SetMaxOpenConns(1)
	only, err := s.db.Conn(ctx)
	if err != nil {
		return err
	}
	conn := newConn(only)
	if err := prepareDatabase(ctx, only, options.Log); err != nil {
		return errors.Join(err, conn.close())
	}
	if s.readers, err = openReaders(ctx, path); err != nil {
		return errors.Join(err, conn.close())
	}
	s.writer = startWriter(conn, options.Queue)
	return nil
}

// Ping asks the writer for an empty transaction and a reader for a row.
func (s *Store) Ping(ctx context.Context) error {
	// The empty transaction has no effect, so unlike a write it is not waited
	// for past the caller's time.
	written := make(chan error, 1)
	go func() { written <- s.writer.submit(ctx, func(*conn) error { return nil }) }()
	select {
	case err := <-written:
		if err != nil {
			return err
		}
	case <-ctx.Done():
		return ctx.Err()
	}
	return s.readers.ping(ctx)
}

// Close writes what was accepted, waits for the reads under way and lets the
// directory go.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	return errors.Join(s.writer.close(), s.release())
}

// release lets go of what open may have taken, in the reverse order. The last
// connection to close tidies up the journal, so that must be the writer's.
func (s *Store) release() error {
	var failed []error
	if s.readers != nil {
		failed = append(failed, s.readers.close())
	}
	if s.db != nil {
		failed = append(failed, s.db.Close())
	}
	return errors.Join(append(failed, s.lock.release())...)
}

// readable reports an error once the store is closed.
func (s *Store) readable() error {
	if s.closed.Load() {
		return errClosed
	}
	return nil
}

// makePrivate makes the file where it is missing. SQLite gives its journal the
// mode of the database.
func makePrivate(path string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	return os.Chmod(path, 0o600)
}

func writerDSN(path string) string {
	return dsn(path, url.Values{
		"_busy_timeout": {"5000"},
		"_journal_mode": {"WAL"},
		"_synchronous":  {"NORMAL"},
		"_foreign_keys": {"1"},
		"_txlock":       {"immediate"},
		// A burst must not leave a journal of its size behind for ever.
		"_pragma": {"journal_size_limit(67108864)"},
	})
}

func readerDSN(path string) string {
	return dsn(path, url.Values{"mode": {"ro"}, "_busy_timeout": {"5000"}})
}

// dsn gives the URI form, in which every path can be said and mode is known.
func dsn(path string, query url.Values) string {
	path = filepath.ToSlash(path)
	if runtime.GOOS == "windows" {
		path = "/" + path // C:/data becomes file:///C:/data
	}
	return "file://" + (&url.URL{Path: path}).EscapedPath() + "?" + query.Encode()
}
