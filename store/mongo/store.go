// Package mongo is the store of nodes that share a MongoDB: version 4.4 or
// newer, or a server that speaks like one.
//
// It needs no transactions. What must be atomic is one document: the end of a
// user's tokens stands in the user, and a deleted user leaves a document behind
// that says nothing but that, until no token of theirs can be alive. Names that
// a client chose are values, never names of fields.
//
// Writes are acknowledged by a majority and journaled, unless the URI says
// otherwise. Reads go to the primary. Every call is bounded in time, and calls
// under way are bounded in number. A server that is slow or absent is answered
// by fault.Busy; nothing of it ends the process.
package mongo

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/walkergate/walkergate/store"
)

const (
	// defaultTimeout bounds one call where nothing else is said.
	defaultTimeout = 5 * time.Second
	// defaultCalls is how many calls may be under way where nothing else is
	// said. Most of them wait for a connection then.
	defaultCalls = 4096
	// selectTimeout is how long a call looks for a server that is there at
	// all, where the URI says nothing. The driver's own 30 s are longer than
	// anybody waits.
	selectTimeout = 2 * time.Second
	// closeTimeout is how long connections may take to end in order. No call
	// is under way then; what they wait for is an answer nobody reads.
	closeTimeout = time.Second
)

// Options configures a Store. Its zero value is useful.
type Options struct {
	// Timeout bounds each call, beside its own context; zero means 5 s.
	Timeout time.Duration
	// Calls is how many calls may be under way at once; more are answered
	// fault.Busy. Zero means 4096.
	Calls int
	Log   *slog.Logger
}

// Store is a store.Store in one database of a MongoDB.
type Store struct {
	client  *mongo.Client
	timeout time.Duration
	log     *slog.Logger

	users       *mongo.Collection
	revocations *mongo.Collection
	records     *mongo.Collection
	leases      *mongo.Collection

	logs     *mongo.Collection // a row each
	messages *mongo.Collection
	quotas   *mongo.Collection
	marks    *mongo.Collection
	epochs   *mongo.Collection // the base epoch

	calls   calls
	indexes indexes
	stop    context.CancelFunc // of what makes the indexes
	making  sync.WaitGroup
}

var _ store.Store = (*Store)(nil)

// Open makes a Store of a connection string and the name of a database. It
// fails for what is wrong with these, and not for want of a server: connections
// are made when they are needed. What is wrong is told without the connection
// string, which may hold a password.
//
// Indexes are made in the background until they stand, which takes a moment
// where the server is there. Ping and writes wait for the first try, and fail
// until one has gone well: a user must not be created where the index that
// keeps addresses unique may be missing. Reads do not wait.
func Open(ctx context.Context, uri, database string, options Options) (*Store, error) {
	options.complete()
	configured, err := clientOptions(uri, options)
	if err != nil {
		return nil, err
	}
	if err := checkDatabase(database); err != nil {
		return nil, err
	}
	client, err := mongo.Connect(configured)
	if err != nil {
		return nil, connectError(uri, err)
	}
	db, settled := client.Database(database), settledReads(configured)
	s := &Store{
		client: client, timeout: options.Timeout, log: options.Log,
		users: db.Collection("users"), revocations: db.Collection("revocations"),
		records: db.Collection("records"), leases: db.Collection("leases"),
		logs: db.Collection("logs", settled), messages: db.Collection("messages", settled),
		quotas: db.Collection("quotas"), marks: db.Collection("marks"), epochs: db.Collection("epochs", settled),
		calls:   calls{most: options.Calls, idle: make(chan struct{})},
		indexes: indexes{tried: make(chan struct{})},
	}
	// The context of Open bounds Open; the indexes are made for as long as the
	// store lives.
	making, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	s.making.Go(func() { s.makeIndexes(making) })
	s.log.Info("store opened", slog.Any("hosts", configured.Hosts), slog.String("database", database))
	return s, nil
}

func (o *Options) complete() {
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	if o.Calls <= 0 {
		o.Calls = defaultCalls
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

// Ping reports nil where a primary answers and the indexes stand.
func (s *Store) Ping(ctx context.Context) error {
	return s.write(ctx, func(ctx context.Context) error { return s.client.Ping(ctx, nil) })
}

// Close waits for the calls under way, each of which has its bound, and lets go
// of all connections. Again does nothing.
func (s *Store) Close() error {
	if !s.calls.close() {
		return nil
	}
	s.stop()
	s.making.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	return s.client.Disconnect(ctx)
}

// call runs one call within its bounds and tells its error as the contract has
// it.
func (s *Store) call(ctx context.Context, do func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.calls.begin(); err != nil {
		return err
	}
	defer s.calls.end()
	bounded, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	return callError(ctx, do(bounded))
}

// write is a call that needs the indexes.
func (s *Store) write(ctx context.Context, do func(context.Context) error) error {
	return s.call(ctx, func(ctx context.Context) error {
		if err := s.indexes.wait(ctx); err != nil {
			return err
		}
		return do(ctx)
	})
}

// calls counts what is under way.
type calls struct {
	most int

	mu     sync.Mutex
	count  int
	closed bool
	idle   chan struct{} // closed once closed is set and count is 0
}

func (c *calls) begin() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return errClosed
	}
	if c.count == c.most {
		return errFull
	}
	c.count++
	return nil
}

func (c *calls) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count--
	if c.closed && c.count == 0 {
		close(c.idle)
	}
}

// close lets none in any more and waits until none is under way. False where
// it was called before.
func (c *calls) close() bool {
	c.mu.Lock()
	again := c.closed
	c.closed = true
	if !again && c.count == 0 {
		close(c.idle)
	}
	c.mu.Unlock()
	<-c.idle
	return !again
}
