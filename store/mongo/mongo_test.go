package mongo_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/walkergate/walkergate/auth"
	"github.com/walkergate/walkergate/internal/mongoserver"
	"github.com/walkergate/walkergate/notify"
	"github.com/walkergate/walkergate/store"
	"github.com/walkergate/walkergate/store/mongo"
	"github.com/walkergate/walkergate/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// generous is more than a server that is not a mongod needs for the largest
// write of the suite.
const generous = time.Minute

func TestContract(t *testing.T) {
	uri := mongoserver.URI(t)
	storetest.Run(t, func(t *testing.T) store.Store {
		return open(t, uri, mongoserver.Database(t, uri).Name(), mongo.Options{Timeout: generous})
	})
}

// open opens a store and closes it when the test ends.
func open(t testing.TB, uri, database string, o mongo.Options) *mongo.Store {
	t.Helper()
	s, err := mongo.Open(t.Context(), uri, database, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shut(t, s) })
	return s
}

func shut(t testing.TB, s *mongo.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Errorf("close the store: %v", err)
	}
}

// until asks again and again, for a while.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for patience := time.After(30 * time.Second); !holds(); {
		select {
		case <-tick.C:
		case <-patience:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func user(n int) auth.User {
	return auth.User{
		ID: fmt.Sprintf("%024x", n), RootID: fmt.Sprintf("n::%024x", n), Email: fmt.Sprint(n, "@example.com"),
		EmailKey: fmt.Sprint(n, "@example.com"), PasswordHash: "hash", CreatedAt: time.UnixMilli(1).UTC(),
	}
}

func record(clientID string) notify.Record {
	at := time.UnixMilli(1).UTC()
	return notify.Record{ClientID: clientID, RootID: "r", NodeID: "n", ChannelIDs: []string{"room"}, ConnectedAt: at, ChangedAt: at}
}

// logged is a log whose messages can be waited for.
type logged chan string

func (l logged) Enabled(context.Context, slog.Level) bool { return true }
func (l logged) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l logged) WithGroup(string) slog.Handler            { return l }

func (l logged) Handle(_ context.Context, record slog.Record) error {
	text := record.Message
	record.Attrs(func(attr slog.Attr) bool {
		text += " " + attr.String()
		return true
	})
	select {
	case l <- text:
	default: // nobody reads that many
	}
	return nil
}
