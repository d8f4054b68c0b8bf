package sqlite_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/walkergate/walkergate/auth"
	"github.com/walkergate/walkergate/fault"
)

// TestAnAccountOverRestarts leads one account through its life, the process
// ending after every step.
func TestAnAccountOverRestarts(t *testing.T) {
	const email, password = "Ann@Example.com", "correct horse"
	dir := newDir(t)
	step := func(do func(s *auth.Service)) {
		t.Helper()
		s := open(t, dir)
		service, err := auth.New(t.Context(), s, auth.Options{
			Secret: []byte("0123456789abcdef0123456789abcdef"),
			Argon:  auth.ArgonCost{MemoryKiB: 8, Passes: 1, Lanes: 1},
		})
		if err != nil {
			t.Fatal(err)
		}
		do(service)
		shut(t, s)
	}
	login := func(s *auth.Service) (string, auth.Principal) {
		t.Helper()
		grant, err := s.Login(t.Context(), email, password)
		if err != nil {
			t.Fatal(err)
		}
		p, err := s.Authenticate(t.Context(), grant.Token)
		if err != nil {
			t.Fatal(err)
		}
		return grant.Token, p
	}
	var user auth.User
	var first, second, third string
	step(func(s *auth.Service) {
		var err error
		user, err = s.Register(t.Context(), auth.Registration{
			Email: email, Password: password, Profile: map[string]json.RawMessage{"name": json.RawMessage(`"Ann"`)},
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	step(func(s *auth.Service) {
		var p auth.Principal
		first, p = login(s)
		if p.RootID != user.RootID || p.UserID != user.ID {
			t.Errorf("the token stands for %+v, want %+v", p, user)
		}
		second, p = login(s)
		if err := s.Logout(t.Context(), p, false); err != nil {
			t.Error(err)
		}
		third, _ = login(s)
	})
	step(func(s *auth.Service) {
		wantRefusal(t, s, first, "")
		wantRefusal(t, s, second, "revoked")
		p, err := s.Authenticate(t.Context(), third)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Logout(t.Context(), p, true); err != nil {
			t.Error(err)
		}
		first, p = login(s)
		wantRefusal(t, s, first, "")
		if exists, err := s.UserExists(t.Context(), user.RootID); !exists || err != nil {
			t.Errorf("the root exists: %v (%v)", exists, err)
		}
		if err := s.Delete(t.Context(), p); err != nil {
			t.Error(err)
		}
	})
	step(func(s *auth.Service) {
		for _, token := range []string{first, second, third} {
			wantRefusal(t, s, token, "revoked")
		}
		if _, err := s.Login(t.Context(), email, password); err == nil {
			t.Error("who was deleted could log in")
		}
	})
}

func wantRefusal(t *testing.T, s *auth.Service, token, want string) {
	t.Helper()
	if _, err := s.Authenticate(t.Context(), token); auth.RefusalOf(err) != want {
		t.Errorf("the token was refused as %q, want %q (%v)", auth.RefusalOf(err), want, err)
	}
}

// TestAnIDComesAgainWhenItsTokensAreDead: the ids of users of other issuers do.
func TestAnIDComesAgainWhenItsTokensAreDead(t *testing.T) {
	s := open(t, newDir(t))
	defer shut(t, s)
	born := time.Now().UTC().Truncate(time.Millisecond)
	user := auth.User{ID: "id", RootID: "root", EmailKey: "root", CreatedAt: born}
	end := auth.EndTokens{At: born.Add(time.Hour), Ends: born.Add(2 * time.Hour)}
	for _, step := range []struct {
		do   func() error
		want fault.Code
	}{
		{func() error { return s.CreateUser(t.Context(), user) }, ""},
		{func() error { return s.DeleteUser(t.Context(), user.ID, end) }, ""},
		{func() error { user.CreatedAt = end.Ends.Add(-time.Millisecond); return s.CreateUser(t.Context(), user) }, fault.Conflict},
		{func() error { user.CreatedAt = end.Ends; return s.CreateUser(t.Context(), user) }, ""},
		{func() error { return s.CreateUser(t.Context(), user) }, fault.Conflict},
	} {
		if err := step.do(); (err == nil) != (step.want == "") || err != nil && !fault.Is(err, step.want) {
			t.Fatalf("got %v, want %q", err, step.want)
		}
	}
	// An end of the new user's tokens is theirs, and not that of the old one.
	later := auth.EndTokens{At: end.Ends.Add(time.Hour), Ends: end.Ends.Add(2 * time.Hour)}
	if _, err := s.ChangeUser(t.Context(), auth.UserChange{UserID: user.ID, End: &later}); err != nil {
		t.Fatal(err)
	}
	ended, err := s.RevocationsSince(t.Context(), time.Time{})
	if err != nil || len(ended) != 1 || ended[0].Generation != 1 || !ended[0].At.Equal(later.At) {
		t.Errorf("the revocations are %+v (%v)", ended, err)
	}
}
