package auth_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/walkergate/walkergate/auth"
	"github.com/walkergate/walkergate/fault"
)

// The clock stands still in these tests unless it is set: everything happens
// in the same millisecond.

func TestLogoutEndsOneToken(t *testing.T) {
	w := newWorld(t)
	mine, p := w.login()
	other, otherP := w.login()
	if err := w.Logout(t.Context(), p, false); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, w.Service, mine, "revoked")
	wantValid(t, w.Service, p, "revoked")
	wantRefused(t, w.Service, other, "")
	wantValid(t, w.Service, otherP, "")
	_, err := w.Authenticate(t.Context(), mine)
	wantFault(t, err, fault.TokenInvalid, "the token was revoked")
	if err := w.Logout(t.Context(), p, false); auth.RefusalOf(err) != "revoked" {
		t.Errorf("a second logout ended with %v", err)
	}
	_, meErr := w.Me(t.Context(), p)
	_, refreshErr := w.Refresh(t.Context(), p)
	for _, err := range []error{
		meErr, refreshErr, w.Delete(t.Context(), p), w.ChangePassword(t.Context(), p, password, password),
	} {
		if auth.RefusalOf(err) != "revoked" {
			t.Errorf("an ended token acted on its account: %v", err)
		}
	}
}

func TestRefreshLeavesTheOldTokenAlone(t *testing.T) {
	w := newWorld(t)
	old, p := w.login()
	w.clock.advance(time.Hour)
	grant, err := w.Refresh(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	fresh := w.principal(grant.Token)
	if fresh.TokenID == p.TokenID || fresh.RootID != p.RootID || !fresh.ExpiresAt.Equal(p.ExpiresAt.Add(time.Hour)) {
		t.Errorf("the new token stands for %+v, the old one for %+v", fresh, p)
	}
	wantRefused(t, w.Service, old, "")
	if err := w.Logout(t.Context(), p, false); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, w.Service, old, "revoked")
	wantRefused(t, w.Service, grant.Token, "")
}

func TestLogoutOfAllEndsWhatIsOutAndNothingElse(t *testing.T) {
	w := newWorld(t)
	w.register("bob@example.com")
	bob, err := w.Login(t.Context(), "bob@example.com", password)
	if err != nil {
		t.Fatal(err)
	}
	first, p := w.login()
	second, _ := w.login()
	if err := w.Logout(t.Context(), p, true); err != nil {
		t.Fatal(err)
	}
	next, _ := w.login() // in the same millisecond as all before
	wantRefused(t, w.Service, first, "revoked")
	wantRefused(t, w.Service, second, "revoked")
	wantRefused(t, w.Service, next, "")
	wantRefused(t, w.Service, bob.Token, "")
}

func TestAClockSetBackEndsNoLess(t *testing.T) {
	w := newWorld(t)
	ahead, _ := w.login()
	w.clock.advance(-30 * time.Second)
	_, p := w.login()
	if err := w.Logout(t.Context(), p, true); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, w.Service, ahead, "revoked")
}

func TestAChangedPasswordEndsAllTokens(t *testing.T) {
	w := newWorld(t)
	first, p := w.login()
	second, _ := w.login()
	wantFault(t, w.ChangePassword(t.Context(), p, "wrong password", "another password"), fault.Forbidden, "Update Failed!")
	wantFault(t, w.ChangePassword(t.Context(), p, "", "another password"), fault.Forbidden, "Update Failed!")
	wantRefused(t, w.Service, first, "")
	if err := w.ChangePassword(t.Context(), p, password, "another password"); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, w.Service, first, "revoked")
	wantRefused(t, w.Service, second, "revoked")
	_, err := w.Login(t.Context(), email, password)
	wantFault(t, err, fault.BadCredentials, "Invalid Email/Password!")
	grant, err := w.Login(t.Context(), email, "another password")
	if err != nil {
		t.Fatal(err)
	}
	wantRefused(t, w.Service, grant.Token, "")
}

// TestALoginUnderWayDoesNotOutliveTheChange lets the password change after a
// login has read it and before that login has made its token.
func TestALoginUnderWayDoesNotOutliveTheChange(t *testing.T) {
	w := newWorld(t)
	_, p := w.login()
	other := w.node()
	other.WatchHashing(func() {
		w.clock.advance(time.Second)
		if err := w.ChangePassword(t.Context(), p, password, "another password"); err != nil {
			t.Error(err)
		}
		w.clock.advance(time.Second)
	})
	late, err := other.Login(t.Context(), email, password)
	if err != nil {
		t.Fatal(err)
	}
	wantRefused(t, w.Service, late.Token, "revoked")
}

func TestOneOfTwoPasswordChangesWins(t *testing.T) {
	w := newWorld(t)
	_, p := w.login()
	other := w.node()
	runs := 0
	other.WatchHashing(func() {
		if runs++; runs == 1 {
			if err := w.ChangePassword(t.Context(), p, password, "another password"); err != nil {
				t.Error(err)
			}
		}
	})
	wantFault(t, other.ChangePassword(t.Context(), p, password, "a third password"), fault.Forbidden, "Update Failed!")
	if _, err := w.Login(t.Context(), email, "another password"); err != nil {
		t.Error(err)
	}
}

func TestDelete(t *testing.T) {
	w := newWorld(t)
	token, p := w.login()
	if err := w.Delete(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, w.Service, token, "revoked")
	_, err := w.Login(t.Context(), email, password)
	wantFault(t, err, fault.BadCredentials, "Invalid Email/Password!")
	if exists, err := w.UserExists(t.Context(), p.RootID); exists || err != nil {
		t.Errorf("the root exists: %v (%v)", exists, err)
	}
	again := w.register(email)
	if again.ID == p.UserID || again.RootID == p.RootID {
		t.Errorf("the ids %s and %s were given again", p.UserID, p.RootID)
	}
	wantRefused(t, w.Service, token, "revoked")
	anew, _ := w.login()
	wantRefused(t, w.Service, anew, "")
}

func TestAStartRemembersWhatEnded(t *testing.T) {
	w := newWorld(t)
	one, p := w.login()
	if err := w.Logout(t.Context(), p, false); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, w.node(), one, "revoked")
	all, p := w.login()
	if err := w.Logout(t.Context(), p, true); err != nil {
		t.Fatal(err)
	}
	last, _ := w.login()
	restarted := w.node()
	wantRefused(t, restarted, one, "revoked")
	wantRefused(t, restarted, all, "revoked")
	wantRefused(t, restarted, last, "")
}

func TestRevocationsMayComeInAnyOrder(t *testing.T) {
	w := newWorld(t)
	var tokens []string
	for range 2 {
		token, p := w.login()
		tokens = append(tokens, token)
		if err := w.Logout(t.Context(), p, true); err != nil {
			t.Fatal(err)
		}
	}
	slices.Reverse(w.store.revocations)
	restarted := w.node()
	for _, token := range tokens {
		wantRefused(t, restarted, token, "revoked")
	}
}

// TestAnAccountIsGuardedByTheStore: what another node ended and this one has
// not heard of acts on no account.
func TestAnAccountIsGuardedByTheStore(t *testing.T) {
	w := newWorld(t)
	_, p := w.login()
	deaf := w.node()
	if err := w.Logout(t.Context(), p, true); err != nil {
		t.Fatal(err)
	}
	wantValid(t, deaf, p, "")
	for range 2 {
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
		_, other := w.login()
		if err := w.Delete(t.Context(), other); err != nil { // and once more without the user
			t.Fatal(err)
		}
		w.register(email)
	}
}

func TestRevocationsVanishWithTheirTokens(t *testing.T) {
	w := newWorld(t, func(o *auth.Options) { o.TokenTTL = time.Hour })
	end := func(all bool) {
		t.Helper()
		_, p := w.login()
		if err := w.Logout(t.Context(), p, all); err != nil {
			t.Fatal(err)
		}
	}
	wantCount := func(want int) {
		t.Helper()
		if count := w.RevocationCount(); count != want {
			t.Errorf("%d revocations are remembered, want %d", count, want)
		}
	}
	wantCount(0)
	end(false)
	end(false)
	wantCount(2)
	end(true)
	end(true) // of the same user: one thing to remember
	wantCount(3)
	w.clock.advance(time.Hour)
	end(false)
	wantCount(2) // the user's generations, for a while longer, and the new one
	last, _ := w.login()
	w.clock.advance(10 * time.Minute)
	end(false)
	wantCount(2)
	wantRefused(t, w.Service, last, "")
	w.clock.advance(2 * time.Hour)
	if count := w.node().RevocationCount(); count != 0 {
		t.Errorf("%d dead revocations were loaded", count)
	}
}

func TestWhatOneUserEndsIsBounded(t *testing.T) {
	w := newWorld(t)
	_, p := w.login()
	kept, _ := w.login()
	var ended []string
	for range 256 {
		grant, err := w.Refresh(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		ended = append(ended, grant.Token)
		if err := w.Logout(t.Context(), w.principal(grant.Token), false); err != nil {
			t.Fatal(err)
		}
	}
	wantRefused(t, w.Service, kept, "")
	if err := w.Logout(t.Context(), p, false); err != nil { // one too many: all end
		t.Fatal(err)
	}
	for _, token := range append(ended, kept) {
		wantRefused(t, w.Service, token, "revoked")
	}
	next, _ := w.login()
	wantRefused(t, w.Service, next, "")
	if count := w.RevocationCount(); count > 257 {
		t.Errorf("%d revocations of one user are remembered", count)
	}
}

func TestWhatCouldNotBeWrittenDidNotHappen(t *testing.T) {
	w := newWorld(t)
	token, p := w.login()
	broken := errors.New("out of reach")
	w.store.breakWith(broken)
	for _, err := range []error{
		w.Logout(t.Context(), p, false), w.Logout(t.Context(), p, true), w.Delete(t.Context(), p),
		w.ChangePassword(t.Context(), p, password, "another password"),
	} {
		if !errors.Is(err, broken) {
			t.Errorf("got the error %v", err)
		}
	}
	w.store.breakWith(nil)
	wantRefused(t, w.Service, token, "")
	next, _ := w.login()
	wantRefused(t, w.Service, next, "")
}
