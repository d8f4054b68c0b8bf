package notify_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/walkergate/walkergate/channels"
	"github.com/walkergate/walkergate/fault"
	"github.com/walkergate/walkergate/notify"
)

// stored makes messages of a log, from a seq to another.
func stored(from, to int) []channels.Message {
	var messages []channels.Message
	for n := from; n <= to; n++ {
		messages = append(messages, channels.Message{Seq: int64(n), Data: fmt.Appendf(nil, `{"n":%d}`, n)})
	}
	return messages
}

func TestOnePublishersMessagesKeepTheirOrder(t *testing.T) {
	g := start(t, newLogs(), settings{})
	defer g.stop()
	sub, member := add(g.Manager, "sub", "ann")
	raw, _ := add(g.Manager, "raw", "bob", "room")
	opened(t, member, "room")
	const messages = 500
	var others sync.WaitGroup
	for range 3 { // who keep the flusher busy
		others.Go(func() {
			for range messages {
				_, _ = g.Channels(context.Background(), []string{"room"}, notify.Message{Data: []byte(`{"other":1}`)})
			}
		})
	}
	for n := range messages {
		publish(t, g, "room", numbered(n, n%3 == 0))
	}
	others.Wait()
	sub.until(t, "all messages", func() bool { return len(sub.got) == 4*messages+1 })
	raw.until(t, "all messages", func() bool { return len(raw.got) == 4*messages })
	for _, c := range []*conn{sub, raw} {
		for i, n := range ownNumbers(t, c.take()) {
			if n != i {
				t.Fatalf("%d came where %d was due", n, i)
			}
		}
	}
}

// ownNumbers are the numbers of numbered messages.
func ownNumbers(t *testing.T, texts []string) (numbers []int) {
	for _, text := range texts {
		var data struct{ N *int }
		if err := json.Unmarshal(parse(t, text).Data, &data); err != nil {
			t.Fatal(err)
		}
		if data.N != nil {
			numbers = append(numbers, *data.N)
		}
	}
	return numbers
}

func TestStreamsVanishWhenNobodyIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := start(t, newLogs(), settings{})
		defer g.stop()
		_, subscriber := add(g.Manager, "sub", "ann")
		_, member := add(g.Manager, "raw", "bob", "raw")
		opened(t, subscriber, "subscribed")
		opened(t, subscriber, annsOwn)
		for n := range 50 {
			publish(t, g, "subscribed", numbered(n, true))
			publish(t, g, "raw", numbered(n, true))
			publish(t, g, "nobody", numbered(n, true))
			tell(t, g, numbered(n, true), "ann", "bob")
		}
		synctest.Wait()
		// bob's own stream, raw as it comes, is one too.
		if stats := g.Stats(); stats.Streams != 4 || stats.Cached == 0 {
			t.Errorf("stats %+v", stats)
		}
		<-time.After(5 * time.Minute)
		synctest.Wait()
		if stats := g.Stats(); stats.Streams != 4 {
			t.Errorf("where somebody is, streams vanish: %+v", stats)
		}
		subscriber.Remove()
		member.Remove()
		<-time.After(29 * time.Second)
		synctest.Wait()
		if stats := g.Stats(); stats.Streams != 4 || stats.Connections+stats.Users+stats.Channels != 0 {
			t.Errorf("streams do not linger: %+v", stats)
		}
		<-time.After(12 * time.Second)
		synctest.Wait()
		if stats := g.Stats(); stats.Streams != 0 || stats.Cached != 0 {
			t.Errorf("left behind: %+v", stats)
		}
	})
}

// However many channels somebody runs through: what lingers is bounded, and so
// is what is kept in memory.
func TestWhatLingersIsBounded(t *testing.T) {
	g := start(t, newLogs(), settings{})
	defer g.stop()
	_, member := add(g.Manager, "c", "ann")
	const bound = 10_000
	for n := range bound + 500 {
		id := fmt.Sprint("room-", n)
		opened(t, member, id)
		member.Unsubscribe(id)
		if streams := g.Stats().Streams; streams > bound+1 {
			t.Fatalf("%d streams", streams)
		}
	}
	if streams := g.Stats().Streams; streams < bound {
		t.Errorf("only %d streams linger", streams)
	}
}

func TestRingsAreBounded(t *testing.T) {
	g := start(t, newLogs(), settings{})
	defer g.stop()
	_, member := add(g.Manager, "c", "ann")
	member.Join("room")
	big := notify.Message{Data: fmt.Appendf(nil, `{"big":%q}`, strings.Repeat("x", 40_000)), Store: true}
	for n := range 50 {
		publish(t, g, "room", numbered(n, true))
	}
	for range 50 {
		publish(t, g, "room", big)
		if cached := g.Stats().Cached; cached > 256<<10 {
			t.Fatalf("%d bytes of one stream are cached", cached)
		}
	}
	const streams = 300 // of which 256 fit
	for n := range streams {
		id := fmt.Sprint("room-", n)
		member.Join(id)
		for range 7 {
			publish(t, g, id, big)
		}
		if cached := g.Stats().Cached; cached > 64<<20 {
			t.Fatalf("%d bytes are cached", cached)
		}
	}
	if cached := g.Stats().Cached; cached < 32<<20 {
		t.Errorf("only %d bytes are cached", cached)
	}
}

// While a message is missing what comes behind it is held, within bounds; what
// found no room is read from the log, as is the missing one.
func TestWhatComesTooEarlyIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := newLogs()
		far := &tap{}
		here, there := start(t, shared, settings{bus: &tap{}}), start(t, shared, settings{bus: far})
		defer here.stop()
		defer there.stop()
		synctest.Wait()
		c, member := add(here.Manager, "c", "ann")
		opened(t, member, "room")
		const messages = 5000
		for n := 1; n <= messages; n++ {
			publish(t, there, "room", numbered(n, true))
		}
		for n, packet := range far.take() {
			if n > 0 {
				hereReceives(here, packet)
			}
		}
		c.wants(t, replied)
		<-time.After(49 * time.Millisecond)
		synctest.Wait()
		c.wants(t)
		<-time.After(2 * time.Millisecond)
		synctest.Wait()
		r := reader{name: "c"}
		r.read(t, c.take())
		if r.seen != messages {
			t.Errorf("got %d of %d", r.seen, messages)
		}
		if mended := here.Stats().Mended; mended < messages-1024-128 {
			t.Errorf("only %d messages were read from the log: more was held than may be", mended)
		}
	})
}

// hereReceives hands a packet to a node as its bus does.
func hereReceives(g *gateway, packet []byte) { g.bus.(*tap).receive(packet) }

// Where the log does not answer, what is missing is asked for until it does;
// notes wait behind it, within bounds.
func TestNotesBehindAHole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := newLogs()
		far := &tap{}
		here, there := start(t, shared, settings{bus: &tap{}}), start(t, shared, settings{bus: far})
		defer here.stop()
		defer there.stop()
		synctest.Wait()
		c, member := add(here.Manager, "c", "ann")
		opened(t, member, "room")
		c.wants(t, replied)
		publish(t, there, "room", numbered(1, true))
		publish(t, there, "room", numbered(2, true))
		shared.fail(true)
		hereReceives(here, far.take()[1])
		if outcome := publish(t, here, "room", numbered(0, false)); outcome.Reached != 1 {
			t.Errorf("of a note behind a hole is said %+v", outcome)
		}
		parked := 1
		for {
			_, err := here.Channels(t.Context(), []string{"room", "nobody"}, numbered(0, false))
			if fault.Is(err, fault.Busy) {
				break
			}
			if parked++; err != nil || parked > 256 {
				t.Fatalf("%d notes wait: %v", parked, err)
			}
		}
		<-time.After(time.Minute)
		c.wants(t)
		shared.fail(false)
		<-time.After(3 * time.Second)
		synctest.Wait()
		want := []string{`room:1 {"n":1}`, `room:2 {"n":2}`}
		for range parked {
			want = append(want, `room {"n":0}`)
		}
		c.wants(t, want...)
	})
}

// A catch-up waits for the log too.
func TestCatchingUpWithALogThatDoesNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := newLogs()
		g := start(t, shared, settings{})
		defer g.stop()
		for n := 1; n <= 3; n++ {
			publish(t, g, "room", numbered(n, true))
		}
		c, member := add(g.Manager, "c", "ann")
		sub := subscribe(t, member, "room")
		if recovered, err := sub.Resume(t.Context(), "", 1); !recovered || err != nil {
			t.Fatalf("resume: %t, %v", recovered, err)
		}
		member.Open(reply, "room")
		shared.fail(true)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := sub.Catch(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("it ended with %v", err)
		}
		caught := make(chan error, 1)
		go func() { caught <- sub.Catch(t.Context()) }()
		<-time.After(10 * time.Second)
		c.wants(t, replied)
		shared.fail(false)
		if err := <-caught; err != nil {
			t.Errorf("catch up: %v", err)
		}
		c.wants(t, `room:2 {"n":2}`, `room:3 {"n":3}`)
	})
}

// What was stored and nobody could tell of is found in the log, at once or when
// it comes to be there.
func TestASuspectLogIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := newLogs()
		g := start(t, shared, settings{})
		defer g.stop()
		c, member := add(g.Manager, "c", "ann")
		opened(t, member, "room")
		c.wants(t, replied)
		write := func(n int) {
			appending := channels.Appending{ChannelID: "room", Messages: stored(n, n), Retention: channels.Retention{Messages: 100}}
			if _, _, err := shared.Append(t.Context(), appending); err != nil {
				t.Fatal(err)
			}
		}
		write(1)
		g.Suspect("room")
		g.Suspect("nobody")
		synctest.Wait()
		c.wants(t, `room:1 {"n":1}`)
		write(2)
		<-time.After(time.Second)
		synctest.Wait()
		c.wants(t, `room:2 {"n":2}`)
		<-time.After(10 * time.Second)
		write(3)
		<-time.After(21 * time.Second)
		synctest.Wait()
		c.wants(t, `room:3 {"n":3}`)
		reads := shared.asked()
		<-time.After(time.Hour)
		if asked := shared.asked() - reads; asked != 0 {
			t.Errorf("an hour later it was asked %d times", asked)
		}
	})
}

// A receiver that is slow to be handed a message holds publishers up, and not
// memory: what waits in line is bounded, and nothing is lost.
func TestTheLineIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := start(t, newLogs(), settings{})
		defer g.stop()
		slow := &gate{entered: make(chan struct{}), open: make(chan struct{})}
		g.Add(notify.Joining{ClientID: "slow", RootID: "ann", ChannelIDs: []string{"room"}, Conn: slow})
		c, member := add(g.Manager, "c", "ann")
		opened(t, member, "room")
		c.wants(t, replied)
		const messages, bound = 5000, 1024
		var taken atomic.Int64
		var publishing sync.WaitGroup
		publishing.Go(func() {
			for n := 1; n <= messages; n++ {
				g.Committed("room", "e1", stored(n, n))
				taken.Store(int64(n))
			}
		})
		publishing.Go(func() {
			<-slow.entered
			for range 10 {
				if _, err := g.Channels(t.Context(), []string{"room"}, numbered(0, false)); err != nil {
					t.Errorf("publish: %v", err)
				}
			}
		})
		synctest.Wait() // the flusher stands still
		if n := taken.Load(); n < bound || n > bound+2 {
			t.Errorf("%d messages were put in line", n)
		}
		close(slow.open)
		publishing.Wait()
		synctest.Wait()
		r := reader{name: "c"}
		got := c.take()
		r.read(t, got)
		if r.seen != messages || len(got) != messages+10 {
			t.Errorf("got %d, and %d in all", r.seen, len(got))
		}
	})
}
