package mongoserver

import (
	"context"
	"crypto/rand"
	"errors"
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
// is started for this test binary where one is installed. A test without either
// is skipped, and says so; in CI, where a skipped test fails, the variable is
// set.
func URI(t testing.TB) string {
	t.Helper()
	if uri := os.Getenv(Variable); uri != "" {
		return uri
	}
	server, err := started()
	if err != nil {
		t.Skipf("NOT TESTED with any MongoDB: %s is not set, and %v", Variable, err)
	}
	t.Logf("tested with %s", server.Name)
	return server.URI
}

// patience bounds how long a database may take to be dropped.
const patience = time.Minute

// Database is one of that server that no other test has, to be looked at beside
// the store. It is dropped when the test ends.
func Database(t testing.TB, uri string) *mongo.Database {
	t.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		t.Fatal(err)
	}
	db := client.Database("walkergate_test_" + rand.Text())
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := errors.Join(db.Drop(ctx), client.Disconnect(ctx)); err != nil {
			t.Errorf("drop the database: %v", err)
		}
	})
	return db
}
