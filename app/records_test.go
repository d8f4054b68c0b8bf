package app_test

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/walkergate/walkergate/app"
	"github.com/walkergate/walkergate/internal/mongoserver"
	"github.com/walkergate/walkergate/internal/testkit"
)

// recordLag is how far records may be behind the connections.
const recordLag = 100 * time.Millisecond

// row is a connection as the database holds it.
type row struct {
	RootID     string   `bson:"root_id"`
	ChannelIDs []string `bson:"channel_ids"`
}

// table reads the records beside the process that writes them, as any other
// program would, and changes nothing.
type table struct {
	t      *testing.T
	find   func(clientID string) ([]row, error)
	number func(of string) (int, error)
	alike  func() (int, error)
	close  func() error
}

// openTable reads what the gateway of a data folder writes, into the folder or
// into the database that stands for it.
func openTable(t *testing.T, dataDir string) *table {
	t.Helper()
	if uri, name, onMongo := testkit.Database(t, dataDir); onMongo {
		return openCollections(t, uri, name)
	}
	return openFile(t, dataDir)
}

func openCollections(t *testing.T, uri, name string) *table {
	t.Helper()
	db := mongoserver.Open(t, uri, name)
	return &table{
		t: t,
		find: func(clientID string) (found []row, err error) {
			cursor, err := db.Collection("records").Find(t.Context(), map[string]string{"_id": clientID})
			if err != nil {
				return nil, err
			}
			err = cursor.All(t.Context(), &found)
			return found, err
		},
		number: func(of string) (int, error) {
			n, err := db.Collection(of).CountDocuments(t.Context(), map[string]string{})
			return int(n), err
		},
		alike: func() (int, error) {
			one := map[string]any{"channel_ids": map[string]int{"$size": 1}}
			n, err := db.Collection("records").CountDocuments(t.Context(), one)
			return int(n), err
		},
		close: func() error { return nil }, // no other process minds
	}
}

func openFile(t *testing.T, dataDir string) *table {
	t.Helper()
	path := url.URL{Path: filepath.ToSlash(filepath.Join(dataDir, "walkergate.db"))}
	db, err := sql.Open("sqlite", "file://"+path.EscapedPath()+"?mode=ro&_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return &table{
		t: t,
		find: func(clientID string) ([]row, error) {
			var one row
			var channels string
			err := db.QueryRowContext(t.Context(), "SELECT root_id, channel_ids FROM records WHERE client_id = ?", clientID).
				Scan(&one.RootID, &channels)
			if errors.Is(err, sql.ErrNoRows) {
				return nil, nil
			}
			if err != nil {
				return nil, err
			}
			err = json.Unmarshal([]byte(channels), &one.ChannelIDs)
			return []row{one}, err
		},
		number: func(of string) (n int, err error) {
			err = db.QueryRowContext(t.Context(), "SELECT count(*) FROM "+of).Scan(&n)
			return n, err
		},
		alike: func() (records int, err error) {
			var channels int
			err = db.QueryRowContext(t.Context(), "SELECT (SELECT count(*) FROM records), (SELECT count(*) FROM record_channels)").
				Scan(&records, &channels)
			if err == nil && records != channels { // both are written at once
				err = fmt.Errorf("%d records, %d of them in a channel", records, channels)
			}
			return records, err
		},
		close: db.Close,
	}
}

// row gives the record of a connection.
func (r *table) row(clientID string) (found row, exists bool) {
	r.t.Helper()
	rows, err := r.find(clientID)
	if err != nil {
		r.t.Fatal(err)
	}
	if len(rows) == 0 {
		return row{}, false
	}
	return rows[0], true
}

// count is how many rows a table has, and on MongoDB documents a collection.
func (r *table) count(of string) int {
	r.t.Helper()
	n, err := r.number(of)
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}

// crowd counts the records where each connection is in one channel.
func (r *table) crowd() int {
	r.t.Helper()
	n, err := r.alike()
	if err != nil {
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
		t.Logf("after %s the record followed in %s at best", step, took)
		if took > recordLag {
			t.Errorf("that is more than %s", recordLag)
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
	if err := before.close(); err != nil {
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
