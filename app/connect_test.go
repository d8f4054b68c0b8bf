package app_test

import (
	"bytes"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/walkergate/walkergate/app"
	"github.com/walkergate/walkergate/internal/testkit"
	"github.com/walkergate/walkergate/wire"
)

const publicRoot = "n::000000000000000000000001"

var (
	idForm   = regexp.MustCompile(`^\d+:[0-9a-f]{32}$`)
	rootForm = regexp.MustCompile(`^n::[0-9a-f]{24}$`)
)

func TestConnectionEventIsTheFirstFrame(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t)
	user := g.NewUser(t)

	t.Run("and has its form", func(t *testing.T) {
		s := g.Dial(t, "channel_id=room", user.Token)
		want := testkit.Frame{"type": "connection", "data": map[string]any{
			"client_id": s.ClientID, "root_id": user.RootID, "channel_id": "room",
		}}
		if diff := cmp.Diff(want, s.Greeting); diff != "" {
			t.Errorf("connection event (-want +got):\n%s", diff)
		}
	})
	t.Run("in a channel that is spoken in", func(t *testing.T) {
		stop := make(chan struct{})
		var speaker sync.WaitGroup
		speaker.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					g.Post(t, "send_chat_to_group", user.Token, testkit.Frame{"channel_id": "loud", "message": "x"})
				}
			}
		})
		for range 50 {
			s := g.Dial(t, "channel_id=loud", "") // fails where another frame comes first
			if s.ChannelID != "loud" {
				t.Errorf("joined %q", s.ChannelID)
			}
		}
		close(stop)
		speaker.Wait()
	})
}

func TestTokenAtConnect(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t)
	user, other := g.NewUser(t), g.NewUser(t)
	if !rootForm.MatchString(user.RootID) {
		t.Fatalf("root id %q", user.RootID)
	}
	tests := []struct{ name, query, header, root string }{
		{"none", "", "", publicRoot},
		{"header", "", "Bearer " + user.Token, user.RootID},
		{"header in lower case", "", "bearer " + user.Token, user.RootID},
		{"header, bare", "", user.Token, user.RootID},
		{"token in the URL", "token=" + user.Token, "", user.RootID},
		{"token in the URL with Bearer", "token=Bearer%20" + user.Token, "", user.RootID},
		{"auth in the URL", "auth=" + user.Token, "", user.RootID},
		{"the URL comes before the header", "token=" + user.Token, "Bearer " + other.Token, user.RootID},
		{"an empty one in the URL is none", "token=", "Bearer " + other.Token, other.RootID},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			header := http.Header{}
			if test.header != "" {
				header.Set("Authorization", test.header)
			}
			s := g.DialWith(t, test.query, header)
			if s.RootID != test.root {
				t.Errorf("root %q, want %q", s.RootID, test.root)
			}
			if _, told := s.Greeting["data"].(map[string]any)["auth_error"]; told {
				t.Errorf("a good token was called refused: %v", s.Greeting)
			}
		})
	}
	t.Run("a bad one in the URL is not mended by the header", func(t *testing.T) {
		s := g.Dial(t, "token=nonsense", user.Token)
		if s.RootID != publicRoot || authError(s) != "invalid" {
			t.Errorf("got %v", s.Greeting)
		}
	})
	t.Run("the root is the user's record", func(t *testing.T) {
		me := g.Request(t, http.MethodGet, "/user/me", user.Token, nil).JSON(t)
		if me["root_id"] != user.RootID {
			t.Errorf("/user/me tells %v, the socket %s", me["root_id"], user.RootID)
		}
	})
}

func authError(s *testkit.Socket) string {
	text, _ := s.Greeting["data"].(map[string]any)["auth_error"].(string)
	return text
}

func TestRefusedTokenIsToldAtConnect(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t)
	gone := g.NewUser(t)
	g.Request(t, http.MethodPost, "/user/logout", gone.Token, nil)
	tests := []struct{ name, token, told string }{
		{"nonsense", "nonsense", "invalid"},
		{"forged", gone.Token[:len(gone.Token)-4] + "AAAA", "invalid"},
		{"logged out", gone.Token, "revoked"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := g.Dial(t, "", test.token)
			if s.RootID != publicRoot || authError(s) != test.told {
				t.Errorf("got %v, want the public user and %q", s.Greeting, test.told)
			}
			s.Same(s.Ask(testkit.Frame{"type": "ping"}), testkit.Frame{"type": "pong"})
		})
	}
	t.Run("expired", func(t *testing.T) {
		short := testkit.Start(t, testkit.Config(func(c *app.Config) { c.TokenTTL = time.Second }))
		user := short.NewUser(t)
		testkit.Until(t, "the token's end", func() bool {
			return short.Request(t, http.MethodGet, "/user/me", user.Token, nil).Status == http.StatusUnauthorized
		})
		s := short.Dial(t, "", user.Token)
		if s.RootID != publicRoot || authError(s) != "expired" {
			t.Errorf("got %v", s.Greeting)
		}
	})
	t.Run("strict", func(t *testing.T) {
		strict := testkit.Start(t, testkit.Config(func(c *app.Config) { c.AuthStrict = true }))
		if status := strict.Refused(t, "token=nonsense", nil); status != http.StatusUnauthorized {
			t.Errorf("refused with %d, want 401", status)
		}
		if s := strict.Dial(t, "", ""); s.RootID != publicRoot {
			t.Errorf("without a token: %v", s.Greeting)
		}
	})
}

func TestChannelOfTheURL(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t)
	for _, channelID := range []string{"room:1", "a b", "ä/ö?&=#", "🙂", "0", strings.Repeat("x", 256)} {
		s := g.Dial(t, "channel_id="+url.QueryEscape(channelID), "")
		if s.ChannelID != channelID {
			t.Errorf("asked for %q, joined %q", channelID, s.ChannelID)
		}
	}
	for _, query := range []string{"", "channel_id="} {
		s := g.Dial(t, query, "")
		if !idForm.MatchString(s.ChannelID) || s.ChannelID == s.ClientID {
			t.Errorf("with %q: channel %q of client %q", query, s.ChannelID, s.ClientID)
		}
	}
}

func TestSeveralChannelsOfTheURL(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t, testkit.Config(func(c *app.Config) { c.PublishPolicy = "open" }))

	t.Run("all are joined and listed", func(t *testing.T) {
		s := g.Dial(t, "channel_id=a&channel_id=b&channel_id=a", "")
		data := s.Greeting["data"].(map[string]any)
		if diff := cmp.Diff([]any{"a", "b"}, data["channel_ids"]); diff != "" || data["channel_id"] != "a" {
			t.Errorf("got %v", s.Greeting)
		}
		s.Say(testkit.Frame{"type": "channel", "channel_ids": []string{"b"}, "data": testkit.Frame{"n": 1}})
		s.Expect(testkit.Frame{"n": 1})
	})
	t.Run("what cannot be joined is told behind the event", func(t *testing.T) {
		s := g.Dial(t, "channel_id=%24me&channel_id=ok&channel_id="+strings.Repeat("x", 257)+"&channel_id=%ff", "")
		if s.ChannelID != "ok" {
			t.Errorf("joined %q", s.ChannelID)
		}
		failure := s.ExpectError("error", "bad_frame")
		if details, _ := failure["details"].([]any); len(details) != 3 {
			t.Errorf("told %v", failure)
		}
		s.Quiet()
	})
	t.Run("a random one stands in where none is left", func(t *testing.T) {
		s := g.Dial(t, "channel_id=%24me", "")
		if !idForm.MatchString(s.ChannelID) {
			t.Errorf("joined %q", s.ChannelID)
		}
		s.ExpectError("error", "bad_frame")
	})
}

func TestClientIDsAreUnique(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t)
	begun := time.Now().Unix()
	seen := make(map[string]bool)
	for range 500 {
		s := g.Dial(t, "", "")
		seconds, _, _ := strings.Cut(s.ClientID, ":")
		at, err := strconv.ParseInt(seconds, 10, 64)
		if !idForm.MatchString(s.ClientID) || err != nil || at < begun || at > time.Now().Unix() {
			t.Fatalf("client id %q", s.ClientID)
		}
		if seen[s.ClientID] {
			t.Fatalf("client id %q was given twice", s.ClientID)
		}
		seen[s.ClientID] = true
		_ = s.Close()
	}
}

func TestUpgradeIsJudgedBeforeItIsAnswered(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t)
	if got := g.Request(t, http.MethodGet, "/websocket", "", nil); got.Status != http.StatusBadRequest || got.JSON(t)["code"] != "bad_frame" {
		t.Errorf("a plain GET: %d %s", got.Status, got.Body)
	}
	tests := []struct {
		name, header, value string
		status              int
	}{
		{"proper", "X-None", "", http.StatusSwitchingProtocols},
		{"no Upgrade", "Upgrade", "", http.StatusBadRequest},
		{"another protocol", "Upgrade", "h2c", http.StatusBadRequest},
		{"another version", "Sec-WebSocket-Version", "8", http.StatusBadRequest},
		{"no key", "Sec-WebSocket-Key", "", http.StatusBadRequest},
		{"a key of the wrong length", "Sec-WebSocket-Key", "c2hvcnQ=", http.StatusBadRequest},
		{"a list of connection options", "Connection", "keep-alive, Upgrade", http.StatusSwitchingProtocols},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := testkit.Shake(t, dialTCP(t, g), nil, test.header, test.value)
			if h.Response.StatusCode != test.status {
				t.Errorf("answered %d, want %d", h.Response.StatusCode, test.status)
			}
			if test.name == "another version" && h.Response.Header.Get("Sec-WebSocket-Version") != "13" {
				t.Errorf("the version is not told: %v", h.Response.Header)
			}
		})
	}
}

func dialTCP(t *testing.T, g *testkit.Gateway) net.Conn {
	t.Helper()
	var dialer net.Dialer
	conn, err := dialer.DialContext(t.Context(), "tcp", strings.TrimPrefix(g.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func TestFramesRightBehindTheHandshake(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t)
	var behind []byte
	for n := range 20 {
		behind = append(behind, testkit.ClientFrame(`{"type":"ping","id":"`+strconv.Itoa(n)+`"}`)...)
	}
	h := testkit.Shake(t, dialTCP(t, g), behind)
	if first := h.Next(t); !bytes.Contains(first, []byte(`"type":"connection"`)) {
		t.Fatalf("the first frame was %s", first)
	}
	for n := range 20 {
		want := `{"type":"reply","id":"` + strconv.Itoa(n) + `","ok":true}`
		if got := string(h.Next(t)); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
	}
}

func TestRoomForConnectionsIsBounded(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t, testkit.Config(func(c *app.Config) { c.MaxConnections = 2 }))
	first := g.Dial(t, "", "")
	g.Dial(t, "", "")
	if status := g.Refused(t, "", nil); status != http.StatusServiceUnavailable {
		t.Fatalf("the third was refused with %d, want 503", status)
	}
	_ = first.Close()
	testkit.Until(t, "the place to come free", func() bool {
		_, connected := g.TryDial(t, "", nil)
		return connected
	})
}

func TestTokensAreNotLogged(t *testing.T) {
	t.Parallel()
	log := &logged{}
	g := testkit.Start(t, testkit.Log(log.logger()))
	user := g.NewUser(t)
	_ = g.Dial(t, "token="+user.Token, "").Close()
	_ = g.Dial(t, "auth="+user.Token+"x", "").Close()
	s := g.Dial(t, "", user.Token)
	s.Ask(testkit.Frame{"type": "change_user", "token": user.Token})
	g.Request(t, http.MethodGet, "/user/me?token="+user.Token, user.Token, nil)
	_ = s.Close()
	g.Stop()
	for _, secret := range []string{user.Token, strings.Split(user.Token, ".")[2], user.Password} {
		if log.contains(secret) {
			t.Error("the log holds a credential")
		}
	}
	if !log.contains("client connected") {
		t.Error("the log was not told of the connections")
	}
}

func TestClosedClientIsAnswered(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t)
	s := g.Dial(t, "", "")
	s.Leave(wire.CloseNormal)
	s.ExpectClose(wire.CloseNormal)
}
