package app_test

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"testing"
	"time"

	"github.com/walkergate/walkergate/app"
	"github.com/walkergate/walkergate/internal/testkit"
	"github.com/walkergate/walkergate/wire"
)

var retry = regexp.MustCompile(`^retry=\d{1,4}$`)

func TestStopLetsWalkersEnd(t *testing.T) {
	t.Parallel()
	h := newHold()
	g := testkit.Start(t, testkit.Walkers(h.register))
	busy, idle := g.Dial(t, "", ""), g.Dial(t, "", "")
	busy.Say(call("hold", testkit.Frame{"say": "socket"}))
	h.running(t)
	busy.Say(call("echo", testkit.Frame{"value": "waits"}))
	busy.Same(busy.Ask(testkit.Frame{"type": "ping"}), testkit.Frame{"type": "pong"}) // it has been read
	answered := make(chan testkit.Response, 1)
	go func() { answered <- g.Post(t, "hold", "", testkit.Frame{"say": "rest"}) }()
	h.running(t)

	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		g.Stop()
	}()
	if reason := idle.ExpectClose(wire.CloseGoingAway); !retry.MatchString(reason) {
		t.Errorf("the idle client was sent away with %q", reason)
	}
	_ = idle.Close()
	testkit.Until(t, "upgrades to be refused", func() bool {
		status, connected := g.TryDial(t, "", nil)
		return !connected && (status == 0 || status == http.StatusServiceUnavailable)
	})
	select {
	case <-stopped:
		t.Fatal("the gateway has stopped and its walkers have not")
	default:
	}
	busy.Same(busy.Ask(testkit.Frame{"type": "ping"}), testkit.Frame{"type": "pong"})
	busy.Say(testkit.Frame{"type": "connection", "id": "late"})
	busy.ExpectError("reply", "busy") // nothing new is begun

	h.release <- struct{}{}
	h.release <- struct{}{}
	busy.Expect(ok("socket"))
	busy.Expect(ok("waits"))
	if reason := busy.ExpectClose(wire.CloseGoingAway); !retry.MatchString(reason) {
		t.Errorf("the busy client was sent away with %q", reason)
	}
	_ = busy.Close()
	if got := testkit.Soon(t, "the REST answer", answered); got.Status != 200 || string(got.Body) != `{"status":200,"reports":["rest"]}` {
		t.Errorf("over REST %d %s", got.Status, got.Body)
	}
	testkit.Soon(t, "the stop", stopped)
	if _, connected := g.TryDial(t, "", nil); connected {
		t.Error("somebody still listens")
	}
}

func TestStopIsBounded(t *testing.T) {
	t.Parallel()
	h := newHold()
	g := testkit.Start(t, testkit.Walkers(h.register), testkit.Config(func(c *app.Config) { c.ShutdownTimeout = 100 * time.Millisecond }))
	s := g.Dial(t, "", "")
	s.Say(call("hold", testkit.Frame{}))
	h.running(t)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		g.Stop()
	}()
	if why := testkit.Soon(t, "the walker's context to end", h.ended); !errors.Is(why, context.Canceled) {
		t.Errorf("the walker's context ended with %v", why)
	}
	s.ExpectClose(wire.CloseGoingAway)
	_ = s.Close()
	testkit.Soon(t, "the stop", stopped)
}

func TestDataOutlivesAStop(t *testing.T) {
	t.Parallel()
	dataDir := t.TempDir()
	inside := testkit.Config(func(c *app.Config) { c.DataDir = dataDir })
	first := testkit.Start(t, inside)
	user, out := first.NewUser(t), first.NewUser(t)
	first.Request(t, http.MethodPost, "/user/logout", out.Token, nil)
	first.Stop()

	second := testkit.Start(t, inside)
	if !alive(t, second, user.Token) {
		t.Error("a token died of the restart")
	}
	if alive(t, second, out.Token) {
		t.Error("a token that was ended came alive by the restart")
	}
	second.Login(t, user)
}
