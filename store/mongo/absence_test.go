package mongo_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/walkergate/walkergate/auth"
	"github.com/walkergate/walkergate/channels"
	"github.com/walkergate/walkergate/fault"
	"github.com/walkergate/walkergate/internal/mongoserver"
	"github.com/walkergate/walkergate/notify"
	"github.com/walkergate/walkergate/store"
	"github.com/walkergate/walkergate/store/mongo"
)

// timeout bounds a call in these tests; slack is what a busy machine may add.
const (
	timeout = 300 * time.Millisecond
	slack   = 5 * time.Second
)

func newLog(to logged) *slog.Logger { return slog.New(to) }

// every is each method of a store, called once.
var every = map[string]func(context.Context, store.Store) error{
	"Ping":       func(ctx context.Context, s store.Store) error { return s.Ping(ctx) },
	"CreateUser": func(ctx context.Context, s store.Store) error { return s.CreateUser(ctx, user(9)) },
	"FindUser": func(ctx context.Context, s store.Store) error {
		_, err := s.FindUser(ctx, auth.UserKey{ID: user(1).ID})
		return err
	},
	"ChangeUser": func(ctx context.Context, s store.Store) error {
		_, err := s.ChangeUser(ctx, auth.UserChange{UserID: user(1).ID, WasHash: "hash", NewHash: "hash"})
		return err
	},
	"DeleteUser": func(ctx context.Context, s store.Store) error {
		return s.DeleteUser(ctx, user(2).ID, auth.EndTokens{At: time.Now(), Ends: time.Now().Add(time.Hour)})
	},
	"RevokeToken": func(ctx context.Context, s store.Store) error {
		return s.RevokeToken(ctx, auth.Revocation{UserID: "u", TokenID: "t", At: time.Now(), Ends: time.Now().Add(time.Hour)})
	},
	"RevocationsSince": func(ctx context.Context, s store.Store) error {
		_, err := s.RevocationsSince(ctx, time.Time{})
		return err
	},
	"WriteRecords": func(ctx context.Context, s store.Store) error {
		return s.WriteRecords(ctx, []notify.Record{record("a")}, []string{"b"})
	},
	"ClearRecords": func(ctx context.Context, s store.Store) error { return s.ClearRecords(ctx, "n") },
	"Records": func(ctx context.Context, s store.Store) error {
		_, err := s.Records(ctx, notify.RecordQuery{}, 1)
		return err
	},
	"HoldLease": func(ctx context.Context, s store.Store) error {
		_, err := s.HoldLease(ctx, notify.Lease{NodeID: "a"})
		return err
	},
	"Leases": func(ctx context.Context, s store.Store) error {
		_, err := s.Leases(ctx)
		return err
	},
	"CondemnLease": func(ctx context.Context, s store.Store) error {
		_, err := s.CondemnLease(ctx, "a", 0)
		return err
	},
	"ForgetLease": func(ctx context.Context, s store.Store) error { return s.ForgetLease(ctx, "a") },
	"Append": func(ctx context.Context, s store.Store) error {
		_, _, err := s.Append(ctx, appending("a"))
		return err
	},
	"Heads": func(ctx context.Context, s store.Store) error {
		_, err := s.Heads(ctx, []string{"room"})
		return err
	},
	"Messages": func(ctx context.Context, s store.Store) error {
		_, err := s.Messages(ctx, channels.LogQuery{ChannelID: "room", Limit: 1})
		return err
	},
	"Sweep": func(ctx context.Context, s store.Store) error {
		_, err := s.Sweep(ctx, time.Now())
		return err
	},
	"Mark": func(ctx context.Context, s store.Store) error { return s.Mark(ctx, "root", "room", 1) },
	"Marked": func(ctx context.Context, s store.Store) error {
		_, err := s.Marked(ctx, "root", "room")
		return err
	},
	"Forget": func(ctx context.Context, s store.Store) error { return s.Forget(ctx, "root") },
}

// wantAbsence calls everything and demands that it is answered in time, by
// busy.
func wantAbsence(t *testing.T, s store.Store, message string) {
	t.Helper()
	var calls sync.WaitGroup
	for name, call := range every {
		calls.Go(func() {
			begun := time.Now()
			err := call(t.Context(), s)
			if !fault.Is(err, fault.Busy) || !strings.Contains(err.Error(), message) {
				t.Errorf("%s ended with %v", name, err)
			}
			if took := time.Since(begun); took > timeout+slack {
				t.Errorf("%s took %s", name, took)
			}
		})
	}
	calls.Wait()
}

// good reports whether everything is answered.
func good(t *testing.T, s store.Store) {
	t.Helper()
	if err := s.CreateUser(t.Context(), user(2)); err != nil {
		t.Error(err)
	}
	for name, call := range every {
		if name == "CreateUser" || name == "FindUser" || name == "ChangeUser" {
			continue // of a user who need not be there
		}
		if err := call(t.Context(), s); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAServerThatIsAbsentAtTheStartIsBusyUntilItComes(t *testing.T) {
	p := newProxy(t)
	log := make(logged, 64)
	begun := time.Now()
	s := open(t, p.uri, mongoserver.Database(t, p.direct).Name(), mongo.Options{Timeout: timeout, Log: newLog(log)})
	if took := time.Since(begun); took > slack {
		t.Errorf("Open took %s", took)
	}
	wantAbsence(t, s, "the store does not answer")
	p.appear(t, p.listen)
	until(t, "the store", func() bool { return s.Ping(t.Context()) == nil })
	good(t, open(t, p.uri, mongoserver.Database(t, p.direct).Name(), mongo.Options{Timeout: generous}))
	var lines strings.Builder
	for strings.Count(lines.String(), "\n") < 3 {
		lines.WriteString(<-log + "\n")
	}
	for _, want := range []string{"store opened", "indexes of the store cannot be made", "indexes of the store were made"} {
		if strings.Count(lines.String(), want) != 1 {
			t.Errorf("%q is not told once:\n%s", want, &lines)
		}
	}
}

func TestAServerThatDoesNotAnswerIsBusyUntilItDoes(t *testing.T) {
	p := newProxy(t)
	p.appear(t, p.listen)
	s := open(t, p.uri, mongoserver.Database(t, p.direct).Name(), mongo.Options{Timeout: timeout})
	until(t, "the store", func() bool { return s.Ping(t.Context()) == nil })
	for range 2 {
		p.stall()
		wantAbsence(t, s, "the store does not answer")
		p.resume()
		until(t, "the store", func() bool { return s.Ping(t.Context()) == nil })
	}
	p.vanish()
	wantAbsence(t, s, "the store does not answer")
	p.appear(t, p.listen)
	until(t, "the store", func() bool { return s.Ping(t.Context()) == nil })
}

func TestTheContextOfACallerBoundsACall(t *testing.T) {
	p := newProxy(t)
	p.appear(t, p.listen)
	s := open(t, p.uri, mongoserver.Database(t, p.direct).Name(), mongo.Options{Timeout: generous})
	until(t, "the store", func() bool { return s.Ping(t.Context()) == nil })
	p.stall()
	for name, call := range every {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		if err := call(ctx, s); !fault.Is(err, fault.Busy) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s under a deadline ended with %v", name, err)
		}
		cancel()
		ctx, cancel = context.WithCancel(t.Context())
		timer := time.AfterFunc(20*time.Millisecond, cancel)
		if err := call(ctx, s); !errors.Is(err, context.Canceled) {
			t.Errorf("%s under a context that ended gave %v", name, err)
		}
		timer.Stop()
		cancel()
	}
}

func TestCallsUnderWayAreBounded(t *testing.T) {
	p := newProxy(t)
	p.appear(t, p.listen)
	s := open(t, p.uri, mongoserver.Database(t, p.direct).Name(), mongo.Options{Timeout: generous, Calls: 2})
	until(t, "the store", func() bool { return s.Ping(t.Context()) == nil })
	p.stall()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 3)
	for range 3 {
		go func() {
			_, err := s.Leases(ctx)
			ended <- err
		}()
	}
	if err := <-ended; !fault.Is(err, fault.Busy) || !strings.Contains(err.Error(), "no room") {
		t.Errorf("the call beyond the bound ended with %v", err)
	}
	cancel()
	for range 2 {
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("a call that waited ended with %v", err)
		}
	}
}

func TestAfterCloseEverythingIsBusy(t *testing.T) {
	p := newProxy(t)
	p.appear(t, p.listen)
	db := mongoserver.Database(t, p.direct).Name()
	s, err := mongo.Open(t.Context(), p.uri, db, mongo.Options{Timeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the store", func() bool { return s.Ping(t.Context()) == nil })
	p.stall()
	ended := make(chan error)
	go func() {
		_, err := s.Leases(context.Background())
		ended <- err
	}()
	begun := time.Now()
	shut(t, s)
	if took := time.Since(begun); took > timeout+slack {
		t.Errorf("Close took %s", took)
	}
	if err := <-ended; !fault.Is(err, fault.Busy) {
		t.Errorf("a call under way ended with %v", err)
	}
	wantAbsence(t, s, "the store is closed")
}
