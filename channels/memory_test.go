package channels_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/walkergate/walkergate/channels"
	"github.com/walkergate/walkergate/fault"
)

// memory is a store that meets the contract of channels.Store but outlives
// nothing, and that can be made to fail as engines do: before it has written,
// or after. Its times are those of the messages.
type memory struct {
	// before is asked before an Append writes, after when it has written; an
	// error is what the caller gets. They may block. A call is 1 for the first.
	before, after func(ctx context.Context, call int, appending channels.Appending) error
	// sweep is asked for each step.
	sweep func(now time.Time) (bool, error)
	// broken, where set, is the answer to all reads and marks.
	broken error

	mu      sync.Mutex
	calls   []channels.Appending // all that was asked
	logs    map[string]*memoryLog
	used    map[string]int64
	marks   map[[2]string]int64
	forgot  []string
	headsOf []int // channels of each call of Heads
}

type memoryLog struct {
	epoch     string
	messages  []channels.Message
	places    map[string]channels.Place
	retention channels.Retention
}

func newMemory() *memory {
	return &memory{logs: make(map[string]*memoryLog), used: make(map[string]int64), marks: make(map[[2]string]int64)}
}

func (m *memory) log(channelID string) *memoryLog {
	log := m.logs[channelID]
	if log == nil {
		log = &memoryLog{epoch: "epoch of " + channelID, places: make(map[string]channels.Place)}
		m.logs[channelID] = log
	}
	return log
}

func (m *memory) Append(ctx context.Context, appending channels.Appending) (string, []channels.Place, error) {
	m.mu.Lock()
	seen := appending
	seen.Messages = slices.Clone(appending.Messages)
	m.calls = append(m.calls, seen)
	call := len(m.calls)
	m.mu.Unlock()
	if err := appendable(appending); err != nil {
		return "", nil, err
	}
	if m.before != nil {
		if err := m.before(ctx, call, appending); err != nil {
			return "", nil, err
		}
	}
	epoch, places := m.write(appending)
	if m.after != nil {
		if err := m.after(ctx, call, appending); err != nil {
			return "", nil, err
		}
	}
	return epoch, places, nil
}

// appendable holds callers to their side of the contract.
func appendable(a channels.Appending) error {
	if len(a.Messages) < 1 || len(a.Messages) > channels.MaxPage || a.Retention.Messages < 1 || a.Retention.Age < time.Second {
		return fmt.Errorf("%d messages under %+v cannot be appended", len(a.Messages), a.Retention)
	}
	for _, message := range a.Messages {
		if len(message.ID) < 1 || len(message.ID) > 64 || message.Seq != 0 || message.Keyed == (message.Digest == "") ||
			!message.At.Equal(message.At.Truncate(time.Millisecond)) || message.At.Location() != time.UTC {
			return fmt.Errorf("%+v cannot be appended", message)
		}
	}
	return nil
}

func (m *memory) write(appending channels.Appending) (string, []channels.Place) {
	m.mu.Lock()
	defer m.mu.Unlock()
	log := m.log(appending.ChannelID)
	log.retention = appending.Retention
	places := make([]channels.Place, len(appending.Messages))
	for i, message := range appending.Messages {
		size := int64(len(message.Data)) + channels.MessageCost
		before, known := log.places[message.ID]
		switch {
		case known:
			places[i] = before
			places[i].Before = true
			continue
		case appending.Quota > 0 && message.Owner != "" && m.used[message.Owner]+size > appending.Quota:
			places[i].Refused = channels.ErrQuota
			continue
		}
		if message.Owner != "" {
			m.used[message.Owner] += size
		}
		message.Seq = int64(len(log.messages)) + 1
		log.messages = append(log.messages, message)
		log.places[message.ID] = channels.Place{Seq: message.Seq, Digest: message.Digest, At: message.At}
		places[i] = channels.Place{Seq: message.Seq}
	}
	return log.epoch, places
}

func (m *memory) Heads(_ context.Context, channelIDs []string) ([]channels.Head, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broken != nil {
		return nil, m.broken
	}
	m.headsOf = append(m.headsOf, len(channelIDs))
	heads := make([]channels.Head, len(channelIDs))
	for i, id := range channelIDs {
		log := m.log(id)
		heads[i] = channels.Head{Epoch: log.epoch, Seq: int64(len(log.messages)), First: 1}
	}
	return heads, nil
}

func (m *memory) Messages(_ context.Context, query channels.LogQuery) (channels.Page, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broken != nil {
		return channels.Page{}, m.broken
	}
	if query.Limit < 1 || query.Limit > channels.MaxPage {
		return channels.Page{}, fmt.Errorf("no page has %d messages", query.Limit)
	}
	log := m.log(query.ChannelID)
	page := channels.Page{Head: channels.Head{Epoch: log.epoch, Seq: int64(len(log.messages)), First: 1}}
	for _, message := range log.messages {
		if message.Seq > query.After && (query.Before == 0 || message.Seq < query.Before) {
			page.Messages = append(page.Messages, message)
		}
	}
	if page.More = len(page.Messages) > query.Limit; page.More {
		if query.Newest {
			page.Messages = page.Messages[len(page.Messages)-query.Limit:]
		} else {
			page.Messages = page.Messages[:query.Limit]
		}
	}
	return page, nil
}

func (m *memory) Sweep(_ context.Context, now time.Time) (bool, error) {
	if m.sweep == nil {
		return false, nil
	}
	return m.sweep(now)
}

func (m *memory) Mark(_ context.Context, rootID, channelID string, seq int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broken != nil {
		return m.broken
	}
	key := [2]string{rootID, channelID}
	m.marks[key] = max(m.marks[key], seq)
	return nil
}

func (m *memory) Marked(_ context.Context, rootID, channelID string) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.marks[[2]string{rootID, channelID}], m.broken
}

func (m *memory) Forget(_ context.Context, rootID string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forgot = append(m.forgot, rootID)
	return m.broken
}

// asked gives all calls of Append so far.
func (m *memory) asked() []channels.Appending {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.calls)
}

// stored gives the log of a channel.
func (m *memory) stored(channelID string) []channels.Message {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.log(channelID).messages)
}

// told gathers what a log tells of what it stored.
type told struct {
	mu      sync.Mutex
	byID    map[string][]channels.Message
	suspect []string
}

func (o *told) committed(channelID, _ string, messages []channels.Message) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.byID == nil {
		o.byID = make(map[string][]channels.Message)
	}
	o.byID[channelID] = append(o.byID[channelID], messages...)
}

func (o *told) suspected(channelID string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.suspect = append(o.suspect, channelID)
}

// of gives the messages that were told of a channel, as seqs and in full.
func (o *told) of(channelID string) (seqs []int64, messages []channels.Message) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, message := range o.byID[channelID] {
		seqs = append(seqs, message.Seq)
	}
	return seqs, slices.Clone(o.byID[channelID])
}

func (o *told) suspects() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.suspect)
}

// newLog makes a log over a store, with a witness of what it tells, and closes
// it with the test.
func newLog(t testing.TB, store channels.Store, options channels.LogOptions) (*channels.Log, *told) {
	t.Helper()
	witness := &told{}
	if options.Committed == nil {
		options.Committed = witness.committed
	}
	options.Suspect = witness.suspected
	log := channels.NewLog(store, options)
	t.Cleanup(func() {
		if err := log.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if load := log.Load(); load != (channels.LogLoad{}) {
			t.Errorf("the load is %+v at the end", load)
		}
	})
	return log, witness
}

func entry(channelID, text string) channels.Entry {
	return channels.Entry{ChannelID: channelID, Data: []byte(`{"text":"` + text + `"}`)}
}

// errBroken is an error that says nothing of what was written.
var errBroken = fault.New(fault.Timeout, "the engine did not answer")
