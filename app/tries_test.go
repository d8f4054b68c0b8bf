package app_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/walkergate/walkergate/app"
	"github.com/walkergate/walkergate/internal/testkit"
)

// limited demands that something was refused for having been tried too often,
// and that it may be tried again within those seconds.
func limited(t *testing.T, got testkit.Response, within int) {
	t.Helper()
	want := testkit.Frame{"status": 429.0, "code": "rate_limited", "error": "too many tries, come back later"}
	if diff := cmp.Diff(want, got.JSON(t)); diff != "" || got.Status != http.StatusTooManyRequests {
		t.Fatalf("%d (-want +got):\n%s", got.Status, diff)
	}
	if wait, err := strconv.Atoi(got.Header.Get("Retry-After")); err != nil || wait < 1 || wait > within {
		t.Errorf("Retry-After: %q, want 1 to %d seconds", got.Header.Get("Retry-After"), within)
	}
}

func TestTriesOfAnAccountAreBounded(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t, behindProxy) // the default: ten a minute, and one more every six seconds
	ann, bob := g.NewUser(t), g.NewUser(t)
	tries := 0
	post := func(path, token string, body testkit.Frame) testkit.Response {
		tries++ // each from an address of its own
		return g.Request(t, http.MethodPost, "/user/"+path, token, body, "X-Forwarded-For", "192.0.2."+strconv.Itoa(tries))
	}
	login := func(email, password string) testkit.Response {
		return post("login", "", testkit.Frame{"email": email, "password": password})
	}

	t.Run("a login", func(t *testing.T) {
		for range 30 { // what succeeds does not count
			if got := login(ann.Email, ann.Password); got.Status != http.StatusOK {
				t.Fatalf("%d %s", got.Status, got.Body)
			}
		}
		for n := range 10 { // however the account is written
			email := []string{ann.Email, strings.ToUpper(ann.Email), " " + ann.Email}[n%3]
			if got := login(email, "wrong one"); got.Status != http.StatusBadRequest {
				t.Fatalf("try %d: %d %s", n, got.Status, got.Body)
			}
		}
		limited(t, login(ann.Email, "wrong one"), 6)
		limited(t, login(ann.Email, ann.Password), 6) // nobody looks at the password
		limited(t, post("register", "", testkit.Frame{"email": ann.Email, "password": "long enough"}), 6)
		if got := login(bob.Email, bob.Password); got.Status != http.StatusOK {
			t.Errorf("another account: %d %s", got.Status, got.Body)
		}
	})
	t.Run("an account that does not exist", func(t *testing.T) {
		for range 10 {
			if got := login("nobody@example.com", "wrong one"); got.Status != http.StatusBadRequest {
				t.Fatalf("%d %s", got.Status, got.Body)
			}
		}
		limited(t, login("nobody@example.com", "wrong one"), 6)
	})
	t.Run("what is no address", func(t *testing.T) {
		for range 10 {
			login("nobody", "wrong one")
		}
		limited(t, login("nobody", "wrong one"), 6)
	})
	t.Run("a change of the password", func(t *testing.T) {
		change := func(old string) testkit.Response {
			return post("change_password", bob.Token, testkit.Frame{"old_password": old, "new_password": "another one"})
		}
		for range 10 {
			if got := change("wrong one"); got.Status != http.StatusForbidden {
				t.Fatalf("%d %s", got.Status, got.Body)
			}
		}
		limited(t, change(bob.Password), 6)
	})
	t.Run("a registration", func(t *testing.T) {
		register := func() testkit.Response {
			return post("register", "", testkit.Frame{"email": "cem@example.com", "password": "short"})
		}
		for range 10 {
			if got := register(); got.Status != http.StatusUnprocessableEntity {
				t.Fatalf("%d %s", got.Status, got.Body)
			}
		}
		limited(t, register(), 6)
	})
}

func TestTriesFromAnAddressAreBounded(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t, behindProxy, testkit.Config(func(c *app.Config) { c.LoginTriesPerAddress = 3 }))
	tries := 0
	login := func(address string) testkit.Response {
		tries++ // each for an account of its own
		credentials := testkit.Frame{"email": "user" + strconv.Itoa(tries) + "@example.com", "password": "wrong one"}
		return g.Request(t, http.MethodPost, "/user/login", "", credentials, "X-Forwarded-For", address)
	}
	for _, addresses := range [][]string{
		{"192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.1"},
		{"2001:db8::1", "2001:db8::2", "2001:db8::ffff:0:0:1", "2001:db8::3"}, // one network
	} {
		for _, address := range addresses[:3] {
			if got := login(address); got.Status != http.StatusBadRequest {
				t.Fatalf("%s: %d %s", address, got.Status, got.Body)
			}
		}
		limited(t, login(addresses[3]), 20)
	}
	if got := login("2001:db8:0:1::1"); got.Status != http.StatusBadRequest {
		t.Errorf("another network: %d %s", got.Status, got.Body)
	}
	t.Run("and cost no account a try", func(t *testing.T) {
		ann := testkit.Frame{"email": "ann@example.com", "password": "wrong one"}
		for range 20 {
			limited(t, g.Request(t, http.MethodPost, "/user/login", "", ann, "X-Forwarded-For", "192.0.2.1"), 20)
		}
		if got := g.Request(t, http.MethodPost, "/user/login", "", ann, "X-Forwarded-For", "192.0.2.9"); got.Status != http.StatusBadRequest {
			t.Errorf("%d %s", got.Status, got.Body)
		}
	})
}

// begun demands that there may be a try, and gives how to end it.
func begun(t *testing.T, tries app.Tries, name string) func(succeeded bool) {
	t.Helper()
	end, wait := tries.Begin(name)
	if wait > 0 {
		t.Fatalf("%s has to wait %s", name, wait)
	}
	return end
}

func TestTriesComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := app.NewTries(10)
		waits := func(want time.Duration) {
			t.Helper()
			if _, wait := tries.Begin("a"); (wait - want).Abs() > time.Millisecond {
				t.Fatalf("has to wait %s, want %s", wait, want)
			}
		}
		var ends []func(bool)
		for range 10 {
			ends = append(ends, begun(t, tries, "a"))
		}
		waits(6 * time.Second) // what is under way counts
		ends[0](true)
		ends[0] = begun(t, tries, "a")
		for _, end := range ends {
			end(false)
		}
		waits(6 * time.Second)
		<-time.After(2 * time.Second)
		waits(4 * time.Second)
		begun(t, tries, "b")(false) // another name is another matter
		<-time.After(4 * time.Second)
		begun(t, tries, "a")(false)
		waits(6 * time.Second)
		<-time.After(time.Hour) // no more than there are at once
		for range 10 {
			begun(t, tries, "a")(false)
		}
		waits(6 * time.Second)
	})
}

// Whoever floods the memory of tries neither grows it nor gets more of them,
// but for ten thousand others each time.
func TestTriesAreBoundedInMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // time stands still
		tries := app.NewTries(1)
		begun(t, tries, "target")(false)
		flood := func(wave string, names int) {
			for n := range names {
				begun(t, tries, wave+strconv.Itoa(n))(false)
				if n%1000 == 0 && tries.Remembered() > 2*app.MaxTried {
					t.Fatalf("%d names are remembered", tries.Remembered())
				}
			}
		}
		for wave := range 5 { // it is remembered as long as it is tried
			flood("a"+strconv.Itoa(wave)+"-", app.MaxTried-1)
			if _, wait := tries.Begin("target"); wait == 0 {
				t.Fatalf("forgotten in wave %d", wave)
			}
		}
		flood("b", 2*app.MaxTried)
		if got := tries.Remembered(); got > 2*app.MaxTried || got < app.MaxTried {
			t.Errorf("%d names are remembered", got)
		}
		begun(t, tries, "target") // forgotten: the price of a bound
	})
}
