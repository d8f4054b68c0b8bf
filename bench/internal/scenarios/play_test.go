package scenarios_test

import (
	"encoding/json"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"go.uber.org/goleak"

	"github.com/walkergate/walkergate/bench/internal/ledger"
	"github.com/walkergate/walkergate/bench/internal/scenarios"
	"github.com/walkergate/walkergate/bench/internal/servers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// liar fans out as a peer does, but for what its lie makes of the messages to
// its first member.
type liar struct {
	lie func(nth int, data []byte) [][]byte

	mu      sync.Mutex
	members []net.Conn
	nth     int
}

func (l *liar) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	l.mu.Lock()
	_, err := ws.Upgrade(conn)
	l.members = append(l.members, conn)
	l.mu.Unlock()
	for err == nil {
		var text []byte
		if text, err = wsutil.ReadClientText(conn); err == nil {
			l.publish(text)
		}
	}
}

func (l *liar) publish(text []byte) {
	var frame struct {
		Data json.RawMessage `json:"data"`
	}
	if json.Unmarshal(text, &frame) != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, member := range l.members {
		say := [][]byte{frame.Data}
		if i == 0 {
			say = l.lie(l.nth, frame.Data)
		}
		for _, data := range say {
			if wsutil.WriteServerText(member, data) != nil {
				return // the client is gone
			}
		}
	}
	l.nth++
}

// start serves until the test ends.
func (l *liar) start(t *testing.T) scenarios.Target {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { l.serve(conn) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close() // ends Accept
		serving.Wait()
	})
	return scenarios.Target{Address: listener.Addr().(*net.TCPAddr).AddrPort(), PID: os.Getpid()}
}

// peer is a server with no protocol of its own.
func peer(t *testing.T) servers.Server {
	t.Helper()
	for _, server := range servers.All() {
		if server.Name == "gws" {
			return server
		}
	}
	t.Fatal("there is no gws")
	return servers.Server{}
}

func brief() scenarios.Timing {
	return scenarios.Timing{
		Settle: 20 * time.Millisecond, Warm: 20 * time.Millisecond, Measure: 150 * time.Millisecond,
		Rate: 300 * time.Millisecond, Drain: 300 * time.Millisecond, Rest: 20 * time.Millisecond, Connect: 20 * time.Second,
	}
}

func small() scenarios.Scenario {
	return scenarios.Scenario{
		Name: "small", Kind: scenarios.Fanout, Channels: 1, Members: 5, Publishers: 1, Window: 8, Bytes: 128,
	}
}

func TestLiesAreFoundOut(t *testing.T) {
	var held []byte
	for name, test := range map[string]struct {
		lie  func(nth int, data []byte) [][]byte
		want ledger.Counts
	}{
		"the truth": {lie: func(_ int, data []byte) [][]byte { return [][]byte{data} }},
		"one lost": {
			lie: func(nth int, data []byte) [][]byte {
				if nth == 5 {
					return nil
				}
				return [][]byte{data}
			},
			want: ledger.Counts{Lost: 1},
		},
		"one twice": {
			lie: func(nth int, data []byte) [][]byte {
				if nth == 5 {
					return [][]byte{data, data}
				}
				return [][]byte{data}
			},
			want: ledger.Counts{Duplicated: 1},
		},
		"two exchanged": {
			lie: func(nth int, data []byte) [][]byte {
				switch nth {
				case 5:
					held = append(held[:0], data...)
					return nil
				case 6:
					return [][]byte{data, held}
				}
				return [][]byte{data}
			},
			want: ledger.Counts{Reordered: 1},
		},
		"one damaged, and so lost": {
			lie: func(nth int, data []byte) [][]byte {
				if nth == 5 {
					return [][]byte{[]byte(strings.Replace(string(data), "xx", "xy", 1))}
				}
				return [][]byte{data}
			},
			want: ledger.Counts{Damaged: 1, Lost: 1},
		},
		"one made up": {
			lie: func(nth int, data []byte) [][]byte {
				if nth == 5 {
					return [][]byte{data, []byte(strings.Replace(string(data), `"bench":"00000`, `"bench":"00777`, 1))}
				}
				return [][]byte{data}
			},
			want: ledger.Counts{Stray: 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := &liar{lie: test.lie}
			var result scenarios.Result
			if err := scenarios.Against(small(), peer(t), l.start(t), brief(), &result); err != nil {
				t.Fatal(err)
			}
			if result.Wrong != test.want {
				t.Errorf("found %+v, want %+v", result.Wrong, test.want)
			}
			if result.Deliveries == 0 || result.Latency.P99 <= 0 {
				t.Errorf("nothing was measured: %+v", result)
			}
		})
	}
}

// TestAStallIsNotLeftOut: the schedule goes on while the server does not, and
// what was to be sent meanwhile counts from when it was to be sent.
func TestAStallIsNotLeftOut(t *testing.T) {
	scenario := small()
	scenario.Window, scenario.Rate = 0, 100
	const stall = 100 * time.Millisecond
	stalled := func(nth int, data []byte) [][]byte {
		if nth == 10 {
			<-time.After(stall)
		}
		return [][]byte{data}
	}
	var result scenarios.Result
	if err := scenarios.Against(scenario, peer(t), (&liar{lie: stalled}).start(t), brief(), &result); err != nil {
		t.Fatal(err)
	}
	if result.Publishes < 25 {
		t.Errorf("%d messages were published: the schedule did not go on", result.Publishes)
	}
	// Ten of some thirty waited, from 100 ms down to 10.
	if longest := result.Last.Max; longest < 90 {
		t.Errorf("the longest took %v ms", longest)
	}
	if result.Last.P99 < 80 {
		t.Errorf("p99 is %v ms", result.Last.P99)
	}
}

func TestWhatIsRefusedEndsTheRun(t *testing.T) {
	refuse := func(int, []byte) [][]byte { return [][]byte{[]byte(`{"type":"error","code":"rate_limited"}`)} }
	var result scenarios.Result
	err := scenarios.Against(small(), peer(t), (&liar{lie: refuse}).start(t), brief(), &result)
	if err == nil || !strings.Contains(err.Error(), "rate_limited") {
		t.Errorf("%v", err)
	}
}

func TestOtherMachinesAreLeftAlone(t *testing.T) {
	target := scenarios.Target{Address: netip.MustParseAddrPort("192.0.2.1:80"), PID: os.Getpid()}
	var result scenarios.Result
	err := scenarios.Against(small(), peer(t), target, brief(), &result)
	if err == nil || !strings.Contains(err.Error(), "loopback") {
		t.Errorf("%v", err)
	}
}
