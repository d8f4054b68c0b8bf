package mongoserver

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// Variable names a server to test with: any, a real mongod first of all.
const Variable = "MONGODB_TEST_URI"

// started is the server of this test binary. It ends with the process.
var started = sync.OnceValues(Start)

// URI gives the server to test with: that of the environment, or else one that
// is started for this test binary where one is installed. The test's log tells
// which it is. A test without either is skipped, and says so.
func URI(t testing.TB) string {
	t.Helper()
	uri, err := find(t)
	if err != nil {
		t.Skipf("NOT TESTED with any MongoDB: %v", err)
	}
	return uri
}

// MustURI is URI for a run that is to be on MongoDB: a test without a server
// fails.
func MustURI(t testing.TB) string {
	t.Helper()
	uri, err := find(t)
	if err != nil {
		t.Fatalf("no MongoDB to test with: %v", err)
	}
	return uri
}

func find(t testing.TB) (string, error) {
	t.Helper()
	if uri := os.Getenv(Variable); uri != "" {
		t.Logf("tested with %s", given())
		return uri, nil
	}
	server, err := started()
	if err != nil {
		return "", fmt.Errorf("%s is not set, and %w", Variable, err)
	}
	t.Logf("tested with %s", server.Name)
	return server.URI, nil
}

// given is what the server of the environment calls itself.
var given = sync.OnceValue(func() string {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	client, err := mongo.Connect(options.Client().ApplyURI(os.Getenv(Variable)))
	if err != nil {
		return "what " + Variable + " names, which cannot be read"
	}
	defer func() { _ = client.Disconnect(ctx) }() // nothing was written
	var says struct{ Version string }
	if err := client.Database("admin").RunCommand(ctx, map[string]int{"buildInfo": 1}).Decode(&says); err != nil {
		return "what " + Variable + " names, which does not answer"
	}
	return "what " + Variable + " names, by its own word version " + says.Version
})

// patience bounds how long a database may take to be dropped.
const patience = time.Minute

// Database is one of that server that no other test has, to be looked at beside
// the store. It is dropped when the test ends.
func Database(t testing.TB, uri string) *mongo.Database {
	t.Helper()
	name := "walkergate_test_" + rand.Text()
	DropAtEnd(t, uri, name)
	return Open(t, uri, name)
}

// Open is a database of that server, to be looked at beside the store until the
// test ends.
func Open(t testing.TB, uri, name string) *mongo.Database {
	t.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := client.Disconnect(ctx); err != nil {
			t.Errorf("disconnect from the database: %v", err)
		}
	})
	return client.Database(name)
}

// ending are the databases that will be dropped.
var ending sync.Map // by name

// DropAtEnd drops a database when the test ends. Asked again before that, also
// by another test, it does nothing.
func DropAtEnd(t testing.TB, uri, name string) {
	t.Helper()
	if _, asked := ending.LoadOrStore(name, true); asked {
		return
	}
	t.Cleanup(func() {
		ending.Delete(name)
		client, err := mongo.Connect(options.Client().ApplyURI(uri))
		if err != nil {
			t.Errorf("drop the database: %v", err)
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := errors.Join(client.Database(name).Drop(ctx), client.Disconnect(ctx)); err != nil {
			t.Errorf("drop the database: %v", err)
		}
	})
}
