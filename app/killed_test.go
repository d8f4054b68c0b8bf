package app_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/walkergate/walkergate/internal/mongoserver"
	"github.com/walkergate/walkergate/internal/testkit"
	"github.com/walkergate/walkergate/notify"
	"github.com/walkergate/walkergate/store"
	"github.com/walkergate/walkergate/store/mongo"
)

const (
	// fewKills is how often the gateway over each store is killed where nothing
	// else is said: the proof takes twenty, and minutes.
	fewKills = 4
	// killsVariable is where to say it.
	killsVariable = "WALKERGATE_TEST_KILLS"
	// rioters is how many clients make the load.
	rioters = 6
	// A gateway is killed at one of fatalWithin moments from leastFatal on, or up
	// to fatalLate after it.
	leastFatal, fatalWithin = 20, 120
	fatalLate               = 2 * time.Millisecond
	// seedVariable is where to draw the same again.
	seedVariable = "WALKERGATE_TEST_SEED"
)

// killable is a gateway's command over a store that outlives it.
type killable struct {
	command func() *exec.Cmd
	// left counts the records of connections and the leases that stand in the
	// store. It is called with and without a gateway over it.
	left func() (records, leases int)
	// lease is how long what a killed process left may stand once the next one
	// looks; zero where its start alone takes it away.
	lease time.Duration
}

func TestKilledUnderLoadOnSQLite(t *testing.T) {
	t.Parallel()
	dataDir := t.TempDir()
	killUnderLoad(t, killable{
		command: func() *exec.Cmd { return commandOver(t, "DATA_DIR="+dataDir, "MONGODB_URI=") },
		left:    func() (int, int) { return leftInFile(t, dataDir) },
	})
}

// leftInFile opens the file for this one look: nobody else has it open while
// the next process starts.
func leftInFile(t *testing.T, dataDir string) (records, leases int) {
	t.Helper()
	path := url.URL{Path: filepath.ToSlash(filepath.Join(dataDir, "walkergate.db"))}
	db, err := sql.Open("sqlite", "file://"+path.EscapedPath()+"?mode=ro&_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.QueryRowContext(t.Context(), "SELECT (SELECT count(*) FROM records), (SELECT count(*) FROM leases)").Scan(&records, &leases)
	if err != nil {
		t.Fatalf("look into the database: %v", err)
	}
	return records, leases
}

func TestKilledUnderLoadOnMongoDB(t *testing.T) {
	t.Parallel()
	uri := mongoserver.URI(t)
	database := mongoserver.Database(t, uri).Name()
	beside, err := mongo.Open(t.Context(), uri, database, mongo.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = beside.Close() })
	const lease = time.Second
	killUnderLoad(t, killable{
		command: func() *exec.Cmd {
			return commandOver(t, "MONGODB_URI="+uri, "MONGODB_DATABASE="+database, "TOKEN_SECRET="+tokenSecret, "NODE_LEASE="+lease.String())
		},
		left: func() (int, int) {
			records, err := beside.Records(t.Context(), notify.RecordQuery{}, store.MaxRecords)
			if err != nil {
				t.Fatal(err)
			}
			leases, err := beside.Leases(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return len(records), len(leases)
		},
		lease: lease,
	})
}

// commandOver is the gateway's command, which lets one address try passwords
// as often as the load does.
func commandOver(t *testing.T, settings ...string) *exec.Cmd {
	t.Helper()
	command := exec.CommandContext(context.Background(), builtProgram(t))
	command.Dir = t.TempDir() // no .env here, and no data
	command.Env = append(os.Environ(), "HOST=127.0.0.1", "PORT=-1",
		"LOGIN_TRIES_PER_ADDRESS=1000000", "LOGIN_TRIES_PER_ACCOUNT=1000000")
	command.Env = append(command.Env, settings...)
	return command
}

// kills is how often the gateway over each store is killed.
func kills(t *testing.T) int {
	t.Helper()
	said := os.Getenv(killsVariable)
	if said == "" {
		return fewKills
	}
	number, err := strconv.Atoi(said)
	if err != nil || number < 1 {
		t.Fatalf("%s is no number of kills: %q", killsVariable, said)
	}
	return number
}

// killUnderLoad kills a gateway again and again, each time in the midst of
// logins, logouts, changes and connects, and holds what was acknowledged
// against the next one: no user, no token and no end of one may be lost, what
// got no answer was carried out whole or not at all, and of the connections of
// the killed process nothing is left once the next one is ready.
func killUnderLoad(t *testing.T, over killable) {
	seed, last := seedOf(t), kills(t)
	draw := rand.New(rand.NewPCG(seed, 0))
	ledgers := make([]*ledger, rioters)
	for i := range ledgers {
		ledgers[i] = &ledger{email: fmt.Sprintf("user%d@example.com", i), password: "the first password"}
	}
	var tally tally
	for round := range last + 1 {
		command, begun := over.command(), time.Now()
		v := &victim{
			process: started(t, command), fatal: leastFatal + draw.Int64N(fatalWithin),
			late: time.Duration(draw.Int64N(int64(fatalLate))),
		}
		if round > 0 {
			tally.longest = max(tally.longest, time.Since(begun))
		}
		if records, leases := over.left(); records != 0 || leases != 1 {
			t.Errorf("after kill %d, the next process is ready and there are %d records and %d leases", round, records, leases)
		}
		audit(t, v, ledgers, &tally)
		if t.Failed() {
			t.Fatalf("after kill %d of seed %d", round, seed)
		}
		if round < last {
			storm(t, over, v, ledgers, draw, &tally)
		}
	}
	t.Log(&tally)
	if most := over.lease + testkit.Patience/2; tally.longest > most {
		t.Errorf("what a killed process left was gone after %s, want %s", tally.longest, most)
	}
}

func seedOf(t *testing.T) uint64 {
	t.Helper()
	seed := rand.Uint64()
	if text := os.Getenv(seedVariable); text != "" {
		given, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("%s: %v", seedVariable, err)
		}
		seed = given
	}
	t.Logf("seed %d; %s draws it again", seed, seedVariable)
	return seed
}

// audit holds all ledgers against the gateway, some at a time.
func audit(t *testing.T, v *victim, ledgers []*ledger, tally *tally) {
	t.Helper()
	d := newDoor(t.Context(), v.Gateway)
	var auditing errgroup.Group
	auditing.SetLimit(4)
	for _, l := range ledgers {
		auditing.Go(func() error {
			call := l.doubt.call
			carriedOut, err := l.audit(d)
			if err != nil {
				t.Errorf("%s, a %q in doubt: %v", l.email, call, err)
			}
			tally.doubted(call, carriedOut)
			return nil
		})
	}
	_ = auditing.Wait() // each has told its own
}

// storm makes the load in whose midst the gateway is killed.
func storm(t *testing.T, over killable, v *victim, ledgers []*ledger, draw *rand.Rand, tally *tally) {
	t.Helper()
	d := newDoor(t.Context(), v.Gateway)
	d.wrote = v.moment
	crowd := make([]*rioter, len(ledgers))
	defer func() {
		for _, r := range crowd {
			r.hangUp()
		}
	}()
	for i := range crowd {
		crowd[i] = &rioter{
			victim: v, door: d, draw: rand.New(rand.NewPCG(draw.Uint64(), uint64(i))),
			ledger: ledgers[i], answered: make(map[string]int),
		}
	}
	// Some connections stand in the store whenever the end comes.
	standing := &rioter{victim: v, door: newDoor(t.Context(), v.Gateway)}
	defer standing.hangUp()
	for _, l := range ledgers {
		if err := standing.dial(l, l.good[0], "channel_id=hall"); err != nil {
			t.Fatalf("connect: %v", err)
		}
	}
	testkit.Until(t, "the records", func() bool {
		records, _ := over.left()
		return records == len(ledgers)
	})

	var rioting errgroup.Group
	for _, r := range crowd {
		rioting.Go(r.riot)
	}
	if err := rioting.Wait(); err != nil {
		t.Error(err)
	}
	v.kill()
	for _, r := range crowd {
		tally.add(r.answered)
	}
	if records, leases := over.left(); records == 0 || leases == 0 {
		t.Fatalf("%d records and %d leases outlived the killed process: this test proves nothing", records, leases)
	}
}

// tally is what a test tells of its course.
type tally struct {
	mu       sync.Mutex
	answered map[string]int
	// carriedOut and undone are the calls in doubt, by what became of them.
	carriedOut, undone map[string]int
	longest            time.Duration // from a start until nothing of the process before was left
}

func (y *tally) add(answered map[string]int) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.answered == nil {
		y.answered, y.carriedOut, y.undone = make(map[string]int), make(map[string]int), make(map[string]int)
	}
	for call, n := range answered {
		y.answered[call] += n
	}
}

func (y *tally) doubted(call string, carriedOut bool) {
	y.mu.Lock()
	defer y.mu.Unlock()
	switch {
	case call == "":
	case carriedOut:
		y.carriedOut[call]++
	default:
		y.undone[call]++
	}
}

func (y *tally) String() string {
	return fmt.Sprintf("acknowledged %v; in doubt at a kill and carried out %v, not carried out or unknown %v; "+
		"what a killed process left was gone %s after the start of the next at the latest", y.answered, y.carriedOut, y.undone, y.longest)
}
