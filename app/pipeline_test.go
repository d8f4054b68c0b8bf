package app_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/walkergate/walkergate/app"
	"github.com/walkergate/walkergate/internal/testkit"
	"github.com/walkergate/walkergate/specs"
	"github.com/walkergate/walkergate/walkers"
	"github.com/walkergate/walkergate/wire"
)

// Each frame is carried out as the user that the connection is of when its turn
// comes, and not as the one it was of when it was sent or opened.
func TestEachFrameIsItsUsersOfTheMoment(t *testing.T) {
	t.Parallel()
	h := newHold()
	g := testkit.Start(t, testkit.Walkers(fixtures), testkit.Walkers(h.register), testkit.Walkers(func(r *walkers.Registry) {
		walkers.Register(r, specs.Walker{Name: "who_was", Methods: bothDoors},
			func(_ context.Context, call *walkers.Call, _ struct{}) error {
				h.started <- "who_was"
				<-h.release
				call.Report(call.RootID())
				return nil
			})
	}))
	ann, bob := g.NewUser(t), g.NewUser(t)
	s, far := g.Dial(t, "channel_id=near", ann.Token), g.Dial(t, "channel_id=far", "")
	s.Say(call("who_was", testkit.Frame{})) // all that follows waits behind it
	h.running(t)
	for _, frame := range []testkit.Frame{
		call("whoami", testkit.Frame{}), become(bob.Token),
		call("whoami", testkit.Frame{}), call("anybody", testkit.Frame{}), channels("far"), {"type": "change_user"},
		call("whoami", testkit.Frame{}), call("anybody", testkit.Frame{}), channels("far"), channels("near"), become(ann.Token),
		call("whoami", testkit.Frame{}), users(ann.RootID, bob.RootID), {"type": "connection"},
	} {
		s.Say(frame)
	}
	s.Same(s.Ask(testkit.Frame{"type": "ping"}), testkit.Frame{"type": "pong"}) // all have been read
	far.Quiet()
	h.release <- struct{}{}

	s.Expect(ok(ann.RootID)) // it began as ann's
	s.Expect(ok(ann.RootID))
	s.Expect(event(s, bob.RootID))
	s.Expect(ok(bob.RootID))
	s.Expect(ok(bob.RootID))
	s.Expect(reached(1))
	far.Expect(news)
	s.Expect(event(s, publicRoot))
	s.ExpectError("walker", "unauthenticated")
	s.Expect(ok(publicRoot))
	s.ExpectError("reply", "forbidden") // a stranger, and not in that channel
	s.Expect(news)
	s.Expect(reached(1))
	s.Expect(event(s, ann.RootID))
	s.Expect(ok(ann.RootID))
	s.Expect(news) // ann's own; bob is nowhere any more
	s.Expect(reached(1))
	s.Expect(event(s, ann.RootID))
	far.Quiet()
}

// Who logged in by a header logs out by a frame: the header is of no use to
// anybody any more.
func TestLogoutOfAHeader(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t, testkit.Walkers(fixtures))
	user := g.NewUser(t)
	for name, s := range map[string]*testkit.Socket{
		"header": g.Dial(t, "", user.Token), "URL": g.Dial(t, "token="+user.Token, ""),
	} {
		t.Run(name, func(t *testing.T) {
			s.Same(s.Ask(call("whoami", testkit.Frame{})), ok(user.RootID))
			for range 2 { // and again
				s.Same(s.Ask(testkit.Frame{"type": "change_user"}), event(s, publicRoot))
				s.Say(call("whoami", testkit.Frame{}))
				s.ExpectError("walker", "unauthenticated")
			}
			s.Same(s.Ask(call("anybody", testkit.Frame{})), ok(publicRoot))
			s.Say(users(user.RootID))
			s.ExpectError("reply", "forbidden")
		})
	}
}

// identified are frames of every kind that end in every way, and the end of
// each as its reply tells it: ok, or a code.
func identified(s *testkit.Socket, token string) []struct {
	frame testkit.Frame
	end   string
} {
	walker := func(name string, context testkit.Frame) testkit.Frame {
		return testkit.Frame{"type": "walker", "walker": name, "context": context}
	}
	return []struct {
		frame testkit.Frame
		end   string
	}{
		{testkit.Frame{"type": "connection"}, "event"},
		{testkit.Frame{"type": "ping"}, "ok"},
		{walker("sum", testkit.Frame{"a": 1}), "ok"},
		{with(walker("sum", testkit.Frame{"a": 1}), "response", true), "ok"},
		{walker("shape", testkit.Frame{"body": "own"}), "ok"},
		{walker("shape", testkit.Frame{"status": 418}), "ok"},
		{walker("tell", testkit.Frame{"self": true, "data": testkit.Frame{"note": "noise"}}), "ok"},
		{walker("sum", testkit.Frame{}), "invalid_context"},
		{walker("nobody", testkit.Frame{}), "unknown_walker"},
		{walker("fail", testkit.Frame{"how": "fault"}), "conflict"},
		{walker("fail", testkit.Frame{"how": "panic"}), "internal"},
		{with(walker("enter", testkit.Frame{}), "node", "n:Room:none"), "not_found"},
		{testkit.Frame{"type": "walker"}, "bad_frame"},
		{with(channels(s.ChannelID), "data", testkit.Frame{"note": "noise"}), "ok"},
		{clients("1:2"), "ok"},
		{users(publicRoot), "forbidden"},
		{with(clients("1:2"), "data", testkit.Frame{"type": "reply"}), "reserved_type"},
		{testkit.Frame{"type": "user", "root_ids": []string{}}, "bad_frame"},
		{testkit.Frame{"type": "nonsense"}, "unknown_type"},
		{testkit.Frame{"no": "type"}, "bad_frame"},
		{testkit.Frame{"type": "change_user", "token": 7}, "bad_frame"},
		{testkit.Frame{"type": "change_user", "token": "nonsense"}, "event"},
		{become(token), "event"},
	}
}

// Every frame with an id is answered by one frame that bears it, however it
// ends, and what others send meanwhile is never taken for it.
func TestEveryIDIsAnsweredOnce(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t, testkit.Walkers(fixtures))
	user := g.NewUser(t)
	s, other := g.Dial(t, "", user.Token), g.Dial(t, "", g.NewUser(t).Token)
	frames := identified(s, user.Token)
	want := make(map[string]string)
	for n, each := range frames {
		id := strconv.Itoa(n)
		want[id] = each.end
		s.Say(withID(each.frame, id))
		noise := clients(s.ClientID)
		noise["data"] = testkit.Frame{"id": id, "ok": true, "note": "noise"} // it looks like an answer, and bears no type of one
		other.Same(other.Ask(noise), reached(1))
	}
	s.Say(testkit.Frame{"type": "connection", "id": "end"})
	got := make(map[string]string)
	unasked := 0 // the error that goes before the event of a refused token
	for frame := s.Next(); frame["id"] != "end"; frame = s.Next() {
		id, _ := frame["id"].(string)
		switch {
		case frame["note"] == "noise":
		case id == "" && frame["code"] == "token_invalid":
			unasked++
		case got[id] != "":
			t.Errorf("%s was answered again, by %v", id, frame)
		default:
			got[id] = endTold(t, frame)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || unasked != 1 {
		t.Errorf("%d errors bear no id; the ends (-want +got):\n%s", unasked, diff)
	}
}

// endTold judges an answer by the one shape that it may have.
func endTold(t *testing.T, frame testkit.Frame) string {
	t.Helper()
	if _, isEvent := frame["data"]; isEvent && frame["type"] == "connection" {
		return "event"
	}
	_, hasStatus := frame["status"].(float64)
	code, hasCode := frame["code"].(string)
	message, _ := frame["error"].(string)
	if frame["type"] != "reply" || frame["ok"] == hasCode || hasCode && (!hasStatus || message == "") {
		t.Errorf("answered %v", frame)
	}
	if hasCode {
		return code
	}
	return "ok"
}

// A client that goes, in whatever way, takes with it what runs for it and what
// waits for that; nobody else's.
func TestClientThatGoesCancelsItsWalkers(t *testing.T) {
	t.Parallel()
	ways := map[string]func(t *testing.T, s *testkit.Socket){
		"goodbye":  func(_ *testing.T, s *testkit.Socket) { s.Leave(wire.CloseNormal) },
		"hang up":  func(_ *testing.T, s *testkit.Socket) { _ = s.Raw().Close() },
		"reset":    reset,
		"breach":   func(_ *testing.T, s *testkit.Socket) { breach(s, 0x2, "x") },
		"too much": tooOften,
	}
	for name, goes := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHold()
			g := testkit.Start(t, testkit.Walkers(h.register), testkit.Config(func(c *app.Config) { c.FrameRate, c.FrameBurst = 1, 10 }))
			s, stays := g.Dial(t, "", ""), g.Dial(t, "", "")
			stays.Say(call("hold", testkit.Frame{"say": "stays"}))
			h.running(t)
			s.Say(call("hold", testkit.Frame{"say": "goes"}))
			h.running(t)
			s.Say(call("hold", testkit.Frame{"say": "waits"}))
			s.Same(s.Ask(testkit.Frame{"type": "ping"}), testkit.Frame{"type": "pong"}) // it has been read
			goes(t, s)
			if why := testkit.Soon(t, "the walker's context to end", h.ended); !errors.Is(why, context.Canceled) {
				t.Errorf("the walker's context ended with %v", why)
			}
			testkit.Until(t, "the client to be gone", func() bool { return metric(t, g, "walkergate_connections") == 1 })
			h.release <- struct{}{}
			stays.Expect(ok("stays"))
			select {
			case say := <-h.started:
				t.Errorf("%q was run for nobody", say)
			case why := <-h.ended:
				t.Errorf("another walker's context ended with %v", why)
			default:
			}
		})
	}
}

// Walkers that wait hold up nobody: not those of others, however many wait.
func TestManySlowWalkersHoldUpNobody(t *testing.T) {
	t.Parallel()
	h := newHold()
	g := testkit.Start(t, testkit.Walkers(h.register))
	other := g.Dial(t, "channel_id=room", g.NewUser(t).Token)
	const slow = 100
	waiting := make([]*testkit.Socket, slow)
	for n := range waiting {
		waiting[n] = g.Dial(t, "channel_id=room", "")
		waiting[n].Say(call("hold", testkit.Frame{"say": strconv.Itoa(n)}))
		h.running(t)
	}
	other.Same(other.Ask(call("echo", testkit.Frame{"value": 1})), ok(1))
	if got := g.Post(t, "echo", "", testkit.Frame{"value": 1}); got.Status != 200 {
		t.Errorf("%d %s", got.Status, got.Body)
	}
	other.Say(channels("room"))
	other.Expect(news)
	other.Expect(reached(slow + 1))
	for _, s := range waiting {
		s.Expect(news)
		s.Same(s.Ask(testkit.Frame{"type": "ping"}), testkit.Frame{"type": "pong"})
	}
	for range waiting {
		h.release <- struct{}{}
	}
	for n, s := range waiting {
		s.Expect(ok(strconv.Itoa(n)))
	}
}

// One connection serves for as many calls as one likes, of as many walkers.
func TestOneSocketTakesAThousandCalls(t *testing.T) {
	t.Parallel()
	const calls, ahead = 1000, 50
	g := testkit.Start(t, testkit.Walkers(fixtures), testkit.Config(func(c *app.Config) { c.FrameRate, c.FrameBurst = 1_000_000, 1_000_000 }))
	user := g.NewUser(t)
	s := g.Dial(t, "", user.Token)
	kinds := []struct {
		ask    func(n int) testkit.Frame
		answer func(n int) testkit.Frame
	}{
		{func(n int) testkit.Frame { return call("echo", testkit.Frame{"value": n}) }, func(n int) testkit.Frame { return ok(n) }},
		{func(int) testkit.Frame { return call("whoami", testkit.Frame{}) }, func(int) testkit.Frame { return ok(user.RootID) }},
		{func(n int) testkit.Frame { return call("sum", testkit.Frame{"a": n}) }, func(n int) testkit.Frame {
			return ok(testkit.Frame{"label": "sum", "sum": n + 1, "tags": nil}, nil)
		}},
	}
	for n := range calls + ahead {
		if n < calls {
			s.Say(kinds[n%len(kinds)].ask(n))
		}
		if done := n - ahead; done >= 0 {
			s.Expect(kinds[done%len(kinds)].answer(done))
		}
	}
	s.Quiet()
}

// A connection is live from its first moment: what is sent right behind the
// handshake, before anything was read, is carried out.
func TestNothingSentBehindTheHandshakeIsLost(t *testing.T) {
	t.Parallel()
	const connections, sends = 50, 200
	g := testkit.Start(t, testkit.Config(func(c *app.Config) { c.FrameBurst = sends }))
	user := g.NewUser(t)
	var behind []byte
	for n := range sends {
		behind = append(behind, testkit.ClientFrame(fmt.Sprintf(`{"type":"user","root_ids":["%s"],"data":{"n":%d}}`, user.RootID, n))...)
	}
	for range connections {
		h := testkit.Shake(t, dialTCP(t, g), behind, "Authorization", "Bearer "+user.Token)
		if first := h.Next(t); !bytes.Contains(first, []byte(user.RootID)) {
			t.Fatalf("the first frame was %s", first)
		}
		for n := range sends {
			if got, want := string(h.Next(t)), fmt.Sprintf(`{"n":%d}`, n); got != want {
				t.Fatalf("got %s, want %s", got, want)
			}
		}
		_ = h.Conn.Close()
		testkit.Until(t, "the connection to be gone", func() bool { return metric(t, g, "walkergate_connections") == 0 })
	}
}
