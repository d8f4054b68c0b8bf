package app_test

import (
	"database/sql"
	"encoding/json"
	"errors"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/walkergate/walkergate/app"
	"github.com/walkergate/walkergate/internal/testkit"
)

// recordLag is how far records may be behind the connections.
const recordLag = 100 * time.Millisecond

// row is a connection as the database holds it.
type row struct {
	RootID     string
	ChannelIDs []string
}

// table reads the records beside the process that writes them, and can change
// nothing.
type table struct {
	t  *testing.T
	db *sql.DB
}

func openTable(t *testing.T, dataDir string) *table {
	t.Helper()
	path := url.URL{Path: filepath.ToSlash(filepath.Join(dataDir, "walkergate.db"))}
	db, err := sql.Open("sqlite", "file://"+path.EscapedPath()+"?mode=ro&_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return &table{t, db}
}

// row gives the record of a connection.
func (r *table) row(clientID string) (found row, exists bool) {
	r.t.Helper()
	var channels string
	err := r.db.QueryRowContext(r.t.Context(), "SELECT root_id, channel_ids FROM records WHERE client_id = ?", clientID).
		Scan(&found.RootID, &channels)
	if errors.Is(err, sql.ErrNoRows) {
		return row{}, false
	}
	if err != nil {
		r.t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(channels), &found.ChannelIDs); err != nil {
		r.t.Fatal(err)
	}
	return found, true
}

func (r *table) count(table string) (n int) {
	r.t.Helper()
	if err := r.db.QueryRowContext(r.t.Context(), "SELECT count(*) FROM "+table).Scan(&n); err != nil {
		r.t.Fatal(err)
	}
	return n
}

// waitFor waits until the record is as wanted, nil for none, and tells how
// long that took.
func (r *table) waitFor(clientID string, want *row) time.Duration {
	r.t.Helper()
	begun := time.Now()
	testkit.Until(r.t, "the record", func() bool {
		got, exists := r.row(clientID)
		if want == nil {
			return !exists
		}
		return exists && cmp.Equal(got, *want)
	})
	return time.Since(begun)
}

// TestRecordFollowsTheConnection does not run beside others, whose load would
// be measured with it.
func TestRecordFollowsTheConnection(t *testing.T) {
	dataDir := t.TempDir()
	g := testkit.Start(t, testkit.Config(func(c *app.Config) { c.DataDir = dataDir }))
	ann, bob := g.NewUser(t), g.NewUser(t)
	records := openTable(t, dataDir)

	// Each step a few times: the machine may be busy with something else once.
	const tries = 5
	fastest := map[string]time.Duration{"connect": time.Hour, "change_user": time.Hour, "close": time.Hour}
	measure := func(step, clientID string, want *row) {
		fastest[step] = min(fastest[step], records.waitFor(clientID, want))
	}
	for range tries {
		s := g.Dial(t, "channel_id=b&channel_id=a", ann.Token)
		measure("connect", s.ClientID, &row{ann.RootID, []string{"b", "a"}})
		s.Same(s.Ask(become(bob.Token)), withChannels(event(s, bob.RootID), "b", "a"))
		measure("change_user", s.ClientID, &row{bob.RootID, []string{"b", "a"}})
		s.Ask(testkit.Frame{"type": "change_user"})
		measure("change_user", s.ClientID, &row{publicRoot, []string{"b", "a"}})
		_ = s.Close()
		measure("close", s.ClientID, nil)
	}
	for step, took := range fastest {
		if took > recordLag {
			t.Errorf("after %s the record followed in %s at best, want %s", step, took, recordLag)
		}
	}
	t.Run("a lost connection leaves none either", func(t *testing.T) {
		s := g.Dial(t, "", "")
		records.waitFor(s.ClientID, &row{publicRoot, []string{s.ChannelID}})
		_ = s.Raw().Close()
		records.waitFor(s.ClientID, nil)
	})
	t.Run("a stop clears them all", func(t *testing.T) {
		s := g.Dial(t, "channel_id=c", ann.Token)
		records.waitFor(s.ClientID, &row{ann.RootID, []string{"c"}})
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			g.Stop()
		}()
		s.ExpectClose(1001)
		_ = s.Close()
		testkit.Soon(t, "the stop", stopped)
		if n := records.count("records") + records.count("record_channels"); n != 0 {
			t.Errorf("%d rows are left", n)
		}
	})
}

func withChannels(event testkit.Frame, channelIDs ...string) testkit.Frame {
	event["data"].(testkit.Frame)["channel_ids"] = channelIDs
	return event
}

func TestRecordsOfAKilledProcessAreSwept(t *testing.T) {
	t.Parallel()
	dataDir := t.TempDir()
	first := startProcess(t, dataDir)
	user := first.NewUser(t)
	old := first.Dial(t, "channel_id=room", user.Token)
	before := openTable(t, dataDir)
	before.waitFor(old.ClientID, &row{user.RootID, []string{"room"}})

	first.kill()
	if _, exists := before.row(old.ClientID); !exists {
		t.Fatal("the record did not outlive the killed process: this test proves nothing")
	}
	if err := before.db.Close(); err != nil {
		t.Fatal(err)
	}

	second := startProcess(t, dataDir)
	after := openTable(t, dataDir)
	if n := after.count("records") + after.count("record_channels"); n != 0 {
		t.Errorf("%d rows of the killed process are left", n)
	}
	// What must outlive it did: the user, and the token, signed by a secret
	// that was made at the first start.
	s := second.Dial(t, "channel_id=room", user.Token)
	if s.RootID != user.RootID || s.ClientID == old.ClientID {
		t.Errorf("came back as %s, client %s", s.RootID, s.ClientID)
	}
	after.waitFor(s.ClientID, &row{user.RootID, []string{"room"}})
	second.Login(t, user)
}
