package auth_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/walkergate/walkergate/auth"
	"github.com/walkergate/walkergate/fault"
)

// heard is what a Watcher was told.
type heard struct {
	soon  []time.Duration
	ended []string
	at    time.Time
}

// ear is a Watcher that keeps what it is told.
type ear struct {
	mu sync.Mutex
	heard
}

func (e *ear) TokenEndsSoon(left time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.soon = append(e.soon, left)
}

func (e *ear) TokenEnded(why error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ended = append(e.ended, auth.RefusalOf(why))
	e.at = time.Now()
}

func (e *ear) told() heard {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.heard
}

// following runs a test in a bubble of fake time, with two nodes on one store
// whose clocks are the bubble's.
func following(t *testing.T, test func(t *testing.T, here *world, there *auth.Service)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		bubble := func(o *auth.Options) { o.Now = time.Now }
		here := newWorld(t, bubble)
		there := here.node(bubble)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go here.Run(ctx)
		go there.Run(ctx)
		test(t, here, there)
	})
}

func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestWatchTellsOfTheEndByTime(t *testing.T) {
	following(t, func(t *testing.T, here *world, _ *auth.Service) {
		_, first := here.login()
		pass(time.Hour)
		_, second := here.login()
		var early, late, stopped ear
		here.Watch(second, &late)
		here.Watch(first, &early)
		stop := here.Watch(first, &stopped)
		stop()
		stop()

		pass(time.Until(first.ExpiresAt) - auth.SoonBefore - time.Second)
		if len(early.told().soon) != 0 {
			t.Fatalf("told %v too early", early.told().soon)
		}
		pass(2 * time.Second)
		if len(early.told().soon) != 1 || early.told().soon[0] != auth.SoonBefore {
			t.Errorf("told %v", early.told().soon)
		}
		pass(auth.SoonBefore)
		if len(early.told().ended) != 1 || early.told().ended[0] != "expired" || early.told().at.Before(first.ExpiresAt) || early.told().at.Sub(first.ExpiresAt) > time.Second {
			t.Errorf("the end was told as %v at %v, it was at %v", early.told().ended, early.told().at, first.ExpiresAt)
		}
		if len(late.told().soon)+len(late.told().ended)+len(stopped.told().soon)+len(stopped.told().ended) != 0 {
			t.Errorf("others were told: %+v, %+v", late.told(), stopped.told())
		}
		pass(time.Hour)
		if len(late.told().ended) != 1 || len(early.told().ended) != 1 {
			t.Errorf("in the end: %+v, %+v", early.told(), late.told())
		}
		if left := here.Watched(); left != 0 {
			t.Errorf("%d users are still watched", left)
		}
	})
}

func TestRevocationReachesEveryNodeWithinASecond(t *testing.T) {
	following(t, func(t *testing.T, here *world, there *auth.Service) {
		_, one := here.login()
		_, other := here.login()
		var local, remote, untouched ear
		here.Watch(one, &local)
		there.Watch(one, &remote)
		there.Watch(other, &untouched)
		work, done := there.While(t.Context(), one)
		defer done()
		otherWork, otherDone := there.While(t.Context(), other)
		defer otherDone()

		if err := here.Logout(t.Context(), one, false); err != nil {
			t.Fatal(err)
		}
		if len(local.told().ended) != 1 || local.told().ended[0] != "revoked" {
			t.Errorf("on its own node the end was told as %v", local.told().ended)
		}
		pass(time.Second)
		if len(remote.told().ended) != 1 || remote.told().ended[0] != "revoked" {
			t.Errorf("on the other node the end was told as %v", remote.told().ended)
		}
		var why *fault.Error
		if !errors.As(context.Cause(work), &why) || why.Code != fault.TokenInvalid {
			t.Errorf("its work ended with %v", context.Cause(work))
		}
		if len(untouched.told().ended) != 0 || otherWork.Err() != nil {
			t.Error("another token of the user ended too")
		}
		if err := here.Logout(t.Context(), other, true); err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		if len(untouched.told().ended) != 1 || otherWork.Err() == nil || len(remote.told().ended) != 1 {
			t.Errorf("after the logout of all: %+v, %+v", untouched.told(), remote.told())
		}
	})
}

func TestWatchOfWhatHasEndedAlready(t *testing.T) {
	following(t, func(t *testing.T, here *world, _ *auth.Service) {
		_, p := here.login()
		if err := here.Logout(t.Context(), p, false); err != nil {
			t.Fatal(err)
		}
		var e ear
		here.Watch(p, &e)
		work, done := here.While(t.Context(), p)
		defer done()
		if len(e.told().ended) != 1 || work.Err() == nil {
			t.Errorf("told %v, work %v", e.told().ended, work.Err())
		}
		public, done := here.While(t.Context(), auth.Public())
		defer done()
		here.Watch(auth.Public(), &e)()
		if public.Err() != nil || here.Watched() != 0 {
			t.Error("the public user is watched")
		}
	})
}

func TestServiceIsNotReadyWhenTheStoreIsOutOfReach(t *testing.T) {
	following(t, func(t *testing.T, here *world, _ *auth.Service) {
		pass(time.Minute)
		if err := here.Ready(); err != nil {
			t.Fatalf("not ready: %v", err)
		}
		here.store.breakWith(errors.New("down"))
		pass(4 * time.Second)
		if err := here.Ready(); err != nil {
			t.Errorf("not ready before its time: %v", err)
		}
		pass(2 * time.Second)
		if err := here.Ready(); !fault.Is(err, fault.Busy) {
			t.Errorf("after six seconds it is %v", err)
		}
		here.store.breakWith(nil)
		pass(time.Second)
		if err := here.Ready(); err != nil {
			t.Errorf("not ready again: %v", err)
		}
	})
}

// link is the way of one node to the store, which can be cut.
type link struct {
	auth.Store
	cut atomic.Bool
}

func (l *link) RevocationsSince(ctx context.Context, since time.Time) ([]auth.Revocation, error) {
	if l.cut.Load() {
		return nil, errors.New("cut off")
	}
	return l.Store.RevocationsSince(ctx, since)
}

// Whoever was cut off for longer than any overlap still learns of all that was
// revoked meanwhile, and is not ready before.
func TestNodeThatWasCutOffLearnsWhatItMissed(t *testing.T) {
	following(t, func(t *testing.T, here *world, _ *auth.Service) {
		way := &link{Store: here.store}
		far, err := auth.New(t.Context(), way, auth.Options{Secret: secret, Argon: cheap, Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go far.Run(ctx)
		_, p := here.login()
		var e ear
		far.Watch(p, &e)
		pass(time.Minute)
		way.cut.Store(true)
		pass(2 * time.Second)
		if err := here.Logout(t.Context(), p, true); err != nil {
			t.Fatal(err)
		}
		pass(time.Hour)
		if len(e.told().ended) != 0 || far.Ready() == nil {
			t.Fatalf("while it is cut off: told %v, ready %v", e.told().ended, far.Ready())
		}
		way.cut.Store(false)
		pass(time.Second)
		if ended := e.told().ended; len(ended) != 1 || ended[0] != "revoked" || far.Ready() != nil {
			t.Errorf("told %v, ready %v", ended, far.Ready())
		}
	})
}
