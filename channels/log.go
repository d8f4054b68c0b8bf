package channels

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"
	"unicode/utf8"
)

const (
	// MaxMessage is the longest data that is stored, in bytes.
	MaxMessage = 1 << 20
	// maxStreamID bounds the log's own names: those of users' streams too.
	maxStreamID = 300

	// waitingMessages and waitingBytes bound what waits to be stored, over all
	// channels, each message with MessageCost. One channel has a quarter, so
	// that one whose log hangs does not stop the others.
	waitingMessages = 10_000
	waitingBytes    = 64 << 20
)

// LogOptions configures a Log. The zero value works.
type LogOptions struct {
	// Quota bounds the stored bytes of one owner, over all channels; zero is no
	// bound.
	Quota int64
	// Committed, if set, is told of messages once they are stored, before those
	// who gave them are answered, and also where nobody waits any more. Of one
	// channel it is told one call after the other, and, of what this node
	// stores, each message once and in the order of seq: only where a store did
	// not answer may one come twice, and one whose outcome stayed unknown comes
	// not at all. Whoever is told owns the slice. While it runs, the channel
	// stores nothing.
	Committed func(channelID, epoch string, messages []Message)
	// Suspect, if set, is told of a channel in which messages may have been
	// stored, now or in a moment, that Committed will never be told of.
	Suspect func(channelID string)
	// Now is the clock; nil is that of the machine.
	Now func() time.Time
	// Log takes what goes wrong behind the callers; without it that goes
	// nowhere.
	Log *slog.Logger
}

// Log writes and reads the logs of channels. On one node one write a channel is
// under way at a time, and what comes meanwhile goes into the next together: a
// lone message waits for nothing, and a crowd shares the cost of a commit. All
// methods may be called concurrently.
type Log struct {
	store   Store
	options LogOptions
	base    context.Context // of the writes
	stop    context.CancelFunc
	spare   sync.Pool // of *request; the log's own, as their channels are

	mu        sync.Mutex
	appenders map[string]*appender // those with something to write
	room      room
	closed    bool
	drained   chan struct{} // closed: closed, and nobody writes
}

// room is how much waits to be stored.
type room struct {
	messages int
	bytes    int64
}

func (r *room) add(messages int, bytes int64) {
	r.messages += messages
	r.bytes += bytes
}

// NewLog makes a Log over a store. Run keeps it within retention; Close ends it.
func NewLog(store Store, options LogOptions) *Log {
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	if options.Committed == nil {
		options.Committed = func(string, string, []Message) {}
	}
	if options.Suspect == nil {
		options.Suspect = func(string) {}
	}
	l := &Log{store: store, options: options, appenders: make(map[string]*appender), drained: make(chan struct{})}
	l.spare.New = func() any { return &request{done: make(chan struct{}, 1)} }
	l.base, l.stop = context.WithCancel(context.Background())
	return l
}

// giveBack is for the caller who was answered, and nobody else.
func (l *Log) giveBack(r *request) {
	r.message, r.stored, r.err = Message{}, Stored{}, nil
	l.spare.Put(r)
}

// Entry is one message that is to be stored.
type Entry struct {
	// ChannelID is a channel's id, or StreamOf a user. Whether the publisher may
	// store there is decided before.
	ChannelID string
	// Data is one JSON object of at most MaxMessage bytes.
	Data json.RawMessage
	// Sent is the object that the publisher sent, where a hook has put Data in
	// its place. It is what a repetition under the same key is held against.
	Sent json.RawMessage
	// From is who sent it; nil for the server itself.
	From *Sender
	// Owner is the root whose quota the message counts in; empty for none.
	Owner string
	// Key, where there is one, makes a repetition of the message within KeyLife
	// end where the first one did. Scope says whose key it is: the root of a
	// user, the connection of the public user. Keys of different scopes never
	// meet.
	Scope, Key string
	// Retention is what holds for the channel from now on; zero fields are
	// DefaultMessages and DefaultAge.
	Retention Retention
}

// Stored is where a message stands.
type Stored struct {
	Epoch string
	Seq   int64
	At    time.Time
	// Before says that it stood there already, under the same key.
	Before bool
}

// Append stores one message, and returns once it would survive the end of every
// node. Messages of one channel stand in the order of the calls. It keeps
// nothing of the entry's slices.
//
// Faults: busy where it was not stored for want of room or of a store that
// answers; too_large for the data or the quota (ErrQuota); invalid_context
// where another message has the key (ErrKeyTaken); conflict where the store did
// not say whether it wrote it (ErrUnknown); timeout where ctx ended first: then
// the message is stored all the same, or meets one of the faults above, and
// nobody is told.
func (l *Log) Append(ctx context.Context, entry Entry) (Stored, error) {
	if err := ctx.Err(); err != nil {
		return Stored{}, over(err, errNotWaited)
	}
	switch {
	case entry.ChannelID == "" || len(entry.ChannelID) > maxStreamID || !utf8.ValidString(entry.ChannelID):
		return Stored{}, errID
	case len(entry.Data) > MaxMessage:
		return Stored{}, errMessage
	}
	r := l.spare.Get().(*request)
	r.fill(entry)
	if err := l.enqueue(entry.ChannelID, r); err != nil {
		l.giveBack(r)
		return Stored{}, err
	}
	select {
	case <-r.done:
	case <-ctx.Done():
		select {
		case <-r.done: // at the same moment: it counts
		default:
			return Stored{}, over(ctx.Err(), errNotWaited)
		}
	}
	stored, err := r.stored, r.err
	l.giveBack(r)
	return stored, err
}

// enqueue puts a request behind those of its channel, and sees that somebody
// writes it.
func (l *Log) enqueue(channelID string, r *request) error {
	size := r.size()
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.appenders[channelID]
	switch {
	case l.closed:
		return errClosed
	case l.room.messages >= waitingMessages || l.room.bytes+size > waitingBytes:
		return errFull
	case a != nil && (a.room.messages >= waitingMessages/4 || a.room.bytes+size > waitingBytes/4):
		return errFull
	}
	r.since = time.Now()
	r.message.At = l.options.Now().UTC().Truncate(time.Millisecond)
	if a == nil {
		a = &appender{log: l, channelID: channelID}
		l.appenders[channelID] = a
		go a.run()
	}
	a.queue = append(a.queue, r)
	a.room.add(1, size)
	l.room.add(1, size)
	return nil
}

// LogLoad is what a Log has on its hands.
type LogLoad struct {
	// Channels counts those with something to write.
	Channels int
	// Messages and Bytes are what waits to be stored, or is being stored.
	Messages int
	Bytes    int64
}

// Load gives what waits to be stored.
func (l *Log) Load() LogLoad {
	l.mu.Lock()
	defer l.mu.Unlock()
	return LogLoad{Channels: len(l.appenders), Messages: l.room.messages, Bytes: l.room.bytes}
}

// Close takes no more messages and waits until those that wait are stored, or
// ctx ends. Then it cuts writes off: the outcome of those is unknown, and what
// waits behind them is not stored; all are told so.
func (l *Log) Close(ctx context.Context) error {
	l.mu.Lock()
	l.closed = true
	l.mayEnd()
	l.mu.Unlock()
	defer l.stop()
	select {
	case <-l.drained:
		return nil
	case <-ctx.Done():
	}
	return fmt.Errorf("%d messages wait to be stored: %w", l.Load().Messages, ctx.Err())
}

// mayEnd is called with the lock held.
func (l *Log) mayEnd() {
	if !l.closed || len(l.appenders) > 0 {
		return
	}
	select {
	case <-l.drained: // by an earlier close
	default:
		close(l.drained)
	}
}
