package app_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"golang.org/x/sync/errgroup"

	"github.com/walkergate/walkergate/app"
	"github.com/walkergate/walkergate/internal/client"
	"github.com/walkergate/walkergate/internal/testkit"
	"github.com/walkergate/walkergate/specs"
	"github.com/walkergate/walkergate/walkers"
)

// speaker registers a walker that hands its Notify out: it works on after the
// walker has returned.
type speaker struct{ given chan walkers.Notify }

func newSpeaker() *speaker { return &speaker{given: make(chan walkers.Notify, 8)} }

func (s *speaker) register(r *walkers.Registry) {
	walkers.Register(r, specs.Walker{Name: "speaker", Methods: bothDoors, Auth: specs.NoAuth},
		func(_ context.Context, call *walkers.Call, _ struct{}) error {
			s.given <- call.Notify
			return nil
		})
}

// speak gives the Notify of a call over REST that is over.
func (s *speaker) speak(t *testing.T, g *testkit.Gateway) walkers.Notify {
	t.Helper()
	if got := g.Post(t, "speaker", "", nil); got.Status != http.StatusOK {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	return testkit.Soon(t, "the walker's Notify", s.given)
}

// numbered is one of a row of messages.
func numbered(n int) map[string]any { return map[string]any{"n": n} }

// follow reads a row of messages, each once and in order.
func follow(conn *client.Conn, messages int) error {
	for n := range messages {
		text, err := conn.Read(time.Now().Add(testkit.Patience))
		if err != nil {
			return fmt.Errorf("message %d: %w", n, err)
		}
		var got struct {
			N *int `json:"n"`
		}
		if err := json.Unmarshal(text, &got); err != nil || got.N == nil || *got.N != n {
			return fmt.Errorf("got %.80s as message %d", text, n)
		}
	}
	return nil
}

// The connection event is the first frame of all, however much is sent to the
// connection, its channel and its user before it has been greeted.
func TestNothingOvertakesTheGreeting(t *testing.T) {
	t.Parallel()
	voice := newSpeaker()
	g := testkit.Start(t, testkit.Walkers(voice.register))
	user := g.NewUser(t)
	loud := voice.speak(t, g)
	ctx, hush := context.WithCancel(t.Context())
	defer hush()
	var speaking sync.WaitGroup
	for range 2 {
		speaking.Go(func() {
			for ctx.Err() == nil {
				_, err1 := loud.Channels(ctx, []string{"loud"}, numbered(0))
				_, err2 := loud.Users(ctx, []string{user.RootID}, numbered(0))
				if err := errors.Join(err1, err2); err != nil && ctx.Err() == nil {
					t.Errorf("notify: %v", err)
				}
			}
		})
	}
	for range 40 {
		s := g.Dial(t, "channel_id=loud", user.Token) // fails where another frame comes first
		if got := s.Next(); got["n"] != 0.0 {
			t.Errorf("behind the greeting came %v: nobody spoke", got)
		}
		_ = s.Close()
	}
	hush()
	speaking.Wait()
}

// Those who stay in a channel get everything once and in order, while others
// join it, leave it and change who they are.
func TestFanOutWhileMembersComeAndGo(t *testing.T) {
	t.Parallel()
	const messages = 200
	voice := newSpeaker()
	g := testkit.Start(t, testkit.Walkers(voice.register))
	user := g.NewUser(t)
	stay := make([]*testkit.Socket, 5)
	for i := range stay {
		stay[i] = g.Dial(t, "channel_id=room", "")
	}
	var work errgroup.Group
	for _, s := range stay {
		work.Go(func() error { return follow(s.Conn, messages) })
	}
	var over atomic.Bool
	var came atomic.Int64
	for n := range 4 {
		work.Go(func() error {
			for !over.Load() {
				if err := visit(t.Context(), g.SocketURL("channel_id=room"), user.Token, n); err != nil {
					return err
				}
				came.Add(1)
			}
			return nil
		})
	}
	room := voice.speak(t, g)
	for n := range messages {
		outcome, err := room.Channels(t.Context(), []string{"room"}, numbered(n))
		if err != nil || outcome.Reached < len(stay) {
			t.Errorf("message %d: %+v, %v", n, outcome, err)
		}
		if n%10 == 0 { // enough of them come and go between the first message and the last
			before := came.Load()
			testkit.Until(t, "somebody to come and go", func() bool { return came.Load() > before })
		}
	}
	over.Store(true)
	if err := work.Wait(); err != nil {
		t.Error(err)
	}
	testkit.Until(t, "the others to be gone", func() bool {
		return indexed(t, g) == entries{connections: len(stay), users: 1, channels: 1}
	})
}

// visit joins, becomes somebody, and is gone in one of the ways that there are.
func visit(ctx context.Context, url, token string, way int) error {
	conn, err := client.Dial(ctx, url, nil)
	if err != nil {
		return err
	}
	if err := conn.Send(testkit.Frame{"type": "change_user", "token": token}); err != nil {
		return errors.Join(err, conn.Close())
	}
	switch way {
	case 0:
		return conn.Close()
	case 1:
		return errors.Join(conn.Raw().(*net.TCPConn).SetLinger(0), conn.Raw().Close())
	case 2: // a breach of the protocol
		return errors.Join(conn.SendMessage(ws.OpBinary, nil), conn.Raw().Close())
	default:
		return conn.Raw().Close()
	}
}

// brokenWays are how a receiver stops to receive.
var brokenWays = []func(conn *client.Conn) error{
	func(conn *client.Conn) error { return nil }, // it never reads
	func(conn *client.Conn) error { return conn.Raw().Close() },
	func(conn *client.Conn) error {
		return errors.Join(conn.Raw().(*net.TCPConn).SetLinger(0), conn.Raw().Close())
	},
	func(conn *client.Conn) error { return conn.Raw().(*net.TCPConn).CloseWrite() },
	func(conn *client.Conn) error { return conn.SendMessage(ws.OpBinary, []byte("x")) },
	func(conn *client.Conn) error { return conn.SendMessage(ws.OpClose, nil) },
	func(conn *client.Conn) error {
		_, err := conn.Raw().Write([]byte{0x81, 0xff, 0x7f}) // a frame that ends in its header
		return err
	},
}

// Among many receivers some break, each in its own way and at its own time. All
// others get every message, who sends is answered each time, and no walker
// waits for anybody.
func TestBrokenReceiversHarmNobodyElse(t *testing.T) {
	t.Parallel()
	const receivers, messages = 70, 140
	g := testkit.Start(t, testkit.Config(func(c *app.Config) { c.FrameRate, c.FrameBurst = 1_000_000, 1_000_000 }))
	sender := g.Dial(t, "", g.NewUser(t).Token)
	var reading errgroup.Group
	broken := make(map[int]func() error) // by the message before which it breaks
	for n := range receivers {
		s := g.Dial(t, "channel_id=room", "")
		if n%10 != 0 {
			reading.Go(func() error { return follow(s.Conn, messages) })
			continue
		}
		way := brokenWays[n/10%len(brokenWays)]
		broken[n] = func() error { return way(s.Conn) }
	}
	pad := strings.Repeat("x", 1<<10)
	for n := range messages {
		if breaks := broken[n]; breaks != nil {
			if err := breaks(); err != nil {
				t.Fatal(err)
			}
		}
		data := numbered(n)
		data["pad"] = pad
		got := sender.Ask(testkit.Frame{"type": "channel", "id": "p", "channel_ids": []string{"room"}, "data": data})
		if reached, _ := got["reached"].(float64); int(reached) < receivers-len(broken) || int(reached) > receivers {
			t.Fatalf("message %d was answered %v", n, got)
		}
	}
	if err := reading.Wait(); err != nil {
		t.Error(err)
	}
	if got := g.Post(t, "echo", "", testkit.Frame{"value": 1}); got.Status != http.StatusOK {
		t.Errorf("%d %s", got.Status, got.Body)
	}
}

// A Notify works from any goroutine and tells each how many it reached, while
// its walker runs, after it has returned, and after its client has left.
func TestNotifyFromAnyGoroutine(t *testing.T) {
	t.Parallel()
	const goroutines, each = 8, 5
	voice := newSpeaker()
	g := testkit.Start(t, testkit.Walkers(voice.register), testkit.Walkers(func(r *walkers.Registry) {
		walkers.Register(r, specs.Walker{Name: "crowd", Methods: bothDoors, Auth: specs.NoAuth},
			func(ctx context.Context, call *walkers.Call, in struct {
				Root   string `json:"root"`
				Client string `json:"client"`
			},
			) error {
				call.Report("done")
				return fromEverywhere(ctx, call.Notify, goroutines, each, in.Root, in.Client)
			})
	}))
	user := g.NewUser(t)
	target, caller := g.Dial(t, "channel_id=room", user.Token), g.Dial(t, "", "")
	context := testkit.Frame{"root": user.RootID, "client": target.ClientID}
	heard := func() {
		t.Helper()
		for range 3 * goroutines * each {
			target.Expect(numbered(1))
		}
		target.Quiet()
	}

	if got := g.Post(t, "crowd", "", context); string(got.Body) != `{"status":200,"reports":["done"]}` {
		t.Errorf("%d %s", got.Status, got.Body)
	}
	heard()
	caller.Same(caller.Ask(call("crowd", context)), ok("done"))
	heard()

	caller.Same(caller.Ask(call("speaker", testkit.Frame{})), ok())
	late := testkit.Soon(t, "the walker's Notify", voice.given)
	caller.Hang()
	testkit.Until(t, "the caller to be gone", func() bool { return metric(t, g, "walkergate_connections") == 1 })
	if err := fromEverywhere(t.Context(), late, goroutines, each, user.RootID, target.ClientID); err != nil {
		t.Errorf("after the client had left: %v", err)
	}
	heard()
	if outcome, err := late.Self(t.Context(), numbered(1)); err != nil || outcome.Reached != 0 || len(outcome.Offline) != 1 {
		t.Errorf("to the client that had left: %+v, %v", outcome, err)
	}
}

// fromEverywhere notifies one connection in three ways, so often from so many
// goroutines, and demands that each time it was reached.
func fromEverywhere(ctx context.Context, n walkers.Notify, goroutines, each int, root, clientID string) error {
	var group errgroup.Group
	for range goroutines {
		group.Go(func() error {
			for range each {
				users, err1 := n.Users(ctx, []string{root}, numbered(1))
				channels, err2 := n.Channels(ctx, []string{"room"}, numbered(1))
				clients, err3 := n.Clients(ctx, []string{clientID}, numbered(1))
				if err := errors.Join(err1, err2, err3); err != nil {
					return err
				}
				if users.Reached != 1 || channels.Reached != 1 || clients.Reached != 1 {
					return fmt.Errorf("reached %+v, %+v, %+v", users, channels, clients)
				}
			}
			return nil
		})
	}
	return group.Wait()
}
