// Package testkit starts real gateways for tests and speaks to them as any
// client would: over HTTP and over sockets, on loopback.
package testkit

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/walkergate/walkergate/app"
	"github.com/walkergate/walkergate/walkers"
)

// Patience bounds every wait of a test. Nothing waits for it but a failure.
const Patience = 20 * time.Second

// Gateway is a gateway that runs until the test ends.
type Gateway struct {
	App *app.App // nil where it runs in another process
	// URL is where it listens, http://127.0.0.1:port.
	URL  string
	HTTP *http.Client

	stop func()
}

// Option changes how a gateway is started.
type Option func(*settings)

type settings struct {
	config   app.Config
	register []func(*walkers.Registry)
	log      *slog.Logger
	embedded bool
}

// Config changes the gateway's settings.
func Config(change func(*app.Config)) Option {
	return func(s *settings) { change(&s.config) }
}

// Walkers registers walkers beside the built-in ones.
func Walkers(register func(*walkers.Registry)) Option {
	return func(s *settings) { s.register = append(s.register, register) }
}

// Log sends the gateway's log somewhere.
func Log(log *slog.Logger) Option {
	return func(s *settings) { s.log = log }
}

// Start runs a gateway on a free port over a data folder of its own, or over the
// database that stands for the folder where StoreVariable says so: a gateway
// that is started in the folder of another finds what that one left.
func Start(t testing.TB, options ...Option) *Gateway {
	t.Helper()
	s := settings{config: app.Config{
		Host: "127.0.0.1", Port: -1, DataDir: t.TempDir(), BuiltinWalkers: true,
		// Every client of a test has the one address of this machine.
		MaxConnectionsPerAddress: 1_000_000, LoginTriesPerAddress: 1_000_000,
	}}
	for _, option := range options {
		option(&s)
	}
	s.place(t)
	registry := walkers.NewRegistry()
	for _, register := range s.register {
		register(registry)
	}
	gate, err := app.New(s.config, registry, s.log)
	if err != nil {
		t.Fatalf("start a gateway: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- gate.Run(ctx) }()

	g := At(t, gate.URL())
	g.App = gate
	var stopped atomic.Bool
	g.stop = func() {
		if stopped.Swap(true) {
			return
		}
		g.HTTP.CloseIdleConnections()
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the gateway ended with %v", err)
		}
	}
	t.Cleanup(g.stop)
	Until(t, "the gateway to be ready", func() bool {
		// One that serves TLS is asked by the test that knows its certificate.
		return strings.HasPrefix(g.URL, "https:") || g.Request(t, http.MethodGet, "/readyz", "", nil).Status == http.StatusOK
	})
	return g
}

// At speaks to a gateway that somebody else runs.
func At(t testing.TB, url string) *Gateway {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: Patience}
	t.Cleanup(client.CloseIdleConnections)
	return &Gateway{URL: url, HTTP: client, stop: func() {}}
}

// Stop stops the gateway as SIGTERM would and waits for its end.
func (g *Gateway) Stop() { g.stop() }

// SocketURL is the URL of the socket with a query, which may be empty.
func (g *Gateway) SocketURL(query string) string {
	url := "ws" + strings.TrimPrefix(g.URL, "http") + "/websocket"
	if query != "" {
		url += "?" + query
	}
	return url
}

// Response is what a REST call was answered.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// JSON decodes the body into a new value of any shape.
func (r Response) JSON(t testing.TB) map[string]any {
	t.Helper()
	var body map[string]any
	if err := json.Unmarshal(r.Body, &body); err != nil {
		t.Fatalf("body %q: %v", r.Body, err)
	}
	return body
}

// Request calls a path; token may be empty, body nil, a string (as it is) or a
// value that becomes JSON. Headers are pairs of name and value.
func (g *Gateway) Request(t testing.TB, method, path, token string, body any, headers ...string) Response {
	t.Helper()
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(b)
	default:
		text, err := json.Marshal(b)
		if err != nil {
			t.Fatalf("encode %v: %v", body, err)
		}
		reader = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(t.Context(), method, g.URL+path, reader)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	if reader != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	return g.Do(t, request)
}

// Do sends a request that the test has made itself.
func (g *Gateway) Do(t testing.TB, request *http.Request) Response {
	t.Helper()
	response, err := g.HTTP.Do(request)
	if err != nil {
		t.Fatalf("%s %s: %v", request.Method, request.URL.Path, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("%s %s: read the answer: %v", request.Method, request.URL.Path, err)
	}
	return Response{Status: response.StatusCode, Header: response.Header, Body: text}
}

// Post calls a walker over REST.
func (g *Gateway) Post(t testing.TB, walker, token string, body any) Response {
	t.Helper()
	return g.Request(t, http.MethodPost, "/walker/"+walker, token, body)
}

// User is a registered user who has logged in.
type User struct {
	Email    string
	Password string
	ID       string
	RootID   string
	Token    string
}

var users atomic.Int64

// NewUser registers a user and logs in.
func (g *Gateway) NewUser(t testing.TB) User {
	t.Helper()
	user := User{Email: fmt.Sprintf("user%d@example.com", users.Add(1)), Password: "correct horse battery"}
	credentials := map[string]string{"email": user.Email, "password": user.Password}
	if got := g.Request(t, http.MethodPost, "/user/register", "", credentials); got.Status != http.StatusCreated {
		t.Fatalf("register: %d %s", got.Status, got.Body)
	}
	return g.Login(t, user)
}

// Login gives the user with a new token.
func (g *Gateway) Login(t testing.TB, user User) User {
	t.Helper()
	credentials := map[string]string{"email": user.Email, "password": user.Password}
	got := g.Request(t, http.MethodPost, "/user/login", "", credentials)
	var session struct {
		Token string `json:"token"`
		User  struct {
			ID     string `json:"id"`
			RootID string `json:"root_id"`
		} `json:"user"`
	}
	if err := json.Unmarshal(got.Body, &session); err != nil || got.Status != http.StatusOK {
		t.Fatalf("login: %d %s", got.Status, got.Body)
	}
	user.ID, user.RootID, user.Token = session.User.ID, session.User.RootID, session.Token
	return user
}
