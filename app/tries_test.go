package app_test

import (
	"fmt"
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

// spent tries until that is too often, each time with that answer, and demands
// that it was as often as may be: ten times, and once more for each six seconds.
// When it returns there will be no other try for two seconds and more.
func spent(t *testing.T, answer int, try func() testkit.Response) {
	t.Helper()
	begun, tries := time.Now(), 0
	for got := try(); ; got = try() {
		if got.Status == http.StatusTooManyRequests {
			limited(t, got, 6)
			if most := 10 + int(time.Since(begun)/(6*time.Second)); tries < 10 || tries > most {
				t.Fatalf("there were %d tries, at least 10 and at most %d are allowed", tries, most)
			}
			break
		}
		if tries++; got.Status != answer {
			t.Fatalf("try %d: %d %s", tries, got.Status, got.Body)
		}
	}
	testkit.Until(t, "some time without a try", func() bool {
		got := try()
		wait, _ := strconv.Atoi(got.Header.Get("Retry-After"))
		return got.Status == http.StatusTooManyRequests && wait >= 3
	})
}

func TestTriesOfAnAccountAreBounded(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t, behindProxy) // the default: ten a minute, and one more every six seconds
	ann, bob := g.NewUser(t), g.NewUser(t)
	tries := 0
	post := func(path, token string, body testkit.Frame) testkit.Response {
		tries++ // each from an address of its own
		from := fmt.Sprintf("192.0.%d.%d", tries/256, tries%256)
		return g.Request(t, http.MethodPost, "/user/"+path, token, body, "X-Forwarded-For", from)
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
		spent(t, http.StatusBadRequest, func() testkit.Response { // however the account is written
			return login([]string{ann.Email, strings.ToUpper(ann.Email), " " + ann.Email}[tries%3], "wrong one")
		})
		limited(t, login(ann.Email, ann.Password), 6) // nobody looks at the password
		limited(t, post("register", "", testkit.Frame{"email": ann.Email, "password": "long enough"}), 6)
		if got := login(bob.Email, bob.Password); got.Status != http.StatusOK {
			t.Errorf("another account: %d %s", got.Status, got.Body)
		}
	})
	for name, email := range map[string]string{"an account that does not exist": "nobody@example.com", "what is no address": "nobody"} {
		t.Run(name, func(t *testing.T) {
			spent(t, http.StatusBadRequest, func() testkit.Response { return login(email, "wrong one") })
		})
	}
	t.Run("a change of the password", func(t *testing.T) {
		change := func(old string) testkit.Response {
			return post("change_password", bob.Token, testkit.Frame{"old_password": old, "new_password": "another one"})
		}
		spent(t, http.StatusForbidden, func() testkit.Response { return change("wrong one") })
		limited(t, change(bob.Password), 6)
	})
	t.Run("a registration", func(t *testing.T) {
		spent(t, http.StatusUnprocessableEntity, func() testkit.Response {
			return post("register", "", testkit.Frame{"email": "cem@example.com", "password": "short"})
		})
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
		// A try comes back a moment after its six seconds: at the instant itself
		// it is rounding that decides.
		const moment = time.Microsecond
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
		<-time.After(4*time.Second + moment)
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
