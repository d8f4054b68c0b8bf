// Package notify delivers messages to clients, users and channels. The Manager
// keeps the index of this node's connections and writes the records of them
// that everybody else reads.
//
// A message is encoded once and the same bytes go to every receiver. A
// receiver that is slow, dead or full is its own session's business: Send
// never blocks, so no receiver delays another. All methods may be called from
// any goroutine.
package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/walkergate/walkergate/channels"
	"github.com/walkergate/walkergate/wire"
)

// Conn is a connection as the index sees it. None of its methods blocks. Each
// looks at what it is given under the one lock that orders what the connection
// sends: once a membership is void and a later Send returned, nothing of that
// membership follows.
type Conn interface {
	// Send hands a message over. It reports false, and sends nothing, where the
	// connection has ended, or where void is not nil and holds true.
	Send(message *wire.Message, void *atomic.Bool) bool
	// SendNext is Send for a message of a log: it is sent only where next holds
	// its seq too, and next then holds the one behind it.
	SendNext(message *wire.Message, void *atomic.Bool, next *atomic.Int64, seq int64) bool
	// Offer is SendNext for what can wait: it is sent only where the connection
	// has room to spare. Where it has none, room is closed when it may have, or
	// has ended.
	Offer(message *wire.Message, void *atomic.Bool, next *atomic.Int64, seq int64) (sent bool, room <-chan struct{})
	// SendOpening sends a message and, where it was taken, calls open under that
	// same lock.
	SendOpening(message *wire.Message, open func()) bool
}

// Log is the logs of all channels, as a Manager uses them. What it writes, or
// finds that it may have written, it tells Committed and Suspect of. All methods
// may be called concurrently; their contracts are those of channels.Log.
type Log interface {
	Append(ctx context.Context, entry channels.Entry) (channels.Stored, error)
	Heads(ctx context.Context, channelIDs []string) ([]channels.Head, error)
	Page(ctx context.Context, query channels.LogQuery) (channels.Page, error)
}

// Options configures a Manager. Store and NodeID are required.
type Options struct {
	// NodeID is the id of this life of the process; no other has it.
	NodeID string
	Store  Store
	// Lease is how long this node may be silent before others take it for
	// dead, and how long it waits until it takes them so. All nodes of one
	// store have the same. Zero means DefaultLease.
	Lease time.Duration
	// Bus carries messages to the other nodes of the store and from them; nil
	// where there are none.
	Bus Bus
	// Channels is the logs of channels. Without it nothing is stored and nobody
	// subscribes.
	Channels Log
	// Storing decides whether a message is stored in a log, where asked says
	// that its publisher asks for it, and how long. It is called for each channel
	// of a notify, and for StreamOf a user where it is asked to store for one. An
	// error refuses the notify. It is required with Channels.
	Storing func(channelID string, asked bool) (store bool, retention channels.Retention, err error)
	Log     *slog.Logger
	Now     func() time.Time
}

// Stats counts what passed through a Manager since its start.
type Stats struct {
	Connections int
	Users       int
	Channels    int
	Notifies    uint64
	Deliveries  uint64
	// Streams are those whose stored messages this node delivers, and Cached the
	// bytes of recent ones that are kept in memory.
	Streams int
	Cached  int64
	// Mended counts the messages that had to be read from the log because they
	// did not come by themselves.
	Mended uint64
}

// Manager is the notify manager of one node.
type Manager struct {
	now      func() time.Time
	index    *index
	recorder *recorder
	keeper   *keeper
	log      Log
	storing  func(channelID string, asked bool) (bool, channels.Retention, error)
	streams  *streams
	exchange *exchange // nil without a bus
	hangUp   func()    // ends what Enter began to listen to

	notifies atomic.Uint64
}

// New makes a manager. It begins with Enter and Run.
func New(options Options) *Manager {
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Lease <= 0 {
		options.Lease = DefaultLease
	}
	m := &Manager{now: options.Now, index: newIndex(), log: options.Channels, storing: options.Storing}
	m.streams = newStreams(m.index, options)
	if options.Bus != nil {
		m.exchange = newExchange(m, options.Bus, options.Log)
	}
	m.recorder = newRecorder(options.Store, options.Log, m.index.records)
	m.keeper = newKeeper(options, m.recorder.renew)
	return m
}

// Enter makes this node one of those that use the store, listening to the bus.
// It returns nil once that is so, at once where no other lease stands in the
// way; what a dead node left is removed first, which takes about as long as a
// lease. ErrNotAlone where another node lives and not both have a bus. It is
// called once, before the first connection is added, and asks again until ctx
// ends where the store does not answer. Run follows, and soon, or the lease
// runs out.
func (m *Manager) Enter(ctx context.Context) error {
	if err := m.listen(); err != nil {
		return err
	}
	err := m.keeper.enter(ctx)
	if err != nil {
		m.hangUp()
		return errors.Join(err, m.keeper.leave())
	}
	return nil
}

// Run keeps the node's lease, writes the records of connections and removes
// those of dead nodes, and reads from the logs what does not come by itself,
// until ctx ends; then it leaves the bus, clears the node's records and gives
// the lease back. It ends with ErrNotAlone where others took the node for dead
// and another took its place. It is called once, after Enter.
func (m *Manager) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var working sync.WaitGroup
	working.Go(func() { m.recorder.run(ctx) })
	working.Go(func() { m.streams.mender.run(ctx) })
	lost := m.keeper.run(ctx)
	cancel()
	m.hangUp()
	working.Wait()
	m.streams.work.wait()
	err := m.recorder.finish()
	if err == nil {
		// Never before: records without a lease are nobody's to clear.
		err = m.keeper.leave()
	}
	return errors.Join(lost, err)
}

// Ready reports nil while the node's lease is held and its records can be
// written.
func (m *Manager) Ready() error {
	if err := m.keeper.ready(); err != nil {
		return err
	}
	return m.recorder.ready()
}

// Stats gives the counts of this moment.
func (m *Manager) Stats() Stats {
	clients, users, channels := m.index.sizes()
	return Stats{
		Connections: clients, Users: users, Channels: channels,
		Notifies: m.notifies.Load(), Deliveries: m.streams.deliveries.Load(),
		Streams: int(m.streams.count.Load()), Cached: m.streams.cached.Load(), Mended: m.streams.mended.Load(),
	}
}

// listen opens the bus.
func (m *Manager) listen() (err error) {
	m.hangUp = func() {}
	if m.exchange == nil {
		return nil
	}
	hangUp, err := m.exchange.bus.Open(m.exchange.receive, m.streams.mender.lost)
	if err != nil {
		return fmt.Errorf("open the bus: %w", err)
	}
	m.hangUp = hangUp
	return nil
}

// Committed takes in what this node has stored in a log, in ascending order. It
// is what a log is told to call; of one channel, one call after the other. Where
// receivers are slower than publishers it waits.
func (m *Manager) Committed(channelID, epoch string, messages []channels.Message) {
	if m.exchange != nil {
		m.exchange.publishStored(channelID, epoch, messages)
	}
	m.streams.arrive(channelID, epoch, messages, true, true)
}

// Suspect has a log asked for messages that Committed is not called for. It is
// what a log is told to call that does not know what it has stored.
func (m *Manager) Suspect(channelID string) { m.streams.suspect(channelID) }
