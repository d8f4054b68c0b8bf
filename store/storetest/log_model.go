package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/walkergate/walkergate/channels"
	"github.com/walkergate/walkergate/store"
)

// RunModel does at random what can be done to logs, and compares each answer
// with what a plain model says. It is for an engine whose quotas are exact.
func RunModel(t *testing.T, s store.Store) {
	cases, now := 0, start
	rapid.Check(t, func(rt *rapid.T) {
		cases++
		m := &model{T: rt, s: s, now: now, logs: make(map[string]*modelLog), epochs: make(map[string]bool)}
		m.streamer = fmt.Sprint("ann ", cases)
		m.owners = []string{"", m.streamer, fmt.Sprint("bob ", cases)}
		for _, name := range []string{fmt.Sprint("room ", cases), fmt.Sprint("hall ", cases), channels.StreamOf(m.streamer)} {
			m.channelIDs = append(m.channelIDs, name)
			m.logs[name] = &modelLog{}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"append": m.append,
			"sweep":  m.sweep,
			"read":   m.read,
			"forget": m.forget,
			"":       m.look,
		})
		now = m.now
	})
}

// model is what a store should be.
type model struct {
	*rapid.T
	s          store.Store
	now        time.Time
	channelIDs []string
	owners     []string
	streamer   string // whose stream is one of the channels
	logs       map[string]*modelLog
	said       int
	epochs     map[string]bool // channel and epoch, of logs that ended
}

type modelLog struct {
	head     channels.Head
	keep     channels.Retention
	messages []channels.Message // all of the epoch
	used     time.Time
}

func (l *modelLog) kept() []channels.Message { return l.messages[l.head.First-1:] }

func (l *modelLog) find(id string) *channels.Message {
	for i := range l.messages {
		if l.messages[i].ID == id {
			return &l.messages[i]
		}
	}
	return nil
}

// stored is what an owner's messages count.
func (m *model) stored(owner string) (bytes int64) {
	for _, log := range m.logs {
		for _, message := range log.kept() {
			if message.Owner == owner {
				bytes += store.Cost(&message)
			}
		}
	}
	return bytes
}

func (m *model) drawChannel(rt *rapid.T) (string, *modelLog) {
	name := rapid.SampledFrom(m.channelIDs).Draw(rt, "channel")
	return name, m.logs[name]
}

func (m *model) append(rt *rapid.T) {
	name, log := m.drawChannel(rt)
	asked := channels.Appending{
		ChannelID: name,
		Retention: channels.Retention{
			Messages: rapid.SampledFrom([]int{1, 3, 10, 1000}).Draw(rt, "keep"),
			Age:      rapid.SampledFrom([]time.Duration{time.Second, time.Minute, time.Hour, 100 * time.Hour}).Draw(rt, "age"),
		},
		Quota: rapid.SampledFrom([]int64{0, 2000}).Draw(rt, "quota"),
	}
	before := log.head
	var want []channels.Place
	for range rapid.IntRange(1, 6).Draw(rt, "messages") {
		m.now = m.now.Add(time.Millisecond)
		message := m.drawMessage(rt, log)
		asked.Messages = append(asked.Messages, message)
		want = append(want, m.place(log, asked.Quota, message))
	}
	epoch, places, err := m.s.Append(m.Context(), asked)
	must(m, err)
	same(m, "the epoch", epoch, log.head.Epoch)
	same(m, "the places", places, want)
	if int64(len(log.messages)) > before.Seq {
		log.keep, log.used = asked.Retention, m.now
	}
	// What goes by number is not of the newest.
	after := headOf(m, m.s, name)
	if after.First > max(before.First, after.Seq-int64(log.keep.Messages)+1) {
		m.Fatalf("an append under %+v took the head from %+v to %+v", log.keep, before, after)
	}
}

// drawMessage makes a new message, or one under an id that is known still.
func (m *model) drawMessage(rt *rapid.T, log *modelLog) channels.Message {
	m.said++
	message := someMessage(m.said)
	if rapid.Bool().Draw(rt, "keyed") {
		message = keyedMessage(m.said, fmt.Sprint(m.said))
	}
	message.At, message.Owner = m.now, rapid.SampledFrom(m.owners).Draw(rt, "owner")
	message.Data = []byte(`{"fill":"` + strings.Repeat("x", rapid.IntRange(0, 300).Draw(rt, "fill")) + `"}`)
	if len(log.messages) > 0 && rapid.IntRange(0, 3).Draw(rt, "again") == 0 {
		earlier := rapid.SampledFrom(log.messages).Draw(rt, "earlier")
		if earlier.Seq >= log.head.First || store.KnownUntil(&earlier).After(m.now) {
			message.ID, message.Keyed = earlier.ID, earlier.Keyed
		}
	}
	return message
}

func (m *model) place(log *modelLog, quota int64, message channels.Message) channels.Place {
	if before := log.find(message.ID); before != nil {
		return channels.Place{Seq: before.Seq, Before: true, Digest: before.Digest, At: before.At}
	}
	if message.Owner != "" && quota > 0 && m.stored(message.Owner)+store.Cost(&message) > quota {
		return channels.Place{Refused: channels.ErrQuota}
	}
	log.head.Seq++
	message.Seq = log.head.Seq
	log.messages = append(log.messages, message)
	return channels.Place{Seq: message.Seq}
}

func (m *model) sweep(rt *rapid.T) {
	m.now = m.now.Add(rapid.SampledFrom([]time.Duration{
		0, time.Second, time.Minute, channels.KeyLife, time.Hour, 50 * time.Hour, store.ChannelLife / 2, 2 * store.ChannelLife,
	}).Draw(rt, "later"))
	sweepAll(m, m.s, m.now)
	heads, err := m.s.Heads(m.Context(), m.channelIDs)
	must(m, err)
	for i, head := range heads {
		log := m.logs[m.channelIDs[i]]
		idle := m.now.Sub(log.used)
		if head.Epoch != log.head.Epoch && len(log.messages) > 0 && idle < store.ChannelLife {
			m.Fatalf("a channel was forgotten after %s", idle)
		}
		if head.Epoch != log.head.Epoch {
			m.begin(m.channelIDs[i], head)
			continue
		}
		// What is younger than its age is kept; what is older by more than the
		// sweep's own measure is not.
		for _, message := range log.messages {
			age := m.now.Sub(message.At)
			if age < log.keep.Age && message.Seq < head.First && message.Seq >= log.head.First {
				m.Fatalf("a message was let go after %s", age)
			}
			if age >= log.keep.Age+store.LookAgain && message.Seq >= head.First {
				m.Fatalf("a message is kept after %s, for an age of %s", age, log.keep.Age)
			}
		}
	}
}

// begin notes that a log began anew.
func (m *model) begin(channelID string, head channels.Head) {
	log := m.logs[channelID]
	same(m, "the head of a log that began anew", head, channels.Head{Epoch: head.Epoch, First: 1})
	if len(log.messages) > 0 {
		m.epochs[channelID+log.head.Epoch] = true
	}
	if m.epochs[channelID+head.Epoch] {
		m.Fatalf("the epoch %s was there before", head.Epoch)
	}
	*log = modelLog{head: head}
}

// forget ends a user. Nobody of that name comes again, as roots do not, but
// others may still write to the stream.
func (m *model) forget(*rapid.T) {
	must(m, m.s.Forget(m.Context(), m.streamer))
	m.owners[1] = m.streamer + "'s heir"
	if stream := channels.StreamOf(m.streamer); len(m.logs[stream].messages) > 0 {
		m.begin(stream, headOf(m, m.s, stream))
	}
}

func (m *model) read(rt *rapid.T) {
	name, log := m.drawChannel(rt)
	query := channels.LogQuery{
		ChannelID: name, Newest: rapid.Bool().Draw(rt, "newest"), Limit: rapid.IntRange(1, 8).Draw(rt, "limit"),
		After: int64(rapid.IntRange(-1, len(log.messages)+1).Draw(rt, "after")), Before: int64(rapid.IntRange(0, len(log.messages)+2).Draw(rt, "before")),
	}
	want := partOf(log.head, log.kept(), query)
	same(m, fmt.Sprintf("the page of %+v", query), pageOf(m, m.s, query), want)
}

// look compares the heads, and learns how many messages are kept: that is the
// engine's to say, within bounds.
func (m *model) look(*rapid.T) {
	heads, err := m.s.Heads(m.Context(), m.channelIDs)
	must(m, err)
	for i, head := range heads {
		log := m.logs[m.channelIDs[i]]
		if len(log.messages) == 0 {
			log.head = head
		}
		same(m, "the head", head, channels.Head{Epoch: log.head.Epoch, Seq: int64(len(log.messages)), First: head.First})
		kept := int(head.Seq - head.First + 1)
		if head.First < log.head.First || kept > log.keep.Messages+100 {
			m.Fatalf("a log that is to keep %d went from %+v to %+v", log.keep.Messages, log.head, head)
		}
		log.head = head
	}
}
