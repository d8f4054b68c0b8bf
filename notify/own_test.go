package notify_test

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"testing"

	"github.com/walkergate/walkergate/channels"
	"github.com/walkergate/walkergate/fault"
	"github.com/walkergate/walkergate/notify"
	"github.com/walkergate/walkergate/wire"
)

var annsOwn = channels.StreamOf("ann")

// tell sends to users.
func tell(t testing.TB, g *gateway, message notify.Message, rootIDs ...string) notify.Outcome {
	t.Helper()
	outcome, err := g.Users(t.Context(), rootIDs, message)
	if err != nil {
		t.Fatalf("notify: %v", err)
	}
	return outcome
}

func TestAUsersOwnStream(t *testing.T) {
	shared := newLogs()
	g := start(t, shared, settings{})
	defer g.stop()
	phone, member := add(g.Manager, "phone", "ann", "url")
	laptop, _ := add(g.Manager, "laptop", "ann")
	bob, _ := add(g.Manager, "bob", "bob")
	opened(t, member, annsOwn)
	phone.wants(t, replied)
	if !slices.Equal(member.Record().ChannelIDs, []string{"url"}) {
		t.Errorf("the record says %v", member.Record().ChannelIDs)
	}

	outcome := tell(t, g, numbered(1, true), "ann", "bob", "carl", "ann")
	if outcome.Reached != 3 || !slices.Equal(outcome.Offline, []string{"carl"}) || len(outcome.Stored) != 3 {
		t.Errorf("outcome %+v", outcome)
	}
	phone.wants(t, `$me:1 {"n":1}`)
	laptop.wants(t, `raw {"n":1}`)
	bob.wants(t, `raw {"n":1}`)
	if len(shared.written(channels.StreamOf("carl"))) != 1 || len(shared.written(annsOwn)) != 1 {
		t.Error("a message is not in the log once")
	}

	tell(t, g, numbered(2, false), "ann", "bob")
	phone.wants(t, `raw {"n":2}`)
	laptop.wants(t, `raw {"n":2}`)
	bob.wants(t, `raw {"n":2}`)

	member.Unsubscribe(annsOwn)
	tell(t, g, numbered(3, true), "ann")
	phone.wants(t, `raw {"n":3}`)
	laptop.wants(t, `raw {"n":3}`)

	sub := subscribe(t, member, annsOwn)
	if recovered, err := sub.Resume(t.Context(), "", 0); !recovered || err != nil {
		t.Errorf("resume: %t, %v", recovered, err)
	}
	live(t, member, sub)
	phone.wants(t, replied, `$me:1 {"n":1}`, `$me:2 {"n":3}`)
}

func TestAChangeOfUserEndsTheOwnStream(t *testing.T) {
	g := start(t, newLogs(), settings{})
	defer g.stop()
	c, member := add(g.Manager, "c", "ann")
	sub := opened(t, member, annsOwn)
	room := opened(t, member, "room")
	c.wants(t, replied, replied)
	if ended := member.ChangeUser("ann"); ended != nil || sub.Ended() {
		t.Error("a change to the same user has ended something")
	}
	if ended := member.ChangeUser("bob"); ended != sub || !sub.Ended() || room.Ended() {
		t.Errorf("ended %v", ended)
	}
	tell(t, g, numbered(1, true), "ann")
	tell(t, g, numbered(2, true), "bob")
	c.wants(t, `raw {"n":2}`)
	if _, err := member.Subscribe(t.Context(), "other", annsOwn); !fault.Is(err, fault.Forbidden) {
		t.Errorf("another user's stream: %v", err)
	}
	if member.Subscription("other") != nil || !slices.Equal(member.Record().ChannelIDs, []string{"room"}) {
		t.Error("what was subscribed beside it stays")
	}
	opened(t, member, channels.StreamOf("bob"))
	tell(t, g, numbered(3, true), "ann", "bob")
	c.wants(t, replied, `$me:2 {"n":3}`)
	if ended := member.ChangeUser("carl"); ended == nil {
		t.Error("the second own stream has not ended")
	}
	tell(t, g, numbered(4, true), "bob", "carl")
	c.wants(t, `raw {"n":4}`)
}

// A user's stored messages come once to each connection while it subscribes and
// unsubscribes: behind the reply as envelopes, without a hole, else raw. A copy
// may come raw in front of the reply that an envelope then repeats: where the
// log stood had to be read before.
func TestRawDataTurnsToEnvelopesOnce(t *testing.T) {
	shared := newLogs()
	g := start(t, shared, settings{})
	defer g.stop()
	c, member := add(g.Manager, "c", "ann")
	stop := make(chan struct{})
	var telling sync.WaitGroup
	telling.Go(func() {
		for n := 1; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := g.Users(context.Background(), []string{"ann"}, numbered(n, true)); err != nil {
				t.Errorf("notify: %v", err)
				return
			}
		}
	})
	defer telling.Wait()
	defer close(stop)
	var since []string // the last time that it unsubscribed
	for range 300 {
		opened(t, member, annsOwn)
		c.until(t, "an envelope", func() bool {
			return slices.ContainsFunc(c.got, func(text string) bool { return parse(t, text).Event != "" })
		})
		judgeOwn(t, append(since, c.take()...))
		member.Unsubscribe(annsOwn)
		const mark = `{"mark":true}`
		c.Send(wire.Text([]byte(mark)), nil)
		got := c.take()
		since = got[slices.Index(got, mark)+1:]
	}
}

// judgeOwn holds what came from an unsubscribe to the next one to the above.
func judgeOwn(t *testing.T, got []string) {
	t.Helper()
	var raw, next int64
	behindReply := false
	for _, text := range got {
		e := parse(t, text)
		var data struct {
			N    int64
			Type string
		}
		if err := json.Unmarshal(e.Data, &data); err != nil {
			t.Fatal(err)
		}
		switch {
		case data.Type == "reply":
			behindReply = true
		case e.Event == "" && behindReply:
			t.Fatalf("raw data came behind the reply: %s", text)
		case e.Event == "":
			if raw != 0 && data.N != raw+1 {
				t.Fatalf("raw %d came behind %d", data.N, raw)
			}
			raw = data.N
		case !behindReply, next != 0 && e.Seq != next, e.Seq != data.N:
			t.Fatalf("%s came where %d was due", text, next)
		default:
			next = e.Seq + 1
		}
	}
}
