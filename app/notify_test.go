package app_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/walkergate/walkergate/internal/testkit"
	"github.com/walkergate/walkergate/specs"
	"github.com/walkergate/walkergate/walkers"
)

func TestWalkerNotifiesSelf(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t, testkit.Walkers(fixtures))
	user := g.NewUser(t)
	s, sibling := g.Dial(t, "channel_id=c", user.Token), g.Dial(t, "channel_id=c", user.Token)
	context := testkit.Frame{"self": true, "data": testkit.Frame{"note": "mine"}}

	s.Say(call("tell", context))
	s.Expect(testkit.Frame{"note": "mine"})
	s.Expect(ok(1, 0))
	sibling.Quiet()

	t.Run("over REST nothing happens", func(t *testing.T) {
		got := g.Post(t, "tell", user.Token, context)
		if got.Status != http.StatusOK || string(got.Body) != `{"status":200,"reports":[0,0]}` {
			t.Errorf("%d %s", got.Status, got.Body)
		}
		progress := g.Post(t, "self_progress_notif", user.Token, nil)
		if progress.Status != http.StatusOK {
			t.Errorf("%d %s", progress.Status, progress.Body)
		}
		s.Quiet()
		sibling.Quiet()
	})
}

func TestWalkerNotifiesUsersChannelsAndClients(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t, testkit.Walkers(fixtures))
	ann, bob := g.NewUser(t), g.NewUser(t)
	tab1, tab2 := g.Dial(t, "channel_id=a", ann.Token), g.Dial(t, "channel_id=b", ann.Token)
	other, guest := g.Dial(t, "channel_id=b", bob.Token), g.Dial(t, "channel_id=c", "")
	tests := []struct {
		name    string
		context testkit.Frame
		reached []*testkit.Socket
	}{
		{"users", testkit.Frame{"users": []string{ann.RootID}}, []*testkit.Socket{tab1, tab2}},
		{"several users", testkit.Frame{"users": []string{ann.RootID, bob.RootID, "n::0123456789abcdef01234567"}}, []*testkit.Socket{tab1, tab2, other}},
		{"channels", testkit.Frame{"channels": []string{"b", "nowhere"}}, []*testkit.Socket{tab2, other}},
		{"clients", testkit.Frame{"clients": []string{guest.ClientID, "1:2"}}, []*testkit.Socket{guest}},
		{"the public user", testkit.Frame{"users": []string{publicRoot}}, []*testkit.Socket{guest}},
	}
	for _, test := range tests {
		test.context["data"] = testkit.Frame{"note": test.name}
		for _, door := range []string{"REST", "socket"} {
			t.Run(test.name+" over "+door, func(t *testing.T) {
				want := ok(len(test.reached))
				if door == "REST" {
					tab1.Same(g.Post(t, "tell", "", test.context).JSON(t), want)
				} else {
					caller := g.Dial(t, "", bob.Token)
					caller.Say(call("tell", test.context))
					got := caller.Next()
					if got["note"] == test.name { // bob's own copy
						got = caller.Next()
						want = ok(len(test.reached) + 1)
					}
					caller.Same(got, want)
					caller.Hang()
				}
				for _, s := range test.reached {
					s.Expect(testkit.Frame{"note": test.name})
				}
				for _, s := range []*testkit.Socket{tab1, tab2, other, guest} {
					s.Quiet()
				}
			})
		}
	}
}

func TestTargetUserIsLookedUp(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t)
	ann, bob := g.NewUser(t), g.NewUser(t)
	s := g.Dial(t, "", bob.Token)
	receiver := g.Dial(t, "", ann.Token)

	s.Same(s.Ask(call("send_chat_to_user", testkit.Frame{"root_id": ann.RootID, "message": "hi"})), ok())
	receiver.Expect(testkit.Frame{"type": "chat", "data": testkit.Frame{"message": "hi"}})

	s.Say(call("send_chat_to_user", testkit.Frame{"root_id": "n::0123456789abcdef01234567", "message": "hi"}))
	s.ExpectError("walker", "not_found")
	s.Say(call("send_chat_to_user", testkit.Frame{"root_id": "ann", "message": "hi"}))
	s.ExpectError("walker", "invalid_context")
	s.Quiet()
	receiver.Quiet()
}

func TestProgressArrivesWhileTheWalkerRuns(t *testing.T) {
	t.Parallel()
	seen := make(chan struct{})
	g := testkit.Start(t, testkit.Walkers(func(r *walkers.Registry) {
		walkers.Register(r, specs.Walker{Name: "steps", Methods: socketDoor, Auth: specs.NoAuth},
			func(ctx context.Context, call *walkers.Call, _ struct{}) error {
				if _, err := call.Notify.Self(ctx, map[string]int{"progress": 50}); err != nil {
					return err
				}
				select { // it ends no sooner than its progress was seen
				case <-seen:
				case <-ctx.Done():
				}
				call.Report("done")
				return ctx.Err()
			})
	}))
	s := g.Dial(t, "", "")
	s.Say(call("steps", testkit.Frame{}))
	s.Expect(testkit.Frame{"progress": 50})
	close(seen)
	s.Expect(ok("done"))

	t.Run("of the built-in walkers", func(t *testing.T) {
		user := g.NewUser(t)
		s := g.Dial(t, "channel_id=c", user.Token)
		for walker, context := range map[string]testkit.Frame{
			"self_progress_notif":    {},
			"user_progress_notif":    {"root_id": user.RootID},
			"channel_progress_notif": {"channel_id": "c"},
			"client_progress_notif":  {"client_id": s.ClientID},
		} {
			s.Say(call(walker, context))
			var reports []any
			for _, step := range []string{"0%", "20%", "40%", "60%", "80%", "100%"} {
				message := testkit.Frame{"type": "progress", "data": testkit.Frame{"progress": step}}
				s.Expect(message)
				reports = append(reports, message)
			}
			s.Expect(ok(reports...))
		}
	})
}
