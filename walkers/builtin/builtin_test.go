package builtin_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/walkergate/walkergate/auth"
	"github.com/walkergate/walkergate/fault"
	"github.com/walkergate/walkergate/notify"
	"github.com/walkergate/walkergate/specs"
	"github.com/walkergate/walkergate/walkers"
	"github.com/walkergate/walkergate/walkers/builtin"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	aliceRoot = "n::672b35cec309e5ef8469c372"
	bobRoot   = "n::672b35cec309e5ef8469c373"
	downRoot  = "n::672b35cec309e5ef8469c374"
)

var (
	alice = auth.Principal{UserID: "672b35cec309e5ef8469c372", RootID: aliceRoot}
	doors = []specs.Method{specs.WebSocket, specs.Post}
)

// users knows alice and bob.
type users struct{}

func (users) UserExists(_ context.Context, rootID string) (bool, error) {
	if rootID == downRoot {
		return false, errors.New("store is down")
	}
	return rootID == aliceRoot || rootID == bobRoot, nil
}

// post writes down what is sent, a line each. Walkers run one at a time here.
type post struct{ lines []string }

func (p *post) keep(kind string, ids []string, data json.RawMessage) (notify.Outcome, error) {
	p.lines = append(p.lines, fmt.Sprintf("%s %s %s", kind, strings.Join(ids, ","), data))
	return notify.Outcome{Reached: 1}, nil
}

func (p *post) Users(_ context.Context, ids []string, message notify.Message) (notify.Outcome, error) {
	return p.keep("users", ids, message.Data)
}

func (p *post) Channels(_ context.Context, ids []string, message notify.Message) (notify.Outcome, error) {
	return p.keep("channels", ids, message.Data)
}

func (p *post) Clients(_ context.Context, ids []string, message notify.Message) (notify.Outcome, error) {
	return p.keep("clients", ids, message.Data)
}

func gateway(t *testing.T) (*walkers.Runner, *post) {
	t.Helper()
	registry := walkers.NewRegistry()
	builtin.Register(registry, users{})
	p := new(post)
	r, err := registry.Runner(walkers.Options{Notifier: p})
	if err != nil {
		t.Fatal(err)
	}
	return r, p
}

func call(walker string, door specs.Method, context string) walkers.Invocation {
	inv := walkers.Invocation{Walker: walker, Door: door, Context: []byte(context), Principal: alice}
	if door == specs.WebSocket {
		inv.ClientID = "1730887348:c1"
	}
	return inv
}

func TestChat(t *testing.T) {
	const message = `{"type":"chat","data":{"message":"%s"}}`
	for _, test := range []struct{ walker, context, want string }{
		{"send_chat_to_user", `{"root_id":"` + bobRoot + `"}`, "users " + bobRoot + " " + fmt.Sprintf(message, "string")},
		{"send_chat_to_user", `{"root_id":"n:Root:672B35CEC309E5EF8469C373","message":"hi"}`, "users " + bobRoot + " " + fmt.Sprintf(message, "hi")},
		{"send_chat_to_group", `{"channel_id":"room-7"}`, "channels room-7 " + fmt.Sprintf(message, "string")},
		{"send_chat_to_client", `{"client_id":"1:ab","message":"hi"}`, "clients 1:ab " + fmt.Sprintf(message, "hi")},
	} {
		for _, door := range doors {
			r, p := gateway(t)
			answer, err := r.Run(context.Background(), call(test.walker, door, test.context))
			if err != nil || string(answer.JSON()) != `{"status":200,"reports":[]}` {
				t.Errorf("%s over %s: %s, %v", test.walker, door, answer.JSON(), err)
			}
			if diff := cmp.Diff([]string{test.want}, p.lines); diff != "" {
				t.Errorf("%s over %s sent (-want +got):\n%s", test.walker, door, diff)
			}
		}
	}
}

func TestProgress(t *testing.T) {
	for _, test := range []struct{ walker, context, target string }{
		{"self_progress_notif", `{}`, "clients 1730887348:c1"},
		{"user_progress_notif", `{"root_id":"` + bobRoot + `"}`, "users " + bobRoot},
		{"channel_progress_notif", `{"channel_id":"room-7"}`, "channels room-7"},
		{"client_progress_notif", `{"client_id":"1:ab"}`, "clients 1:ab"},
	} {
		for _, door := range doors {
			r, p := gateway(t)
			answer, err := r.Run(context.Background(), call(test.walker, door, test.context))
			if err != nil {
				t.Errorf("%s over %s: %v", test.walker, door, err)
			}
			var reports, lines []string
			for _, step := range []string{"0%", "20%", "40%", "60%", "80%", "100%"} {
				message := `{"type":"progress","data":{"progress":"` + step + `"}}`
				reports, lines = append(reports, message), append(lines, test.target+" "+message)
			}
			if test.walker == "self_progress_notif" && door == specs.Post {
				lines = nil // over HTTP there is no self
			}
			if want := "[" + strings.Join(reports, ",") + "]"; string(answer.Reports) != want {
				t.Errorf("%s over %s reports %s, want %s", test.walker, door, answer.Reports, want)
			}
			if diff := cmp.Diff(lines, p.lines); diff != "" {
				t.Errorf("%s over %s sent (-want +got):\n%s", test.walker, door, diff)
			}
		}
	}
}

func TestTargetsThatAreNone(t *testing.T) {
	for _, test := range []struct {
		walker, context string
		code            fault.Code
		field           string
	}{
		{"send_chat_to_user", `{}`, fault.InvalidContext, "root_id"},
		{"send_chat_to_user", `{"root_id":"bob"}`, fault.InvalidContext, "root_id"},
		{"user_progress_notif", `{"root_id":"n::zz"}`, fault.InvalidContext, "root_id"},
		{"send_chat_to_user", `{"root_id":"n::672b35cec309e5ef8469c399"}`, fault.NotFound, ""},
		{"user_progress_notif", `{"root_id":"n::672b35cec309e5ef8469c399"}`, fault.NotFound, ""},
		{"send_chat_to_user", `{"root_id":"` + downRoot + `"}`, fault.Internal, ""},
		{"send_chat_to_group", `{"channel_id":""}`, fault.InvalidContext, "channel_id"},
		{"send_chat_to_client", `{"client_id":7}`, fault.InvalidContext, "client_id"},
		{"channel_progress_notif", `{}`, fault.InvalidContext, "channel_id"},
		{"client_progress_notif", `{"client_id":""}`, fault.InvalidContext, "client_id"},
	} {
		r, p := gateway(t)
		_, err := r.Run(context.Background(), call(test.walker, specs.WebSocket, test.context))
		var told *fault.Error
		if !errors.As(err, &told) || told.Code != test.code {
			t.Errorf("%s %s gives %v, want %s", test.walker, test.context, err, test.code)
			continue
		}
		if test.field != "" && (len(told.Details) != 1 || told.Details[0].Field != test.field) {
			t.Errorf("%s %s: details are %v", test.walker, test.context, told.Details)
		}
		if len(p.lines) != 0 {
			t.Errorf("%s %s sent %v", test.walker, test.context, p.lines)
		}
	}
}

func TestEchoReportsWhatItWasSentToEverybody(t *testing.T) {
	r, _ := gateway(t)
	for _, value := range []string{`"x"`, `null`, `12345678901234567890`, `{"a":[1.0,true]}`} {
		for _, door := range doors {
			inv := call("echo", door, `{"value":`+value+`}`)
			inv.Principal = auth.Public()
			answer, err := r.Run(context.Background(), inv)
			if err != nil || string(answer.Reports) != "["+value+"]" {
				t.Errorf("echo of %s over %s: %s, %v", value, door, answer.Reports, err)
			}
		}
	}
	if _, err := r.Run(context.Background(), call("echo", specs.Post, `{}`)); !fault.Is(err, fault.InvalidContext) {
		t.Errorf("without a value: %v", err)
	}
}

func TestAllButEchoNeedAUser(t *testing.T) {
	r, _ := gateway(t)
	for _, spec := range r.Walkers() {
		inv := call(spec.Name, specs.WebSocket, `{"value":1}`)
		inv.Principal = auth.Public()
		_, err := r.Run(context.Background(), inv)
		if open := spec.Name == "echo"; fault.Is(err, fault.Unauthenticated) == open {
			t.Errorf("%s without a user: %v", spec.Name, err)
		}
	}
}
