package app_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/walkergate/walkergate/app"
	"github.com/walkergate/walkergate/internal/testkit"
	"github.com/walkergate/walkergate/wire"
)

// event is the connection event that a socket gets as that user.
func event(s *testkit.Socket, rootID string) testkit.Frame {
	return testkit.Frame{"type": "connection", "data": testkit.Frame{
		"client_id": s.ClientID, "root_id": rootID, "channel_id": s.ChannelID,
	}}
}

func become(token string) testkit.Frame {
	return testkit.Frame{"type": "change_user", "token": token}
}

func withID(frame testkit.Frame, id string) testkit.Frame {
	frame["id"] = id
	return frame
}

func TestChangeUser(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t, testkit.Walkers(fixtures))
	ann, bob := g.NewUser(t), g.NewUser(t)

	t.Run("to a user and back", func(t *testing.T) {
		s := g.Dial(t, "channel_id=room", "")
		for _, token := range []string{"Bearer " + ann.Token, "bearer " + ann.Token, ann.Token} {
			s.Same(s.Ask(become(token)), event(s, ann.RootID))
			s.Same(s.Ask(call("whoami", testkit.Frame{})), ok(ann.RootID))
			s.Same(s.Ask(testkit.Frame{"type": "change_user"}), event(s, publicRoot))
			s.Say(call("whoami", testkit.Frame{}))
			s.ExpectError("walker", "unauthenticated")
		}
	})
	t.Run("without a token", func(t *testing.T) {
		for _, frame := range []testkit.Frame{
			{"type": "change_user"}, {"type": "change_user", "token": nil}, {"type": "change_user", "token": ""},
		} {
			s := g.Dial(t, "", ann.Token)
			s.Same(s.Ask(frame), event(s, publicRoot))
		}
	})
	t.Run("again and again", func(t *testing.T) {
		s := g.Dial(t, "channel_id=a&channel_id=b", ann.Token)
		watcher := g.Dial(t, "", bob.Token)
		for range 20 {
			for _, user := range []testkit.User{bob, ann} {
				got := s.Ask(become(user.Token))
				want := event(s, user.RootID)
				want["data"].(testkit.Frame)["channel_ids"] = []string{"a", "b"}
				s.Same(got, want)
			}
		}
		s.Same(s.Ask(call("whoami", testkit.Frame{})), ok(ann.RootID))
		watcher.Quiet()
	})
	t.Run("to the same user", func(t *testing.T) {
		user := g.NewUser(t)
		s := g.Dial(t, "", user.Token)
		s.Same(s.Ask(become(user.Token)), event(s, user.RootID))
		s.Say(users(user.RootID))
		s.Expect(news)
		s.Expect(reached(1))
	})
	t.Run("an id is borne by the event", func(t *testing.T) {
		s := g.Dial(t, "", "")
		s.Same(s.Ask(withID(become(ann.Token), "7")), withID(event(s, ann.RootID), "7"))
	})
	t.Run("a token that is no string", func(t *testing.T) {
		s := g.Dial(t, "", ann.Token)
		s.Say(testkit.Frame{"type": "change_user", "token": 7})
		s.ExpectError("error", "bad_frame")
		s.Same(s.Ask(testkit.Frame{"type": "connection"}), event(s, ann.RootID))
	})
}

func TestChangeUserMovesWhoIsReached(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t)
	ann, bob := g.NewUser(t), g.NewUser(t)
	s, sender := g.Dial(t, "channel_id=room", ann.Token), g.Dial(t, "", g.NewUser(t).Token)

	s.Same(s.Ask(become(bob.Token)), event(s, bob.RootID))
	sender.Same(sender.Ask(users(ann.RootID)), reached(0))
	s.Quiet()
	sender.Same(sender.Ask(users(bob.RootID)), reached(1))
	s.Expect(news)
	for _, frame := range []testkit.Frame{channels("room"), clients(s.ClientID)} {
		sender.Same(sender.Ask(frame), reached(1)) // channels and client id are kept
		s.Expect(news)
	}
	s.Same(s.Ask(testkit.Frame{"type": "change_user"}), event(s, publicRoot))
	sender.Same(sender.Ask(users(bob.RootID)), reached(0))
}

func TestChangeUserWithABadToken(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t, testkit.Walkers(fixtures))
	ann := g.NewUser(t)
	ended := g.Login(t, ann)
	g.Request(t, http.MethodPost, "/user/logout", ended.Token, nil)

	for name, token := range map[string]string{"nonsense": "nonsense", "logged out": ended.Token, "another scheme": "Basic " + ann.Token} {
		t.Run(name, func(t *testing.T) {
			s := g.Dial(t, "", ann.Token)
			s.Say(withID(become(token), "9"))
			failure := s.ExpectError("error", "token_invalid")
			if failure["id"] != nil || failure["status"] != 401.0 {
				t.Errorf("told %v", failure)
			}
			s.Expect(withID(event(s, publicRoot), "9"))
			s.Say(call("whoami", testkit.Frame{}))
			s.ExpectError("walker", "token_invalid") // another login would help
			s.Same(s.Ask(become(ann.Token)), event(s, ann.RootID))
		})
	}
}

func TestBrowserLogsInByFrame(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t)
	user := g.NewUser(t)
	// A page sends its origin and cookies, and cannot set Authorization.
	s := g.DialWith(t, "channel_id=room", http.Header{"Origin": {g.URL}, "Cookie": {"theme=dark"}})
	if s.RootID != publicRoot {
		t.Fatalf("a page came as %s", s.RootID)
	}
	s.Same(s.Ask(become("Bearer "+user.Token)), event(s, user.RootID))
}

func TestConnectionFrameTellsTheEventAgain(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t)
	user := g.NewUser(t)
	s := g.Dial(t, "channel_id=room", user.Token)
	for range 3 {
		s.Same(s.Ask(testkit.Frame{"type": "connection"}), event(s, user.RootID))
	}
	s.Same(s.Ask(testkit.Frame{"type": "connection", "id": "c", "unknown": 1}), withID(event(s, user.RootID), "c"))

	refused := g.Dial(t, "", "nonsense")
	refused.Same(refused.Ask(testkit.Frame{"type": "connection"}), event(refused, publicRoot)) // auth_error is of the first alone
}

func TestTokenIsRenewedInPlace(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t, testkit.Walkers(fixtures))
	user := g.NewUser(t)
	s := g.Dial(t, "channel_id=room", user.Token)
	fresh := g.Request(t, http.MethodPost, "/user/refresh", user.Token, nil).JSON(t)["token"].(string)
	s.Same(s.Ask(become(fresh)), event(s, user.RootID))
	if got := g.Request(t, http.MethodPost, "/user/logout", user.Token, nil); got.Status != http.StatusOK {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	s.Same(s.Ask(call("whoami", testkit.Frame{})), ok(user.RootID)) // the old token's end is not the new one's
}

// shortLived is a connection of a user whose token is about to end. It waits
// for nothing but the login.
func shortLived(t *testing.T, expiry string) (*testkit.Gateway, *testkit.Socket, testkit.User) {
	t.Helper()
	g := testkit.Start(t, testkit.Walkers(fixtures), testkit.Config(func(c *app.Config) {
		c.TokenTTL, c.AuthExpiry = time.Second, expiry
	}))
	user := g.NewUser(t)
	var s *testkit.Socket
	testkit.Until(t, "a connection within the token's short life", func() bool {
		s = g.Dial(t, "", g.Login(t, user).Token)
		return s.RootID == user.RootID
	})
	return g, s, user
}

func TestTokenEndIsAnnouncedAndThenTold(t *testing.T) {
	t.Parallel()
	_, s, user := shortLived(t, "public")
	soon := s.Next()
	data, _ := soon["data"].(map[string]any)
	if left, ok := data["token_expires_in"].(float64); soon["type"] != "connection" || data["root_id"] != user.RootID || !ok || left < 0 || left > 1 {
		t.Fatalf("the end was announced by %v", soon)
	}
	s.ExpectError("error", "token_invalid")
	s.Expect(event(s, publicRoot))
	s.Say(call("whoami", testkit.Frame{}))
	s.ExpectError("walker", "token_invalid")
	s.Quiet()
}

// However little is left, it is told: an event without it would say nothing.
func TestTokenEndIsAnnouncedInItsLastMoment(t *testing.T) {
	t.Parallel()
	const moment = 450 * time.Millisecond // to the second, that is none
	g := testkit.Start(t, testkit.Config(func(c *app.Config) { c.TokenTTL = time.Second }))
	user := g.NewUser(t)
	testkit.Until(t, "a connection in the last moment of a token", func() bool {
		token := g.Login(t, user).Token
		end := endOf(t, token)
		testkit.Until(t, "that moment", func() bool { return time.Until(end) <= moment })
		s := g.Dial(t, "", token)
		if s.RootID != user.RootID {
			return false // it came too late
		}
		soon := s.Next()
		if soon["type"] != "connection" {
			return false // so did this
		}
		data, _ := soon["data"].(testkit.Frame)
		if left := data["token_expires_in"]; left != 1.0 {
			t.Errorf("%s before its end it was announced by %v", moment, soon)
		}
		return true
	})
}

// endOf reads when a token ends.
func endOf(t *testing.T, token string) time.Time {
	t.Helper()
	var claims jwt.RegisteredClaims
	if _, _, err := jwt.NewParser().ParseUnverified(token, &claims); err != nil {
		t.Fatal(err)
	}
	return claims.ExpiresAt.Time
}

func TestTokenEndClosesWhereTheSettingsSayso(t *testing.T) {
	t.Parallel()
	_, s, _ := shortLived(t, "close")
	s.ExpectClose(wire.CloseAuthEnded)
}

// A renewed token is the one that counts: the end of the first is nobody's.
func TestTokenRenewedBeforeItsEndGoesOn(t *testing.T) {
	t.Parallel()
	const life = 4 * time.Second
	g := testkit.Start(t, testkit.Config(func(c *app.Config) {
		c.TokenTTL, c.FrameRate, c.FrameBurst = life, 1_000_000, 1_000_000
	}))
	user := g.NewUser(t)
	s := g.Dial(t, "", user.Token)
	token := user.Token
	for begun := time.Now(); time.Since(begun) < 2*life; {
		token = g.Request(t, http.MethodPost, "/user/refresh", token, nil).JSON(t)["token"].(string)
		s.Say(testkit.Frame{"type": "change_user", "id": "renew", "token": token})
		for frame := s.Next(); frame["id"] != "renew"; frame = s.Next() {
			if frame["type"] != "connection" {
				t.Fatalf("while the token is renewed came %v", frame)
			}
		}
	}
	s.Say(testkit.Frame{"type": "connection", "id": "who"})
	frame := s.Next()
	for frame["id"] != "who" { // announcements of an end that is near
		frame = s.Next()
	}
	if root := frame["data"].(map[string]any)["root_id"]; root != user.RootID {
		t.Errorf("in the end the connection is %v's", root)
	}
}
