package auth_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/walkergate/walkergate/auth"
	"github.com/walkergate/walkergate/fault"
)

func TestAUserOfAnotherIssuerIsEnteredAtFirstSight(t *testing.T) {
	key := edSigner("key")
	w := newForeignWorld(t, key)
	token := w.token(key)
	if !w.MayWait(token) {
		t.Error("a user who was never here is looked up without waiting")
	}
	p := w.principal(token)
	user, err := w.Me(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	want := auth.User{
		ID: subjectUser, RootID: subjectRoot, EmailKey: subjectRoot, CreatedAt: w.clock.Now().UTC(),
		Profile: user.Profile,
	}
	if diff := cmp.Diff(want, user); diff != "" || len(user.Profile) != 1 ||
		string(user.Profile["sso"]) != `{"issuer":"https://id.example.com/","subject":"auth0|62f1"}` {
		t.Errorf("the user differs (-want +got):\n%s\nand is %s", diff, user.Profile["sso"])
	}
	if exists, err := w.UserExists(t.Context(), subjectRoot); !exists || err != nil {
		t.Errorf("the root exists: %v (%v)", exists, err)
	}
	// From then on memory will do.
	calls, created := w.store.used()
	for n := range 10 {
		if w.principal(token) != p || w.principal(w.token(key, "jti", n)).UserID != p.UserID || w.MayWait(token) {
			t.Error("the second time it is another")
		}
	}
	if again, _ := w.store.used(); again != calls || created != 2 { // ann is one
		t.Errorf("%d calls and then %d, %d users", calls, again, created)
	}
	// Another node knows them too.
	other := w.node(trusting(fileOf(t, jwks(key))))
	if q, err := other.Authenticate(t.Context(), token); q != p || err != nil {
		t.Errorf("on another node it is %+v (%v)", q, err)
	}
	if _, created := w.store.used(); created != 2 {
		t.Errorf("another node made the user anew")
	}
}

// No password fits, nobody can take what stands in place of the address, and
// what only the issuer can do is refused.
func TestAUserOfAnotherIssuerHasNoPassword(t *testing.T) {
	key := edSigner("key")
	w := newForeignWorld(t, key)
	p := w.principal(w.token(key))
	for _, address := range []string{"", subjectRoot, subjectRoot + "@", "n::" + subjectUser} {
		_, err := w.Login(t.Context(), address, "")
		wantFault(t, err, fault.BadCredentials, "Invalid Email/Password!")
		_, err = w.Login(t.Context(), address, password)
		wantFault(t, err, fault.BadCredentials, "Invalid Email/Password!")
		if _, err := w.Register(t.Context(), auth.Registration{Email: address, Password: password}); !fault.Is(err, fault.InvalidContext) {
			t.Errorf("%q could be registered: %v", address, err)
		}
		if key, ok := auth.EmailKey(address); ok {
			t.Errorf("%q is an address, with the key %q", address, key)
		}
	}
	_, err := w.Refresh(t.Context(), p)
	wantFault(t, err, fault.Forbidden, "a token of this issuer is renewed by the issuer")
	wantFault(t, w.ChangePassword(t.Context(), p, "", "another password"), fault.Forbidden, "this user logs in elsewhere and has no password here")
	if err := w.Logout(t.Context(), p, true); err != nil {
		t.Fatal(err)
	}
	_, err = w.Refresh(t.Context(), p)
	wantFault(t, err, fault.TokenInvalid, "the token was revoked")
	wantFault(t, w.ChangePassword(t.Context(), p, "", "another password"), fault.TokenInvalid, "the token was revoked")
}

// raced runs f for 0 to n-1 at once and waits.
func raced(n int, f func(i int)) {
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

func TestFirstSightIsRaced(t *testing.T) {
	key := edSigner("key")
	w := newForeignWorld(t, key)
	nodes := []*auth.Service{w.Service, w.node(trusting(fileOf(t, jwks(key))))}
	raced(32, func(i int) {
		token := w.token(key, "jti", i)
		p, err := nodes[i%2].Authenticate(t.Context(), token)
		if err != nil || p.UserID != subjectUser || p.RootID != subjectRoot {
			t.Errorf("got %+v, %v", p, err)
		}
	})
	if _, created := w.store.used(); created != 2 {
		t.Errorf("%d users were made of one", created-1)
	}
}

func TestAStoreOutOfReachAtFirstSight(t *testing.T) {
	key := edSigner("key")
	w := newForeignWorld(t, key)
	known, token := w.token(key, "sub", "known"), w.token(key)
	wantRefused(t, w.Service, known, "")
	w.store.breakWith(fault.New(fault.Busy, "no room"))
	wantBusy(t, w.Service, token)
	broken := errors.New("out of reach")
	w.store.breakWith(broken)
	if _, err := w.Authenticate(t.Context(), token); !errors.Is(err, broken) || fault.Is(err, fault.TokenInvalid) {
		t.Errorf("got the error %v", err)
	}
	wantRefused(t, w.Service, known, "") // who was here goes on
	wantRefused(t, w.Service, w.token(key, "sub", "known", "jti", "new"), "")
	w.store.breakWith(nil)
	wantRefused(t, w.Service, token, "")
}

func TestFirstSightWaitsForNoLongerThanTwoSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key := edSigner("key")
		w := newWorld(t, func(o *auth.Options) { o.Now = time.Now }, trusting(fileOf(t, jwks(key))))
		w.store.hang(true)
		begun := time.Now()
		wantBusy(t, w.Service, now(key))
		if took := time.Since(begun); took != 2*time.Second {
			t.Errorf("it took %s", took)
		}
		// So many may wait, and no more.
		var waiting sync.WaitGroup
		for n := range 1024 {
			waiting.Go(func() { wantBusy(t, w.Service, now(key, "sub", string(rune('a'+n)))) })
		}
		synctest.Wait()
		begun = time.Now()
		wantBusy(t, w.Service, now(key))
		if took := time.Since(begun); took != 0 {
			t.Errorf("one too many waited for %s", took)
		}
		waiting.Wait()
		w.store.hang(false)
		wantRefused(t, w.Service, now(key), "")
	})
}

// A node that does not yet know who was deleted enters nobody.
func TestFirstSightWaitsForTheRevocations(t *testing.T) {
	key := edSigner("key")
	w := newWorld(t)
	w.store.breakWith(errors.New("down"))
	late := w.node(trusting(fileOf(t, jwks(key))))
	w.store.breakWith(nil)
	wantBusy(t, late, w.token(key))
	run(t, late)
	until(t, "the revocations", func() bool { return late.Ready() == nil })
	wantRefused(t, late, w.token(key), "")
}

func TestLogoutOfAUserOfAnotherIssuer(t *testing.T) {
	key := edSigner("key")
	w := newForeignWorld(t, key)
	one, other := w.token(key, "jti", "one"), w.token(key, "jti", "other")
	p := w.principal(one)
	if err := w.Logout(t.Context(), p, false); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, w.Service, one, "revoked")
	wantRefused(t, w.Service, other, "")
	// A node that starts knows it too.
	trust := trusting(fileOf(t, jwks(key)))
	restarted := w.node(trust)
	wantRefused(t, restarted, one, "revoked")
	wantRefused(t, restarted, other, "")

	// All of them: those of this second and before, whatever they are called.
	q := w.principal(other)
	if err := w.Logout(t.Context(), q, true); err != nil {
		t.Fatal(err)
	}
	next := func(seconds int64) string {
		return w.token(key, "jti", "next", "iat", w.clock.Now().Unix()+seconds, "exp", w.clock.Now().Unix()+60)
	}
	for _, node := range []*auth.Service{w.Service, restarted, w.node(trust)} {
		if node == restarted {
			run(t, node)
			until(t, "the news", func() bool { return node.Valid(q) != nil })
		}
		wantValid(t, node, q, "revoked")
		wantRefused(t, node, other, "revoked")
		wantRefused(t, node, next(0), "revoked")
		wantRefused(t, node, next(-10), "revoked")
		wantRefused(t, node, next(1), "")
	}
	// And the next time again.
	w.clock.advance(10 * time.Second)
	if err := w.Logout(t.Context(), w.principal(w.token(key)), true); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, w.Service, w.token(key), "revoked")
	wantRefused(t, w.Service, next(1), "")
	// What is forgotten concerns nobody any more.
	w.clock.advance(12*time.Hour + 2*time.Minute)
	wantRefused(t, w.Service, w.token(key), "")
}

// An issuer whose clock is ahead issues a token that is younger than its end:
// who ends all tokens ends their own at least, and those before it.
func TestAnIssuerWhoseClockIsAhead(t *testing.T) {
	key := edSigner("key")
	w := newForeignWorld(t, key)
	ahead := w.clock.Now().Unix() + 30
	before, token := w.token(key, "iat", ahead-5), w.token(key, "iat", ahead)
	if err := w.Logout(t.Context(), w.principal(token), true); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, w.Service, token, "revoked")
	wantRefused(t, w.Service, before, "revoked")
	wantRefused(t, w.Service, w.token(key, "iat", ahead+1), "")
}

// One user's end is no other's: neither that of the same name elsewhere, nor of
// somebody here.
func TestAnEndIsOfOneUserAlone(t *testing.T) {
	const otherName = "https://other.example.com"
	key := edSigner("key")
	keys := fileOf(t, jwks(key))
	w := newWorld(t, trusting(keys), trustingAlso(otherName, keys))
	own, _ := w.login()
	mine, theirs := w.token(key), w.token(key, "iss", otherName)
	wantRefused(t, w.Service, theirs, "")
	p := w.principal(mine)
	if err := w.Logout(t.Context(), p, true); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, w.Service, mine, "revoked")
	if err := w.Delete(t.Context(), w.principal(theirs)); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, w.Service, theirs, "revoked")
	wantRefused(t, w.Service, own, "")
	w.clock.advance(time.Second)
	wantRefused(t, w.Service, w.token(key), "")
	wantRefused(t, w.Service, w.token(key, "iss", otherName), "revoked")
}

func TestAUserOfAnotherIssuerWhoIsDeleted(t *testing.T) {
	key := edSigner("key")
	w := newForeignWorld(t, key)
	token := w.token(key)
	p := w.principal(token)
	if err := w.Delete(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	trust := trusting(fileOf(t, jwks(key)))
	gone := func(life time.Duration) {
		t.Helper()
		for range 2 {
			w.clock.advance(life / 2)
			for _, node := range []*auth.Service{w.Service, w.node(trust)} {
				wantRefused(t, node, w.token(key), "revoked") // issued after the end
				if _, err := node.Me(t.Context(), p); !fault.Is(err, fault.TokenInvalid) {
					t.Errorf("who was deleted is told %v", err)
				}
			}
			if exists, err := w.UserExists(t.Context(), p.RootID); exists || err != nil {
				t.Errorf("the root exists: %v (%v)", exists, err)
			}
		}
	}
	gone(0)
	gone(12 * time.Hour)
	w.clock.advance(2 * time.Minute)
	again := w.principal(w.token(key))
	if again.UserID != p.UserID || again.RootID != p.RootID {
		t.Errorf("came back as %+v", again)
	}
	user, err := w.Me(t.Context(), again)
	if err != nil || user.Generation != 0 || !user.CreatedAt.Equal(w.clock.Now()) {
		t.Errorf("the new user is %+v (%v)", user, err)
	}
	if err := w.Logout(t.Context(), again, true); err != nil {
		t.Fatal(err)
	}
	w.clock.advance(time.Second)
	wantRefused(t, w.Service, w.token(key), "")
}

// Whoever is deleted while their tokens come in is gone afterwards.
func TestADeletionIsRacedByFirstSights(t *testing.T) {
	for range 20 {
		key := edSigner("key")
		w := newForeignWorld(t, key)
		trust := trusting(fileOf(t, jwks(key)))
		nodes := []*auth.Service{w.Service, w.node(trust), w.node(trust)}
		p := w.principal(w.token(key))
		raced(16, func(i int) {
			if i == 0 {
				if err := w.Delete(t.Context(), p); err != nil {
					t.Error(err)
				}
				return
			}
			if _, err := nodes[i%3].Authenticate(t.Context(), w.token(key, "jti", i)); err != nil && auth.RefusalOf(err) != "revoked" {
				t.Errorf("it ended with %v", err)
			}
		})
		if exists, err := w.UserExists(t.Context(), p.RootID); exists || err != nil {
			t.Fatalf("the root exists: %v (%v)", exists, err)
		}
		wantRefused(t, w.Service, w.token(key), "revoked")
	}
}

// What is remembered of who is in the store does not outlive what is remembered
// of who was deleted.
func TestAKnownUserWhoWasDeletedElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key := edSigner("key")
		options := []func(*auth.Options){
			func(o *auth.Options) { o.Now, o.TokenTTL = time.Now, time.Hour }, trusting(fileOf(t, jwks(key))),
		}
		here := newWorld(t, options...)
		there := here.node(options...)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go here.Run(ctx)
		go there.Run(ctx)
		wantRefused(t, there, now(key), "")
		pass(10 * time.Minute)
		p := here.principal(now(key))
		if err := here.Delete(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		for range 122 {
			_, err := there.Authenticate(t.Context(), now(key))
			exists, existsErr := there.UserExists(t.Context(), p.RootID)
			if (err == nil) != exists || existsErr != nil {
				t.Fatalf("%v after the end: %v, and the user is there: %v", time.Since(p.IssuedAt), err, exists)
			}
			pass(time.Minute)
		}
		wantRefused(t, there, now(key), "")
	})
}

// TestAnAccountElsewhereIsGuardedByTheStore is TestAnAccountIsGuardedByTheStore
// for tokens that know no generation.
func TestAnAccountElsewhereIsGuardedByTheStore(t *testing.T) {
	key := edSigner("key")
	w := newForeignWorld(t, key)
	deaf := w.node(trusting(fileOf(t, jwks(key))))
	p := w.principal(w.token(key))
	if err := w.Logout(t.Context(), p, true); err != nil {
		t.Fatal(err)
	}
	wantValid(t, deaf, p, "")
	_, meErr := deaf.Me(t.Context(), p)
	_, refreshErr := deaf.Refresh(t.Context(), p)
	for _, err := range []error{
		meErr, refreshErr, deaf.Delete(t.Context(), p), deaf.Logout(t.Context(), p, true),
		deaf.ChangePassword(t.Context(), p, password, "another password"),
	} {
		if auth.RefusalOf(err) != "revoked" {
			t.Errorf("an ended token acted on its account: %v", err)
		}
	}
	w.clock.advance(2 * time.Second)
	young := w.principal(w.token(key))
	deafer := w.node(trusting(fileOf(t, jwks(key))))
	w.clock.advance(13 * time.Hour) // every end is forgotten, and the count of them is not
	late := w.principal(w.token(key))
	for _, node := range []*auth.Service{w.Service, deaf, deafer} {
		if _, err := node.Me(t.Context(), late); err != nil {
			t.Errorf("a token that is younger than every end: %v", err)
		}
	}
	wantValid(t, w.Service, young, "expired")
}

func TestTheEndOfAUserElsewhereReachesWhoLivesByIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key := edSigner("key")
		options := []func(*auth.Options){func(o *auth.Options) { o.Now = time.Now }, trusting(fileOf(t, jwks(key)))}
		here := newWorld(t, options...)
		there := here.node(options...)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go here.Run(ctx)
		go there.Run(ctx)
		watch := func(s *auth.Service, token string) (*ear, auth.Principal) {
			p, err := s.Authenticate(t.Context(), token)
			if err != nil {
				t.Fatal(err)
			}
			var e ear
			s.Watch(p, &e)
			return &e, p
		}
		old, p := watch(there, now(key, "jti", "old"))
		single, q := watch(there, now(key, "jti", "single"))
		if err := here.Logout(t.Context(), q, false); err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		if ended := single.told().ended; len(ended) != 1 || ended[0] != "revoked" || len(old.told().ended) != 0 {
			t.Errorf("after a logout: told %v and %v", ended, old.told().ended)
		}
		pass(time.Minute)
		if err := here.Logout(t.Context(), p, true); err != nil {
			t.Fatal(err)
		}
		// A token of the next second is not concerned, although the node has not
		// yet heard of the end of those before.
		young, _ := watch(there, now(key, "jti", "young", "iat", time.Now().Unix()+1))
		pass(time.Second)
		if ended := old.told().ended; len(ended) != 1 || ended[0] != "revoked" || len(young.told().ended) != 0 {
			t.Errorf("after a logout of all: told %v and %v", ended, young.told().ended)
		}
		pass(time.Minute)
		work, done := there.While(t.Context(), here.principal(now(key)))
		defer done()
		if err := here.Delete(t.Context(), here.principal(now(key))); err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		if ended := young.told().ended; len(ended) != 1 || ended[0] != "revoked" || work.Err() == nil {
			t.Errorf("after the deletion: told %v, work %v", ended, work.Err())
		}
	})
}

// Two nodes end all tokens of a user, and the later end reaches a third node as
// a younger time of the same generation: by the clocks of the nodes, the end
// that counts last may be the earlier one.
func TestALaterEndOfTheSameGenerationIsHeard(t *testing.T) {
	key := edSigner("key")
	w := newForeignWorld(t, key)
	p := w.principal(w.token(key))
	var e ear
	w.Watch(p, &e)
	end := func(at time.Time) auth.Revocation {
		return auth.Revocation{UserID: p.UserID, Generation: 1, At: at, Ends: at.Add(13 * time.Hour)}
	}
	w.Learn(end(p.IssuedAt.Add(-time.Second)))
	wantValid(t, w.Service, p, "")
	w.Learn(end(p.IssuedAt.Add(time.Second)))
	wantValid(t, w.Service, p, "revoked")
	if ended := e.told().ended; len(ended) != 1 || ended[0] != "revoked" {
		t.Errorf("the end was told as %v", ended)
	}
	w.Learn(end(p.IssuedAt.Add(-time.Second))) // and in the other order
	wantValid(t, w.Service, p, "revoked")
}

func TestWhatIsRememberedIsBounded(t *testing.T) {
	memory := auth.NewRecent(100)
	for n := range 10_000 {
		memory.Put(n)
		if !memory.Knows(0) { // what is asked for stays
			t.Fatalf("after %d others it was forgotten", n)
		}
		if n > 0 && !memory.Knows(n-min(n, 20)) {
			t.Fatalf("one of the last 20 was forgotten at %d", n)
		}
		if size := memory.Size(); size > 200 {
			t.Fatalf("%d are remembered", size)
		}
	}
	if memory.Knows(5000) {
		t.Error("nothing is ever forgotten")
	}
}
