package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/walkergate/walkergate/auth"
	"github.com/walkergate/walkergate/fault"
	"github.com/walkergate/walkergate/notify"
	"github.com/walkergate/walkergate/store/sqlite"
)

func user(n int) auth.User {
	return auth.User{
		ID: fmt.Sprintf("%024x", n), RootID: fmt.Sprintf("n::%024x", n),
		Email: "A@b.example", EmailKey: fmt.Sprintf("a%d@b.example", n),
	}
}

func record(clientID string) notify.Record {
	return notify.Record{ClientID: clientID, RootID: "root", ChannelIDs: []string{"room"}}
}

// bubble runs a test in which all goroutines can be waited for until they have
// nothing left to do.
func bubble(t *testing.T, queue int, test func(t *testing.T, s *sqlite.Store)) {
	dir := newDir(t)
	synctest.Test(t, func(t *testing.T) {
		s, err := sqlite.Open(t.Context(), dir, sqlite.Options{Queue: queue})
		if err != nil {
			t.Fatal(err)
		}
		defer shut(t, s)
		test(t, s)
	})
}

func TestOneBadWriteDoesNotFailItsGroup(t *testing.T) {
	bubble(t, 0, func(t *testing.T, s *sqlite.Store) {
		release := s.HoldWriter()
		const writers = 20
		results := make([]error, writers)
		for n := range writers {
			go func() {
				put := record(fmt.Sprint("client ", n))
				if n == 7 {
					put.ClientID = "" // the database refuses it, and the whole transaction with it
				}
				results[n] = s.WriteRecords(context.Background(), []notify.Record{put}, nil)
			}()
			synctest.Wait() // so that they queue in this order
		}
		release()
		synctest.Wait()
		for n, err := range results {
			if (err != nil) != (n == 7) {
				t.Errorf("write %d ended with %v", n, err)
			}
		}
		found, err := s.Records(t.Context(), notify.RecordQuery{ChannelID: "room"}, 100)
		if err != nil || len(found) != writers-1 {
			t.Errorf("%d records are kept (%v), want %d", len(found), err, writers-1)
		}
	})
}

func TestARefusalLeavesItsGroupAlone(t *testing.T) {
	bubble(t, 0, func(t *testing.T, s *sqlite.Store) {
		release := s.HoldWriter()
		results := make(chan error, 3)
		for _, n := range []int{1, 1, 2} {
			go func() { results <- s.CreateUser(context.Background(), user(n)) }()
		}
		synctest.Wait()
		release()
		var refused, created int
		for range 3 {
			if err := <-results; err == nil {
				created++
			} else if fault.Is(err, fault.Conflict) {
				refused++
			}
		}
		if created != 2 || refused != 1 {
			t.Errorf("%d created and %d refused, want 2 and 1", created, refused)
		}
	})
}

func TestAFullQueueIsBusy(t *testing.T) {
	const queue = 4
	bubble(t, queue, func(t *testing.T, s *sqlite.Store) {
		release := s.HoldWriter()
		results := make(chan error, queue)
		for n := range queue {
			go func() { results <- s.CreateUser(context.Background(), user(n)) }()
		}
		synctest.Wait()
		if err := s.CreateUser(t.Context(), user(queue)); !fault.Is(err, fault.Busy) {
			t.Errorf("a write into a full queue ended with %v", err)
		}
		if err := s.Ping(t.Context()); !fault.Is(err, fault.Busy) {
			t.Errorf("a ping into a full queue ended with %v", err)
		}
		release()
		for range queue {
			if err := <-results; err != nil {
				t.Errorf("a write that waited ended with %v", err)
			}
		}
		if err := s.CreateUser(t.Context(), user(queue)); err != nil {
			t.Errorf("a write behind the crowd ended with %v", err)
		}
	})
}

func TestAWriteGivenUpWhileItWaitsNeverHappens(t *testing.T) {
	bubble(t, 0, func(t *testing.T, s *sqlite.Store) {
		release := s.HoldWriter()
		ctx, cancel := context.WithCancel(t.Context())
		given := make(chan error, 1)
		go func() { given <- s.CreateUser(ctx, user(1)) }()
		synctest.Wait()
		cancel()
		if err := <-given; !errors.Is(err, context.Canceled) {
			t.Errorf("the write ended with %v", err)
		}
		release()
		if err := s.Ping(t.Context()); err != nil { // behind it in the queue
			t.Fatal(err)
		}
		if _, err := s.FindUser(t.Context(), auth.UserKey{ID: user(1).ID}); !fault.Is(err, fault.NotFound) {
			t.Errorf("the user who was given up: %v", err)
		}
	})
}

func TestCloseWritesWhatWasAccepted(t *testing.T) {
	dir := newDir(t)
	synctest.Test(t, func(t *testing.T) {
		s, err := sqlite.Open(t.Context(), dir, sqlite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		release := s.HoldWriter()
		accepted := make(chan error, 1)
		go func() { accepted <- s.CreateUser(context.Background(), user(1)) }()
		synctest.Wait()
		closed := make(chan error, 1)
		go func() { closed <- s.Close() }()
		synctest.Wait()
		if err := s.CreateUser(t.Context(), user(2)); !fault.Is(err, fault.Busy) {
			t.Errorf("a write after Close ended with %v", err)
		}
		if _, err := s.FindUser(t.Context(), auth.UserKey{ID: user(1).ID}); !fault.Is(err, fault.Busy) {
			t.Errorf("a read after Close ended with %v", err)
		}
		release()
		if err := errors.Join(<-accepted, <-closed, s.Close()); err != nil {
			t.Error(err)
		}
	})
	s := open(t, dir)
	if _, err := s.FindUser(t.Context(), auth.UserKey{ID: user(1).ID}); err != nil {
		t.Errorf("the user written before Close: %v", err)
	}
}
