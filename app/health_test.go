package app_test

import (
	"database/sql"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/walkergate/walkergate/app"
	"github.com/walkergate/walkergate/internal/testkit"
)

func TestHealth(t *testing.T) {
	t.Parallel()
	status := func(g *testkit.Gateway, path string) int { return g.Request(t, http.MethodGet, path, "", nil).Status }
	g := testkit.Start(t)
	if got := status(g, "/healthz"); got != 200 {
		t.Fatalf("healthz %d", got)
	}
	testkit.Until(t, "the gateway to be ready", func() bool { return status(g, "/readyz") == 200 })
	if got := g.Request(t, http.MethodHead, "/healthz", "", nil); got.Status != 200 {
		t.Errorf("HEAD /healthz: %d", got.Status)
	}
	// Of MongoDB it is TestMongoThatIsGoneIsBusyAndNotReady that says this.
	t.Run("not ready while the store does not answer", func(t *testing.T) {
		dataDir := t.TempDir()
		g := testkit.Start(t, testkit.Embedded(), testkit.Config(func(c *app.Config) { c.DataDir = dataDir }))
		release := blockWrites(t, dataDir)
		got := g.Request(t, http.MethodGet, "/readyz", "", nil)
		if got.Status != http.StatusServiceUnavailable || got.JSON(t)["code"] != "busy" {
			t.Errorf("readyz %d %s", got.Status, got.Body)
		}
		if status(g, "/healthz") != 200 {
			t.Error("the process is called dead")
		}
		release()
		testkit.Until(t, "readyz to recover", func() bool { return status(g, "/readyz") == 200 })
	})
}

// blockWrites takes the database's only write lock, as a broken disk would.
func blockWrites(t *testing.T, dataDir string) (release func()) {
	t.Helper()
	path := url.URL{Path: filepath.ToSlash(filepath.Join(dataDir, "walkergate.db"))}
	db, err := sql.Open("sqlite", "file://"+path.EscapedPath()+"?_txlock=immediate&_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t, testkit.Walkers(fixtures), testkit.Config(func(c *app.Config) { c.MaxConnections = 2 }))
	user := g.NewUser(t)
	s := g.Dial(t, "channel_id=room", user.Token)
	g.Dial(t, "channel_id=room", "")
	g.Refused(t, "", nil)
	s.Ask(call("sum", testkit.Frame{"a": 1}))
	s.Ask(call("sum", testkit.Frame{}))
	s.Ask(call("made_up_by_a_client", testkit.Frame{}))
	s.Ask(testkit.Frame{"type": "nonsense"})
	s.Ask(users(publicRoot))
	s.Ask(channels("nowhere"))
	g.Request(t, "GET", "/nothing", "", nil)

	got := g.Request(t, http.MethodGet, "/metrics", "", nil)
	text := string(got.Body)
	if got.Status != 200 || !strings.HasPrefix(got.Header.Get("Content-Type"), "text/plain") {
		t.Fatalf("%d %v", got.Status, got.Header)
	}
	for _, line := range []string{
		"walkergate_connections 2", "walkergate_connections_opened_total 2", "walkergate_connections_refused_total 1",
		"walkergate_frames_total 6", "walkergate_frames_bad_total 1", "walkergate_frames_refused_total 1",
		"walkergate_connections_over_limits_total 0", "walkergate_connections_slow_total 0", "walkergate_connections_silent_total 0",
		"walkergate_messages_in_total 6", "walkergate_messages_out_total 8", "walkergate_queued_bytes 0",
		"walkergate_users 2", "walkergate_channels 1", "walkergate_notifies_total 1", "walkergate_deliveries_total 0",
		"walkergate_walkers_abandoned 0",
		`walkergate_walker_seconds_count{code="ok",door="websocket",walker="sum"} 1`,
		`walkergate_walker_seconds_count{code="invalid_context",door="websocket",walker="sum"} 1`,
		`walkergate_http_request_seconds_count{method="GET",status="404"} 1`,
		`walkergate_http_request_seconds_count{method="POST",status="201"} 1`,
	} {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("%q is not told in:\n%s", line, text)
		}
	}
	for _, name := range []string{"walkergate_bytes_in_total", "walkergate_bytes_out_total", "go_goroutines", "process_open_fds"} {
		if !regexp.MustCompile(`(?m)^` + name + ` [1-9]`).MatchString(text) {
			t.Errorf("%s is not told", name)
		}
	}
	if strings.Contains(text, "made_up") {
		t.Error("a client can grow the set of labels")
	}
}

func TestRequestIDs(t *testing.T) {
	t.Parallel()
	log := &logged{}
	g := testkit.Start(t, testkit.Walkers(fixtures), testkit.Log(log.logger()))
	for _, id := range []string{"abc-123_x.Y", strings.Repeat("x", 64)} {
		if got := g.Request(t, "GET", "/healthz", "", nil, "X-Request-Id", id).Header.Get("X-Request-Id"); got != id {
			t.Errorf("sent %q, got %q", id, got)
		}
	}
	made := make(map[string]bool)
	for _, id := range []string{"", "with space", strings.Repeat("x", 65), "é", `"quoted"`} {
		got := g.Request(t, "GET", "/nothing", "", nil, "X-Request-Id", id).Header.Get("X-Request-Id")
		if !regexp.MustCompile(`^[0-9a-f]{24}$`).MatchString(got) || made[got] {
			t.Errorf("sent %q, got %q", id, got)
		}
		made[got] = true
	}
	g.Request(t, "POST", "/walker/fail", "", testkit.Frame{"how": "error"}, "X-Request-Id", "find-me-again")
	if !log.contains(`"request_id":"find-me-again"`) {
		t.Error("the log of a failure does not name its request")
	}
}
