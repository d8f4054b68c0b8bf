package mongo_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync/atomic"
	"testing"
	"time"

	"github.com/walkergate/walkergate/internal/mongoserver"
	"github.com/walkergate/walkergate/notify"
	"github.com/walkergate/walkergate/notify/membus"
	"github.com/walkergate/walkergate/store/mongo"
	"github.com/walkergate/walkergate/wire"
)

// lease is short here, and still long beside what a busy machine may add to a
// beat.
const lease = 2 * time.Second

// deaf is a connection that nothing reaches.
type deaf struct{ notify.Conn }

func (deaf) Send(*wire.Message, *atomic.Bool) bool { return false }

// TestANodeThatWasKilledIsSwept runs itself as a second process, which is a
// node with connections, and is killed.
func TestANodeThatWasKilledIsSwept(t *testing.T) {
	const variable = "MONGO_TEST_KILLED_NODE" // the database of the process that is to be killed
	if name := os.Getenv(variable); name != "" {
		liveForEver(os.Getenv(mongoserver.Variable), name)
	}
	uri := mongoserver.URI(t)
	db := mongoserver.Database(t, uri).Name()
	observer := open(t, uri, db, mongo.Options{})
	live(t, notify.New(notify.Options{NodeID: "observer", Store: observer, Lease: lease, Bus: membus.New().Node()}))

	process := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	process.Env = append(os.Environ(), variable+"="+db, mongoserver.Variable+"="+uri)
	process.Stderr = os.Stderr
	out, err := process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "entered\n" {
		t.Fatalf("the process said %q (%v)", line, err)
	}
	count := func() int {
		records, err := observer.Records(t.Context(), notify.RecordQuery{RootID: "ann"}, 10)
		if err != nil {
			t.Fatal(err)
		}
		return len(records)
	}
	until(t, "the records", func() bool { return count() == 3 })
	begun := time.Now()
	if err := process.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = process.Wait() // says that it was killed
	if count() != 3 {
		t.Error("the records were gone with the process: this test proves nothing")
	}
	until(t, "the sweep", func() bool { return count() == 0 })
	if took := time.Since(begun); took < lease-lease/5 || took > lease+lease/5+slack {
		t.Errorf("the records were gone after %s", took)
	}
	until(t, "the end of the lease", func() bool {
		leases, err := observer.Leases(t.Context())
		return err == nil && len(leases) == 1 && leases[0].NodeID == "observer"
	})
}

func liveForEver(uri, database string) {
	s, err := mongo.Open(context.Background(), uri, database, mongo.Options{})
	if err != nil {
		panic(err)
	}
	m := notify.New(notify.Options{NodeID: "killed", Store: s, Lease: lease, Bus: membus.New().Node()})
	if err := m.Enter(context.Background()); err != nil {
		panic(err)
	}
	for n := range 3 {
		m.Add(notify.Joining{ClientID: fmt.Sprint(n), RootID: "ann", ChannelIDs: []string{"room"}, Conn: deaf{}})
	}
	fmt.Println("entered")
	panic(m.Run(context.Background()))
}

// live runs a node until the test ends.
func live(t *testing.T, m *notify.Manager) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	if err := m.Enter(ctx); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- m.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("a node ended with %v", err)
		}
	})
}

func TestTwoNodesWithoutABusDoNotShareADatabase(t *testing.T) {
	uri := mongoserver.URI(t)
	s := open(t, uri, mongoserver.Database(t, uri).Name(), mongo.Options{})
	first := notify.New(notify.Options{NodeID: "first", Store: s, Lease: lease})
	live(t, first)
	begun := time.Now()
	err := notify.New(notify.Options{NodeID: "second", Store: s, Lease: lease}).Enter(t.Context())
	if took := time.Since(begun); !errors.Is(err, notify.ErrNotAlone) || took > lease {
		t.Errorf("the second ended with %v after %s", err, took)
	}
	if err := first.Ready(); err != nil {
		t.Errorf("the first is not ready: %v", err)
	}
}
