package notify_test

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/walkergate/walkergate/notify"
	"github.com/walkergate/walkergate/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newManager(t testing.TB) *notify.Manager {
	t.Helper()
	return notify.New(notify.Options{NodeID: "node", Store: newStore()})
}

func add(m *notify.Manager, id, root string, channels ...string) (*conn, *notify.Member) {
	c := &conn{}
	return c, m.Add(notify.Joining{ClientID: id, RootID: root, ChannelIDs: channels, Conn: c})
}

type send func(context.Context, []string, notify.Message) (notify.Outcome, error)

// said is a message that is not stored.
func said(data string) notify.Message { return notify.Message{Data: json.RawMessage(data)} }

func must(t *testing.T, do send, targets []string, data string) notify.Outcome {
	t.Helper()
	outcome, err := do(t.Context(), targets, said(data))
	if err != nil {
		t.Fatalf("notify: %v", err)
	}
	return outcome
}

func TestNotifyReachesUsersChannelsAndClients(t *testing.T) {
	m := newManager(t)
	phone, _ := add(m, "phone", "ann", "lobby")
	laptop, _ := add(m, "laptop", "ann", "work")
	other, _ := add(m, "other", "bob", "lobby")

	for _, step := range []struct {
		name    string
		send    send
		targets []string
		reached map[*conn]bool
		offline []string
	}{
		{"a user is all of the user's connections", m.Users, []string{"ann"}, map[*conn]bool{phone: true, laptop: true}, nil},
		{"a channel is all of its members", m.Channels, []string{"lobby"}, map[*conn]bool{phone: true, other: true}, nil},
		{"a client is one connection", m.Clients, []string{"other"}, map[*conn]bool{other: true}, nil},
		{"several targets", m.Clients, []string{"other", "phone"}, map[*conn]bool{other: true, phone: true}, nil},
		{"a connection in two targets gets one copy", m.Channels, []string{"lobby", "work", "lobby"}, map[*conn]bool{phone: true, laptop: true, other: true}, nil},
		{"unknown targets are told and skipped", m.Users, []string{"nobody", "bob"}, map[*conn]bool{other: true}, []string{"nobody"}},
		{"one unknown target", m.Users, []string{"nobody"}, nil, []string{"nobody"}},
		{"no target", m.Users, nil, nil, nil},
	} {
		t.Run(step.name, func(t *testing.T) {
			outcome := must(t, step.send, step.targets, `{"n":1}`)
			want := notify.Outcome{Reached: len(step.reached), Offline: step.offline}
			if diff := cmp.Diff(want, outcome); diff != "" {
				t.Errorf("outcome (-want +got):\n%s", diff)
			}
			for name, c := range map[string]*conn{"phone": phone, "laptop": laptop, "other": other} {
				var want []string
				if step.reached[c] {
					want = []string{`{"n":1}`}
				}
				if got := c.take(); !slices.Equal(got, want) {
					t.Errorf("%s got %q, want %q", name, got, want)
				}
			}
		})
	}
}

func TestNotifyIsNotStoppedByADeadReceiver(t *testing.T) {
	m := newManager(t)
	var living []*conn
	for i := range 100 {
		c, _ := add(m, fmt.Sprint(i), "ann", "lobby")
		if i%10 == 0 {
			c.close()
			continue
		}
		living = append(living, c)
	}
	if outcome := must(t, m.Channels, []string{"lobby"}, `{}`); outcome.Reached != len(living) {
		t.Errorf("reached %d, want %d", outcome.Reached, len(living))
	}
	for i, c := range living {
		if len(c.take()) != 1 {
			t.Errorf("living receiver %d did not get the message once", i)
		}
	}
}

// The connection becomes user 1, 2, 3, … under traffic for all users around
// the present one. Behind the answer to a change, nothing of an earlier user
// may come.
func TestNothingComesUnderAnEndedIdentity(t *testing.T) {
	m := newManager(t)
	c, member := add(m, "c", "0")
	var now atomic.Int64
	stop := make(chan struct{})
	var senders sync.WaitGroup
	for range 4 {
		senders.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				around := now.Load()
				for user := around - 1; user <= around+1; user++ {
					root := fmt.Sprint(user)
					must(t, m.Users, []string{root}, root)
				}
			}
		})
	}
	const changes = 1000
	for user := 1; user <= changes; user++ {
		now.Store(int64(user))
		member.ChangeUser(fmt.Sprint(user))
		c.Send(wire.Text(fmt.Appendf(nil, "answer %d", user)), nil)
		for before := c.count(); c.count() == before; { // some traffic between any two changes
			runtime.Gosched()
		}
	}
	close(stop)
	senders.Wait()

	answered, delivered := 0, 0
	for _, message := range c.take() {
		if _, err := fmt.Sscanf(message, "answer %d", &answered); err == nil {
			continue
		}
		var user int
		if _, err := fmt.Sscan(message, &user); err != nil {
			t.Fatalf("got %q", message)
		}
		delivered++
		if user < answered {
			t.Fatalf("a message for user %d came after the connection became user %d", user, answered)
		}
	}
	if answered != changes || delivered == 0 {
		t.Errorf("%d changes answered, %d messages delivered", answered, delivered)
	}
}

func TestAFanOutUnderWayEndsWithTheMembership(t *testing.T) {
	m := newManager(t)
	blocking := &gate{entered: make(chan struct{}), open: make(chan struct{})}
	m.Add(notify.Joining{ClientID: "first", RootID: "ann", Conn: blocking})
	second, member := add(m, "second", "ann")

	done := make(chan notify.Outcome)
	go func() {
		outcome, _ := m.Users(context.Background(), []string{"ann"}, said(`{}`))
		done <- outcome
	}()
	<-blocking.entered // the list of receivers is fixed, and second is on it
	member.ChangeUser("bob")
	close(blocking.open)
	if outcome := <-done; outcome.Reached != 1 {
		t.Errorf("reached %d, want 1", outcome.Reached)
	}
	if got := second.take(); len(got) != 0 {
		t.Errorf("the connection got %q as a user it no longer is", got)
	}
}

// gate is a connection whose Send waits: it holds a fan-out at a known place.
type gate struct {
	notify.Conn
	entered, open chan struct{}
	once          sync.Once
}

func (g *gate) Send(*wire.Message, *atomic.Bool) bool {
	g.once.Do(func() { close(g.entered) })
	<-g.open
	return true
}

func TestIndexIsEmptyWhenAllHaveLeft(t *testing.T) {
	m := newManager(t)
	var members []*notify.Member
	for i := range 500 {
		_, member := add(m, fmt.Sprint("c", i), fmt.Sprint("r", i%50), fmt.Sprint("ch", i%7), fmt.Sprint("own", i))
		members = append(members, member)
	}
	stats := m.Stats()
	if stats.Connections != 500 || stats.Users != 50 || stats.Channels != 507 {
		t.Errorf("stats %+v", stats)
	}
	var leaving sync.WaitGroup
	for i, member := range members {
		leaving.Go(func() {
			if i%3 == 0 {
				member.ChangeUser("elsewhere")
			}
			must(t, m.Channels, []string{"ch1", "ch2"}, `{}`)
			member.Remove()
		})
	}
	leaving.Wait()
	stats = m.Stats()
	if stats.Connections != 0 || stats.Users != 0 || stats.Channels != 0 {
		t.Errorf("left behind: %+v", stats)
	}
}

func BenchmarkChannels1000(b *testing.B) {
	m := newManager(b)
	for i := range 1000 {
		m.Add(notify.Joining{ClientID: fmt.Sprint(i), RootID: "r", ChannelIDs: []string{"lobby"}, Conn: deaf{}})
	}
	targets, data := []string{"lobby"}, said(`{"type":"chat","data":{"text":"hello"}}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Channels(context.Background(), targets, data); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/delivery")
}

func BenchmarkAddRemoveInAGroupOf10000(b *testing.B) {
	m := newManager(b)
	for i := range 10_000 {
		m.Add(notify.Joining{ClientID: fmt.Sprint(i), RootID: "r", ChannelIDs: []string{"lobby"}, Conn: deaf{}})
	}
	b.ReportAllocs()
	for b.Loop() {
		m.Add(notify.Joining{ClientID: "x", RootID: "r", ChannelIDs: []string{"lobby"}, Conn: deaf{}}).Remove()
	}
}

type deaf struct{ notify.Conn }

func (deaf) Send(_ *wire.Message, void *atomic.Bool) bool { return !void.Load() }
