package notify_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/walkergate/walkergate/channels"
	"github.com/walkergate/walkergate/notify"
	"github.com/walkergate/walkergate/notify/membus"
)

func TestNotesReachOtherNodes(t *testing.T) {
	shared := newLogs()
	hub := membus.New()
	a, b := start(t, shared, settings{bus: hub.Node()}), start(t, shared, settings{bus: hub.Node()})
	defer a.stop()
	defer b.stop()
	both, _ := add(b.Manager, "both", "ann", "room", "hall")
	sub, member := add(b.Manager, "sub", "bob", "room")
	opened(t, member, "room")
	sub.wants(t, replied)
	from := &channels.Sender{ClientID: "c", RootID: "u"}
	message := notify.Message{Data: json.RawMessage(`{"n":1}`), From: from}
	for _, step := range []struct {
		send    send
		targets []string
		both    []string
		sub     []string
	}{
		{a.Channels, []string{"room", "hall"}, []string{`raw {"n":1}`}, []string{`room {"n":1}`}},
		{a.Users, []string{"ann", "nobody"}, []string{`raw {"n":1}`}, nil},
		{a.Clients, []string{"sub", "both", "sub"}, []string{`raw {"n":1}`}, []string{`raw {"n":1}`}},
	} {
		outcome, err := step.send(t.Context(), step.targets, message)
		if err != nil || outcome.Reached != 0 || len(outcome.Offline) != len(step.targets) {
			t.Errorf("on this node: %+v, %v", outcome, err)
		}
		both.wants(t, step.both...)
		sub.wants(t, step.sub...)
	}
	publish(t, a, "room", message)
	sub.until(t, "the envelope", func() bool { return len(sub.got) == 1 })
	if got := sub.take()[0]; !strings.Contains(got, `"from":{"client_id":"c","root_id":"u"},"at":"2`) {
		t.Errorf("got %s", got)
	}
	both.wants(t, `raw {"n":1}`)
	outcome := publish(t, a, "room", notify.Message{Data: json.RawMessage(`{"n":2}`), Store: true})
	if outcome.Stored["room"].Seq != 1 {
		t.Errorf("outcome %+v", outcome)
	}
	sub.wants(t, `room:1 {"n":2}`)
	both.wants(t, `raw {"n":2}`)
}

// A packet that comes again is known for a long while.
func TestDoubledNotesAreDeliveredOnce(t *testing.T) {
	far := &tap{}
	a, b := start(t, newLogs(), settings{bus: far}), start(t, newLogs(), settings{bus: &tap{}})
	defer a.stop()
	defer b.stop()
	c, _ := add(b.Manager, "c", "ann")
	tell(t, a, numbered(1, false), "ann")
	first := far.take()[0]
	hereReceives(b, first)
	const remembered = 1 << 16
	tell(t, a, numbered(2, false), "nobody")
	other := far.take()[0]
	another := func(n int) []byte { // with an id of its own, which stands behind two bytes
		packet := bytes.Clone(other)
		binary.BigEndian.PutUint64(packet[2:], uint64(n))
		return packet
	}
	for n := range remembered - 1 {
		hereReceives(b, another(n))
	}
	for n := range 100 {
		hereReceives(b, another(n))
	}
	hereReceives(b, first)
	c.wants(t, `raw {"n":1}`)
	hereReceives(b, other) // and now the oldest is forgotten
	hereReceives(b, first)
	c.wants(t, `raw {"n":1}`)
}

// Packets that are none do nothing, whatever they hold.
func TestPacketsThatAreNone(t *testing.T) {
	far, here := &tap{}, &tap{}
	a, b := start(t, newLogs(), settings{bus: far}), start(t, newLogs(), settings{bus: here})
	defer a.stop()
	defer b.stop()
	c, _ := add(b.Manager, "c", "ann", "room")
	publish(t, a, "room", notify.Message{Data: json.RawMessage(`{}`), Store: true, From: &channels.Sender{ClientID: "c", RootID: "r"}})
	_, err := a.Channels(t.Context(), []string{"room", "hall"}, numbered(1, false))
	if err != nil {
		t.Fatal(err)
	}
	whole := far.take()
	dice := rand.New(rand.NewPCG(1, 2))
	for _, packet := range whole {
		for end := range packet {
			here.receive(bytes.Clone(packet[:end]))
		}
		here.receive(append(bytes.Clone(packet), 0))
	}
	c.wants(t) // no part of a packet is one
	for range 20_000 {
		packet := bytes.Clone(whole[dice.IntN(len(whole))])
		for range 1 + dice.IntN(4) {
			packet[dice.IntN(len(packet))] = byte(dice.Uint32())
		}
		here.receive(packet)
	}
	for _, packet := range [][]byte{nil, {}, {0}, {1}, {2}, {3}, bytes.Repeat([]byte{0xff}, 100), append([]byte{1}, bytes.Repeat([]byte{0x80}, 20)...)} {
		here.receive(packet)
	}
}

func TestABusThatFailsIsToldOnce(t *testing.T) {
	var said bytes.Buffer
	bus := &tap{failing: true}
	m := notify.New(notify.Options{NodeID: "n", Store: newStore(), Bus: bus, Log: slog.New(slog.NewTextHandler(&said, nil))})
	c, _ := add(m, "c", "ann")
	for range 3 {
		must(t, m.Users, []string{"ann"}, `{}`)
	}
	bus.failing = false
	must(t, m.Users, []string{"ann"}, `{}`)
	if got := len(c.take()); got != 4 {
		t.Errorf("%d of 4 came", got)
	}
	if strings.Count(said.String(), "cannot be told") != 1 || strings.Count(said.String(), "told again") != 1 {
		t.Errorf("said %s", &said)
	}
}

// closed is a bus that cannot be opened.
type closed struct{ notify.Bus }

var errClosed = errors.New("closed")

func (closed) Open(func([]byte), func()) (func(), error) { return nil, errClosed }

func TestABusThatDoesNotOpen(t *testing.T) {
	store := newStore()
	m := notify.New(notify.Options{NodeID: "n", Store: store, Bus: closed{}})
	if err := m.Enter(t.Context()); !errors.Is(err, errClosed) {
		t.Errorf("it entered with %v", err)
	}
	if store.held() != 0 {
		t.Error("something is left in the store")
	}
}

// A last message that was lost shows no hole. It is found when the bus says
// that it lost something, and every 5 s.
func TestALastMessageThatIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := newLogs()
		bus := &tap{}
		here, there := start(t, shared, settings{bus: bus}), start(t, shared, settings{bus: &tap{}})
		defer here.stop()
		defer there.stop()
		synctest.Wait()
		<-time.After(time.Second)
		var conns []*conn
		const channels = 600 // more than heads are read of at once
		for n := range channels {
			c, member := add(here.Manager, fmt.Sprint(n), "ann")
			opened(t, member, fmt.Sprint("room-", n))
			c.take()
			conns = append(conns, c)
		}
		for n := range channels {
			publish(t, there, fmt.Sprint("room-", n), numbered(1, true))
		}
		bus.lost()
		<-time.After(60 * time.Millisecond)
		synctest.Wait()
		for n, c := range conns {
			c.wants(t, fmt.Sprintf(`room-%d:1 {"n":1}`, n))
			publish(t, there, fmt.Sprint("room-", n), numbered(2, true))
		}
		<-time.After(5 * time.Second)
		synctest.Wait()
		for n, c := range conns {
			c.wants(t, fmt.Sprintf(`room-%d:2 {"n":2}`, n))
		}
		shared.fail(true)
		publishLater := func() { shared.fail(false); publish(t, there, "room-0", numbered(3, true)) }
		<-time.After(11 * time.Second)
		publishLater()
		<-time.After(3 * time.Second)
		synctest.Wait()
		conns[0].wants(t, `room-0:3 {"n":3}`)
	})
}

// Whoever got raw data alone has a stream too, from the first message on that
// is stored: another node's that was sent before it may still be on its way.
func TestRawDataOfTwoNodesComesInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := newLogs()
		far, bus := &tap{}, &tap{}
		here, there := start(t, shared, settings{bus: bus}), start(t, shared, settings{bus: far})
		defer here.stop()
		defer there.stop()
		synctest.Wait()
		publish(t, there, "room", numbered(1, true)) // long ago
		far.take()
		c, _ := add(here.Manager, "c", "ann", "room")
		publish(t, there, "room", numbered(2, true))
		publish(t, here, "room", numbered(3, true))
		publish(t, here, "room", numbered(4, false))
		<-time.After(40 * time.Millisecond)
		synctest.Wait()
		c.wants(t)
		bus.receive(far.take()[0])
		<-time.After(20 * time.Millisecond)
		synctest.Wait()
		c.wants(t, `raw {"n":2}`, `raw {"n":3}`, `raw {"n":4}`)
		publish(t, there, "room", numbered(5, true))
		publish(t, there, "room", numbered(6, true))
		bus.receive(far.take()[1])
		<-time.After(60 * time.Millisecond)
		synctest.Wait()
		c.wants(t, `raw {"n":5}`, `raw {"n":6}`)
	})
}
