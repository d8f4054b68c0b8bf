package app_test

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/walkergate/walkergate/app"
	"github.com/walkergate/walkergate/internal/client"
	"github.com/walkergate/walkergate/internal/testkit"
	"github.com/walkergate/walkergate/wire"
)

func TestSlowWalkerHoldsUpItsOwnClientAlone(t *testing.T) {
	t.Parallel()
	h := newHold()
	g := testkit.Start(t, testkit.Walkers(h.register))
	slow, other := g.Dial(t, "", ""), g.Dial(t, "", "")
	slow.Say(call("hold", testkit.Frame{"say": "slow"}))
	h.running(t)

	t.Run("not its pings", func(t *testing.T) {
		slow.Same(slow.Ask(testkit.Frame{"type": "ping"}), testkit.Frame{"type": "pong"})
		slow.Same(slow.Ask(testkit.Frame{"type": "ping", "id": "p"}), testkit.Frame{"type": "reply", "id": "p", "ok": true})
		if err := slow.SendMessage(ws.OpPing, []byte("x")); err != nil {
			t.Fatal(err)
		}
		kind, payload, err := testkit.ReadFrame(slow.Raw())
		if err != nil || kind != ws.OpPong || string(payload) != "x" {
			t.Fatalf("got %v %q %v, want a pong", kind, payload, err)
		}
	})
	t.Run("not other clients", func(t *testing.T) {
		other.Same(other.Ask(call("echo", testkit.Frame{"value": 1})), ok(1))
		if got := g.Post(t, "echo", "", testkit.Frame{"value": 1}); got.Status != 200 {
			t.Errorf("%d %s", got.Status, got.Body)
		}
	})
	t.Run("not its close", func(t *testing.T) {
		slow.Leave(wire.CloseNormal)
		slow.ExpectClose(wire.CloseNormal)
		_ = slow.Close()
		if why := testkit.Soon(t, "the walker's context to end", h.ended); !errors.Is(why, context.Canceled) {
			t.Errorf("the walker of a client that left ended with %v", why)
		}
	})
}

func TestRepliesComeInTheOrderOfFrames(t *testing.T) {
	t.Parallel()
	h := newHold()
	g := testkit.Start(t, testkit.Walkers(h.register))
	user := g.NewUser(t)
	s := g.Dial(t, "channel_id=c", user.Token)
	s.Say(call("hold", testkit.Frame{"say": "first"}))
	h.running(t)
	s.Say(call("echo", testkit.Frame{"value": 2}))
	s.Say(testkit.Frame{"type": "connection", "id": "third"})
	s.Say(withID(channels("c"), "fourth"))
	s.Say(testkit.Frame{"type": "nonsense", "id": "fifth"})
	s.Say(testkit.Frame{"type": "change_user"})
	s.Say(call("hold", testkit.Frame{"say": "seventh"}))
	s.Say(testkit.Frame{"type": "connection", "id": "eighth"})
	s.Say(testkit.Frame{"type": "ping"}) // a sign of life does not wait
	s.Expect(testkit.Frame{"type": "pong"})

	h.release <- struct{}{}
	s.Expect(ok("first"))
	s.Expect(ok(2))
	s.Expect(withID(event(s, user.RootID), "third"))
	s.Expect(news)
	s.Expect(withID(reached(1), "fourth"))
	if got := s.Next(); got["id"] != "fifth" || got["code"] != "unknown_type" {
		t.Errorf("got %v", got)
	}
	s.Expect(event(s, publicRoot))
	if say := h.running(t); say != "seventh" {
		t.Errorf("%q ran", say)
	}
	h.release <- struct{}{}
	s.Expect(ok("seventh"))
	s.Expect(withID(event(s, publicRoot), "eighth"))
}

func TestWalkersOfOneClientRunOneAtATime(t *testing.T) {
	t.Parallel()
	h := newHold()
	g := testkit.Start(t, testkit.Walkers(h.register))
	s := g.Dial(t, "", "")
	const frames = 30
	for n := range frames {
		s.Say(call("hold", testkit.Frame{"say": strconv.Itoa(n)}))
	}
	for n := range frames {
		if say := h.running(t); say != strconv.Itoa(n) {
			t.Fatalf("%s ran as number %d", say, n)
		}
		s.Same(s.Ask(testkit.Frame{"type": "ping"}), testkit.Frame{"type": "pong"})
		select {
		case say := <-h.started:
			t.Fatalf("%s ran beside %d", say, n)
		default:
		}
		h.release <- struct{}{}
		s.Expect(ok(strconv.Itoa(n)))
	}
}

func TestFramesBehindARunningWalkerAreBounded(t *testing.T) {
	t.Parallel()
	h := newHold()
	g := testkit.Start(t, testkit.Walkers(h.register))
	s := g.Dial(t, "", "")
	s.Say(call("hold", testkit.Frame{"say": "running"}))
	h.running(t)
	const room = 64
	for n := range room {
		s.Say(testkit.Frame{"type": "connection", "id": strconv.Itoa(n)})
	}
	s.Say(testkit.Frame{"type": "connection", "id": "over"})
	s.Say(call("echo", testkit.Frame{"value": 1}))
	if busy := s.ExpectError("reply", "busy"); busy["id"] != "over" || busy["status"] != 503.0 {
		t.Errorf("got %v", busy)
	}
	s.ExpectError("walker", "busy")
	h.release <- struct{}{}
	s.Expect(ok("running"))
	for n := range room {
		if got := s.Next(); got["id"] != strconv.Itoa(n) {
			t.Fatalf("frame %d was answered by %v", n, got)
		}
	}
	s.Same(s.Ask(call("echo", testkit.Frame{"value": 1})), ok(1)) // there is room again
}

func TestFrameRateIsHeld(t *testing.T) {
	t.Parallel()
	const burst = 10
	g := testkit.Start(t, testkit.Config(func(c *app.Config) { c.FrameRate, c.FrameBurst = 1, burst }))

	t.Run("rate_limited, then closed", func(t *testing.T) {
		s, other := g.Dial(t, "", ""), g.Dial(t, "", "")
		refused := 0
		for answers := 0; ; answers++ {
			if err := s.Send(testkit.Frame{"type": "ping", "id": "x"}); err != nil {
				break // closed meanwhile: the reason is read below
			}
			text, err := s.Read(time.Now().Add(testkit.Patience))
			if err != nil {
				var closed *client.Closed
				if !errors.As(err, &closed) || closed.Code != wire.CloseOverLimits {
					t.Fatalf("closed with %v, want 4429", err)
				}
				break
			}
			if string(text) == `{"type":"reply","id":"x","ok":true}` {
				continue
			}
			if want := `{"type":"reply","id":"x","ok":false,"status":429,"code":"rate_limited","error":"too many frames"}`; string(text) != want {
				t.Fatalf("got %s", text)
			}
			if refused++; answers < burst {
				t.Fatalf("refused after %d frames, the burst is %d", answers, burst)
			}
		}
		if refused < burst {
			t.Errorf("closed after %d refusals, want no fewer than %d", refused, burst)
		}
		other.Same(other.Ask(testkit.Frame{"type": "ping"}), testkit.Frame{"type": "pong"})
	})
	t.Run("the default lets a burst of 200 through", func(t *testing.T) {
		s := testkit.Start(t).Dial(t, "", "")
		for range 200 {
			s.Say(testkit.Frame{"type": "ping"})
		}
		for range 200 {
			s.Expect(testkit.Frame{"type": "pong"})
		}
	})
}

func TestBadFramesKeepTheConnection(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t)
	s := g.Dial(t, "", "")
	for range 30 {
		for _, text := range []string{`{`, `"x"`, `{"type":"walker"}`, `{"type":"?"}`, `{"type":"ping","type":"ping"}`} {
			if err := s.SendText([]byte(text)); err != nil {
				t.Fatal(err)
			}
			if got := s.Next(); got["status"] != 400.0 {
				t.Fatalf("%s was answered %v", text, got)
			}
		}
	}
	s.Quiet()
}

func TestBreachesOfTheProtocolClose(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t, testkit.Config(func(c *app.Config) { c.MaxFrameBytes = 1000 }))
	unmasked := ws.MustCompileFrame(ws.NewTextFrame([]byte("{}")))
	tests := []struct {
		name string
		code wire.CloseCode
		sent []byte
	}{
		{"no mask", wire.CloseProtocol, unmasked},
		{"reserved bit", wire.CloseProtocol, []byte{0xC1, 0x80, 0, 0, 0, 0}},
		{"reserved opcode", wire.CloseProtocol, []byte{0x83, 0x80, 0, 0, 0, 0}},
		{"binary", wire.CloseUnsupported, ws.MustCompileFrame(ws.MaskFrameInPlace(ws.NewBinaryFrame([]byte("{}"))))},
		{"not UTF-8", wire.CloseInvalidText, testkit.ClientFrame("\xff")},
		{"too big", wire.CloseTooBig, testkit.ClientFrame(string(make([]byte, 1001)))},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := g.Dial(t, "", "")
			if _, err := s.Raw().Write(test.sent); err != nil {
				t.Fatal(err)
			}
			s.ExpectClose(test.code)
		})
	}
}

func TestSilentClientIsClosed(t *testing.T) {
	t.Parallel()
	t.Run("pinged first", func(t *testing.T) {
		g := testkit.Start(t, testkit.Config(func(c *app.Config) { c.PingInterval = 20 * time.Millisecond }))
		s := testkit.Shake(t, dialTCP(t, g), nil)
		s.Next(t) // the connection event
		for range 2 {
			if kind, _, err := s.Frame(); err != nil || kind != ws.OpPing {
				t.Fatalf("got a frame of kind %v, %v; want a ping", kind, err)
			}
			pong := ws.MustCompileFrame(ws.MaskFrameInPlace(ws.NewPongFrame(nil)))
			if _, err := s.Conn.Write(pong); err != nil {
				t.Fatal(err)
			}
		}
	})
	t.Run("closed in the end", func(t *testing.T) {
		g := testkit.Start(t, testkit.Config(func(c *app.Config) {
			c.PingInterval, c.DeadAfter = 50*time.Millisecond, 200*time.Millisecond
		}))
		s := testkit.Shake(t, dialTCP(t, g), nil)
		s.Next(t)
		for {
			kind, payload, err := s.Frame()
			if err != nil {
				t.Fatalf("ended with %v, want a close", err)
			}
			if kind == ws.OpPing { // and no answer
				continue
			}
			if code, _ := ws.ParseCloseFrameData(payload); kind != ws.OpClose || wire.CloseCode(code) != wire.CloseNoSignOfLife {
				t.Errorf("got a frame of kind %v, code %d; want 4408", kind, code)
			}
			return
		}
	})
}
