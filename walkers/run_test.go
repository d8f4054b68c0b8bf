package walkers_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/walkergate/walkergate/auth"
	"github.com/walkergate/walkergate/fault"
	"github.com/walkergate/walkergate/specs"
	"github.com/walkergate/walkergate/walkers"
)

const (
	unknownWords = "Invalid request! Please use valid walker event!"
	authWords    = "Event take requires to be authenticated!"
	nodeWords    = "You don't have access on target entry n:A:672b35cec309e5ef8469c399!"
	aNode        = "n:A:672b35cec309e5ef8469c399"
)

type takes struct {
	N int `json:"n"`
}

func TestAWalkerIsOpenAtItsDoorsOnly(t *testing.T) {
	tests := []struct {
		name string
		spec specs.Walker
		door specs.Method
		code fault.Code
	}{
		{"socket", specs.Walker{Methods: []specs.Method{specs.WebSocket}}, specs.WebSocket, ""},
		{"socket walker over REST", specs.Walker{Methods: []specs.Method{specs.WebSocket}}, specs.Post, fault.UnknownWalker},
		{"REST walker over the socket", specs.Walker{Methods: []specs.Method{specs.Post}}, specs.WebSocket, fault.UnknownWalker},
		{"post by default", specs.Walker{Methods: []specs.Method{}}, specs.Post, ""},
		{"other method", specs.Walker{Methods: []specs.Method{specs.Get, specs.Put}}, specs.Post, fault.MethodNotAllowed},
		{"method of no spec", specs.Walker{Methods: []specs.Method{specs.Get}}, "trace", fault.MethodNotAllowed},
		{"method of no spec over the socket", specs.Walker{Methods: []specs.Method{specs.WebSocket}}, "trace", fault.UnknownWalker},
		{"private", specs.Walker{Private: true}, specs.Post, fault.UnknownWalker},
		{"no door", specs.Walker{}, "", fault.UnknownWalker},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r, _ := taker[takes](t, test.spec)
			inv := overSocket(`{"n":1}`)
			inv.Door = test.door
			_, err := r.Run(context.Background(), inv)
			if test.code == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			f := expect(t, err, test.code, "")
			if test.code == fault.UnknownWalker && f.Message != unknownWords {
				t.Errorf("message is %q", f.Message)
			}
		})
	}
	r, _ := taker[takes](t, specs.Walker{Methods: []specs.Method{specs.Get, specs.WebSocket, specs.Put}})
	spec, _ := r.Walker("take")
	if diff := cmp.Diff([]specs.Method{specs.Get, specs.Put}, spec.HTTPMethods()); diff != "" {
		t.Errorf("allowed methods (-want +got):\n%s", diff)
	}
	inv := overSocket("")
	inv.Walker = "Take"
	_, err := r.Run(context.Background(), inv)
	expect(t, err, fault.UnknownWalker, unknownWords)
}

func TestUsersAreNeededBeforeTheContextIsLookedAt(t *testing.T) {
	r, _ := taker[takes](t, specs.Walker{})
	inv := overSocket("{malformed")
	inv.Principal = auth.Public()
	_, err := r.Run(context.Background(), inv)
	expect(t, err, fault.Unauthenticated, authWords)
	inv.TokenRefused = true
	_, err = r.Run(context.Background(), inv)
	expect(t, err, fault.TokenInvalid, authWords)
	inv.Principal = alice
	_, err = r.Run(context.Background(), inv)
	expect(t, err, fault.InvalidContext, "malformed JSON")
}

func TestAWalkerForEverybodyRunsAsWhoeverCalls(t *testing.T) {
	var root string
	r := runner(t, walkers.Options{}, func(registry *walkers.Registry) {
		walkers.Register(registry, specs.Walker{Name: "take", Auth: specs.NoAuth, Methods: []specs.Method{specs.WebSocket}},
			func(_ context.Context, call *walkers.Call, _ struct{}) error {
				root = call.RootID()
				return nil
			})
	})
	for _, principal := range []auth.Principal{auth.Public(), alice} {
		inv := overSocket("")
		inv.Principal, inv.TokenRefused = principal, true
		if _, err := r.Run(context.Background(), inv); err != nil || root != principal.RootID {
			t.Errorf("ran as %s, %v; want %s", root, err, principal.RootID)
		}
	}
}

func TestTheOrderOfChecks(t *testing.T) {
	spec := specs.Walker{EntryType: specs.Root, Limits: specs.Limits{ContextBytes: 8}}
	r, _ := taker[takes](t, spec)
	inv := overSocket(`{"n":"too long"}`)
	inv.Principal, inv.Node, inv.HasNode = auth.Public(), "", true
	_, err := r.Run(context.Background(), inv)
	expect(t, err, fault.NotFound, "")
	inv.HasNode = false
	_, err = r.Run(context.Background(), inv)
	expect(t, err, fault.TooLarge, "")
	inv.Context = []byte(`{"n":[]}`)
	_, err = r.Run(context.Background(), inv)
	expect(t, err, fault.Unauthenticated, "")
	inv.Principal = alice
	_, err = r.Run(context.Background(), inv)
	expect(t, err, fault.InvalidContext, "")
	inv.Context = []byte(`{"n":10}`)
	if _, err := r.Run(context.Background(), inv); err != nil {
		t.Error(err)
	}
	inv.Principal, inv.Node, inv.HasNode = auth.Public(), "", true
	open, _ := taker[takes](t, specs.Walker{})
	_, err = open.Run(context.Background(), inv)
	expect(t, err, fault.Unauthenticated, "") // before the form of the node
}

func TestNodes(t *testing.T) {
	broken := errors.New("graph is down")
	tests := []struct {
		name    string
		entry   specs.EntryType
		enter   func(context.Context, auth.Principal, string) error
		node    string
		code    fault.Code
		message string
		atRoot  bool
	}{
		{name: "own root", node: alice.RootID, atRoot: true},
		{name: "own root in other words", node: "n:Root:" + strings.ToUpper(alice.UserID), atRoot: true},
		{name: "own root where a node is needed", entry: specs.Node, node: alice.RootID, atRoot: true},
		{name: "nobody decides", node: aNode, code: fault.Forbidden, message: nodeWords},
		{name: "another's root", node: "n::672b35cec309e5ef8469c373", code: fault.Forbidden},
		{name: "allowed", node: aNode, enter: func(context.Context, auth.Principal, string) error { return nil }},
		{name: "allowed, no reference of ours", node: "any text", enter: func(_ context.Context, p auth.Principal, node string) error {
			if p != alice || node != "any text" {
				return broken
			}
			return nil
		}},
		{name: "refused", node: aNode, enter: func(context.Context, auth.Principal, string) error { return broken }, code: fault.Forbidden, message: nodeWords},
		{name: "refused in own words", node: aNode, enter: func(context.Context, auth.Principal, string) error {
			return errors.Join(fault.New(fault.NotFound, "no such node"))
		}, code: fault.NotFound, message: "no such node"},
		{name: "panic", node: aNode, enter: func(context.Context, auth.Principal, string) error { panic("x") }, code: fault.Internal, message: "internal error"},
		{name: "root only", entry: specs.Root, node: alice.RootID, code: fault.NotFound},
		{name: "empty", node: "", code: fault.InvalidContext},
		{name: "long", node: strings.Repeat("x", 257), code: fault.InvalidContext},
		{name: "no UTF-8", node: "\xff", code: fault.InvalidContext},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var entered string
			var atRoot bool
			r := runner(t, walkers.Options{}, func(registry *walkers.Registry) {
				spec := specs.Walker{Name: "take", Methods: []specs.Method{specs.WebSocket}, EntryType: test.entry, Enter: test.enter}
				walkers.Register(registry, spec, func(_ context.Context, call *walkers.Call, _ struct{}) error {
					entered, atRoot = call.Node(), call.AtRoot()
					return nil
				})
			})
			inv := overSocket("")
			inv.Node, inv.HasNode = test.node, true
			_, err := r.Run(context.Background(), inv)
			if test.code != "" {
				f := expect(t, err, test.code, test.message)
				if test.code == fault.InvalidContext && f.Details[0].Field != "node" {
					t.Errorf("details are %v", f.Details)
				}
				return
			}
			want := test.node
			if test.atRoot {
				want = alice.RootID
			}
			if err != nil || entered != want || atRoot != test.atRoot {
				t.Errorf("entered %q (root: %t), %v; want %q", entered, atRoot, err, want)
			}
		})
	}
	r, _ := taker[struct{}](t, specs.Walker{EntryType: specs.Node})
	_, err := r.Run(context.Background(), overSocket(""))
	expect(t, err, fault.NotFound, "")
}

// journal is a log to read.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) lines() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.FieldsFunc(j.text.String(), func(r rune) bool { return r == '\n' })
}

type badContext struct {
	Bad bomb `json:"bad"`
}

type bomb struct{}

func (*bomb) UnmarshalJSON([]byte) error { panic("bomb went off") }

func TestInternalFaultsTellNothingAndAreLoggedOnce(t *testing.T) {
	secret := errors.New("password is 1234")
	handlers := map[string]struct {
		handle func(*walkers.Call) error
		logged string
	}{
		"plain error":        {func(*walkers.Call) error { return secret }, "password is 1234"},
		"own internal fault": {func(*walkers.Call) error { return fault.New(fault.Internal, "secret words", fault.Detail{Field: "x"}) }, "secret words"},
		"panic":              {func(*walkers.Call) error { panic("out of cheese") }, "out of cheese"},
		"nil panic":          {func(*walkers.Call) error { panic(nil) }, "panic"}, //nolint:govet // that is the case
		"exit":               {func(*walkers.Call) error { runtime.Goexit(); return nil }, "Goexit"},
		"report":             {func(call *walkers.Call) error { call.Report(make(chan int)); return nil }, "encode report"},
		"status":             {func(call *walkers.Call) error { call.Status(101); return nil }, "status 101"},
		"header":             {func(call *walkers.Call) error { call.Header("X", "a\r\nSet-Cookie: b"); return nil }, "header"},
		"own header":         {func(call *walkers.Call) error { call.Header("content-length", "1"); return nil }, "content-length"},
		"body":               {func(call *walkers.Call) error { call.JSON(func() {}); return nil }, "encode body"},
		"content type":       {func(call *walkers.Call) error { call.Body("a\nb", nil); return nil }, "content type"},
	}
	for name, test := range handlers {
		t.Run(name, func(t *testing.T) {
			var written journal
			r := runner(t, walkers.Options{Log: slog.New(slog.NewTextHandler(&written, nil))}, func(registry *walkers.Registry) {
				walkers.Register(registry, specs.Walker{Name: "take", Methods: []specs.Method{specs.WebSocket}},
					func(_ context.Context, call *walkers.Call, _ takes) error { return test.handle(call) })
			})
			inv := overSocket(`{"n":424242}`)
			inv.RequestID = "request-9"
			answer, err := r.Run(context.Background(), inv)
			f := expect(t, err, fault.Internal, "internal error")
			if f.Ref == "" || f.Details != nil || answer.Reports != nil {
				t.Errorf("fault is %+v, answer %+v", f, answer)
			}
			lines := written.lines()
			if len(lines) != 1 {
				t.Fatalf("log is %q, want one line", lines)
			}
			for _, want := range []string{"ref=" + f.Ref, "walker=take", "request_id=request-9", test.logged} {
				if !strings.Contains(lines[0], want) {
					t.Errorf("log %q lacks %q", lines[0], want)
				}
			}
			if strings.Contains(lines[0], "424242") {
				t.Errorf("log %q holds the context", lines[0])
			}
			if (name == "panic") != strings.Contains(lines[0], "stack=") && name != "nil panic" {
				t.Errorf("log is %q: a panic, and nothing else, has a stack", lines[0])
			}
		})
	}
}

func TestAPanicWhileDecodingIsInternal(t *testing.T) {
	r, _ := taker[badContext](t, specs.Walker{Limits: specs.Limits{Concurrent: 1}})
	for range 2 { // the second one finds the room of the first
		_, err := r.Run(context.Background(), overSocket(`{"bad":1}`))
		expect(t, err, fault.Internal, "internal error")
	}
	if err := r.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestAFaultOfTheHandlerIsTold(t *testing.T) {
	r := runner(t, walkers.Options{}, func(registry *walkers.Registry) {
		walkers.Register(registry, specs.Walker{Name: "take", Methods: []specs.Method{specs.WebSocket}},
			func(_ context.Context, call *walkers.Call, _ struct{}) error {
				call.Report("lost")
				return errors.Join(errors.New("wrapped"), fault.New(fault.Conflict, "taken", fault.Detail{Field: "f", Reason: "r"}))
			})
	})
	_, err := r.Run(context.Background(), overSocket(""))
	f := expect(t, err, fault.Conflict, "taken")
	if diff := cmp.Diff([]fault.Detail{{Field: "f", Reason: "r"}}, f.Details); diff != "" {
		t.Errorf("details (-want +got):\n%s", diff)
	}
}

func TestEachCallIsObservedOnce(t *testing.T) {
	var seen []walkers.Observation
	r := runner(t, walkers.Options{Observe: func(o walkers.Observation) { seen = append(seen, o) }}, func(registry *walkers.Registry) {
		walkers.Register(registry, specs.Walker{Name: "take"}, func(context.Context, *walkers.Call, takes) error { return nil })
	})
	for _, inv := range []walkers.Invocation{overREST(`{"n":1}`), overREST(`{}`), overSocket(`{"n":1}`), {Walker: "no such", Door: specs.Get}} {
		_, _ = r.Run(context.Background(), inv)
	}
	for i := range seen {
		if seen[i].Duration < 0 {
			t.Errorf("duration is %v", seen[i].Duration)
		}
		seen[i].Duration = 0
	}
	want := []walkers.Observation{
		{Walker: "take", Door: specs.Post},
		{Walker: "take", Door: specs.Post, Code: fault.InvalidContext},
		{Door: specs.WebSocket, Code: fault.UnknownWalker},
		{Door: specs.Get, Code: fault.UnknownWalker},
	}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("observed (-want +got):\n%s", diff)
	}
}
