package testkit

import (
	"testing"
	"time"
)

// Until asks again and again until the answer is yes, and fails the test where
// that does not come.
func Until(t testing.TB, what string, yes func() bool) {
	t.Helper()
	deadline := time.NewTimer(Patience)
	defer deadline.Stop()
	again := time.NewTicker(2 * time.Millisecond)
	defer again.Stop()
	for !yes() {
		select {
		case <-again.C:
		case <-deadline.C:
			t.Fatalf("waited %s for %s", Patience, what)
		}
	}
}

// Soon gives what comes out of a channel, and fails the test where nothing
// does.
func Soon[T any](t testing.TB, what string, from <-chan T) T {
	t.Helper()
	deadline := time.NewTimer(Patience)
	defer deadline.Stop()
	select {
	case value := <-from:
		return value
	case <-deadline.C:
		t.Fatalf("waited %s for %s", Patience, what)
		panic("not reached")
	}
}
