package app_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/walkergate/walkergate/app"
	"github.com/walkergate/walkergate/gateway"
	"github.com/walkergate/walkergate/internal/testkit"
)

// send makes a publish frame with an id, so that it is answered.
func send(kind, targets string, ids ...string) testkit.Frame {
	return testkit.Frame{"type": kind, "id": "p", targets: ids, "data": testkit.Frame{"type": "news", "n": 1}}
}

func users(ids ...string) testkit.Frame    { return send("user", "root_ids", ids...) }
func channels(ids ...string) testkit.Frame { return send("channel", "channel_ids", ids...) }
func clients(ids ...string) testkit.Frame  { return send("client", "client_ids", ids...) }

// news is what the receivers of send get.
var news = testkit.Frame{"type": "news", "n": 1}

func reached(n int) testkit.Frame {
	return testkit.Frame{"type": "reply", "id": "p", "ok": true, "reached": n}
}

func TestClientsSendToUsersChannelsAndClients(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t)
	ann, bob := g.NewUser(t), g.NewUser(t)
	sender := g.Dial(t, "channel_id=own", ann.Token)
	bob1, bob2 := g.Dial(t, "channel_id=room", bob.Token), g.Dial(t, "channel_id=room&channel_id=second", bob.Token)
	guest := g.Dial(t, "channel_id=room", "")
	everybody := []*testkit.Socket{bob1, bob2, guest}
	nobody := "n::0123456789abcdef01234567"
	tests := []struct {
		name      string
		frame     testkit.Frame
		receivers []*testkit.Socket
	}{
		{"every tab of a user", users(bob.RootID), []*testkit.Socket{bob1, bob2}},
		{"everybody in a channel", channels("room"), everybody},
		{"one client", clients(guest.ClientID), []*testkit.Socket{guest}},
		{"several clients", clients(bob1.ClientID, guest.ClientID), []*testkit.Socket{bob1, guest}},
		{"one copy where two targets meet", channels("room", "second"), everybody},
		{"one copy where a target stands twice", users(bob.RootID, bob.RootID), []*testkit.Socket{bob1, bob2}},
		{"unknown users are skipped", users(nobody, bob.RootID), []*testkit.Socket{bob1, bob2}},
		{"unknown channels are skipped", channels("nowhere", "second"), []*testkit.Socket{bob2}},
		{"unknown clients are skipped", clients("1:2", bob2.ClientID), []*testkit.Socket{bob2}},
		{"nobody at all", clients("1:2"), nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			sender.Same(sender.Ask(test.frame), reached(len(test.receivers)))
			for _, s := range test.receivers {
				s.Expect(news)
			}
			for _, s := range everybody {
				s.Quiet()
			}
		})
	}
	t.Run("the sender is a target like any other", func(t *testing.T) {
		sender.Say(channels("own"))
		sender.Expect(news)
		sender.Expect(reached(1))
		sender.Say(users(ann.RootID))
		sender.Expect(news)
		sender.Expect(reached(1))
	})
	t.Run("without an id nothing is answered", func(t *testing.T) {
		frame := clients(guest.ClientID)
		delete(frame, "id")
		sender.Say(frame)
		sender.Quiet()
		guest.Expect(news)
	})
}

func TestReceiversGetTheDataVerbatim(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t)
	user := g.NewUser(t)
	s := g.Dial(t, "", user.Token)
	for _, data := range []string{
		`{}`,
		`{"type":"chat","data":{"text":"hi"}}`,
		`{"b":1,"a":2,"a2":[null,true,{"x":[]}]}`,
		`{ "n" : 1.0e2, "big":123456789012345678901234567890 , "s":"\u00e9é\ud83d\ude42 </script>"}`,
		`{"type":"Connection"}`,
		`{"type":7,"status":200}`,
		`{"type":"own","status":200,"reports":[]}`,
		`{"data":{"type":"connection"}}`,
	} {
		if err := s.SendText([]byte(`{"type":"client","client_ids":["` + s.ClientID + `"],"data":` + data + `}`)); err != nil {
			t.Fatal(err)
		}
		if got := string(s.NextText()); got != data {
			t.Errorf("sent %s\n got %s", data, got)
		}
	}
}

func TestReservedTypesAreNotSent(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t, testkit.Config(open))
	s, receiver := g.Dial(t, "", ""), g.Dial(t, "", "")
	for _, data := range []string{
		`{"type":"connection"}`, `{"type":"walker","error":"x"}`, `{"type":"reply"}`, `{"type":"error"}`,
		`{"type":"channel"}`, `{"type":"pong"}`, `{"x":1,"type":"po\u006eg"}`,
		`{"status":200,"reports":[]}`, `{"reports":1,"x":2,"status":null}`,
	} {
		text := `{"type":"client","id":"r","client_ids":["` + receiver.ClientID + `"],"data":` + data + `}`
		if err := s.SendText([]byte(text)); err != nil {
			t.Fatal(err)
		}
		s.ExpectError("reply", "reserved_type")
	}
	receiver.Quiet()
}

func TestTargetsOfAFrameAreBounded(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t, testkit.Config(open))
	s := g.Dial(t, "", "")
	ids := make([]string, 101)
	for i := range ids {
		ids[i] = strconv.Itoa(i)
	}
	ids[50] = s.ClientID
	s.Say(clients(ids[:100]...))
	s.Expect(news)
	s.Expect(reached(1))
	s.Say(clients(ids...))
	s.ExpectError("reply", "bad_frame")
	s.Quiet()
}

func TestPublishPolicies(t *testing.T) {
	t.Parallel()
	// Who sends, what, and under which policy it arrives.
	attempts := []struct {
		name                string
		public              bool
		frame               func(p *policyWorld) testkit.Frame
		open, authenticated bool // under none nothing does
	}{
		{"a user to a user", false, func(p *policyWorld) testkit.Frame { return users(p.receiver.RootID) }, true, true},
		{"a user to a channel that they are not in", false, func(p *policyWorld) testkit.Frame { return channels("far") }, true, true},
		{"a user to a client", false, func(p *policyWorld) testkit.Frame { return clients(p.receiver.ClientID) }, true, true},
		{"a user to the public root", false, func(p *policyWorld) testkit.Frame { return users(publicRoot) }, true, false},
		{"a user to a user and the public root", false, func(p *policyWorld) testkit.Frame { return users(p.receiver.RootID, publicRoot) }, true, false},
		{"the public user to a user", true, func(p *policyWorld) testkit.Frame { return users(p.receiver.RootID) }, true, false},
		{"the public user to the own channel", true, func(p *policyWorld) testkit.Frame { return channels("near") }, true, true},
		{"the public user to another channel", true, func(p *policyWorld) testkit.Frame { return channels("far") }, true, false},
		{"the public user to the own and another channel", true, func(p *policyWorld) testkit.Frame { return channels("near", "far") }, true, false},
		{"the public user to a client", true, func(p *policyWorld) testkit.Frame { return clients(p.receiver.ClientID) }, true, false},
		{"the public user to itself", true, func(p *policyWorld) testkit.Frame { return clients(p.guest.ClientID) }, true, false},
		{"the public user to the public root", true, func(p *policyWorld) testkit.Frame { return users(publicRoot) }, true, false},
	}
	for _, policy := range []string{"open", "authenticated", "none", ""} {
		t.Run("policy "+policy, func(t *testing.T) {
			t.Parallel()
			p := newPolicyWorld(t, policy)
			for _, attempt := range attempts {
				allowed := policy == "open" && attempt.open || (policy == "authenticated" || policy == "") && attempt.authenticated
				t.Run(attempt.name, func(t *testing.T) {
					sender := p.user
					if attempt.public {
						sender = p.guest
					}
					p.try(t, sender, attempt.frame(p), allowed)
				})
			}
		})
	}
}

// policyWorld is a gateway with a policy: a user and a guest who send, and a
// receiver. The guest and the receiver are in the channel near, the receiver
// is in far as well.
type policyWorld struct {
	user, guest, receiver *testkit.Socket
}

func newPolicyWorld(t *testing.T, policy string) *policyWorld {
	t.Helper()
	g := testkit.Start(t, testkit.Config(func(c *app.Config) {
		c.PublishPolicy = gateway.PublishPolicy(policy) // empty: the default
	}))
	return &policyWorld{
		user:     g.Dial(t, "", g.NewUser(t).Token),
		guest:    g.Dial(t, "channel_id=near", ""),
		receiver: g.Dial(t, "channel_id=near&channel_id=far", g.NewUser(t).Token),
	}
}

// try sends a frame: it is answered with reached and arrives, or it is refused
// as a whole and nobody gets anything.
func (p *policyWorld) try(t *testing.T, sender *testkit.Socket, frame testkit.Frame, allowed bool) {
	t.Helper()
	sender.Say(frame)
	var got []testkit.Frame
	for {
		next := sender.Next()
		got = append(got, next)
		if next["type"] == "reply" {
			break
		}
	}
	answer := got[len(got)-1]
	if answer["ok"] != allowed || !allowed && answer["code"] != "forbidden" {
		t.Fatalf("answered %v, allowed is %t", answer, allowed)
	}
	copies := len(got) - 1
	for _, s := range []*testkit.Socket{p.user, p.guest, p.receiver} {
		if s == sender {
			continue
		}
		s.Say(testkit.Frame{"type": "ping", "id": "end"})
		for next := s.Next(); next["id"] != "end"; next = s.Next() {
			if !cmp.Equal(next, testkit.Frame{"type": "news", "n": 1.0}) {
				t.Errorf("received %v", next)
			}
			copies++
		}
	}
	want := 0.0
	if allowed {
		want, _ = answer["reached"].(float64)
		if want == 0 {
			t.Errorf("allowed, and nobody was reached: %v", answer)
		}
	}
	if float64(copies) != want {
		t.Errorf("%d copies arrived, want %v", copies, want)
	}
}

func TestChatScenarios(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t)
	ann, bob := g.NewUser(t), g.NewUser(t)
	alice, bobby := g.Dial(t, "channel_id=team", ann.Token), g.Dial(t, "channel_id=team", bob.Token)
	chat := func(text string) testkit.Frame {
		return testkit.Frame{"type": "chat", "data": testkit.Frame{"message": text}}
	}
	t.Run("direct, to a user", func(t *testing.T) {
		alice.Same(alice.Ask(call("send_chat_to_user", testkit.Frame{"root_id": bob.RootID, "message": "to you"})), ok())
		bobby.Expect(chat("to you"))
	})
	t.Run("direct, to a client", func(t *testing.T) {
		alice.Same(alice.Ask(call("send_chat_to_client", testkit.Frame{"client_id": bobby.ClientID, "message": "to this tab"})), ok())
		bobby.Expect(chat("to this tab"))
	})
	t.Run("group", func(t *testing.T) {
		alice.Say(call("send_chat_to_group", testkit.Frame{"channel_id": "team", "message": "all"}))
		alice.Expect(chat("all"))
		alice.Expect(ok())
		bobby.Expect(chat("all"))
	})
	t.Run("group, by frames alone", func(t *testing.T) {
		bobby.Say(testkit.Frame{"type": "channel", "channel_ids": []string{"team"}, "data": chat("raw")})
		bobby.Expect(chat("raw"))
		alice.Expect(chat("raw"))
	})
	t.Run("blast, from REST", func(t *testing.T) {
		for _, rootID := range []string{ann.RootID, bob.RootID} {
			if got := g.Post(t, "send_chat_to_user", ann.Token, testkit.Frame{"root_id": rootID}); got.Status != 200 {
				t.Fatalf("%d %s", got.Status, got.Body)
			}
		}
		alice.Expect(chat("string"))
		bobby.Expect(chat("string"))
	})
}

func TestMessagesOfOneSenderStayInOrder(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t)
	user := g.NewUser(t)
	s, receiver := g.Dial(t, "", user.Token), g.Dial(t, "channel_id=c", "")
	const messages = 150
	for n := range messages {
		s.Say(testkit.Frame{"type": "channel", "channel_ids": []string{"c"}, "data": testkit.Frame{"n": n, "pad": strings.Repeat("x", n)}})
	}
	for n := range messages {
		if got := receiver.Next(); got["n"] != float64(n) {
			t.Fatalf("message %v came as number %d", got["n"], n)
		}
	}
}
