package notify_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/walkergate/walkergate/channels"
	"github.com/walkergate/walkergate/notify"
)

// patience bounds every wait of a test; nothing waits for it but a failure.
func patience(t testing.TB) <-chan time.Time {
	t.Helper()
	return time.After(20 * time.Second)
}

// logs is a channels.Store in memory that any number of nodes share. It keeps
// what the contract says and fails when told to: real engines are judged by
// their own suite.
type logs struct {
	channels.Store // what nobody asks for here

	mu      sync.Mutex
	all     map[string]*record
	lives   int
	failing bool
	reads   int // heads and pages
}

type record struct {
	epoch    string
	messages []channels.Message // all of the epoch
	first    int                // messages[:first] are let go of
}

func newLogs() *logs { return &logs{all: make(map[string]*record)} }

func (l *logs) of(channelID string) *record {
	r := l.all[channelID]
	if r == nil {
		l.lives++
		r = &record{epoch: fmt.Sprint("e", l.lives)}
		l.all[channelID] = r
	}
	return r
}

var errLogDown = errors.New("the log is down")

func (l *logs) Append(_ context.Context, a channels.Appending) (string, []channels.Place, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failing {
		return "", nil, errLogDown
	}
	r := l.of(a.ChannelID)
	places := make([]channels.Place, len(a.Messages))
	for i, message := range a.Messages {
		if at := r.find(message); at >= 0 {
			places[i] = channels.Place{Seq: int64(at + 1), Before: true, Digest: r.messages[at].Digest, At: r.messages[at].At}
			continue
		}
		message.Seq = int64(len(r.messages) + 1)
		r.messages = append(r.messages, message)
		places[i] = channels.Place{Seq: message.Seq}
	}
	r.first = max(r.first, len(r.messages)-a.Retention.Messages)
	return r.epoch, places, nil
}

// find gives where the message of a key stands, or -1.
func (r *record) find(message channels.Message) int {
	if !message.Keyed {
		return -1
	}
	return slices.IndexFunc(r.messages, func(m channels.Message) bool { return m.ID == message.ID })
}

func (r *record) head() channels.Head {
	return channels.Head{Epoch: r.epoch, Seq: int64(len(r.messages)), First: int64(r.first + 1)}
}

func (l *logs) Heads(_ context.Context, channelIDs []string) ([]channels.Head, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reads++
	if l.failing {
		return nil, errLogDown
	}
	heads := make([]channels.Head, len(channelIDs))
	for i, id := range channelIDs {
		heads[i] = l.of(id).head()
	}
	return heads, nil
}

func (l *logs) Messages(_ context.Context, q channels.LogQuery) (channels.Page, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reads++
	if l.failing {
		return channels.Page{}, errLogDown
	}
	r := l.of(q.ChannelID)
	page := channels.Page{Head: r.head()}
	from, to := max(int(q.After), r.first), len(r.messages)
	if from < to {
		page.Messages = slices.Clone(r.messages[from:min(to, from+q.Limit)])
		page.More = from+q.Limit < to
	}
	return page, nil
}

func (l *logs) fail(failing bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failing = failing
}

// lose forgets a log: what follows is under another epoch.
func (l *logs) lose(channelID string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.all, channelID)
}

// letGo lets the messages up to a seq go.
func (l *logs) letGo(channelID string, seq int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.of(channelID)
	r.first = max(r.first, int(seq))
}

// written gives what is in a log.
func (l *logs) written(channelID string) []channels.Message {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.of(channelID).messages)
}

func (l *logs) asked() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.reads
}

// gateway is a manager that runs over logs.
type gateway struct {
	*notify.Manager
	log   *channels.Log
	store *faultyStore
	bus   notify.Bus
	stop  func()
}

// settings change how a gateway is made.
type settings struct {
	bus    notify.Bus
	keep   int  // messages of a log; all where 0
	stored bool // every message is stored
}

var nodes struct {
	sync.Mutex
	made int
}

func start(t testing.TB, shared *logs, s settings) *gateway {
	t.Helper()
	nodes.Lock()
	nodes.made++
	id := fmt.Sprint("node-", nodes.made)
	nodes.Unlock()
	g := &gateway{store: newStore(), bus: s.bus}
	g.log = channels.NewLog(shared, channels.LogOptions{
		Committed: func(channelID, epoch string, messages []channels.Message) {
			g.Committed(channelID, epoch, messages)
		},
		Suspect: func(channelID string) { g.Suspect(channelID) },
	})
	retention := channels.Retention{Messages: 1 << 30, Age: time.Hour}
	if s.keep > 0 {
		retention.Messages = s.keep
	}
	g.Manager = notify.New(notify.Options{
		NodeID: id, Store: g.store, Bus: s.bus, Channels: g.log,
		Storing: func(_ string, asked bool) (bool, channels.Retention, error) { return asked || s.stored, retention, nil },
	})
	ctx, cancel := context.WithCancel(context.Background())
	if err := g.Enter(ctx); err != nil {
		t.Fatalf("enter: %v", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	var once sync.Once
	g.stop = func() {
		once.Do(func() {
			shared.fail(false)
			if err := g.log.Close(context.Background()); err != nil {
				t.Errorf("close the log: %v", err)
			}
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("run ended with %v", err)
			}
		})
	}
	return g
}
