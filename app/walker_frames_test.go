package app_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/walkergate/walkergate/internal/testkit"
)

func TestMethodsSayAtWhichDoorAWalkerStands(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t, testkit.Walkers(fixtures))
	s := g.Dial(t, "", "")
	unknown := testkit.Frame{
		"type": "walker", "status": 404, "code": "unknown_walker", "error": "Invalid request! Please use valid walker event!",
	}
	tests := []struct {
		walker       string
		socket, rest bool
	}{
		{"sum", true, true}, {"socket_only", true, false}, {"rest_only", false, true},
		{"private_sum", false, false}, {"nobody", false, false}, {"Sum", false, false},
	}
	for _, test := range tests {
		t.Run(test.walker, func(t *testing.T) {
			got := s.Ask(call(test.walker, testkit.Frame{"a": 2}))
			if test.socket {
				s.Same(got, ok(testkit.Frame{"label": "sum", "sum": 3, "tags": nil}, nil))
			} else {
				s.Same(got, unknown)
			}
			over := g.Post(t, test.walker, "", testkit.Frame{"a": 2})
			want := map[bool]int{true: http.StatusOK, false: http.StatusNotFound}[test.rest]
			if over.Status != want {
				t.Errorf("over REST %d %s, want %d", over.Status, over.Body, want)
			}
		})
	}
}

func TestBothDoorsGiveTheSameResult(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t, testkit.Walkers(fixtures))
	user := g.NewUser(t)
	s := g.Dial(t, "", user.Token)
	calls := []struct {
		walker  string
		context testkit.Frame
	}{
		{"sum", testkit.Frame{"a": 40, "b": 2, "label": "x", "tags": []string{"é", "\u2028"}}},
		{"whoami", nil},
		{"echo", testkit.Frame{"value": json.RawMessage(`12345678901234567890.10`)}},
		{"shape", testkit.Frame{"status": 418}},
		{"shape", testkit.Frame{"json": true, "body": "b"}},
		{"sum", testkit.Frame{"a": "two"}},
		{"sum", testkit.Frame{}},
		{"fail", testkit.Frame{"how": "fault"}},
	}
	for _, each := range calls {
		t.Run(each.walker, func(t *testing.T) {
			if each.context == nil {
				each.context = testkit.Frame{}
			}
			s.Say(call(each.walker, each.context))
			over := s.NextText()
			rest := g.Post(t, each.walker, user.Token, each.context).Body
			// An error of a frame bears the type of the frame, in front.
			over = bytes.Replace(over, []byte(`{"type":"walker",`), []byte(`{`), 1)
			if diff := cmp.Diff(string(rest), string(over)); diff != "" {
				t.Errorf("REST -, socket +:\n%s", diff)
			}
		})
	}
}

func TestFilesAreNotTakenOverTheSocket(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t, testkit.Walkers(fixtures))
	s := g.Dial(t, "", "")
	for _, context := range []testkit.Frame{{}, {"one": "text"}} {
		failure := s.Ask(call("upload", context))
		want := []any{map[string]any{"field": "one", "reason": "files are not taken over the socket"}}
		if diff := cmp.Diff(want, failure["details"]); diff != "" || failure["code"] != "invalid_context" {
			t.Errorf("context %v: got %v", context, failure)
		}
	}
	s.Quiet()
	got := g.Do(t, multipartRequest(t, g, "/walker/upload", part{name: "one", file: "a.txt", content: "hello"}))
	if got.Status != http.StatusOK {
		t.Errorf("REST refused the file: %d %s", got.Status, got.Body)
	}
}

func TestResponseIsSentWhereItWasAskedFor(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t, testkit.Walkers(fixtures))
	s := g.Dial(t, "", "")

	t.Run("response true", func(t *testing.T) {
		s.Say(testkit.Frame{"type": "walker", "walker": "echo", "response": true, "context": testkit.Frame{"value": 7}})
		if got := string(s.NextText()); got != `{"status":200,"reports":[7]}` {
			t.Errorf("got %s", got)
		}
	})
	t.Run("silence otherwise", func(t *testing.T) {
		s.Say(testkit.Frame{"type": "walker", "walker": "echo", "context": testkit.Frame{"value": 7}})
		s.Say(testkit.Frame{"type": "walker", "walker": "echo", "response": false, "context": testkit.Frame{"value": 7}})
		s.Quiet()
	})
	t.Run("an error is always told", func(t *testing.T) {
		s.Say(testkit.Frame{"type": "walker", "walker": "echo"})
		s.ExpectError("walker", "invalid_context")
	})
	t.Run("a frame with an id is answered, whatever response says", func(t *testing.T) {
		for _, response := range []bool{true, false} {
			s.Say(testkit.Frame{"type": "walker", "id": "7", "walker": "echo", "response": response, "context": testkit.Frame{"value": 7}})
			if got := string(s.NextText()); got != `{"type":"reply","id":"7","ok":true,"status":200,"reports":[7]}` {
				t.Errorf("response %t: got %s", response, got)
			}
		}
	})
	t.Run("so is its error", func(t *testing.T) {
		s.Say(testkit.Frame{"type": "walker", "id": "8", "walker": "nobody"})
		s.Expect(testkit.Frame{
			"type": "reply", "id": "8", "ok": false, "status": 404, "code": "unknown_walker",
			"error": "Invalid request! Please use valid walker event!",
		})
	})
}

func TestContextIsValidated(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t, testkit.Walkers(fixtures))
	s := g.Dial(t, "", "")
	tests := []struct {
		name    string
		context testkit.Frame
		details []any
	}{
		{"missing", testkit.Frame{}, []any{detail("a", "required")}},
		{"mistyped", testkit.Frame{"a": "2", "b": 1.5}, []any{detail("a", "expected integer"), detail("b", "expected integer")}},
		{"bool is no number", testkit.Frame{"a": true}, []any{detail("a", "expected integer")}},
		{"null", testkit.Frame{"a": nil}, []any{detail("a", "expected integer")}},
		{"within a list", testkit.Frame{"a": 1, "tags": []any{"x", 2}}, []any{detail("tags[1]", "expected string")}},
		{"a rule", testkit.Frame{"a": 1, "label": "far too long"}, []any{detail("label", "max 8")}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			failure := s.Ask(call("sum", test.context))
			if diff := cmp.Diff(test.details, failure["details"]); diff != "" || failure["code"] != "invalid_context" || failure["type"] != "walker" {
				t.Errorf("got %v", failure)
			}
		})
	}
	t.Run("unknown fields are passed over", func(t *testing.T) {
		s.Same(s.Ask(call("sum", testkit.Frame{"a": 1, "zzz": 1})), ok(testkit.Frame{"label": "sum", "sum": 2, "tags": nil}, nil))
	})
}

func detail(field, reason string) map[string]any {
	return map[string]any{"field": field, "reason": reason}
}

func TestNodeEntry(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t, testkit.Walkers(fixtures))
	user := g.NewUser(t)
	s := g.Dial(t, "", user.Token)
	tests := []struct {
		name, walker, node string
		want               testkit.Frame
	}{
		{"no node is the own root", "enter", "", ok([]any{user.RootID, true})},
		{"the own root by name", "enter", user.RootID, ok([]any{user.RootID, true})},
		{"an open node", "enter", "n:Room:open", ok([]any{"n:Room:open", false})},
		{"a node that is refused", "enter", "n:Room:shut", testkit.Frame{
			"type": "walker", "status": 403, "code": "forbidden", "error": "You don't have access on target entry n:Room:shut!",
		}},
		{"a node that is not there", "enter", "n:Room:none", testkit.Frame{
			"type": "walker", "status": 404, "code": "not_found", "error": "there is no such room",
		}},
		{"a walker without a rule", "whoami", "n:Room:open", testkit.Frame{
			"type": "walker", "status": 403, "code": "forbidden", "error": "You don't have access on target entry n:Room:open!",
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			frame := call(test.walker, testkit.Frame{})
			path := "/walker/" + test.walker
			if test.node != "" {
				frame["node"] = test.node
				path += "/" + test.node
			}
			s.Same(s.Ask(frame), test.want)
			rest := g.Request(t, http.MethodPost, path, user.Token, testkit.Frame{}).JSON(t)
			delete(test.want, "type")
			s.Same(rest, test.want)
		})
	}
	for walker, node := range map[string]string{"at_root": "n:Room:open", "at_node": ""} {
		frame := call(walker, testkit.Frame{})
		if node != "" {
			frame["node"] = node
		}
		s.Say(frame)
		s.ExpectError("walker", "not_found")
	}
}

func TestWalkersNeedAUserUnlessOpen(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t, testkit.Walkers(fixtures))
	user := g.NewUser(t)
	s := g.Dial(t, "", "")

	s.Say(call("whoami", testkit.Frame{}))
	s.Expect(testkit.Frame{
		"type": "walker", "status": 401, "code": "unauthenticated", "error": "Event whoami requires to be authenticated!",
	})
	s.Same(s.Ask(call("anybody", testkit.Frame{})), ok(publicRoot))

	t.Run("after a token was refused", func(t *testing.T) {
		s := g.Dial(t, "", "nonsense")
		s.Say(call("whoami", testkit.Frame{}))
		s.ExpectError("walker", "token_invalid")
	})
	t.Run("a user may call an open one and stays who they are", func(t *testing.T) {
		s := g.Dial(t, "", user.Token)
		s.Same(s.Ask(call("anybody", testkit.Frame{})), ok(user.RootID))
		if got := g.Post(t, "anybody", user.Token, nil).JSON(t); !cmp.Equal(got["reports"], []any{user.RootID}) {
			t.Errorf("over REST %v", got)
		}
	})
}

func TestWhatIsNotKnownIsAnswered(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t)
	user := g.NewUser(t)
	s := g.Dial(t, "", user.Token)
	tests := []struct {
		name, text, kind, code string
		field                  string
	}{
		{"unknown walker", `{"type":"walker","walker":"nobody"}`, "walker", "unknown_walker", ""},
		{"walker without a name", `{"type":"walker"}`, "walker", "bad_frame", "walker"},
		{"context that is no object", `{"type":"walker","walker":"echo","context":[]}`, "walker", "bad_frame", "context"},
		{"response that is no boolean", `{"type":"walker","walker":"echo","response":1}`, "walker", "bad_frame", "response"},
		{"unknown type", `{"type":"nonsense"}`, "error", "unknown_type", ""},
		{"no type", `{"walker":"echo"}`, "error", "bad_frame", "type"},
		{"type that is no string", `{"type":1}`, "error", "bad_frame", "type"},
		{"empty list of users", `{"type":"user","root_ids":[],"data":{}}`, "error", "bad_frame", "root_ids"},
		{"empty list of channels", `{"type":"channel","channel_ids":[],"data":{}}`, "error", "bad_frame", "channel_ids"},
		{"empty list of clients", `{"type":"client","client_ids":[],"data":{}}`, "error", "bad_frame", "client_ids"},
		{"no data", `{"type":"client","client_ids":["x"]}`, "error", "bad_frame", "data"},
		{"data that is no object", `{"type":"client","client_ids":["x"],"data":[1]}`, "error", "bad_frame", "data"},
		{"a target that is no string", `{"type":"client","client_ids":["x",1],"data":{}}`, "error", "bad_frame", "client_ids[1]"},
		{"not JSON", `hello`, "error", "bad_frame", ""},
		{"no object", `[1]`, "error", "bad_frame", ""},
		{"an id that is none", `{"type":"ping","id":""}`, "error", "bad_frame", "id"},
		{"nothing", ``, "error", "bad_frame", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if err := s.SendText([]byte(test.text)); err != nil {
				t.Fatal(err)
			}
			failure := s.ExpectError(test.kind, test.code)
			if test.field == "" {
				return
			}
			details, _ := failure["details"].([]any)
			if len(details) != 1 || details[0].(map[string]any)["field"] != test.field {
				t.Errorf("details %v, want one of %s", details, test.field)
			}
		})
	}
	s.Quiet() // and the connection goes on
}
