package app_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/walkergate/walkergate/app"
	"github.com/walkergate/walkergate/internal/client"
	"github.com/walkergate/walkergate/internal/testkit"
	"github.com/walkergate/walkergate/specs"
	"github.com/walkergate/walkergate/walkers"
)

// behindProxy believes this machine when it tells for whom it forwards.
var behindProxy = testkit.Config(func(c *app.Config) { c.TrustedProxies = []string{"127.0.0.1"} })

// noRoom demands that an upgrade is refused as busy.
func noRoom(t *testing.T, g *testkit.Gateway, header http.Header) {
	t.Helper()
	conn, err := client.Dial(t.Context(), g.SocketURL(""), header)
	if err == nil {
		_ = conn.Close()
		t.Fatal("there was room")
	}
	refused := new(client.Refused)
	if !errors.As(err, &refused) || refused.Status != http.StatusServiceUnavailable {
		t.Fatalf("refused with %v, want 503", err)
	}
}

func TestRoomForConnectionsOfAUserIsBounded(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t, testkit.Config(func(c *app.Config) { c.MaxConnectionsPerUser = 2 }))
	ann, bob := g.NewUser(t), g.NewUser(t)
	bearer := http.Header{"Authorization": {"Bearer " + ann.Token}}
	first := g.Dial(t, "", ann.Token)
	g.Dial(t, "", g.Login(t, ann).Token) // another token, the same user
	noRoom(t, g, bearer)
	s := g.Dial(t, "", bob.Token)
	for range 3 {
		g.Dial(t, "", "")
	}

	// Nor is there a way in by the frame. Nothing changes, so no event comes.
	refused := testkit.Frame{"status": 503, "code": "busy", "error": "this user has too many connections"}
	s.Same(s.Ask(become(ann.Token)), with(refused, "type", "error"))
	s.Same(s.Ask(withID(become(ann.Token), "7")), with(refused, "type", "reply", "id", "7", "ok", false))
	s.Same(s.Ask(testkit.Frame{"type": "connection"}), event(s, bob.RootID))
	first.Same(first.Ask(become(g.Login(t, ann).Token)), event(first, ann.RootID)) // a renewal needs no room

	// A place comes free by leaving the user as well as by leaving.
	first.Same(first.Ask(testkit.Frame{"type": "change_user"}), event(first, publicRoot))
	s.Same(s.Ask(become(ann.Token)), event(s, ann.RootID))
	noRoom(t, g, bearer)
	account(t, g, http.MethodPost, "logout", ann.Token, nil)
	s.ExpectError("error", "token_invalid")
	s.Expect(event(s, publicRoot))
	third := g.Dial(t, "", g.Login(t, ann).Token)
	third.Hang()
	testkit.Until(t, "the place to come free", func() bool {
		_, connected := g.TryDial(t, "", http.Header{"Authorization": {"Bearer " + g.Login(t, ann).Token}})
		return connected
	})
}

// with adds fields to a copy of a frame.
func with(frame testkit.Frame, fields ...any) testkit.Frame {
	all := testkit.Frame{}
	for name, value := range frame {
		all[name] = value
	}
	for i := 0; i < len(fields); i += 2 {
		all[fields[i].(string)] = fields[i+1]
	}
	return all
}

func TestRoomForConnectionsFromAnAddressIsBounded(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ first, second, other string }{
		"IPv4":                 {"192.0.2.1", "192.0.2.1", "192.0.2.2"},
		"IPv6, by its network": {"2001:db8::1", "2001:db8::ffff:0:0:2", "2001:db8:0:1::1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := testkit.Start(t, behindProxy, testkit.Config(func(c *app.Config) { c.MaxConnectionsPerAddress = 2 }))
			user := g.NewUser(t)
			from := func(address string) http.Header {
				return http.Header{"X-Forwarded-For": {address}, "Authorization": {"Bearer " + user.Token}}
			}
			first := g.DialWith(t, "", from(test.first))
			g.DialWith(t, "", from(test.second))
			noRoom(t, g, from(test.first))
			noRoom(t, g, http.Header{"X-Forwarded-For": {test.second}}) // whoever it is
			g.DialWith(t, "", from(test.other))
			first.Hang()
			testkit.Until(t, "the place to come free", func() bool {
				_, connected := g.TryDial(t, "", from(test.second))
				return connected
			})
		})
	}
}

// What walkers have no room for is busy at both doors.
func TestRunsAtOnceAreBoundedAtBothDoors(t *testing.T) {
	t.Parallel()
	started, release := make(chan struct{}, 16), make(chan struct{})
	defer close(release)
	deaf := func(context.Context, *walkers.Call, struct{}) error {
		started <- struct{}{}
		<-release
		return nil
	}
	const endless, short = time.Minute, 500 * time.Millisecond
	for _, test := range []struct {
		name    string
		runs    int           // of the walker deaf
		timeout time.Duration // of each
		config  func(*app.Config)
		limits  specs.Limits
		walker  string // which one then is busy
		why     string
	}{
		{"of all walkers", 2, endless, func(c *app.Config) { c.MaxWalkers = 2 }, specs.Limits{}, "echo", "too many walkers run"},
		{"of all walkers, left behind", 2, short, func(c *app.Config) { c.MaxWalkers = 2 }, specs.Limits{}, "echo", "too many walkers run"},
		{"of one walker", 2, endless, func(*app.Config) {}, specs.Limits{Concurrent: 2}, "deaf", "walker deaf runs as often as it may"},
		{"of one walker, left behind", 16, short, func(*app.Config) {}, specs.Limits{}, "deaf", "walker deaf has too many runs that do not end"},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := testkit.Start(t, testkit.Config(test.config), testkit.Config(func(c *app.Config) {
				c.WalkerTimeout, c.ShutdownTimeout = test.timeout, 10*time.Millisecond
			}), testkit.Walkers(func(r *walkers.Registry) {
				walkers.Register(r, specs.Walker{Name: "deaf", Methods: bothDoors, Auth: specs.NoAuth, Limits: test.limits}, deaf)
			}))
			for range test.runs {
				s := g.Dial(t, "", "")
				s.Say(call("deaf", testkit.Frame{}))
				testkit.Soon(t, "the walker to start", started)
			}
			s := g.Dial(t, "", "")
			if test.timeout == short {
				left := fmt.Sprintf("\nwalkergate_walkers_abandoned %d\n", test.runs)
				testkit.Until(t, "all to be left behind", func() bool {
					return strings.Contains(string(g.Request(t, http.MethodGet, "/metrics", "", nil).Body), left)
				})
			}
			frame, want := call(test.walker, testkit.Frame{"value": 1}), testkit.Frame{"status": 503, "code": "busy", "error": test.why}
			s.Same(s.Ask(frame), with(want, "type", "walker"))
			s.Same(s.Ask(withID(frame, "7")), with(want, "type", "reply", "id", "7", "ok", false))
			got := g.Post(t, test.walker, "", testkit.Frame{"value": 1})
			s.Same(got.JSON(t), want)
			if got.Status != http.StatusServiceUnavailable {
				t.Errorf("over REST %d", got.Status)
			}
		})
	}
}

// What a context and a node may be is the same at both doors.
func TestFormsAreBoundedAtBothDoors(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t, testkit.Walkers(fixtures))
	user := g.NewUser(t)
	s := g.Dial(t, "", user.Token)
	deep := func(depth int) string { // the context itself is the first level
		return `{"value":` + strings.Repeat("[", depth-1) + strings.Repeat("]", depth-1) + `}`
	}
	for name, test := range map[string]struct {
		walker, node, context string
		status                float64
	}{
		"a context as deep as may be": {"echo", "", deep(62), 200}, // the frame is one level more, and so are reports
		"a context too deep":          {"echo", "", deep(65), 422},
		"a node too long":             {"enter", strings.Repeat("x", 257), `{}`, 422},
		"a node as long as may be":    {"enter", strings.Repeat("x", 256), `{}`, 403},
	} {
		t.Run(name, func(t *testing.T) {
			path, node := "/walker/"+test.walker, ""
			if test.node != "" {
				path, node = path+"/"+test.node, `,"node":"`+test.node+`"`
			}
			rest := g.Request(t, http.MethodPost, path, user.Token, test.context)
			frame := `{"type":"walker","response":true,"walker":"` + test.walker + `"` + node + `,"context":` + test.context + `}`
			if err := s.SendText([]byte(frame)); err != nil {
				t.Fatal(err)
			}
			over := s.Next()
			if over["status"] != test.status || float64(rest.Status) != test.status {
				t.Errorf("over the socket %v, over REST %d %s; want %v", over, rest.Status, rest.Body, test.status)
			}
			if told := rest.JSON(t); over["code"] != told["code"] || over["error"] != told["error"] {
				t.Errorf("over the socket %v, over REST %v", over, told)
			}
		})
	}
}

func TestRequestsHaveToArriveInTime(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t, testkit.Config(func(c *app.Config) { c.ReadTimeout = 100 * time.Millisecond }))
	for name, begun := range map[string]string{
		"nothing":         "",
		"half a header":   "POST /walker/echo HTTP/1.1\r\nHost: x\r\nContent-",
		"half a body":     "POST /walker/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 13\r\n\r\n{\"value\"",
		"half an upgrade": "GET /websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := dialTCP(t, g)
			if err := conn.SetDeadline(time.Now().Add(testkit.Patience)); err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Write([]byte(begun)); err != nil {
				t.Fatal(err)
			}
			answer, err := io.ReadAll(conn)
			if err != nil {
				t.Fatalf("the connection was not closed: %v", err)
			}
			if !bytes.HasPrefix(answer, []byte("HTTP/1.1 400 ")) || !bytes.Contains(answer, []byte(`"code":"bad_frame"`)) {
				t.Errorf("answered %s", answer)
			}
		})
	}
}
