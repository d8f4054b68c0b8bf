// Package storetest is the contract of a store as tests. Every engine passes
// the same suite.
package storetest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/walkergate/walkergate/fault"
	"github.com/walkergate/walkergate/store"
)

// Run judges an engine. open gives a new, empty store and sees to its end.
//
// The tests draw cases at random; the flag rapid.checks says how many.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	for _, group := range []struct {
		name  string
		tests map[string]func(t *testing.T, s store.Store)
	}{
		{"users", userTests},
		{"revocations", revocationTests},
		{"records", recordTests},
		{"leases", leaseTests},
		{"log", logTests},
		{"log ids", logIDTests},
		{"log pages", logPageTests},
		{"log retention", logRetentionTests},
		{"log quota", logQuotaTests},
		{"marks", markTests},
		{"store", storeTests},
	} {
		for name, test := range group.tests {
			t.Run(group.name+"/"+name, func(t *testing.T) { test(t, open(t)) })
		}
	}
}

// RunNodes judges what an engine promises to several nodes at once. open gives
// as many stores over one database, which is new and empty: the same one several
// times where an engine is a single node's.
func RunNodes(t *testing.T, open func(t *testing.T, nodes int) []store.Store) {
	for name, test := range nodeTests {
		t.Run("nodes/"+name, func(t *testing.T) { test(t, open(t, 2)) })
	}
}

var storeTests = map[string]func(t *testing.T, s store.Store){
	"answers a ping": func(t *testing.T, s store.Store) {
		must(t, s.Ping(t.Context()))
	},
	"heeds a context that ended": func(t *testing.T, s store.Store) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := s.CreateUser(ctx, someUser(1)); err == nil {
			t.Error("a user was created under a context that ended")
		}
		if _, err := s.Records(ctx, everyRecord, 10); err == nil {
			t.Error("records were read under a context that ended")
		}
		wantNoUser(t, s, someUser(1).ID)
	},
	"serves many at once": serveMany,
}

// serveMany mixes all methods: what each goroutine wrote it must read.
func serveMany(t *testing.T, s store.Store) {
	const goroutines, rounds = 16, 8
	together(goroutines, func(g int) {
		for round := range rounds {
			n := g*rounds + round
			user, record := someUser(n), someRecord(n)
			check(t, s.CreateUser(t.Context(), user))
			check(t, s.WriteRecords(t.Context(), puts(record), nil))
			check(t, s.RevokeToken(t.Context(), someRevocation(n)))
			found, err := s.FindUser(t.Context(), byID(user.ID))
			check(t, err)
			same(t, "the user", found, user)
			check(t, s.WriteRecords(t.Context(), nil, []string{record.ClientID}))
			check(t, s.DeleteUser(t.Context(), user.ID, someEnd(n)))
		}
	})
	wantRecords(t, s, everyRecord)
}

// start is a time of this run: an engine may forget what has ended by now.
var start = time.Now().UTC().Truncate(time.Millisecond)

// someTime is the n-th of a row of times, each apart by a second and a bit,
// exact to the millisecond.
func someTime(n int) time.Time { return start.Add(time.Duration(n) * 1001 * time.Millisecond) }

func someHex(n int) string { return fmt.Sprintf("%024x", 0x69150000+n) }

// together runs f for 0 to n-1 at once and waits.
func together(n int, f func(i int)) {
	var ready, done sync.WaitGroup
	ready.Add(n)
	for i := range n {
		done.Go(func() {
			ready.Done()
			ready.Wait()
			f(i)
		})
	}
	done.Wait()
}

func must(t rapid.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// check is must for goroutines beside the test's own.
func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

func wantFault(t *testing.T, err error, code fault.Code) {
	t.Helper()
	if !fault.Is(err, code) {
		t.Errorf("got the error %v, want the fault %s", err, code)
	}
}

func same(t rapid.TB, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.EquateErrors()); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", what, diff)
	}
}
