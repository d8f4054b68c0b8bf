package storetest

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/walkergate/walkergate/notify"
	"github.com/walkergate/walkergate/store"
)

var leaseTests = map[string]func(t *testing.T, s store.Store){
	"starts with none": func(t *testing.T, s store.Store) {
		wantLeases(t, s)
	},
	"registers and goes on": func(t *testing.T, s store.Store) {
		a, b := notify.Lease{NodeID: "a"}, notify.Lease{NodeID: "b", Bus: true}
		wantHeld(t, s, b, true)
		wantHeld(t, s, a, true)
		wantHeld(t, s, a, true) // a caller that had no answer asks again
		wantLeases(t, s, a, b)
		a.Beat, a.Serving = 1, true
		wantHeld(t, s, a, true)
		a.Beat, a.Bus = 1<<40, true
		wantHeld(t, s, a, true)
		wantLeases(t, s, a, b)
	},
	"does not go on with what is not there": func(t *testing.T, s store.Store) {
		wantHeld(t, s, notify.Lease{NodeID: "a", Beat: 1}, false)
		wantLeases(t, s)
	},
	"condemns what stands still": func(t *testing.T, s store.Store) {
		lease := notify.Lease{NodeID: "a", Serving: true}
		wantHeld(t, s, lease, true)
		lease.Beat = 7
		wantHeld(t, s, lease, true)
		wantCondemned(t, s, "a", 6, false)
		wantCondemned(t, s, "b", 7, false)
		wantLeases(t, s, lease)

		wantCondemned(t, s, "a", 7, true)
		wantCondemned(t, s, "a", 7, true) // by another observer
		condemned := lease
		condemned.Condemned = true
		wantLeases(t, s, condemned)
		lease.Beat++
		wantHeld(t, s, lease, false)
		wantLeases(t, s, condemned)
	},
	"forgets one": func(t *testing.T, s store.Store) {
		a, b := notify.Lease{NodeID: "a"}, notify.Lease{NodeID: "A"}
		wantHeld(t, s, a, true)
		wantHeld(t, s, b, true)
		must(t, s.ForgetLease(t.Context(), "a"))
		must(t, s.ForgetLease(t.Context(), "a"))
		wantLeases(t, s, b)
		a.Beat = 1
		wantHeld(t, s, a, false)
		a.Beat = 0
		wantHeld(t, s, a, true)
		wantLeases(t, s, b, a)
	},
	"lets a beat or its condemnation win": func(t *testing.T, s store.Store) {
		for range 20 {
			wantHeld(t, s, notify.Lease{NodeID: "a"}, true)
			var beaten, condemned atomic.Bool
			together(5, func(i int) {
				if i == 0 {
					held, err := s.HoldLease(t.Context(), notify.Lease{NodeID: "a", Beat: 1})
					check(t, err)
					beaten.Store(held)
					return
				}
				done, err := s.CondemnLease(t.Context(), "a", 0)
				check(t, err)
				if done {
					condemned.Store(true)
				}
			})
			if beaten.Load() == condemned.Load() {
				t.Fatalf("beaten: %v, condemned: %v", beaten.Load(), condemned.Load())
			}
		}
	},
	"takes ids of any bytes": func(t *testing.T, s store.Store) {
		var all []notify.Lease
		for n, name := range lookalikes {
			lease := notify.Lease{NodeID: name}
			wantHeld(t, s, lease, true)
			lease.Beat = int64(n + 1)
			wantHeld(t, s, lease, true)
			all = append(all, lease)
		}
		slices.SortFunc(all, func(a, b notify.Lease) int { return strings.Compare(a.NodeID, b.NodeID) })
		wantLeases(t, s, all...)
	},
}

func wantHeld(t *testing.T, s store.Store, lease notify.Lease, want bool) {
	t.Helper()
	held, err := s.HoldLease(t.Context(), lease)
	must(t, err)
	if held != want {
		t.Errorf("%+v is held: %v, want %v", lease, held, want)
	}
}

func wantCondemned(t *testing.T, s store.Store, nodeID string, beat int64, want bool) {
	t.Helper()
	condemned, err := s.CondemnLease(t.Context(), nodeID, beat)
	must(t, err)
	if condemned != want {
		t.Errorf("%s at %d is condemned: %v, want %v", nodeID, beat, condemned, want)
	}
}

func wantLeases(t *testing.T, s store.Store, want ...notify.Lease) {
	t.Helper()
	got, err := s.Leases(t.Context())
	must(t, err)
	same(t, "the leases", got, want)
}
