package testkit

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"testing"

	"github.com/walkergate/walkergate/internal/mongoserver"
)

// StoreVariable names the store under the gateways of a run of tests, so that
// the same tests judge both engines: sqlite, which it is by default, or mongo,
// where each gateway has a database of its own on the server of package
// mongoserver.
const StoreVariable = "GATEWAY_TEST_STORE"

// AloneVariable says, by 1, that nothing else runs on the machine.
const AloneVariable = "GATEWAY_TEST_ALONE"

// Alone reports whether this test has the machine to itself. Only then a test
// that measures how long something takes judges it too: beside others it would
// judge them. CI does so in a step of its own.
func Alone() bool { return os.Getenv(AloneVariable) == "1" }

// processLease is short, as it is what the next process waits for on MongoDB
// where one was killed: nothing else says that it is dead. The embedded store
// is locked by whoever lives, and there nobody waits.
const processLease = "2s"

// Embedded keeps a gateway on the embedded store in every run, for a test of
// what only that one has, such as its file.
func Embedded() Option {
	return func(s *settings) { s.embedded = true }
}

// Database gives the database under the gateway of a data folder where this run
// is on MongoDB, and false where it is not. The same folder has the same one, no
// other has it, and it is dropped when the test ends that asked for it first.
func Database(t testing.TB, dataDir string) (uri, name string, onMongo bool) {
	t.Helper()
	switch store := os.Getenv(StoreVariable); store {
	case "", "sqlite":
		return "", "", false
	case "mongo":
		uri, name = mongoserver.MustURI(t), "walkergate_test_"+word("database", dataDir)
		mongoserver.DropAtEnd(t, uri, name)
		return uri, name, true
	default:
		t.Fatalf("%s is %q, neither sqlite nor mongo", StoreVariable, store)
		return "", "", false
	}
}

// StoreEnviron gives the settings of a gateway in a process of its own by which
// it runs over the store that Start gives to one with that data folder.
func StoreEnviron(t testing.TB, dataDir string) []string {
	t.Helper()
	uri, name, onMongo := Database(t, dataDir)
	if !onMongo {
		return []string{"DATA_DIR=" + dataDir, "MONGODB_URI="}
	}
	return []string{
		"DATA_DIR=" + dataDir, "MONGODB_URI=" + uri, "MONGODB_DATABASE=" + name,
		"TOKEN_SECRET=" + word("secret", dataDir), "NODE_LEASE=" + processLease,
	}
}

// place gives a gateway its store, unless the test has said which.
func (s *settings) place(t testing.TB) {
	t.Helper()
	if s.embedded || s.config.MongodbURI != "" {
		return
	}
	uri, name, onMongo := Database(t, s.config.DataDir)
	if !onMongo {
		return
	}
	s.config.MongodbURI, s.config.MongodbDatabase = uri, name
	if s.config.TokenSecret == "" { // the embedded store's is made and kept in the folder
		s.config.TokenSecret = word("secret", s.config.DataDir)
	}
}

// run tells this test binary from others that use the same server.
var run = rand.Text()

// word makes up one of 40 characters for a data folder, another for each use.
func word(use, dataDir string) string {
	sum := sha256.Sum256([]byte(run + "\x00" + use + "\x00" + dataDir))
	return hex.EncodeToString(sum[:20])
}
