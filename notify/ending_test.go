package notify_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/walkergate/walkergate/fault"
	"github.com/walkergate/walkergate/notify"
	"github.com/walkergate/walkergate/wire"
)

// Behind an end of whatever kind, and what is sent next, nothing comes of what
// has ended: not by the fan-out under way, not by the replay, not by notes.
func TestNothingComesBehindAnEnd(t *testing.T) {
	g := start(t, newLogs(), settings{})
	defer g.stop()
	for n := 1; n <= 200; n++ {
		publish(t, g, "room", numbered(n, true))
		tell(t, g, numbered(n, true), "ann")
	}
	var stop atomic.Bool
	var talking sync.WaitGroup
	defer talking.Wait()
	defer stop.Store(true)
	for range 2 {
		talking.Go(func() { chatter(t, g, "room", 0, &stop) })
		talking.Go(func() {
			for n := 1; !stop.Load(); n++ {
				_, _ = g.Users(context.Background(), []string{"ann"}, numbered(n, n%2 == 0))
			}
		})
	}
	ends := []func(*notify.Member){
		func(m *notify.Member) { m.Unsubscribe("room", annsOwn) },
		func(m *notify.Member) { m.Suspend("room", annsOwn) },
		func(m *notify.Member) {
			m.Subscription("room").End(fault.New(fault.Forbidden, "no"))
			m.Unsubscribe(annsOwn)
		},
	}
	const mark = `{"mark":true}`
	for turn := range 600 {
		c, member := add(g.Manager, "c", "ann", "room")
		subs, err := member.Subscribe(t.Context(), "room", annsOwn)
		if err != nil {
			t.Fatal(err)
		}
		for _, sub := range subs {
			if _, err := sub.Resume(t.Context(), "", max(0, sub.Head().Seq-int64(turn%100))); err != nil {
				t.Fatal(err)
			}
		}
		member.Open(reply, "room", annsOwn)
		var catching sync.WaitGroup
		for _, sub := range subs {
			catching.Go(func() { _ = sub.Catch(context.Background()) })
		}
		if turn%2 == 0 {
			catching.Wait() // else it ends amidst its replay
		}
		c.until(t, "some messages", func() bool { return len(c.got) > 1+turn%5 })
		ends[turn%len(ends)](member)
		member.ChangeUser("bob")
		c.Send(wire.Text([]byte(mark)), nil)
		runtime.Gosched()
		catching.Wait()
		publish(t, g, "room", numbered(0, false))
		got := c.take()
		if at := slices.Index(got, mark); at != len(got)-1 {
			t.Fatalf("turn %d: behind the end came %q", turn, got[at+1:])
		}
		member.Remove()
	}
}

func TestSuspendedSubscriptionsMissNothingThatIsStored(t *testing.T) {
	g := start(t, newLogs(), settings{})
	defer g.stop()
	c, member := add(g.Manager, "c", "ann", "url", "open")
	sub := opened(t, member, "room")
	publish(t, g, "room", numbered(1, true))
	c.wants(t, replied, `room:1 {"n":1}`)
	member.Suspend("room", "url", "never")
	for n, id := range []string{"room", "url", "open"} {
		publish(t, g, id, numbered(n, false))
	}
	publish(t, g, "room", numbered(3, true))
	publish(t, g, "room", numbered(4, true))
	c.wants(t, `raw {"n":2}`)
	if err := sub.Catch(t.Context()); err != nil {
		t.Errorf("catch up: %v", err)
	}
	c.wants(t)
	if !member.Reopen(reply, "room", "url") {
		t.Error("the connection has ended")
	}
	if err := sub.Catch(t.Context()); err != nil {
		t.Errorf("catch up: %v", err)
	}
	c.wants(t, replied, `room:2 {"n":3}`, `room:3 {"n":4}`)
	publish(t, g, "url", numbered(5, false))
	c.wants(t, `raw {"n":5}`)
	publish(t, g, "room", numbered(6, true))
	c.wants(t, `room:4 {"n":6}`)
	c.close()
	if member.Open(reply, "room") {
		t.Error("a connection that has ended was opened")
	}
}

// heard is what a gateway hears of subscriptions that were ended.
type heard struct {
	mu  sync.Mutex
	all []string
}

func (h *heard) ended(sub *notify.Subscription, why *fault.Error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = append(h.all, fmt.Sprint(sub.ChannelID(), " ", why.Code))
}

func (h *heard) take() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := h.all
	h.all = nil
	return all
}

func addHearing(g *gateway, id, root string, channels ...string) (*conn, *notify.Member, *heard) {
	c, h := &conn{}, &heard{}
	return c, g.Add(notify.Joining{ClientID: id, RootID: root, ChannelIDs: channels, Conn: c, Ended: h.ended}), h
}

func TestEnd(t *testing.T) {
	g := start(t, newLogs(), settings{})
	defer g.stop()
	c, member, h := addHearing(g, "c", "ann", "url")
	sub := opened(t, member, "room")
	sub.End(fault.New(fault.Forbidden, "no more"))
	sub.End(fault.New(fault.Internal, "again"))
	publish(t, g, "room", numbered(1, true))
	c.wants(t, replied, "room!forbidden")
	if got := h.take(); !slices.Equal(got, []string{"room forbidden"}) || !sub.Ended() || !slices.Equal(member.Record().ChannelIDs, []string{"url"}) {
		t.Errorf("heard %q, ended %t, record %v", got, sub.Ended(), member.Record().ChannelIDs)
	}

	// One that is pending tells of its end behind the reply.
	sub = subscribe(t, member, "url")
	sub.End(fault.New(fault.Forbidden, "no more"))
	publish(t, g, "url", numbered(2, true))
	c.wants(t)
	live(t, member, sub)
	publish(t, g, "url", numbered(3, true))
	c.wants(t, replied, "url!forbidden")
	if got := h.take(); !slices.Equal(got, []string{"url forbidden"}) || len(member.Record().ChannelIDs) != 0 {
		t.Errorf("heard %q, record %v", got, member.Record().ChannelIDs)
	}
	opened(t, member, "url")
	publish(t, g, "url", numbered(4, true))
	c.wants(t, replied, `url:3 {"n":4}`)
	member.Remove()
	if got := h.take(); got != nil {
		t.Errorf("of what the connection ended was heard %q", got)
	}
}

// A log that was lost begins anew under another epoch: nobody can go on, and
// everybody is told. Who subscribes anew goes on from there.
func TestALogThatBeginsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := newLogs()
		g := start(t, shared, settings{})
		defer g.stop()
		c, member, h := addHearing(g, "c", "ann")
		opened(t, member, "room")
		pending, late, heardLate := addHearing(g, "late", "ann", "room")
		raw, _ := add(g.Manager, "raw", "ann", "room")
		publish(t, g, "room", numbered(1, true))
		publish(t, g, "room", numbered(2, true))
		c.wants(t, replied, `room:1 {"n":1}`, `room:2 {"n":2}`)
		pending.wants(t, `raw {"n":1}`, `raw {"n":2}`)
		sub := subscribe(t, late, "room")

		shared.lose("room")
		publish(t, g, "room", numbered(3, true))
		publish(t, g, "room", numbered(4, true))
		synctest.Wait()
		c.wants(t, "room!conflict")
		if got := h.take(); !slices.Equal(got, []string{"room conflict"}) {
			t.Errorf("heard %q", got)
		}
		raw.wants(t, `raw {"n":1}`, `raw {"n":2}`, `raw {"n":3}`, `raw {"n":4}`)
		live(t, late, sub)
		pending.wants(t, replied, "room!conflict")
		if got := heardLate.take(); !slices.Equal(got, []string{"room conflict"}) {
			t.Errorf("heard %q", got)
		}

		sub = subscribe(t, member, "room")
		if recovered, err := sub.Resume(t.Context(), "e1", 2); recovered || err != nil {
			t.Errorf("of the lost log it recovered %t, %v", recovered, err)
		}
		live(t, member, sub)
		publish(t, g, "room", numbered(5, true))
		c.wants(t, replied, `room:3 {"n":5}`)
	})
}

// Also where nothing was stored since, and somebody who subscribes finds out.
func TestALogThatBeginsAnewIsFoundByWhoSubscribes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := newLogs()
		g := start(t, shared, settings{})
		defer g.stop()
		publish(t, g, "room", numbered(1, true))
		c, member, h := addHearing(g, "c", "ann")
		sub := opened(t, member, "room")
		c.wants(t, replied)
		shared.lose("room")
		<-time.After(2 * time.Second) // until what is known of the head is old
		other, second := add(g.Manager, "other", "ann")
		fresh := opened(t, second, "room")
		if head := fresh.Head(); head.Seq != 0 || head.Epoch == "e1" {
			t.Errorf("the head is %+v", head)
		}
		c.wants(t, "room!conflict")
		if got := h.take(); len(got) != 1 || !sub.Ended() {
			t.Errorf("heard %q", got)
		}
		publish(t, g, "room", numbered(2, true))
		other.wants(t, replied, `room:1 {"n":2}`)
	})
}

// What retention has let go of before a subscription got it cannot come: the
// subscription ends, and does not go on with a hole in it.
func TestWhatWasLetGoOfEndsWhoLacksIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := newLogs()
		far := &tap{}
		here, there := start(t, shared, settings{bus: far}), start(t, shared, settings{bus: &tap{}})
		defer here.stop()
		defer there.stop()
		synctest.Wait()
		behind, slow, heardSlow := addHearing(here, "slow", "ann")
		behind.paced, behind.allowance = true, 2
		for n := 1; n <= 300; n++ {
			publish(t, there, "room", numbered(n, true))
		}
		sub := subscribe(t, slow, "room")
		if recovered, err := sub.Resume(t.Context(), "", 0); !recovered || err != nil {
			t.Fatalf("resume: %t, %v", recovered, err)
		}
		slow.Open(reply, "room")
		caught := make(chan error, 1)
		go func() { caught <- sub.Catch(context.Background()) }()
		synctest.Wait()
		live1, member, heardLive := addHearing(here, "live", "ann")
		opened(t, member, "room")
		raw, _ := add(here.Manager, "raw", "ann", "room")

		publish(t, there, "room", numbered(301, true)) // of which this node does not hear
		publish(t, there, "room", numbered(302, true))
		shared.letGo("room", 301)
		behind.allow(1000)
		if err := <-caught; err != nil {
			t.Errorf("catch up: %v", err)
		}
		behind.wants(t, replied, `room:1 {"n":1}`, `room:2 {"n":2}`, "room!conflict")
		if got := heardSlow.take(); len(got) != 1 {
			t.Errorf("heard %q", got)
		}
		<-time.After(7 * time.Second) // the heads are compared
		synctest.Wait()
		live1.wants(t, replied, "room!conflict")
		raw.wants(t, `raw {"n":302}`)
		if got := heardLive.take(); !slices.Equal(got, []string{"room conflict"}) {
			t.Errorf("heard %q", got)
		}
		opened(t, member, "room")
		publish(t, here, "room", numbered(303, true))
		live1.wants(t, replied, `room:303 {"n":303}`)
	})
}

// What is suspended while its reply is under way is not opened by that reply,
// and neither is what was suspended twice.
func TestWhatWasSuspendedIsNotOpened(t *testing.T) {
	g := start(t, newLogs(), settings{})
	defer g.stop()
	c, member := add(g.Manager, "c", "ann", "url")
	sub := subscribe(t, member, "room")
	member.Suspend("room", "url")
	live(t, member, sub)
	publish(t, g, "room", numbered(1, true))
	publish(t, g, "room", numbered(2, false))
	publish(t, g, "url", numbered(3, false))
	c.wants(t, replied)
	member.Suspend("room")
	if !member.Reopen(reply, "room") {
		t.Error("the connection has ended")
	}
	if err := sub.Catch(t.Context()); err != nil {
		t.Errorf("catch up: %v", err)
	}
	c.wants(t, replied, `room:1 {"n":1}`)
	publish(t, g, "url", numbered(4, false))
	c.wants(t)
	member.Reopen(reply, "url")
	publish(t, g, "url", numbered(5, false))
	c.wants(t, replied, `raw {"n":5}`)
}
