package auth_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/walkergate/walkergate/auth"
	"github.com/walkergate/walkergate/fault"
)

func TestRegister(t *testing.T) {
	w := newWorld(t)
	registered, err := w.Register(t.Context(), auth.Registration{
		Email: " Bob.Builder@EXAMPLE.com ", Password: password,
		Profile: map[string]json.RawMessage{"name": json.RawMessage(`"Bob"`), "tags": json.RawMessage("[1,\n 2]")},
	})
	if err != nil {
		t.Fatal(err)
	}
	if !registered.CreatedAt.Equal(w.clock.Now()) {
		t.Errorf("the user was made at %v", registered.CreatedAt)
	}
	grant, err := w.Login(t.Context(), "bob.builder@example.com", password)
	if err != nil {
		t.Fatal(err)
	}
	me, err := w.Me(t.Context(), w.principal(grant.Token))
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf(`{"email":"Bob.Builder@example.com","id":%q,"name":"Bob","root_id":%q,"tags":[1,2]}`,
		registered.ID, registered.RootID)
	for _, user := range []auth.User{registered, grant.User, me} {
		if text, err := json.Marshal(user); err != nil || string(text) != want {
			t.Errorf("the user is shown as %s (%v), want %s", text, err, want)
		}
	}
	answer, err := json.Marshal(grant)
	if want := fmt.Sprintf(`{"token":%q,"expires_in":43200,"user":%s}`, grant.Token, want); err != nil || string(answer) != want {
		t.Errorf("the login is answered by %s (%v)", answer, err)
	}
}

func TestAnAddressIsTakenInAnyCase(t *testing.T) {
	w := newWorld(t)
	for _, again := range []string{email, "ANN@Example.Com", " Ann@example.com"} {
		_, err := w.Register(t.Context(), auth.Registration{Email: again, Password: password})
		wantFault(t, err, fault.Conflict, "Already Exists!")
	}
	// Two ways to write the same letter.
	w.register("zo\u00eb@example.com")
	_, err := w.Register(t.Context(), auth.Registration{Email: "zoe\u0308@example.com", Password: password})
	wantFault(t, err, fault.Conflict, "Already Exists!")
}

func TestOneOfRacingRegistrationsWins(t *testing.T) {
	w := newWorld(t, func(o *auth.Options) { o.ArgonParallel = 32 })
	var racers sync.WaitGroup
	var won atomic.Int32
	for range 32 {
		racers.Go(func() {
			_, err := w.Register(t.Context(), auth.Registration{Email: "wanted@example.com", Password: password})
			if err == nil {
				won.Add(1)
			} else {
				wantFault(t, err, fault.Conflict, "Already Exists!")
			}
		})
	}
	racers.Wait()
	if won.Load() != 1 {
		t.Errorf("%d registrations of one address succeeded", won.Load())
	}
}

func TestAddresses(t *testing.T) {
	w := newWorld(t)
	long := strings.Repeat("a", 63)
	for _, good := range []string{
		"a@b.co", "a.b+tag@sub.example.com", "o'neil@example.com", "zoë@exämple.com", "a@xn--bcher-kva.example",
		strings.Repeat("a", 64) + "@example.com", "a@" + long + ".com",
	} {
		w.register(good)
	}
	for _, bad := range []string{
		"x", "@", "a@", "@b.co", "a@b", "a@localhost", "a b@example.com", "a@b@example.com", "a@exa mple.com",
		"Ann <a@example.com>", "<a@example.com>", `"a"@example.com`, "a@example.com (Ann)", "a@[127.0.0.1]",
		"a@-b.com", "a@b-.com", "a@b..com", "a@.com", "a@b.com.", ".a@example.com", "a..b@example.com",
		"a\x00@example.com", "a@example.com\x00", "a\u200b@example.com", "a@exam_ple.com", "a\xff@example.com",
		"a@b.com,c@d.com", "a@example.com\nBcc: b@example.com",
		strings.Repeat("a", 65) + "@example.com", "a@" + long + "a.com",
		"a@" + strings.Repeat(long+".", 4) + "com", strings.Repeat("a", 1<<20),
	} {
		_, err := w.Register(t.Context(), auth.Registration{Email: bad, Password: password})
		wantDetails(t, fmt.Sprintf("%.40q", bad), err, fault.Detail{Field: "email", Reason: "not a valid e-mail address"})
		_, err = w.Login(t.Context(), bad, password)
		wantFault(t, err, fault.BadCredentials, "Invalid Email/Password!")
	}
}

func wantDetails(t *testing.T, what string, err error, want ...fault.Detail) {
	t.Helper()
	if !fault.Is(err, fault.InvalidContext) {
		t.Errorf("%s: got the error %v", what, err)
		return
	}
	if diff := cmp.Diff(want, fault.From(err).Details); diff != "" {
		t.Errorf("%s: the details differ (-want +got):\n%s", what, diff)
	}
}

func TestPasswordsOutOfBounds(t *testing.T) {
	w := newWorld(t)
	_, p := w.login()
	for length, reason := range map[int]string{
		0: "required", 1: "shorter than 8 bytes", 7: "shorter than 8 bytes", 257: "longer than 256 bytes",
	} {
		wrong := strings.Repeat("x", length)
		_, err := w.Register(t.Context(), auth.Registration{Email: "b@example.com", Password: wrong})
		wantDetails(t, fmt.Sprint(length, " bytes"), err, fault.Detail{Field: "password", Reason: reason})
		err = w.ChangePassword(t.Context(), p, password, wrong)
		wantDetails(t, fmt.Sprint(length, " bytes"), err, fault.Detail{Field: "new_password", Reason: reason})
	}
	for _, length := range []int{8, 256} {
		right := strings.Repeat("x", length)
		address := fmt.Sprintf("b%d@example.com", length)
		if _, err := w.Register(t.Context(), auth.Registration{Email: address, Password: right}); err != nil {
			t.Errorf("%d bytes: %v", length, err)
		}
		if _, err := w.Login(t.Context(), address, right); err != nil {
			t.Errorf("%d bytes: %v", length, err)
		}
	}
}

func TestEveryFieldAtFaultIsNamed(t *testing.T) {
	_, err := newWorld(t).Register(t.Context(), auth.Registration{
		Profile: map[string]json.RawMessage{
			"ID": json.RawMessage("1"), "root_id": json.RawMessage(`"n::"`), "Is_Admin": json.RawMessage("true"),
			"good": json.RawMessage("1"), "open": json.RawMessage("{"), "": json.RawMessage("1"),
		},
	})
	wantDetails(t, "all", err,
		fault.Detail{Field: "email", Reason: "required"},
		fault.Detail{Field: "password", Reason: "required"},
		fault.Detail{Field: "", Reason: "a field without a name"},
		fault.Detail{Field: "ID", Reason: "reserved"},
		fault.Detail{Field: "Is_Admin", Reason: "reserved"},
		fault.Detail{Field: "open", Reason: "not valid JSON"},
		fault.Detail{Field: "root_id", Reason: "reserved"},
	)
}

func TestTheBoundsOfAProfile(t *testing.T) {
	w := newWorld(t)
	fields := func(count, size int) map[string]json.RawMessage {
		profile := make(map[string]json.RawMessage)
		for n := range count {
			name := fmt.Sprintf("f%03d", n)
			profile[name] = json.RawMessage(`"` + strings.Repeat("x", size-len(name)-2) + `"`)
		}
		return profile
	}
	for n, test := range []struct {
		profile map[string]json.RawMessage
		reason  string
	}{
		{fields(16, 256), ""},
		{fields(1, 4096), ""},
		{fields(17, 8), "more than 16 further fields"},
		{fields(16, 257), "further fields of more than 4 KiB"},
	} {
		_, err := w.Register(t.Context(), auth.Registration{
			Email: fmt.Sprintf("b%d@example.com", n), Password: password, Profile: test.profile,
		})
		if test.reason != "" {
			wantDetails(t, test.reason, err, fault.Detail{Reason: test.reason})
		} else if err != nil {
			t.Errorf("profile %d: %v", n, err)
		}
	}
}

func TestUserExists(t *testing.T) {
	w := newWorld(t)
	bob := w.register("bob@example.com")
	other := "n:other:" + strings.ToUpper(bob.RootID[3:])
	for rootID, want := range map[string]bool{
		bob.RootID: true, other: true, auth.PublicRoot: true,
		"n::" + bob.ID: false, bob.ID: false, "": false, "n::ffffffffffffffffffffffff": false,
	} {
		if exists, err := w.UserExists(t.Context(), rootID); exists != want || err != nil {
			t.Errorf("%q exists: %v (%v)", rootID, exists, err)
		}
	}
	broken := errors.New("out of reach")
	w.store.breakWith(broken)
	if _, err := w.UserExists(t.Context(), bob.RootID); !errors.Is(err, broken) {
		t.Errorf("with a broken store: %v", err)
	}
}

func TestThePublicUserHasNoAccount(t *testing.T) {
	w := newWorld(t)
	_, meErr := w.Me(t.Context(), auth.Public())
	_, refreshErr := w.Refresh(t.Context(), auth.Public())
	for _, err := range []error{
		meErr, refreshErr, w.Logout(t.Context(), auth.Public(), false), w.Logout(t.Context(), auth.Public(), true),
		w.ChangePassword(t.Context(), auth.Public(), password, password), w.Delete(t.Context(), auth.Public()),
	} {
		wantFault(t, err, fault.Unauthenticated, "a login is needed")
	}
}

func TestLogsHoldNoSecrets(t *testing.T) {
	var logged bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	w := newWorld(t, func(o *auth.Options) { o.Log = log })
	token, p := w.login()
	if err := w.ChangePassword(t.Context(), p, password, "another password"); err != nil {
		t.Fatal(err)
	}
	grant, err := w.Login(t.Context(), email, "another password")
	if err != nil {
		t.Fatal(err)
	}
	log.Info("by chance", slog.Any("grant", grant), slog.Any("user", grant.User))
	if err := w.Delete(t.Context(), w.principal(grant.Token)); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{password, "another password", token, grant.Token, "argon2id", email} {
		if strings.Contains(logged.String(), secret) {
			t.Errorf("%q was logged:\n%s", secret, logged.String())
		}
	}
	if !strings.Contains(logged.String(), grant.User.ID) {
		t.Errorf("the user's id was not logged:\n%s", logged.String())
	}
}
