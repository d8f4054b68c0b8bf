package sqlite_test

import (
	"encoding/json"
	"testing"

	"github.com/walkergate/walkergate/auth"
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
