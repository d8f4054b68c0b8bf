package app_test

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/walkergate/walkergate/app"
	"github.com/walkergate/walkergate/internal/testkit"
	"github.com/walkergate/walkergate/specs"
	"github.com/walkergate/walkergate/walkers"
	"github.com/walkergate/walkergate/wire"
)

func TestDeadReceiverDelaysNobody(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t, testkit.Config(func(c *app.Config) {
		c.QueueBytes, c.FrameRate, c.FrameBurst = 64<<10, 1_000_000, 1_000_000
	}))
	sender := g.Dial(t, "", g.NewUser(t).Token)
	// They read nothing, as a client whose machine has gone to sleep.
	for range 3 {
		g.Dial(t, "channel_id=room", "")
	}
	living := g.Dial(t, "channel_id=room", "")
	pad := strings.Repeat("x", 32<<10)
	sent := 0
	slow := func() bool {
		return strings.Contains(string(g.Request(t, http.MethodGet, "/metrics", "", nil).Body), "\nwalkergate_connections_slow_total 3\n")
	}
	for ; sent < 2000 && (sent%100 != 99 || !slow()); sent++ {
		sender.Say(testkit.Frame{"type": "channel", "id": "p", "channel_ids": []string{"room"}, "data": testkit.Frame{"n": sent, "pad": pad}})
		if got := sender.Next(); got["ok"] != true {
			t.Fatalf("the sender was answered %v", got)
		}
		if got := living.Next(); got["n"] != float64(sent) {
			t.Fatalf("the living receiver got number %v as number %d", got["n"], sent)
		}
	}
	if !slow() {
		t.Fatal("the dead receivers were not given up")
	}
	living.Quiet()
	sender.Same(sender.Ask(channels("room")), reached(1))
}

func TestVanishedReceiverIsForgotten(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t)
	sender := g.Dial(t, "", g.NewUser(t).Token)
	gone, living := g.Dial(t, "channel_id=room", ""), g.Dial(t, "channel_id=room", "")
	_ = gone.Raw().Close()
	testkit.Until(t, "the connection to be forgotten", func() bool {
		got := sender.Ask(channels("room"))
		living.Expect(news)
		return got["reached"] == 1.0
	})
	testkit.Until(t, "the connection to be counted no more", func() bool {
		metrics := string(g.Request(t, http.MethodGet, "/metrics", "", nil).Body)
		return strings.Contains(metrics, "\nwalkergate_connections 2\n")
	})
}

func TestFailingWalkersTellNothing(t *testing.T) {
	t.Parallel()
	log := &logged{}
	g := testkit.Start(t, testkit.Walkers(fixtures), testkit.Log(log.logger()))
	s := g.Dial(t, "", "")
	for _, how := range []string{"panic", "error"} {
		context := testkit.Frame{"how": how}
		over := s.Ask(withID(call("fail", context), "f"))
		rest := g.Post(t, "fail", "", context)
		for door, told := range map[string]testkit.Frame{"socket": over, "REST": rest.JSON(t)} {
			ref, _ := told["ref"].(string)
			delete(told, "ref")
			want := testkit.Frame{"status": 500, "code": "internal", "error": "internal error"}
			if door == "socket" {
				want["type"], want["id"], want["ok"] = "reply", "f", false
			}
			s.Same(told, want)
			if ref == "" {
				t.Errorf("%s over %s: no ref", how, door)
			}
			found := 0
			for _, line := range log.lines(t, "walker failed") {
				if line["ref"] == ref && line["walker"] == "fail" && strings.Contains(line["error"].(string), "a secret of the walker") {
					found++
				}
			}
			if found != 1 {
				t.Errorf("%s over %s: the log holds the ref %d times", how, door, found)
			}
		}
		if rest.Status != 500 {
			t.Errorf("over REST %d", rest.Status)
		}
	}
	if len(log.lines(t, "walker failed")) != 4 {
		t.Error("a failure was logged more than once")
	}
	s.Same(s.Ask(call("echo", testkit.Frame{"value": 1})), ok(1)) // the process lives, and so does the connection
}

func TestWalkerPastItsDeadline(t *testing.T) {
	t.Parallel()
	h := newHold()
	ignored := make(chan struct{})
	g := testkit.Start(t, testkit.Config(func(c *app.Config) { c.WalkerTimeout = time.Second }), testkit.Walkers(func(r *walkers.Registry) {
		h.register(r)
		walkers.Register(r, specs.Walker{Name: "deaf", Methods: bothDoors, Auth: specs.NoAuth, Timeout: 20 * time.Millisecond},
			func(_ context.Context, call *walkers.Call, _ struct{}) error {
				<-ignored
				call.Report("too late")
				return nil
			})
	}))
	defer close(ignored)
	s := g.Dial(t, "", "")
	for _, walker := range []string{"hold", "deaf"} {
		t.Run(walker, func(t *testing.T) {
			want := testkit.Frame{"status": 504, "code": "timeout", "error": "walker " + walker + " did not end in time"}
			got := g.Post(t, walker, "", nil)
			s.Same(got.JSON(t), want)
			if got.Status != http.StatusGatewayTimeout {
				t.Errorf("over REST %d", got.Status)
			}
			s.Say(call(walker, testkit.Frame{}))
			want["type"] = "walker"
			s.Expect(want)
			s.Same(s.Ask(call("echo", testkit.Frame{"value": 1})), ok(1)) // whoever waits behind it is served
		})
	}
	for range 2 {
		if why := testkit.Soon(t, "the walker's context to end", h.ended); !errors.Is(why, context.DeadlineExceeded) {
			t.Errorf("the walker's context ended with %v", why)
		}
	}
}

func TestManyConnectionsComeAndGo(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t)
	user := g.NewUser(t)
	for range 5 {
		sockets := make([]*testkit.Socket, 40)
		for i := range sockets {
			sockets[i] = g.Dial(t, "channel_id=room"+strconv.Itoa(i), user.Token)
		}
		for i, s := range sockets {
			if i%2 == 0 {
				s.Leave(wire.CloseNormal)
				s.ExpectClose(wire.CloseNormal)
			}
			_ = s.Raw().Close()
		}
	}
	testkit.Until(t, "nothing to be left of them", func() bool {
		text := string(g.Request(t, http.MethodGet, "/metrics", "", nil).Body)
		return strings.Contains(text, "\nwalkergate_connections 0\n") && strings.Contains(text, "\nwalkergate_users 0\n") &&
			strings.Contains(text, "\nwalkergate_channels 0\n") && strings.Contains(text, "\nwalkergate_connections_opened_total 200\n")
	})
}
