package notify

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/walkergate/walkergate/channels"
	"github.com/walkergate/walkergate/fault"
	"github.com/walkergate/walkergate/wire"
)

// Message is what one notify sends.
type Message struct {
	// Data is one JSON object, delivered byte for byte. Nobody changes it any
	// more.
	Data json.RawMessage
	// Sent is what the publisher sent where a hook has put Data in its place.
	// It is nil else.
	Sent json.RawMessage
	// From is who sends, as subscriptions are told; nil for the server itself.
	From *channels.Sender
	// Store asks that the message is written to the log of each target before
	// it is delivered.
	Store bool
	// Owner, Scope and Key are those of channels.Entry. They concern messages
	// that are stored.
	Owner, Scope, Key string
}

// Outcome tells what became of one notify.
type Outcome struct {
	// Reached is how many connections of this node the message was handed to,
	// each counted once. Of a message that waits for its turn in a channel's
	// stream, as every stored one does, it is how many stood there for it.
	Reached int
	// Offline lists the targets that no connection of this node stood for.
	Offline []string
	// Stored is where the message stands, by channel id or root, for each
	// target in whose log it was stored.
	Stored map[string]channels.Stored
}

// Faults of a notify.
var (
	errClientsStore = fault.New(fault.BadFrame, "messages to clients cannot be stored")
	errNoLog        = fault.New(fault.Forbidden, "nothing is stored here")
)

// storesAtOnce bounds the logs that one notify writes to at the same time.
const storesAtOnce = 8

// kind is what the targets of a notify are.
type kind uint8

const (
	toClients kind = iota
	toUsers
	toChannels
)

// Users sends to every connection of those users: raw data. A stored message
// goes into the user's own stream, and those connections that have subscribed
// that get its envelope in place of the data.
func (m *Manager) Users(ctx context.Context, rootIDs []string, message Message) (Outcome, error) {
	return m.notify(ctx, toUsers, rootIDs, message)
}

// Channels sends to every connection in those channels: envelopes, one a
// channel, to those that have subscribed, and raw data to those that have only
// joined. A message that is not stored comes once as raw data to a connection,
// also where that stands in several of the channels.
//
// Messages of one publisher to one channel arrive in the order of the calls,
// whether stored or not. Stored ones arrive in the order of their log, on every
// node. Whether one is stored, Options.Storing decides; then it is in the log
// when Channels returns without an error. Where it could be stored in some
// channels only, the outcome says in which, beside the error.
func (m *Manager) Channels(ctx context.Context, channelIDs []string, message Message) (Outcome, error) {
	return m.notify(ctx, toChannels, channelIDs, message)
}

// Clients sends raw data to those connections. It cannot be stored: bad_frame.
func (m *Manager) Clients(ctx context.Context, clientIDs []string, message Message) (Outcome, error) {
	if message.Store {
		return Outcome{}, errClientsStore
	}
	return m.notify(ctx, toClients, clientIDs, message)
}

func (m *Manager) notify(ctx context.Context, to kind, targets []string, message Message) (Outcome, error) {
	if len(targets) == 0 {
		return Outcome{}, nil
	}
	if err := ctx.Err(); err != nil {
		return Outcome{}, err
	}
	plain, stored, err := m.sort(to, targets, message.Store)
	if err != nil {
		return Outcome{}, err
	}
	m.notifies.Add(1)
	if len(stored) == 0 {
		return m.send(ctx, to, plain, message)
	}
	outcome, counted, err := m.store(ctx, to, stored, message)
	if len(plain) > 0 {
		n := newNote(message, m.now())
		n.reached = counted
		sent, sendErr := m.deliver(ctx, to, plain, n)
		outcome.Reached = sent.Reached // those of the stored ones with them
		outcome.Offline = append(outcome.Offline, sent.Offline...)
		err = errors.Join(err, sendErr)
	}
	return outcome, err
}

// send delivers what is not stored.
func (m *Manager) send(ctx context.Context, to kind, targets []string, message Message) (Outcome, error) {
	if len(targets) > 1 || m.exchange != nil || m.streamOf(to, targets[0]) != nil {
		return m.deliver(ctx, to, targets, newNote(message, m.now()))
	}
	// One channel without a stream, on one node: nobody to wait for or to tell.
	var outcome Outcome
	members := m.index.of(to).members(targets[0])
	outcome.Reached = sendToAll(members, wire.Text(message.Data), func() *wire.Message {
		return envelopeOf(targets[0], message, m.now())
	})
	if outcome.Reached == 0 {
		outcome.Offline = targets[:1:1]
	}
	m.streams.deliveries.Add(uint64(outcome.Reached))
	return outcome, nil
}

// deliver tells the other nodes of a note and delivers it on this one.
func (m *Manager) deliver(ctx context.Context, to kind, targets []string, n *note) (Outcome, error) {
	if m.exchange != nil {
		m.exchange.publishNote(to, targets, n)
	}
	if len(targets) > 1 {
		n.share()
	}
	var outcome Outcome
	var errs []error
	for _, target := range targets {
		present, err := m.put(ctx, to, target, n, here, true)
		if err != nil {
			errs = append(errs, err)
		} else if present == 0 {
			outcome.Offline = append(outcome.Offline, target)
		}
	}
	outcome.Reached = n.total()
	return outcome, errors.Join(errs...)
}

// put delivers a note to one target, in its turn where the target has a stream.
func (m *Manager) put(
	ctx context.Context, to kind, target string, n *note, behind logPlace, wait bool,
) (present int, err error) {
	for {
		s := m.streamOf(to, target)
		if s == nil {
			present, sent := n.sendTo(m.index.of(to).members(target), target)
			m.streams.deliveries.Add(uint64(sent))
			return present, nil
		}
		if present, open, err := s.put(ctx, n, behind, wait); open {
			return present, err
		}
	}
}

// streamOf gives the stream that messages to a target go through, or nil.
func (m *Manager) streamOf(to kind, target string) *stream {
	if to == toClients || m.streams.count.Load() == 0 {
		return nil
	}
	return m.streams.get(streamID(to, target))
}

// storing is a target in whose log a message is to be stored.
type storing struct {
	target    string
	retention channels.Retention
}

// sort tells targets whose log is written to from the others. Each of the
// former stands there once.
func (m *Manager) sort(to kind, targets []string, asked bool) (plain []string, stored []storing, err error) {
	if m.storing == nil || to == toClients || to == toUsers && !asked {
		if asked {
			return nil, nil, errNoLog
		}
		return targets, nil, nil
	}
	for i, target := range targets {
		store, retention, err := m.storing(streamID(to, target), asked)
		switch {
		case err != nil:
			return nil, nil, err
		case !store && stored != nil:
			plain = append(plain, target)
		case !store:
		case slices.ContainsFunc(stored, func(s storing) bool { return s.target == target }):
		default:
			if stored == nil {
				plain = append(plain, targets[:i]...)
			}
			stored = append(stored, storing{target, retention})
		}
	}
	if stored == nil {
		return targets, nil, nil
	}
	return plain, stored, nil
}

// streamID is the log's name of a target.
func streamID(to kind, target string) string {
	if to == toUsers {
		return channels.StreamOf(target)
	}
	return target
}

// store writes a message to logs, and counts who stands there for it. Its
// delivery follows from there: the log tells Committed.
func (m *Manager) store(
	ctx context.Context, to kind, targets []storing, message Message,
) (Outcome, map[Conn]bool, error) {
	var mu sync.Mutex
	outcome := Outcome{Stored: make(map[string]channels.Stored, len(targets))}
	errs := make([]error, len(targets))
	write := func(i int) {
		stored, err := m.log.Append(ctx, channels.Entry{
			ChannelID: streamID(to, targets[i].target), Data: message.Data, Sent: message.Sent, From: message.From,
			Owner: message.Owner, Scope: message.Scope, Key: message.Key, Retention: targets[i].retention,
		})
		if errs[i] = err; err != nil {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		outcome.Stored[targets[i].target] = stored
	}
	if len(targets) == 1 {
		write(0)
	} else {
		var writing errgroup.Group
		writing.SetLimit(storesAtOnce)
		for i := range targets {
			writing.Go(func() error { write(i); return nil })
		}
		_ = writing.Wait() // errs has them
	}
	counted := make(map[Conn]bool)
	for _, each := range targets {
		if _, ok := outcome.Stored[each.target]; ok && m.standing(to, each.target, counted) == 0 {
			outcome.Offline = append(outcome.Offline, each.target)
		}
	}
	outcome.Reached = len(counted)
	return outcome, counted, errors.Join(errs...)
}

// standing counts the connections that stand for a target, and adds to counted
// those that were not.
func (m *Manager) standing(to kind, target string, counted map[Conn]bool) (n int) {
	for _, member := range m.index.of(to).members(target) {
		if !member.stands() {
			continue
		}
		n++
		if _, again := counted[member.conn]; !again {
			counted[member.conn] = false
		}
	}
	return n
}
