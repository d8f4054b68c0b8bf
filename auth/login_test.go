package auth_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/walkergate/walkergate/auth"
	"github.com/walkergate/walkergate/fault"
)

func TestEveryLoginCostsTheSame(t *testing.T) {
	w := newWorld(t)
	w.store.users = append(w.store.users, auth.User{
		ID: "without a password", RootID: "n::without", EmailKey: "nopass@example.com",
	})
	var runs atomic.Int32
	w.WatchHashing(func() { runs.Add(1) })
	for name, test := range map[string]struct {
		email, password string
		ok              bool
	}{
		"right":              {email, password, true},
		"wrong":              {email, "wrong password", false},
		"unknown":            {"nobody@example.com", password, false},
		"no password to fit": {"nopass@example.com", password, false},
		"a NUL":              {"nopass@example.com", "\x00", false},
		"shorter than any":   {email, "x", false},
	} {
		before := runs.Load()
		_, err := w.Login(t.Context(), test.email, test.password)
		if test.ok {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		} else {
			wantFault(t, err, fault.BadCredentials, "Invalid Email/Password!")
		}
		if cost := runs.Load() - before; cost != 1 {
			t.Errorf("%s: %d runs of argon2id, want one", name, cost)
		}
	}
	// What no account can have is refused without work, for everybody alike.
	for _, address := range []string{email, "nobody@example.com"} {
		for _, impossible := range []string{"", strings.Repeat("x", 257)} {
			before := runs.Load()
			_, err := w.Login(t.Context(), address, impossible)
			wantFault(t, err, fault.BadCredentials, "Invalid Email/Password!")
			if runs.Load() != before {
				t.Errorf("an impossible password was hashed")
			}
		}
	}
}

func TestTheStoredHash(t *testing.T) {
	w := newWorld(t, func(o *auth.Options) { o.Argon = auth.ArgonCost{} })
	const form = "$argon2id$v=19$m=19456,t=2,p=1$"
	if hash := w.store.users[0].PasswordHash; !strings.HasPrefix(hash, form) {
		t.Errorf("the hash is %q, want the form %s", hash, form)
	}
	w.login()
}

// A hash that another implementation made (argon2id of the reference suite's
// password and salt, at m=64 MiB t=2 p=1).
func TestAHashMadeElsewhere(t *testing.T) {
	w := newWorld(t)
	w.store.users[0].PasswordHash = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	if _, err := w.Login(t.Context(), email, "password"); err != nil {
		t.Error(err)
	}
	if !strings.HasPrefix(w.store.users[0].PasswordHash, "$argon2id$v=19$m=8,t=1,p=1$") {
		t.Errorf("the hash was not made anew: %q", w.store.users[0].PasswordHash)
	}
}

func TestHashesThatCannotBe(t *testing.T) {
	w := newWorld(t)
	const salt, key = "c29tZXNhbHQ", "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	var runs atomic.Int32
	w.WatchHashing(func() { runs.Add(1) })
	for _, hash := range []string{
		"x", "\x00", "$", "$argon2id$", password,
		"$argon2i$v=19$m=8,t=1,p=1$" + salt + "$" + key,
		"$argon2id$v=16$m=8,t=1,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=4294967295,t=1,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=8,t=4294967295,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=8,t=0,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=8,t=1,p=0$" + salt + "$" + key,
		"$argon2id$v=19$m=8,t=1,p=257$" + salt + "$" + key,
		"$argon2id$v=19$m=8,t=1,p=1,x=1$" + salt + "$" + key,
		"$argon2id$v=19$m=8,t=1,p=1$$" + key,
		"$argon2id$v=19$m=8,t=1,p=1$" + salt + "$",
		"$argon2id$v=19$m=8,t=1,p=1$" + salt + "$" + strings.Repeat(key, 20),
	} {
		w.store.users[0].PasswordHash = hash
		_, err := w.Login(t.Context(), email, password)
		if got := fault.From(err); err == nil || got.Code != fault.Internal || strings.Contains(got.Error(), key) {
			t.Errorf("%q: %v", hash, err)
		}
	}
	if runs.Load() != 0 {
		t.Errorf("%d of them were run", runs.Load())
	}
}

func TestAChangedCostHashesAnew(t *testing.T) {
	w := newWorld(t)
	before := w.store.users[0].PasswordHash
	w.login()
	if w.store.users[0].PasswordHash != before {
		t.Error("a hash of today's cost was made anew")
	}
	costlier := w.node(func(o *auth.Options) { o.Argon = auth.ArgonCost{MemoryKiB: 16, Passes: 1, Lanes: 1} })
	if _, err := costlier.Login(t.Context(), email, "wrong password"); err == nil {
		t.Error("a wrong password was accepted")
	}
	if w.store.users[0].PasswordHash != before {
		t.Error("a wrong password made the hash anew")
	}
	for range 2 {
		if _, err := costlier.Login(t.Context(), email, password); err != nil {
			t.Error(err)
		}
	}
	if !strings.HasPrefix(w.store.users[0].PasswordHash, "$argon2id$v=19$m=16,t=1,p=1$") {
		t.Errorf("the hash is still %q", w.store.users[0].PasswordHash)
	}
}

// TestHashingAnewDoesNotPutAPasswordBack changes the password between a
// login's look at it and the moment that login stores its hash at a new cost.
func TestHashingAnewDoesNotPutAPasswordBack(t *testing.T) {
	w := newWorld(t)
	_, p := w.login()
	costlier := w.node(func(o *auth.Options) { o.Argon = auth.ArgonCost{MemoryKiB: 16, Passes: 1, Lanes: 1} })
	runs := 0
	costlier.WatchHashing(func() {
		if runs++; runs == 2 { // the first verifies, the second hashes anew
			if err := w.ChangePassword(t.Context(), p, password, "another password"); err != nil {
				t.Error(err)
			}
		}
	})
	grant, err := costlier.Login(t.Context(), email, password)
	if err != nil || runs != 2 {
		t.Fatalf("the login ended with %v after %d runs", err, runs)
	}
	wantRefused(t, w.Service, grant.Token, "revoked")
	_, err = w.Login(t.Context(), email, password)
	wantFault(t, err, fault.BadCredentials, "Invalid Email/Password!")
	if _, err := w.Login(t.Context(), email, "another password"); err != nil {
		t.Error(err)
	}
}

func TestHashingIsBounded(t *testing.T) {
	const parallel, waiting = 2, 2 * 16
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(o *auth.Options) { o.ArgonParallel = parallel })
		var running, most atomic.Int32
		finish := make(chan struct{})
		w.WatchHashing(func() {
			now := running.Add(1)
			for seen := most.Load(); now > seen && !most.CompareAndSwap(seen, now); seen = most.Load() {
			}
			<-finish
			running.Add(-1)
		})
		results := make(chan error, parallel+waiting)
		login := func(ctx context.Context) {
			_, err := w.Login(ctx, email, password)
			results <- err
		}
		for range parallel + waiting - 1 {
			go login(context.Background())
		}
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		go login(ctx) // takes the last place of those who wait
		synctest.Wait()
		if running.Load() != parallel {
			t.Errorf("%d run at once, want %d", running.Load(), parallel)
		}
		_, err := w.Login(t.Context(), email, password)
		wantFault(t, err, fault.Busy, "too many logins at once")
		_, err = w.Register(t.Context(), auth.Registration{Email: "b@example.com", Password: password})
		wantFault(t, err, fault.Busy, "too many logins at once")

		cancel() // of whom waits: leaves room for one
		wantFault(t, <-results, fault.Busy, "too many logins at once")
		go login(context.Background())
		synctest.Wait()

		close(finish)
		for range parallel + waiting {
			if err := <-results; err != nil {
				t.Errorf("a login that waited ended with %v", err)
			}
		}
		if most.Load() != parallel {
			t.Errorf("%d ran at once, want %d", most.Load(), parallel)
		}
	})
}

func TestABrokenStoreIsNoWrongPassword(t *testing.T) {
	w := newWorld(t)
	broken := errors.New("out of reach")
	w.store.breakWith(broken)
	_, loginErr := w.Login(t.Context(), email, password)
	_, registerErr := w.Register(t.Context(), auth.Registration{Email: "b@example.com", Password: password})
	for _, err := range []error{loginErr, registerErr} {
		if !errors.Is(err, broken) {
			t.Errorf("got the error %v", err)
		}
	}
}
