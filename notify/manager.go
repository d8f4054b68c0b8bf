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
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/walkergate/walkergate/wire"
)

// Conn is a connection as the index sees it.
type Conn interface {
	// Send hands a message over without blocking. It reports false, and sends
	// nothing, where the connection has ended, or where void is not nil and
	// holds true. The connection reads void under the same lock that orders
	// what it sends: once a membership is void and a later Send returned,
	// nothing of that membership follows.
	Send(message *wire.Message, void *atomic.Bool) bool
}

// Outcome tells what became of one notify.
type Outcome struct {
	// Reached is how many connections the message was handed to, each counted
	// once.
	Reached int
	// Offline lists the targets that no connection stood for.
	Offline []string
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
	// Bus says whether messages reach the other nodes that have a bus, too.
	Bus bool
	Log *slog.Logger
	Now func() time.Time
}

// Stats counts what passed through a Manager since its start.
type Stats struct {
	Connections int
	Users       int
	Channels    int
	Notifies    uint64
	Deliveries  uint64
}

// Manager is the notify manager of one node.
type Manager struct {
	now      func() time.Time
	index    *index
	recorder *recorder
	keeper   *keeper

	notifies   atomic.Uint64
	deliveries atomic.Uint64
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
	m := &Manager{now: options.Now, index: newIndex()}
	m.recorder = newRecorder(options.Store, options.Log, m.index.records)
	m.keeper = newKeeper(options, m.recorder.renew)
	return m
}

// Enter makes this node one of those that use the store. It returns nil once
// that is so, at once where no other lease stands in the way; what a dead node
// left is removed first, which takes about as long as a lease. ErrNotAlone
// where another node lives and not both have a bus. It is called once, before
// the first connection is added, and asks again until ctx ends where the store
// does not answer. Run follows, and soon, or the lease runs out.
func (m *Manager) Enter(ctx context.Context) error {
	err := m.keeper.enter(ctx)
	if err != nil {
		return errors.Join(err, m.keeper.leave())
	}
	return nil
}

// Run keeps the node's lease, writes the records of connections and removes
// those of dead nodes until ctx ends; then it clears the node's records and
// gives the lease back. It ends with ErrNotAlone where others took the node for
// dead and another took its place. It is called once.
func (m *Manager) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var recording sync.WaitGroup
	recording.Go(func() { m.recorder.run(ctx) })
	lost := m.keeper.run(ctx)
	cancel()
	recording.Wait()
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
		Notifies: m.notifies.Load(), Deliveries: m.deliveries.Load(),
	}
}

// Users delivers data, one JSON object, verbatim to every connection of those
// users. Unknown roots are told in Outcome.Offline.
func (m *Manager) Users(ctx context.Context, rootIDs []string, data json.RawMessage) (Outcome, error) {
	return m.deliver(ctx, &m.index.users, rootIDs, data)
}

// Channels delivers data to every connection in those channels; a connection
// that stands in several of them gets it once.
func (m *Manager) Channels(ctx context.Context, channelIDs []string, data json.RawMessage) (Outcome, error) {
	return m.deliver(ctx, &m.index.channels, channelIDs, data)
}

// Clients delivers data to those connections.
func (m *Manager) Clients(ctx context.Context, clientIDs []string, data json.RawMessage) (Outcome, error) {
	return m.deliver(ctx, &m.index.clients, clientIDs, data)
}

func (m *Manager) deliver(ctx context.Context, groups *groups, keys []string, data json.RawMessage) (Outcome, error) {
	var outcome Outcome
	if len(keys) == 0 {
		return outcome, nil
	}
	if err := ctx.Err(); err != nil {
		return outcome, err
	}
	m.notifies.Add(1)
	message := wire.Text(data)
	if len(keys) == 1 {
		outcome.Reached = sendToAll(groups.members(keys[0]), message)
		if outcome.Reached == 0 {
			outcome.Offline = keys[:1:1]
		}
	} else {
		outcome = sendToEachOnce(groups, keys, message)
	}
	m.deliveries.Add(uint64(outcome.Reached))
	return outcome, nil
}

func sendToAll(members []*membership, message *wire.Message) int {
	reached := 0
	for _, member := range members {
		if member.conn.Send(message, &member.void) {
			reached++
		}
	}
	return reached
}

// sendToEachOnce remembers who was reached and not who was tried: a connection
// whose first membership has just ended may still be reached by another.
func sendToEachOnce(groups *groups, keys []string, message *wire.Message) Outcome {
	var outcome Outcome
	reached := make(map[Conn]struct{})
	for _, key := range keys {
		present := false
		for _, member := range groups.members(key) {
			if _, again := reached[member.conn]; again {
				present = true
				continue
			}
			if member.conn.Send(message, &member.void) {
				reached[member.conn] = struct{}{}
				present = true
			}
		}
		if !present {
			outcome.Offline = append(outcome.Offline, key)
		}
	}
	outcome.Reached = len(reached)
	return outcome
}
