package notify_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/walkergate/walkergate/channels"
	"github.com/walkergate/walkergate/fault"
	"github.com/walkergate/walkergate/notify"
	"github.com/walkergate/walkergate/wire"
)

var reply = wire.Text([]byte(`{"type":"reply"}`))

const replied = `raw {"type":"reply"}`

// numbered is a message whose data is its number.
func numbered(n int, store bool) notify.Message {
	return notify.Message{Data: json.RawMessage(fmt.Sprintf(`{"n":%d}`, n)), Store: store}
}

// publish sends to a channel and gives what became of it.
func publish(t testing.TB, g *gateway, channelID string, message notify.Message) notify.Outcome {
	t.Helper()
	outcome, err := g.Channels(t.Context(), []string{channelID}, message)
	if err != nil {
		t.Fatalf("publish: %v", err)
	}
	return outcome
}

// subscribe makes a subscription that is pending.
func subscribe(t testing.TB, member *notify.Member, channelID string) *notify.Subscription {
	t.Helper()
	subs, err := member.Subscribe(t.Context(), channelID)
	if err != nil {
		t.Fatalf("subscribe: %v", err)
	}
	return subs[0]
}

// opened makes a subscription that is live, but for what a test keeps away.
func opened(t testing.TB, member *notify.Member, channelID string) *notify.Subscription {
	t.Helper()
	sub := subscribe(t, member, channelID)
	live(t, member, sub)
	return sub
}

// live opens a subscription with the reply, and catches up.
func live(t testing.TB, member *notify.Member, sub *notify.Subscription) {
	t.Helper()
	if !member.Open(reply, sub.ChannelID()) {
		t.Fatal("the connection has ended")
	}
	if err := sub.Catch(t.Context()); err != nil {
		t.Fatalf("catch up: %v", err)
	}
}

// wants demands what a connection has got so far, or gets soon.
func (c *conn) wants(t testing.TB, want ...string) {
	t.Helper()
	c.until(t, fmt.Sprintf("%d messages", len(want)), func() bool { return len(c.got) >= len(want) })
	if diff := cmp.Diff(want, short(t, c.take()), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("got (-want +got):\n%s", diff)
	}
}

func TestSubscribersGetEnvelopesAndOthersRawData(t *testing.T) {
	g := start(t, newLogs(), settings{})
	defer g.stop()
	sub, member := add(g.Manager, "sub", "ann")
	raw, _ := add(g.Manager, "raw", "bob", "room")
	opened(t, member, "room")
	sub.wants(t, replied)

	from := &channels.Sender{ClientID: "c", RootID: "u"}
	outcome := publish(t, g, "room", notify.Message{Data: json.RawMessage(`{"a": 1}`), From: from, Store: true})
	if outcome.Reached != 2 || outcome.Stored["room"].Seq != 1 {
		t.Errorf("outcome %+v", outcome)
	}
	raw.until(t, "the data", func() bool { return len(raw.got) == 1 })
	sub.until(t, "the envelope", func() bool { return len(sub.got) == 1 })
	at := outcome.Stored["room"].At.Format("2006-01-02T15:04:05.000Z")
	want := fmt.Sprintf(`{"type":"channel","event":"message","channel_id":"room","epoch":%q,"seq":1,"from":{"client_id":"c","root_id":"u"},"at":%q,"data":{"a": 1}}`,
		outcome.Stored["room"].Epoch, at)
	if got := sub.take(); got[0] != want {
		t.Errorf("the envelope is\n%s\nwant\n%s", got[0], want)
	}
	raw.wants(t, `raw {"a": 1}`)

	outcome = publish(t, g, "room", numbered(2, false))
	if outcome.Reached != 2 || outcome.Stored != nil {
		t.Errorf("outcome %+v", outcome)
	}
	sub.wants(t, `room {"n":2}`)
	raw.wants(t, `raw {"n":2}`)
}

func TestASubscriptionBeginsBehindItsReply(t *testing.T) {
	g := start(t, newLogs(), settings{})
	defer g.stop()
	publish(t, g, "room", numbered(1, true))
	c, member := add(g.Manager, "c", "ann")
	sub := subscribe(t, member, "room")
	if head := sub.Head(); head.Seq != 1 || head.First != 1 || head.Epoch == "" || !sub.Pending() {
		t.Errorf("the head is %+v, pending %t", head, sub.Pending())
	}
	publish(t, g, "room", numbered(2, true))
	publish(t, g, "room", numbered(3, false)) // nobody is there yet
	if head := sub.Head(); head.Seq != 1 {
		t.Errorf("what the reply will tell has changed to %+v", head)
	}
	c.wants(t)
	live(t, member, sub)
	publish(t, g, "room", numbered(4, true))
	c.wants(t, replied, `room:2 {"n":2}`, `room:3 {"n":4}`)
	if sub.Pending() || sub.Ended() || sub.Head().Seq != 3 {
		t.Errorf("pending %t, ended %t, head %+v", sub.Pending(), sub.Ended(), sub.Head())
	}
}

func TestSubscribingAgainChangesNothing(t *testing.T) {
	g := start(t, newLogs(), settings{})
	defer g.stop()
	c, member := add(g.Manager, "c", "ann", "url")
	subs, err := member.Subscribe(t.Context(), "a", "b", "a", "url")
	if err != nil || subs[0] != subs[2] || subs[0] == subs[1] {
		t.Fatalf("%v, %v", subs, err)
	}
	if !slices.Equal(member.Record().ChannelIDs, []string{"url", "a", "b"}) {
		t.Errorf("the record says %v", member.Record().ChannelIDs)
	}
	member.Open(reply, "a", "b", "url")
	for _, sub := range subs {
		if err := sub.Catch(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	publish(t, g, "a", numbered(1, true))
	c.wants(t, replied, `a:1 {"n":1}`)
	again := subscribe(t, member, "a")
	if again != subs[0] || again.Pending() || again.Head().Seq != 1 {
		t.Errorf("again: %p and not %p, head %+v", again, subs[0], again.Head())
	}
	if recovered, err := again.Resume(t.Context(), "", 0); recovered || err != nil {
		t.Errorf("what is open began anew: %t, %v", recovered, err)
	}
	publish(t, g, "a", numbered(2, true))
	c.wants(t, `a:2 {"n":2}`)
	publish(t, g, "url", numbered(3, false))
	c.wants(t, `url {"n":3}`)
}

func TestResume(t *testing.T) {
	shared := newLogs()
	g := start(t, shared, settings{keep: 5})
	defer g.stop()
	for n := 1; n <= 9; n++ {
		publish(t, g, "room", numbered(n, true))
	}
	epoch := shared.written("room")[0].ID
	for _, test := range []struct {
		name      string
		epoch     string
		after     int64
		recovered bool
		first     int // of what comes
	}{
		{"from the oldest that is kept", "e1", 4, true, 5},
		{"in the middle", "e1", 7, true, 8},
		{"without an epoch", "", 7, true, 8},
		{"at the head", "e1", 9, true, 10},
		{"what was let go of", "e1", 3, false, 10},
		{"from the beginning", "e1", 0, false, 10},
		{"above the head", "e1", 10, false, 10},
		{"another epoch", epoch, 9, false, 10},
		{"below nothing", "e1", -1, false, 10},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, member := add(g.Manager, "c", "ann")
			defer member.Remove()
			sub := subscribe(t, member, "room")
			recovered, err := sub.Resume(t.Context(), test.epoch, test.after)
			if err != nil || recovered != test.recovered {
				t.Fatalf("recovered %t, %v", recovered, err)
			}
			if head := sub.Head(); head.Seq != 9 || head.First != 5 || head.Epoch != "e1" {
				t.Errorf("the head is %+v", head)
			}
			want := []string{replied}
			for n := test.first; n <= 9; n++ {
				want = append(want, fmt.Sprintf(`room:%d {"n":%d}`, n, n))
			}
			live(t, member, sub)
			c.wants(t, want...)
		})
	}
}

func TestSubscribeWithoutAnAnswerOfTheLog(t *testing.T) {
	shared := newLogs()
	g := start(t, shared, settings{})
	defer g.stop()
	c, member := add(g.Manager, "c", "ann", "url")
	shared.fail(true)
	if _, err := member.Subscribe(t.Context(), "room", "url"); err == nil {
		t.Fatal("subscribed to a log that does not answer")
	}
	if !slices.Equal(member.Record().ChannelIDs, []string{"url"}) || member.Subscription("room") != nil || member.Subscription("url") != nil {
		t.Errorf("the record says %v", member.Record().ChannelIDs)
	}
	publish(t, g, "url", numbered(1, false))
	c.wants(t, `raw {"n":1}`)
	shared.fail(false)
	opened(t, member, "room")
	publish(t, g, "room", numbered(2, true))
	c.wants(t, replied, `room:1 {"n":2}`)
}

func TestACrowdReadsAHeadOnce(t *testing.T) {
	shared := newLogs()
	g := start(t, shared, settings{})
	defer g.stop()
	publish(t, g, "room", numbered(1, true))
	before := shared.asked()
	done := make(chan error, 100)
	for i := range cap(done) {
		_, member := add(g.Manager, fmt.Sprint(i), "ann")
		go func() {
			_, err := member.Subscribe(context.Background(), "room")
			done <- err
		}()
	}
	for range cap(done) {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	// A machine so busy that this takes longer than a head is good for reads it
	// again.
	if asked := shared.asked() - before; asked > 20 {
		t.Errorf("the log was asked %d times", asked)
	}
}

func TestUnsubscribe(t *testing.T) {
	g := start(t, newLogs(), settings{})
	defer g.stop()
	c, member := add(g.Manager, "c", "ann", "url", "both")
	sub := opened(t, member, "both")
	opened(t, member, "room")
	c.wants(t, replied, replied)
	ended := member.Unsubscribe("both", "url", "never")
	if len(ended) != 1 || ended[0] != sub || !sub.Ended() {
		t.Errorf("ended %v", ended)
	}
	if !slices.Equal(member.Record().ChannelIDs, []string{"room"}) {
		t.Errorf("the record says %v", member.Record().ChannelIDs)
	}
	for _, id := range []string{"url", "both"} {
		if outcome := publish(t, g, id, numbered(1, true)); outcome.Reached != 0 || !slices.Equal(outcome.Offline, []string{id}) {
			t.Errorf("%s: %+v", id, outcome)
		}
	}
	publish(t, g, "room", numbered(2, false))
	c.wants(t, `room {"n":2}`)
	member.Join("url")
	publish(t, g, "url", numbered(3, false))
	c.wants(t, `raw {"n":3}`)
}

func TestNothingIsStoredForClientsOrWithoutALog(t *testing.T) {
	g := start(t, newLogs(), settings{})
	defer g.stop()
	if _, err := g.Clients(t.Context(), []string{"c"}, numbered(1, true)); !fault.Is(err, fault.BadFrame) {
		t.Errorf("clients: %v", err)
	}
	without := newManager(t)
	if _, err := without.Channels(t.Context(), []string{"room"}, numbered(1, true)); !fault.Is(err, fault.Forbidden) {
		t.Errorf("without a log: %v", err)
	}
	_, member := add(without, "c", "ann")
	if _, err := member.Subscribe(t.Context(), "room"); !fault.Is(err, fault.Forbidden) {
		t.Errorf("without a log: %v", err)
	}
}

func TestAMessageIsStoredInAllOfItsTargets(t *testing.T) {
	shared := newLogs()
	g := start(t, shared, settings{})
	defer g.stop()
	both, one := add(g.Manager, "both", "ann", "room-1", "room-2")
	_ = one
	single, _ := add(g.Manager, "single", "bob", "room-3")
	var ids []string
	for i := range 20 {
		ids = append(ids, fmt.Sprint("room-", i))
	}
	outcome, err := g.Channels(t.Context(), append(ids, "room-1"), numbered(1, true))
	if err != nil || outcome.Reached != 2 || len(outcome.Stored) != 20 || len(outcome.Offline) != 17 {
		t.Errorf("%v, %+v", err, outcome)
	}
	for _, id := range ids {
		if stored := shared.written(id); len(stored) != 1 || outcome.Stored[id].Seq != 1 {
			t.Errorf("%s holds %d messages", id, len(stored))
		}
	}
	both.wants(t, `raw {"n":1}`, `raw {"n":1}`) // each log's own
	single.wants(t, `raw {"n":1}`)
}
