package notify_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/walkergate/walkergate/notify"
)

// chatter stores messages in a channel, now and then sending one that is not
// stored, until it has sent so many and is told to stop.
func chatter(t *testing.T, g *gateway, channelID string, least int, stop *atomic.Bool) (sent int) {
	for n := 1; n <= least || !stop.Load(); n++ {
		if _, err := g.Channels(context.Background(), []string{channelID}, numbered(n, true)); err != nil {
			t.Errorf("publish: %v", err)
			return n
		}
		if n%7 == 0 {
			_, _ = g.Channels(context.Background(), []string{channelID}, notify.Message{Data: []byte(`{"note":1}`)})
		}
		sent = n
	}
	return sent
}

// Clients come and go while messages are sent, each time resuming where they
// were: over all of their subscriptions each has got the log, once and in order.
func TestResumingAmongLiveTraffic(t *testing.T) {
	shared := newLogs()
	g := start(t, shared, settings{})
	defer g.stop()
	const clients, turns = 6, 400
	var stop atomic.Bool
	var talking, following sync.WaitGroup
	talking.Go(func() { chatter(t, g, "room", 2000, &stop) })
	readers := make([]*reader, clients)
	for i := range readers {
		readers[i] = &reader{name: fmt.Sprint("reader-", i)}
		following.Go(func() {
			for turn := range turns {
				readers[i].turn(t, g, turn)
			}
		})
	}
	following.Wait()
	stop.Store(true)
	talking.Wait()
	for _, r := range readers {
		r.last(t, g, int64(len(shared.written("room"))))
	}
}

// reader is a client over all of its connections.
type reader struct {
	name string
	seen int64 // the last seq that it got
}

// turn connects, resumes, takes some messages and leaves, in ways that change
// from turn to turn.
func (r *reader) turn(t *testing.T, g *gateway, turn int) {
	c, member := add(g.Manager, r.name, "ann")
	defer member.Remove()
	sub := r.resume(t, member)
	if sub == nil {
		return
	}
	caught := make(chan error, 1)
	go func() { caught <- sub.Catch(context.Background()) }()
	few := turn % 4
	c.until(t, "some messages", func() bool { return count(c.got) >= few })
	if turn%3 == 0 {
		if err := <-caught; err != nil {
			t.Errorf("catch up: %v", err)
		}
		caught <- nil
	}
	switch turn % 5 {
	case 0:
		member.Suspend("room")
		runtime.Gosched()
		member.Reopen(reply, "room")
		if err := sub.Catch(context.Background()); err != nil {
			t.Errorf("catch up: %v", err)
		}
	case 1:
		c.close() // the connection is lost
	default:
		member.Unsubscribe("room")
	}
	r.read(t, c.take())
	if err := <-caught; err != nil {
		t.Errorf("catch up: %v", err)
	}
	if turn%5 > 1 && c.count() > 0 {
		t.Errorf("behind the end of the subscription came %q", c.take())
	}
}

func (r *reader) resume(t *testing.T, member *notify.Member) *notify.Subscription {
	subs, err := member.Subscribe(context.Background(), "room")
	if err != nil {
		t.Errorf("subscribe: %v", err)
		return nil
	}
	if recovered, err := subs[0].Resume(context.Background(), "", r.seen); !recovered || err != nil {
		t.Errorf("resume behind %d: %t, %v", r.seen, recovered, err)
		return nil
	}
	member.Open(reply, "room")
	return subs[0]
}

// last reads what is left up to the head.
func (r *reader) last(t *testing.T, g *gateway, head int64) {
	c, member := add(g.Manager, r.name, "ann")
	defer member.Remove()
	if sub := r.resume(t, member); sub == nil || sub.Catch(context.Background()) != nil {
		t.Fatal("it did not catch up")
	}
	r.read(t, c.take())
	if r.seen != head {
		t.Errorf("%s got %d of %d", r.name, r.seen, head)
	}
}

func (r *reader) read(t *testing.T, got []string) {
	for _, text := range got {
		e := parse(t, text)
		if e.Seq == 0 {
			continue
		}
		if r.seen++; e.Seq != r.seen || string(e.Data) != fmt.Sprintf(`{"n":%d}`, e.Seq) {
			t.Errorf("%s got %s where %d was due", r.name, text, r.seen)
			return
		}
	}
}

// count is how many of the texts are stored messages.
func count(texts []string) (n int) {
	for _, text := range texts {
		if strings.Contains(text, `"seq":`) {
			n++
		}
	}
	return n
}

// The ring is a cache and no second log: what a subscription gets is the same to
// the byte, from wherever it is taken and wherever it begins.
func TestTheRingIsTheLog(t *testing.T) {
	shared := newLogs()
	warm := start(t, shared, settings{})
	defer warm.stop()
	c, member := add(warm.Manager, "live", "ann")
	opened(t, member, "room")
	const messages = 300 // more than a ring holds
	for n := 1; n <= messages; n++ {
		publish(t, warm, "room", numbered(n, true))
	}
	c.until(t, "all messages", func() bool { return len(c.got) == messages+1 })
	all := c.take()[1:]
	if warm.Stats().Cached == 0 {
		t.Error("nothing is cached")
	}
	for after := 0; after <= messages; after += 1 + after%9 {
		cold := start(t, shared, settings{}) // which has nothing but the log
		for name, g := range map[string]*gateway{"warm": warm, "cold": cold} {
			c, member := add(g.Manager, name, "ann")
			sub := subscribe(t, member, "room")
			if recovered, err := sub.Resume(t.Context(), "", int64(after)); !recovered || err != nil {
				t.Fatalf("resume: %t, %v", recovered, err)
			}
			live(t, member, sub)
			if got := c.take()[1:]; !slices.Equal(got, all[after:]) {
				t.Fatalf("%s, from %d on: %d messages that are not those of the log", name, after, len(got))
			}
			member.Remove()
		}
		if cold.Stats().Cached != 0 {
			t.Error("what nobody delivered is cached")
		}
		cold.stop()
	}
	reads := shared.asked()
	c, member = add(warm.Manager, "again", "ann")
	sub := subscribe(t, member, "room")
	_, _ = sub.Resume(t.Context(), "", messages-200)
	live(t, member, sub)
	if len(c.take()) != 201 || shared.asked()-reads > 1 { // its head alone
		t.Errorf("the log was asked %d times for what is in memory", shared.asked()-reads)
	}
}

// Pages are pulled as the connection has room: never more goes than it takes,
// and the log is not read for what cannot go.
func TestCatchingUpIsPaced(t *testing.T) {
	shared := newLogs()
	g := start(t, shared, settings{})
	defer g.stop()
	const messages = 1000
	for n := 1; n <= messages; n++ {
		publish(t, g, "room", numbered(n, true))
	}
	c, member := add(g.Manager, "slow", "ann")
	c.paced = true
	sub := subscribe(t, member, "room")
	if recovered, err := sub.Resume(t.Context(), "", 0); !recovered || err != nil {
		t.Fatalf("resume: %t, %v", recovered, err)
	}
	member.Open(reply, "room")
	caught := make(chan error, 1)
	go func() { caught <- sub.Catch(context.Background()) }()
	for taken, some := 0, 0; taken < messages; taken += some {
		c.until(t, "an offer to wait", func() bool { return c.room != nil })
		if got := c.count(); got != taken+1 {
			t.Fatalf("%d messages came where there was room for %d", got-1, taken)
		}
		reads := shared.asked()
		some = 1 + taken%40
		c.allow(some)
		c.until(t, "what there is room for", func() bool { return len(c.got) > min(taken+some, messages) })
		if asked := shared.asked() - reads; asked > 8 {
			t.Errorf("the log was read %d times for %d messages", asked, some)
		}
	}
	if err := <-caught; err != nil {
		t.Errorf("catch up: %v", err)
	}
	r := reader{name: "slow"}
	r.read(t, c.take())
	if r.seen != messages {
		t.Errorf("got %d of %d", r.seen, messages)
	}
}

// What is not stored does not wait for who catches up, and what waits for room
// ends with its context, its subscription or its connection.
func TestWhoCatchesUp(t *testing.T) {
	g := start(t, newLogs(), settings{})
	defer g.stop()
	for n := 1; n <= 10; n++ {
		publish(t, g, "room", numbered(n, true))
	}
	for name, end := range map[string]func(cancel func(), c *conn, member *notify.Member){
		"the context":      func(cancel func(), _ *conn, _ *notify.Member) { cancel() },
		"the connection":   func(_ func(), c *conn, _ *notify.Member) { c.close() },
		"the subscription": func(_ func(), c *conn, m *notify.Member) { m.Unsubscribe("room"); c.allow(1) },
		"it is suspended":  func(_ func(), c *conn, m *notify.Member) { m.Suspend("room"); c.allow(1) },
	} {
		t.Run(name, func(t *testing.T) {
			c, member := add(g.Manager, "c", "ann")
			defer member.Remove()
			c.paced, c.allowance = true, 3
			sub := subscribe(t, member, "room")
			if recovered, err := sub.Resume(t.Context(), "", 0); !recovered || err != nil {
				t.Fatalf("resume: %t, %v", recovered, err)
			}
			member.Open(reply, "room")
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			caught := make(chan error, 1)
			go func() { caught <- sub.Catch(ctx) }()
			c.until(t, "an offer to wait", func() bool { return c.room != nil })
			publish(t, g, "room", numbered(0, false))
			end(cancel, c, member)
			if err := <-caught; err != nil && !errors.Is(err, context.Canceled) || (err != nil) != (ctx.Err() != nil) {
				t.Errorf("it ended with %v", err)
			}
			c.wants(t, replied, `room:1 {"n":1}`, `room:2 {"n":2}`, `room:3 {"n":3}`, `room {"n":0}`)
		})
	}
}
