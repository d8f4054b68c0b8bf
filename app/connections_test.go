//go:build linux

package app_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"golang.org/x/sync/errgroup"

	"github.com/walkergate/walkergate/app"
	"github.com/walkergate/walkergate/internal/client"
	"github.com/walkergate/walkergate/internal/testkit"
	"github.com/walkergate/walkergate/notify"
	"github.com/walkergate/walkergate/store/mongo"
	"github.com/walkergate/walkergate/wire"
)

// swarmURL names the variable that makes this binary a swarm: what it holds is
// where the swarm connects. The clients need a process of their own, since one
// may not have as many files open as both sides of so many connections take.
const swarmURL = "WALKERGATE_TEST_SWARM"

func init() {
	if runAsSwarm() {
		os.Exit(0)
	}
}

// TestTenThousandConnections opens as many connections as a gateway takes by
// default, and demands that each has its record, and that nothing is left of
// any once they have gone.
func TestTenThousandConnections(t *testing.T) {
	crowd, onMongo := crowdOf(t)
	allowFiles(t, uint64(crowd)+500)
	var dir string
	g := testkit.Start(t, testkit.Config(func(c *app.Config) {
		dir = c.DataDir
		c.MaxConnections = crowd
		c.PingInterval, c.DeadAfter = time.Hour, 2*time.Hour // the swarm reads nothing while it waits
	}))
	swarm := startSwarm(t, g.SocketURL(""))
	records := openTable(t, dir)
	before := goroutines()

	// The first wave is as large as the second: Go gives neither the
	// descriptors of goroutines back nor the room of maps, so what is left of a
	// first crowd is its price, and of a second one a leak.
	resident := residentBytes(t)
	swarm.do("open", crowd)
	resident = residentBytes(t) - resident
	swarm.do("close", crowd)
	expectNobody(t, g, records, before)
	heap := inUse()

	took := swarm.do("open", crowd)
	opened := time.Now()
	testkit.Until(t, "a record for each connection", func() bool { return records.crowd() == crowd })
	if late := time.Since(opened); late > time.Second && !onMongo && testkit.Alone() {
		t.Errorf("the last record came %s after the last connection", late)
	} else {
		t.Logf("records were whole %s after the last connection", late)
	}
	if got, want := indexed(t, g), (entries{connections: crowd, users: 1, channels: crowd}); got != want {
		t.Errorf("the index holds %+v, want %+v", got, want)
	}
	full := inUse()
	t.Logf("%d connections in %s, %.0f/s; each takes %d bytes of heap and stack, %d resident as the first came",
		crowd, took, float64(crowd)/took.Seconds(), (full.all()-heap.all())/crowd, resident/crowd)

	swarm.do("close", crowd)
	expectNobody(t, g, records, before)
	if got := inUse(); got.heap > heap.heap+heap.heap/10 {
		t.Errorf("the heap went from %d to %d bytes", heap.heap, got.heap)
	} else {
		t.Logf("heap %d KiB, with the connections %d KiB, after them %d KiB", heap.heap>>10, full.heap>>10, got.heap>>10)
	}
}

// crowdOf is how many connections there shall be: tenThousand, each with its
// record within a second. On MongoDB it is the server that says how long records
// take, so there are as many as the server writes within a tenth of Patience,
// which is what they have then.
func crowdOf(t *testing.T) (crowd int, onMongo bool) {
	t.Helper()
	uri, name, onMongo := testkit.Database(t, t.TempDir())
	if !onMongo {
		return tenThousand, false
	}
	opened, err := mongo.Open(t.Context(), uri, name, mongo.Options{Timeout: testkit.Patience})
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	if err := opened.Ping(t.Context()); err != nil { // the indexes stand
		t.Fatal(err)
	}
	const tried = 500
	puts := make([]notify.Record, tried)
	for i := range puts {
		id := strconv.Itoa(i)
		puts[i] = notify.Record{ClientID: id, RootID: publicRoot, ChannelIDs: []string{id}}
	}
	begun := time.Now()
	if err := opened.WriteRecords(t.Context(), puts, nil); err != nil {
		t.Fatal(err)
	}
	took := time.Since(begun)
	crowd = min(tenThousand, int(tried*testkit.Patience/10/took))
	t.Logf("the server wrote %d records in %s: there are to be %d connections", tried, took, crowd)
	return crowd, true
}

// expectNobody waits until nothing is left of any connection: no record, no
// entry in the index, and no goroutine beyond a few of the runtime's own.
func expectNobody(t *testing.T, g *testkit.Gateway, records *table, before int) {
	t.Helper()
	testkit.Until(t, "the index to be empty", func() bool { return indexed(t, g) == entries{} })
	testkit.Until(t, "the records to be gone", func() bool { return records.crowd() == 0 })
	// The slowest question comes last: it stops the world.
	testkit.Until(t, "the goroutines to end", func() bool { return goroutines() <= before+5 })
}

// goroutines counts all but the HTTP server's workers that have nothing to do:
// they wait ten seconds for another request, and their number is that of the
// handshakes that came at once.
func goroutines() int {
	stacks := make([]byte, 1<<20)
	for {
		n := runtime.Stack(stacks, true)
		if n < len(stacks) {
			stacks = stacks[:n]
			break
		}
		stacks = make([]byte, 2*len(stacks))
	}
	count := 0
	for stack := range strings.SplitSeq(string(stacks), "\n\n") {
		_, calls, _ := strings.Cut(stack, "\n")
		if !strings.HasPrefix(calls, "github.com/valyala/fasthttp.(*workerPool).workerFunc(") {
			count++
		}
	}
	return count
}

// memory is what the program holds, in bytes.
type memory struct{ heap, stacks int }

func (m memory) all() int { return m.heap + m.stacks }

// inUse measures what is left when garbage and pools are gone, which takes two
// collections.
func inUse() memory {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return memory{heap: int(stats.HeapInuse), stacks: int(stats.StackInuse)}
}

// residentBytes is the memory that the system gave the process.
func residentBytes(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(text))[1])
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}

// allowFiles lets this process open so many files.
func allowFiles(t *testing.T, files uint64) {
	t.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if limit.Max < files {
		t.Fatalf("a process may open %d files here (ulimit -Hn), and this takes %d", limit.Max, files)
	}
	limit.Cur = max(limit.Cur, files)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
}

// swarm is a process that opens connections and closes them when it is told.
type swarm struct {
	t       *testing.T
	orders  io.WriteCloser
	answers chan string
}

func startSwarm(t *testing.T, url string) *swarm {
	t.Helper()
	cmd := exec.Command(os.Args[0]) // it ends when its orders do, which is later than the test's context
	cmd.Env = append(os.Environ(), swarmURL+"="+url)
	cmd.Stderr = os.Stderr
	orders, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &swarm{t: t, orders: orders, answers: make(chan string)}
	var reading sync.WaitGroup
	reading.Go(func() {
		defer close(s.answers)
		for lines := bufio.NewScanner(output); lines.Scan(); {
			s.answers <- lines.Text()
		}
	})
	t.Cleanup(func() {
		_ = orders.Close() // its end is told below
		for line := range s.answers {
			t.Errorf("the swarm said %q at its end", line)
		}
		reading.Wait()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the swarm ended with %v", err)
		}
	})
	return s
}

// do gives an order, waits until it is carried out, and tells how long it took
// in the swarm.
func (s *swarm) do(order string, count int) time.Duration {
	s.t.Helper()
	if _, err := fmt.Fprintf(s.orders, "%s %d\n", order, count); err != nil {
		s.t.Fatal(err)
	}
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	select {
	case answer := <-s.answers:
		took, err := time.ParseDuration(answer)
		if err != nil {
			s.t.Fatalf("%s %d: the swarm said %q", order, count, answer)
		}
		return took
	case <-deadline.C:
		s.t.Fatalf("%s %d: the swarm takes a minute and more", order, count)
	}
	return 0
}

// atOnce is how many connections the swarm opens or closes at a time.
const atOnce = 64

// runAsSwarm runs the swarm where this process is to be one, and reports
// whether it was. Its orders are lines, "open <n>" and "close <n>", each
// answered by the time it took or by what went wrong.
func runAsSwarm() bool {
	url, ordered := os.LookupEnv(swarmURL)
	if !ordered {
		return false
	}
	var open []*client.Conn
	for orders := bufio.NewScanner(os.Stdin); orders.Scan(); {
		order, number, _ := strings.Cut(orders.Text(), " ")
		count, err := strconv.Atoi(number)
		begun := time.Now()
		switch {
		case err != nil:
		case order == "open":
			open, err = openAll(url, count)
		case order == "close":
			err = closeAll(open[:count])
			open = open[count:]
		}
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(time.Since(begun))
	}
	return true
}

func openAll(url string, count int) ([]*client.Conn, error) {
	open := make([]*client.Conn, count)
	err := each(open, func(i int) error {
		conn, err := client.Dial(context.Background(), url, nil)
		if err != nil {
			return err
		}
		open[i] = conn
		_, err = conn.Read(time.Now().Add(testkit.Patience)) // the connection event
		return err
	})
	return open, err
}

// closeAll says goodbye on each connection and waits for the gateway to do so.
func closeAll(open []*client.Conn) error {
	return each(open, func(i int) error {
		if err := open[i].SendMessage(ws.OpClose, ws.NewCloseFrameBody(ws.StatusNormalClosure, "")); err != nil {
			return err
		}
		_, err := open[i].Read(time.Now().Add(testkit.Patience))
		if closed := new(client.Closed); !errors.As(err, &closed) || closed.Code != wire.CloseNormal {
			return fmt.Errorf("the gateway's goodbye: %w", err)
		}
		return open[i].Raw().Close()
	})
}

// each works on all connections, some at a time.
func each(open []*client.Conn, work func(i int) error) error {
	var group errgroup.Group
	var next atomic.Int64
	for range atOnce {
		group.Go(func() error {
			for i := int(next.Add(1)) - 1; i < len(open); i = int(next.Add(1)) - 1 {
				if err := work(i); err != nil {
					return fmt.Errorf("connection %d: %w", i, err)
				}
			}
			return nil
		})
	}
	return group.Wait()
}
