package mongo_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/walkergate/walkergate/store/mongo"
)

func TestWhatIsWrongWithTheSettingsIsTold(t *testing.T) {
	for name, test := range map[string]struct{ uri, database, want string }{
		"another scheme":             {"http://localhost", "db", "mongodb"},
		"no host":                    {"mongodb://", "db", "host"},
		"reads that may be stale":    {"mongodb://localhost/?readPreference=secondaryPreferred", "db", "readPreference=secondaryPreferred"},
		"writes without an answer":   {"mongodb://localhost/?w=0", "db", "w=0"},
		"no name of a database":      {"mongodb://localhost", "", "database"},
		"a dot in it":                {"mongodb://localhost", "a.b", `"a.b"`},
		"a name that is too long":    {"mongodb://localhost", strings.Repeat("x", 64), "63 bytes"},
		"an option of no such value": {"mongodb://localhost/?w=majority&journal=perhaps", "db", "journal"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := mongo.Open(t.Context(), test.uri, test.database, mongo.Options{})
			if err == nil {
				shut(t, s)
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Open ended with %v", err)
			}
		})
	}
}

func TestNoPasswordIsTold(t *testing.T) {
	const password = "hunter2"
	log := make(logged, 64)
	for _, uri := range []string{
		"mongodb://zelda:" + password + "%zz@localhost",
		"mongodb://zelda:" + password + "/x@localhost",
		"mongodb://zelda:" + password + "@:::",
		"mongodb://zelda:" + password + "@localhost/?w=0",
		"mongodb://zelda:" + password + "@localhost/?readPreference=" + password,
		"mongodb+srv://zelda:" + password + "@a/",
		"http://zelda:" + password + "@localhost",
		"zelda:" + password + "@localhost",
	} {
		s, err := mongo.Open(t.Context(), uri, "db", mongo.Options{})
		if err == nil {
			shut(t, s)
		}
		if err == nil || strings.Contains(err.Error(), password) {
			t.Errorf("of the password in %s Open says %v", uri, err)
		}
	}
	// Nobody listens on that port; what fails there is told in the log.
	s := open(t, "mongodb://zelda:"+password+"@127.0.0.1:1/?authSource=admin", "db",
		mongo.Options{Timeout: 100 * time.Millisecond, Log: newLog(log)})
	_, findErr := s.Leases(t.Context())
	for _, err := range []error{s.Ping(t.Context()), findErr} {
		if err == nil || strings.Contains(err.Error(), password) {
			t.Errorf("without a server the error is %v", err)
		}
	}
	for range 2 { // opened, and its indexes cannot be made
		if line := <-log; strings.Contains(line, password) || strings.Contains(line, "zelda") {
			t.Errorf("the log says %q", line)
		}
	}
}

func TestWritesAreMajorityAndJournaledUnlessTheURISaysOtherwise(t *testing.T) {
	for uri, want := range map[string]string{
		"mongodb://localhost":                           "majority true",
		"mongodb://localhost/?retryWrites=false":        "majority true",
		"mongodb://localhost/?w=2":                      "2 unset",
		"mongodb://localhost/?w=majority&journal=false": "majority false",
	} {
		configured, err := mongo.ClientOptions(uri)
		if err != nil {
			t.Fatal(err)
		}
		if got := describe(configured.WriteConcern); got != want {
			t.Errorf("%s: %s, want %s", uri, got, want)
		}
	}
}

func describe(concern *writeconcern.WriteConcern) string {
	journal := "unset"
	if concern.Journal != nil {
		journal = fmt.Sprint(*concern.Journal)
	}
	return fmt.Sprint(concern.W, " ", journal)
}
