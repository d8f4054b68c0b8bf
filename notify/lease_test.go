package notify_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/walkergate/walkergate/notify"
	"github.com/walkergate/walkergate/notify/membus"
)

const (
	lease = notify.DefaultLease
	beat  = lease / 5
)

func (s *faultyStore) HoldLease(_ context.Context, lease notify.Lease) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failing {
		return false, errDown
	}
	if before, known := s.leases[lease.NodeID]; lease.Beat > 0 && (!known || before.Condemned) {
		return false, nil
	}
	s.leases[lease.NodeID] = lease
	return true, nil
}

func (s *faultyStore) Leases(context.Context) ([]notify.Lease, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failing {
		return nil, errDown
	}
	return slices.SortedFunc(maps.Values(s.leases), func(a, b notify.Lease) int { return cmp.Compare(a.NodeID, b.NodeID) }), nil
}

func (s *faultyStore) CondemnLease(_ context.Context, nodeID string, beat int64) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failing {
		return false, errDown
	}
	lease, known := s.leases[nodeID]
	if !known || lease.Beat != beat {
		return false, nil
	}
	lease.Condemned = true
	s.leases[nodeID] = lease
	return true, nil
}

func (s *faultyStore) ForgetLease(_ context.Context, nodeID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failing {
		return errDown
	}
	delete(s.leases, nodeID)
	return nil
}

// plant puts a lease there, as a node would that is not part of the test.
func (s *faultyStore) plant(lease notify.Lease) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leases[lease.NodeID] = lease
}

func (s *faultyStore) lease(nodeID string) (notify.Lease, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	lease, known := s.leases[nodeID]
	return lease, known
}

// keep puts a record there.
func (s *faultyStore) keep(record notify.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records[record.ClientID] = record
}

// held counts the leases.
func (s *faultyStore) held() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.leases)
}

// recordsOf counts the records that stand under a node id.
func (s *faultyStore) recordsOf(nodeID string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, record := range s.records {
		if record.NodeID == nodeID {
			n++
		}
	}
	return n
}

// cutStore is the store as one node sees it, which can be cut off alone, takes
// its time over leases, and can be held up as it clears records.
type cutStore struct {
	*faultyStore
	off    atomic.Bool
	slow   time.Duration
	clears chan struct{}
}

func (s *cutStore) WriteRecords(ctx context.Context, puts []notify.Record, removed []string) error {
	if s.off.Load() {
		return errDown
	}
	return s.faultyStore.WriteRecords(ctx, puts, removed)
}

func (s *cutStore) ClearRecords(ctx context.Context, nodeID string) error {
	if s.off.Load() {
		return errDown
	}
	if s.clears != nil {
		<-s.clears
	}
	return s.faultyStore.ClearRecords(ctx, nodeID)
}

func (s *cutStore) HoldLease(ctx context.Context, lease notify.Lease) (bool, error) {
	if s.off.Load() {
		return false, errDown
	}
	<-time.After(s.slow)
	return s.faultyStore.HoldLease(ctx, lease)
}

func (s *cutStore) Leases(ctx context.Context) ([]notify.Lease, error) {
	if s.off.Load() {
		return nil, errDown
	}
	<-time.After(s.slow)
	return s.faultyStore.Leases(ctx)
}

func (s *cutStore) ForgetLease(ctx context.Context, nodeID string) error {
	<-time.After(s.slow)
	return s.faultyStore.ForgetLease(ctx, nodeID)
}

// node is a manager over a store that others use too.
type node struct {
	*notify.Manager
	log    bytes.Buffer
	cancel context.CancelFunc
	ended  chan error
}

func newNode(t *testing.T, store notify.Store, id string, bus bool) (*node, context.Context) {
	t.Helper()
	n := &node{ended: make(chan error, 1)}
	options := notify.Options{NodeID: id, Store: store, Log: slog.New(slog.NewTextHandler(&n.log, nil))}
	if bus {
		options.Bus = membus.New().Node()
	}
	n.Manager = notify.New(options)
	ctx, cancel := context.WithCancel(t.Context())
	n.cancel = cancel
	return n, ctx
}

// enters starts a node and demands that it gets in.
func enters(t *testing.T, store notify.Store, id string, bus bool) *node {
	t.Helper()
	n, ctx := newNode(t, store, id, bus)
	if err := n.Enter(ctx); err != nil {
		t.Fatalf("%s does not enter: %v", id, err)
	}
	go func() { n.ended <- n.Run(ctx) }()
	return n
}

func (n *node) stop(t *testing.T) {
	t.Helper()
	n.cancel()
	if err := <-n.ended; err != nil {
		t.Errorf("a node ended with %v", err)
	}
}

// after waits, in fake time, and lets all that is due then happen. Of two things
// that are due at one instant either may come first: what a test looks at
// between two beats it looks at half a beat off them.
func after(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestALoneNodeEntersAtOnceAndGivesItsLeaseBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, begun := newStore(), time.Now()
		n := enters(t, store, "a", false)
		if waited := time.Since(begun); waited != 0 {
			t.Errorf("it waited for %s", waited)
		}
		first, _ := store.lease("a")
		if !first.Serving || first.Bus || n.Ready() != nil {
			t.Errorf("the lease is %+v, ready: %v", first, n.Ready())
		}
		after(lease + beat/2)
		if now, _ := store.lease("a"); now.Beat < first.Beat+5 {
			t.Errorf("within a lease the beat went from %d to %d", first.Beat, now.Beat)
		}
		n.stop(t)
		if _, left := store.lease("a"); left {
			t.Error("the lease is left")
		}
	})
}

func TestTwoNodesWithoutABusDoNotRunTogether(t *testing.T) {
	for _, test := range []struct {
		name       string
		first, own bool
		together   bool
	}{
		{"neither has a bus", false, false, false},
		{"only the first has one", true, false, false},
		{"only the second has one", false, true, false},
		{"both have one", true, true, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newStore()
				first := enters(t, store, "b", test.first)
				second, ctx := newNode(t, store, "a", test.own) // the smaller id is of no use against one that serves
				begun := time.Now()
				err := second.Enter(ctx)
				waited := time.Since(begun)
				if test.together && (err != nil || waited != 0) {
					t.Errorf("the second entered with %v after %s", err, waited)
				}
				if !test.together {
					if !errors.Is(err, notify.ErrNotAlone) || !strings.Contains(err.Error(), "b") || waited > 2*beat {
						t.Errorf("the second was told %v after %s", err, waited)
					}
					if _, left := store.lease("a"); left {
						t.Error("the second left its lease")
					}
				}
				if first.Ready() != nil {
					t.Errorf("the first is not ready: %v", first.Ready())
				}
				if test.together {
					go func() { second.ended <- second.Run(ctx) }()
					second.stop(t)
				}
				second.cancel()
				first.stop(t)
			})
		})
	}
}

func TestOfTwoThatComeAtOnceOneStays(t *testing.T) {
	for seed := range uint64(50) {
		synctest.Test(t, func(t *testing.T) {
			store, chance := newStore(), rand.New(rand.NewPCG(seed, 0))
			in, out := make(chan *node, 3), make(chan error, 3)
			for _, id := range []string{"a", "b", "c"} {
				own := &cutStore{faultyStore: store, slow: time.Duration(1+chance.IntN(3)) * 10 * time.Millisecond}
				n, ctx := newNode(t, own, id, false)
				go func() {
					if err := n.Enter(ctx); err != nil {
						n.cancel()
						out <- err
						return
					}
					go func() { n.ended <- n.Run(ctx) }()
					in <- n
				}()
			}
			after(lease)
			if len(in) != 1 || len(out) != 2 {
				t.Fatalf("seed %d: %d stayed, %d left", seed, len(in), len(out))
			}
			for range 2 {
				if err := <-out; !errors.Is(err, notify.ErrNotAlone) {
					t.Errorf("one left with %v", err)
				}
			}
			(<-in).stop(t)
		})
	}
}

func TestALeaseThatStandsStillIsSweptAndTheStartGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, begun := newStore(), time.Now()
		store.plant(notify.Lease{NodeID: "dead", Beat: 9, Serving: true})
		store.keep(notify.Record{ClientID: "old", NodeID: "dead"})
		store.keep(notify.Record{ClientID: "other", NodeID: "nobody"})
		n := enters(t, store, "a", false)
		if waited := time.Since(begun); waited != lease {
			t.Errorf("it waited for %s, want %s", waited, lease)
		}
		if _, left := store.lease("dead"); left || store.recordsOf("dead") != 0 || store.recordsOf("nobody") != 1 {
			t.Errorf("after the sweep: leases %v, records %v", store.leases, store.records)
		}
		if !strings.Contains(n.log.String(), "waiting to see whether it lives") || !strings.Contains(n.log.String(), "records of a dead node removed") {
			t.Errorf("the log says\n%s", &n.log)
		}
		n.stop(t)
	})
}

func TestObserversSweepADeadNodeWithinALeaseAndABeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore()
		first, second := enters(t, store, "a", true), enters(t, store, "b", true)
		add(first.Manager, "c1", "ann")
		after(beat / 3)
		store.plant(notify.Lease{NodeID: "dead", Beat: 3, Bus: true, Serving: true})
		store.keep(notify.Record{ClientID: "old", NodeID: "dead"})
		after(lease - beat)
		if store.recordsOf("dead") != 1 {
			t.Error("a node was swept before its lease was over")
		}
		after(2 * beat)
		if _, left := store.lease("dead"); left || store.recordsOf("dead") != 0 {
			t.Errorf("the dead node has left %v, %v", store.leases, store.records)
		}
		if store.recordsOf("a") != 1 {
			t.Error("the living node has lost its record")
		}
		first.stop(t)
		second.stop(t)
	})
}

// However the beats fall, what is due is seen when it is due.
func TestASlowStoreDelaysASweepByItsSlownessAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore()
		slow := &cutStore{faultyStore: store, slow: 200 * time.Millisecond}
		n := enters(t, slow, "a", true)
		store.plant(notify.Lease{NodeID: "dead", Bus: true, Serving: true})
		store.keep(notify.Record{ClientID: "old", NodeID: "dead"})
		after(lease + beat + 5*slow.slow)
		if store.recordsOf("dead") != 0 {
			t.Error("the dead node was not swept in time")
		}
		n.stop(t)
	})
}

// What was seen of another node before this one was swept says nothing of now.
func TestANodeThatEntersAgainJudgesAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore()
		n := enters(t, store, "a", false)
		after(beat / 2)
		for moves := range int64(2) {
			store.plant(notify.Lease{NodeID: "other", Beat: moves, Serving: true})
			after(beat)
		}
		own, _ := store.lease("a")
		own.Condemned = true
		store.plant(own)
		after(lease + 2*beat)
		if _, left := store.lease("other"); left || n.Ready() != nil {
			t.Errorf("leases %v, ready: %v", store.leases, n.Ready())
		}
		n.stop(t)
	})
}

func TestASweepThatWasLeftUndoneIsFinished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, begun := newStore(), time.Now()
		store.plant(notify.Lease{NodeID: "dead", Beat: 9, Condemned: true})
		store.keep(notify.Record{ClientID: "old", NodeID: "dead"})
		n := enters(t, store, "a", false)
		if waited := time.Since(begun); waited != 0 || store.recordsOf("dead") != 0 {
			t.Errorf("after %s: leases %v, records %v", waited, store.leases, store.records)
		}
		n.stop(t)
	})
}

// While the store is out of reach nobody's counter moves. That says nothing.
func TestNobodyIsDeadForAStoreThatFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore()
		first := enters(t, store, "a", true)
		after(beat / 2) // one of the two looks before the other beats
		second := enters(t, store, "b", true)
		// It fails when the first has seen the last beat of the second, and is
		// back when the first beats next.
		after(lease + 3*beat/4)
		store.fail(true)
		after(3*lease + beat/2)
		for _, n := range []*node{first, second} {
			if n.Ready() == nil {
				t.Error("a node is ready whose lease was not renewed for long")
			}
		}
		store.fail(false)
		after(2 * lease)
		for _, n := range []*node{first, second} {
			if err := n.Ready(); err != nil {
				t.Errorf("a node is not ready: %v", err)
			}
			if strings.Contains(n.log.String(), "taken for dead") || strings.Contains(n.log.String(), "removed") {
				t.Errorf("its log says\n%s", &n.log)
			}
			n.stop(t)
		}
	})
}

// A node that was cut off alone is swept by the others. Coming back it enters
// under another id, and its records are written anew before it is ready.
func TestANodeThatWasSweptEntersAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore()
		cut := &cutStore{faultyStore: store, clears: make(chan struct{})}
		first, second := enters(t, cut, "a", true), enters(t, store, "b", true)
		add(first.Manager, "stays", "ann", "lobby")
		_, leaves := add(first.Manager, "leaves", "bob")
		after(lease + beat/2)
		if store.recordsOf("a") != 2 {
			t.Fatalf("records %v", store.records)
		}
		cut.off.Store(true)
		after(lease + 2*beat)
		if _, held := store.lease("a"); held || store.recordsOf("a") != 0 {
			t.Fatalf("the node that was cut off has %v, %v", store.leases, store.records)
		}
		leaves.Remove()
		// What it wrote late, after the sweep, must not stay.
		store.keep(notify.Record{ClientID: "late", NodeID: "a"})
		cut.off.Store(false)
		after(beat)
		if first.Ready() == nil {
			t.Error("it is ready before its records were written anew")
		}
		close(cut.clears)
		after(3 * time.Second)
		if err := first.Ready(); err != nil {
			t.Errorf("it is not ready: %v", err)
		}
		record, there := store.get("stays")
		if !there || record.NodeID != "a.2" || record.RootID != "ann" || store.size() != 1 {
			t.Errorf("the records are %v", store.records)
		}
		first.stop(t)
		second.stop(t)
	})
}

func TestANodeWhosePlaceWasTakenEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore()
		cut := &cutStore{faultyStore: store}
		first := enters(t, cut, "a", false)
		add(first.Manager, "c", "ann")
		after(beat + beat/2)
		cut.off.Store(true)
		second := enters(t, store, "b", false)
		cut.off.Store(false)
		if err := <-first.ended; !errors.Is(err, notify.ErrNotAlone) {
			t.Errorf("the first ended with %v", err)
		}
		if store.size() != 0 || store.held() != 1 { // the second goes on beating meanwhile
			t.Errorf("it has left %d leases, %d records", store.held(), store.size())
		}
		first.cancel()
		second.stop(t)
	})
}

func TestEnterWaitsForTheStoreUntilItIsToldToStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore()
		store.fail(true)
		n, ctx := newNode(t, store, "a", false)
		entered := make(chan error, 1)
		go func() { entered <- n.Enter(ctx) }()
		after(5*lease + beat/2)
		if len(entered) != 0 || n.Ready() == nil {
			t.Fatal("it entered without a store")
		}
		store.fail(false)
		after(beat)
		if err := <-entered; err != nil {
			t.Errorf("with the store back: %v", err)
		}
		n.cancel()
		if err := n.Run(ctx); err != nil {
			t.Error(err)
		}

		store.plant(notify.Lease{NodeID: "other"})
		n, ctx = newNode(t, store, "a", false)
		go func() { entered <- n.Enter(ctx) }()
		after(beat)
		n.cancel()
		if err := <-entered; !errors.Is(err, context.Canceled) {
			t.Errorf("told to stop, it ends with %v", err)
		}
		if _, left := store.lease("a"); left {
			t.Error("it left its lease")
		}
	})
}

func TestManyNodesLiveTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore()
		var nodes []*node
		for i := range 20 {
			nodes = append(nodes, enters(t, store, fmt.Sprint("node ", i), true))
			after(beat / 7)
		}
		after(5 * lease)
		for i, n := range nodes {
			if strings.Contains(n.log.String(), "WARN") || strings.Contains(n.log.String(), "removed") {
				t.Errorf("node %d says\n%s", i, &n.log)
			}
			n.stop(t)
		}
	})
}
