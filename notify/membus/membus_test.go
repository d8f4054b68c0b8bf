package membus_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"

	"github.com/walkergate/walkergate/notify/membus"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// inbox is what one node was given.
type inbox struct {
	mu   sync.Mutex
	got  []string
	lost int
	hold chan struct{} // where not nil, each packet waits for it
}

func (i *inbox) receive(packet []byte) {
	if i.hold != nil {
		<-i.hold
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.got = append(i.got, string(packet[:min(len(packet), 64)]))
}

func (i *inbox) tellLost() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.lost++
}

func open(t *testing.T, n *membus.Node, i *inbox) (closeBus func()) {
	t.Helper()
	closeBus, err := n.Open(i.receive, i.tellLost)
	if err != nil {
		t.Fatal(err)
	}
	return closeBus
}

func say(t *testing.T, n *membus.Node, packet string) {
	t.Helper()
	if err := n.Publish([]byte(packet)); err != nil {
		t.Errorf("publish: %v", err)
	}
}

func TestPacketsReachAllOthersInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := membus.New()
		nodes, inboxes := make([]*membus.Node, 3), make([]inbox, 3)
		var want []string
		for n := range nodes {
			nodes[n] = hub.Node()
			defer open(t, nodes[n], &inboxes[n])()
		}
		for n := range 100 {
			packet := fmt.Sprint(n)
			say(t, nodes[0], packet)
			want = append(want, packet)
		}
		synctest.Wait()
		for n := range inboxes {
			expected := want
			if n == 0 {
				expected = nil // what it said itself
			}
			if !slices.Equal(inboxes[n].got, expected) || inboxes[n].lost != 0 {
				t.Errorf("node %d got %q, lost %d times", n, inboxes[n].got, inboxes[n].lost)
			}
		}
		say(t, hub.Node(), "of one that does not listen")
		synctest.Wait()
		if got := inboxes[1].got; got[len(got)-1] != "of one that does not listen" {
			t.Errorf("got %q", got)
		}
	})
}

func TestANodeThatIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := membus.New()
		a, b := hub.Node(), hub.Node()
		var atA, atB inbox
		closeA, closeB := open(t, a, &atA), open(t, b, &atB)
		if _, err := a.Open(atA.receive, atA.tellLost); err == nil {
			t.Error("opened twice")
		}
		closeB()
		say(t, a, "nobody")
		synctest.Wait()
		if err := b.Publish(nil); !errors.Is(err, membus.ErrClosed) || len(atB.got) != 0 {
			t.Errorf("behind its close: %v, %q", err, atB.got)
		}
		closeA()
	})
}

func TestANodeThatDoesNotKeepUpIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := membus.New()
		slow, fast := inbox{hold: make(chan struct{})}, inbox{}
		defer open(t, hub.Node(), &slow)()
		defer open(t, hub.Node(), &fast)()
		from := hub.Node()
		const waiting = 1024 // of packets of that size
		packet := string(make([]byte, 64<<10))
		for n := range waiting + 100 {
			say(t, from, packet)
			if n%100 == 0 {
				synctest.Wait() // the other keeps up
			}
		}
		synctest.Wait()
		close(slow.hold)
		synctest.Wait()
		if slow.lost != 1 || len(slow.got) != waiting+1 { // one was under way when the others began to wait
			t.Errorf("it got %d, and was told %d times of lost ones", len(slow.got), slow.lost)
		}
		if fast.lost != 0 || len(fast.got) != waiting+100 {
			t.Errorf("the other got %d, and was told %d times of lost ones", len(fast.got), fast.lost)
		}
		say(t, from, "the last")
		synctest.Wait()
		if slow.lost != 1 || slow.got[len(slow.got)-1] != "the last" {
			t.Error("it does not go on")
		}
	})
}
