package channels_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/walkergate/walkergate/auth"
	"github.com/walkergate/walkergate/channels"
	"github.com/walkergate/walkergate/fault"
	"github.com/walkergate/walkergate/specs"
)

// newPolicies makes policies and closes them with the test.
func newPolicies(t testing.TB, options channels.Options, declared ...specs.Channel) *channels.Policies {
	t.Helper()
	policies, err := channels.NewPolicies(declared, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := policies.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return policies
}

// of gives the policy of a channel.
func of(t testing.TB, policies *channels.Policies, channelID string) *channels.Policy {
	t.Helper()
	policy, err := policies.Of(channelID)
	if err != nil {
		t.Fatalf("%q: %v", channelID, err)
	}
	return policy
}

func join(channelID string, principal auth.Principal) specs.Join {
	return specs.Join{ChannelID: channelID, Principal: principal, ClientID: "c"}
}

func TestFaultyPoliciesAreToldAtOnce(t *testing.T) {
	policies, err := channels.NewPolicies([]specs.Channel{{Pattern: "{"}, {Pattern: "a", Auth: 9, Messages: -1}}, channels.Options{})
	if policies != nil || err == nil || !contains(err.Error(), `channel "{": pattern: `, `channel "a": auth: `, `channel "a": messages: `) {
		t.Errorf("made %v of faults: %v", policies, err)
	}
}

func TestThePolicyOfAChannel(t *testing.T) {
	// Each keeps as many messages as its place in this list, to be told by.
	patterns := []string{"", "room:{id...}", "room:{id}", "room:lobby", "{any}:lobby", "room:{id}:log", "long{x...}"}
	var declared []specs.Channel
	for i, pattern := range patterns[1:] {
		declared = append(declared, specs.Channel{Pattern: pattern, Messages: i + 1})
	}
	policies := newPolicies(t, channels.Options{}, declared...)
	strict := newPolicies(t, channels.Options{DeclaredOnly: true}, declared...)
	for id, want := range map[string]string{
		"room:lobby": "room:lobby", "room:1": "room:{id}", "room:1:2": "room:{id...}", "room:1:log": "room:{id}:log",
		"team:lobby": "{any}:lobby", "lobby": "", "Room:1": "", "room:": "",
		"long" + strings.Repeat("é", 126): "long{x...}", "me$": "",
	} {
		if got := patterns[of(t, policies, id).Retention().Messages%channels.DefaultMessages]; got != want {
			t.Errorf("%q has the policy of %q, want %q", id, got, want)
		}
		policy, err := strict.Of(id)
		if want == "" {
			expect(t, err, fault.Forbidden, "there is no such channel")
		} else if err != nil || patterns[policy.Retention().Messages] != want {
			t.Errorf("%q, declared only: %v", id, err)
		}
	}
	for _, id := range []string{
		"", strings.Repeat("x", 257), "a\xff", "$", "$x", "$me", "$me:", "$me:room", "$me:n::672B35CEC309E5EF8469C372",
		"$me:n:x:672b35cec309e5ef8469c372", "$me:" + alice.UserID, "$ME:" + alice.RootID, "$me:" + alice.RootID + " ",
	} {
		for _, p := range []*channels.Policies{policies, strict} {
			_, err := p.Of(id)
			expect(t, err, fault.BadFrame, "")
		}
	}
}

func TestUndeclaredChannelsAreOpen(t *testing.T) {
	policies := newPolicies(t, channels.Options{Retention: channels.Retention{Messages: 5}})
	policy := of(t, policies, "anything")
	for _, principal := range []auth.Principal{auth.Public(), alice} {
		if err := policy.Join(t.Context(), join("anything", principal)); err != nil {
			t.Error(err)
		}
		data, err := policy.Receive(t.Context(), specs.Incoming{Join: join("anything", principal), Data: []byte(`{"n":1}`)})
		if err != nil || string(data) != `{"n":1}` {
			t.Errorf("received %s, %v", data, err)
		}
	}
	policy.Left(join("anything", alice)) // nobody hears of it
	if policy.Guarded() {
		t.Error("an open channel is guarded")
	}
	if got := policy.Retention(); got != (channels.Retention{Messages: 5, Age: channels.DefaultAge}) {
		t.Errorf("kept is %+v", got)
	}
}

func TestWhatIsStored(t *testing.T) {
	policies := newPolicies(t, channels.Options{},
		specs.Channel{Pattern: "asked", Messages: 7}, specs.Channel{Pattern: "always", Store: specs.StoreAlways, Age: time.Hour},
		specs.Channel{Pattern: "never", Store: specs.StoreNever})
	type answer struct {
		stores bool
		code   fault.Code
	}
	no, yes, refused := answer{}, answer{stores: true}, answer{code: fault.Forbidden}
	for id, want := range map[string][4]answer{ // not asked and asked, by the public user; the same by a user
		"asked":                         {no, refused, no, yes},
		"always":                        {yes, yes, yes, yes},
		"never":                         {no, refused, no, refused},
		"undeclared":                    {no, refused, no, yes},
		channels.StreamOf(alice.RootID): {no, refused, no, yes},
	} {
		for i, want := range want {
			stores, err := of(t, policies, id).Stores(i%2 == 1, i >= 2)
			if stores != want.stores || (err == nil) != (want.code == "") || err != nil && !fault.Is(err, want.code) {
				t.Errorf("%s, asked: %t, by a user: %t: %t, %v; want %+v", id, i%2 == 1, i >= 2, stores, err, want)
			}
		}
	}
	for id, want := range map[string]channels.Retention{
		"asked":  {Messages: 7, Age: channels.DefaultAge},
		"always": {Messages: channels.DefaultMessages, Age: time.Hour},
	} {
		if got := of(t, policies, id).Retention(); got != want {
			t.Errorf("%s keeps %+v, want %+v", id, got, want)
		}
	}
}

func TestAUsersOwnStreamIsTheirs(t *testing.T) {
	for name, options := range map[string]channels.Options{"open": {}, "declared only": {DeclaredOnly: true}} {
		policies := newPolicies(t, options, specs.Channel{Pattern: "{all...}", Auth: specs.NoAuth, Store: specs.StoreNever})
		mine := channels.StreamOf(alice.RootID)
		policy := of(t, policies, mine)
		if err := policy.Join(t.Context(), join(mine, alice)); err != nil || !policy.Guarded() {
			t.Errorf("%s: its user may not join: %v (guarded: %t)", name, err, policy.Guarded())
		}
		expect(t, policy.Join(t.Context(), join(mine, bob)), fault.Forbidden, "")
		expect(t, policy.Join(t.Context(), join(mine, auth.Public())), fault.Unauthenticated, "")
		everybodys := channels.StreamOf(auth.PublicRoot)
		expect(t, of(t, policies, everybodys).Join(t.Context(), join(everybodys, auth.Public())), fault.Unauthenticated, "")
		_, err := policy.Receive(t.Context(), specs.Incoming{Join: join(mine, alice), Joined: true, Data: []byte(`{}`)})
		expect(t, err, fault.Forbidden, "")
	}
}

func TestWhoMayJoinAndPublish(t *testing.T) {
	allow := func(_ context.Context, join specs.Join) error {
		if join.Principal != alice {
			return fault.New(fault.NotFound, "who are you?")
		}
		return nil
	}
	policies := newPolicies(t, channels.Options{},
		specs.Channel{Pattern: "users"}, specs.Channel{Pattern: "all", Auth: specs.NoAuth},
		specs.Channel{Pattern: "asked", Auth: specs.NoAuth, Subscribe: allow},
		specs.Channel{Pattern: "both", Subscribe: allow},
		specs.Channel{
			Pattern: "receives", Auth: specs.NoAuth, Subscribe: allow,
			Receive: func(_ context.Context, incoming specs.Incoming) (data json.RawMessage, err error) {
				return incoming.Data, nil
			},
		})
	const no = fault.NotFound
	for id, want := range map[string]struct {
		guarded               bool
		join, publish, joined [3]fault.Code // of the public user, bob and alice
	}{
		"users":    {true, [3]fault.Code{fault.Unauthenticated}, [3]fault.Code{fault.Unauthenticated}, [3]fault.Code{fault.Unauthenticated}},
		"all":      {},
		"asked":    {true, [3]fault.Code{no, no}, [3]fault.Code{no, no}, [3]fault.Code{}},
		"both":     {true, [3]fault.Code{fault.Unauthenticated, no}, [3]fault.Code{fault.Unauthenticated, no}, [3]fault.Code{fault.Unauthenticated}},
		"receives": {true, [3]fault.Code{no, no}, [3]fault.Code{}, [3]fault.Code{}},
	} {
		policy := of(t, policies, id)
		if policy.Guarded() != want.guarded {
			t.Errorf("%s is guarded: %t", id, !want.guarded)
		}
		for i, principal := range []auth.Principal{auth.Public(), bob, alice} {
			judge := func(what string, err error, want fault.Code) {
				if (err == nil) != (want == "") || err != nil && !fault.Is(err, want) {
					t.Errorf("%s: %s of %q: %v, want %q", id, what, principal.UserID, err, want)
				}
			}
			judge("join", policy.Join(t.Context(), join(id, principal)), want.join[i])
			incoming := specs.Incoming{Join: join(id, principal), Data: []byte(`{}`)}
			_, err := policy.Receive(t.Context(), incoming)
			judge("publish", err, want.publish[i])
			incoming.Joined = true
			_, err = policy.Receive(t.Context(), incoming)
			judge("publish, joined", err, want.joined[i])
		}
	}
}

func TestHooksKnowWhatTheyAreAskedFor(t *testing.T) {
	var joins []specs.Join
	var incoming specs.Incoming
	left := make(chan specs.Join)
	policies := newPolicies(t, channels.Options{}, specs.Channel{
		Pattern:   "org:{org}:room:{room...}",
		Subscribe: func(_ context.Context, join specs.Join) error { joins = append(joins, join); return nil },
		Receive: func(_ context.Context, in specs.Incoming) (data json.RawMessage, err error) {
			incoming = in
			return in.Data, nil
		},
		Leave: func(_ context.Context, join specs.Join) error { left <- join; return nil },
	})
	asked := join("org:acme:room:1:2", alice)
	asked.Params = []byte(`{"as":"guest"}`)
	policy := of(t, policies, asked.ChannelID)
	if err := policy.Join(t.Context(), asked); err != nil {
		t.Fatal(err)
	}
	_, err := policy.Receive(t.Context(), specs.Incoming{Join: asked, Joined: true, Store: true, Data: []byte(`{"n":1}`)})
	if err != nil {
		t.Fatal(err)
	}
	policy.Left(asked)
	for _, join := range append(joins, incoming.Join, <-left) {
		if join.ChannelID != asked.ChannelID || join.Principal != alice || join.ClientID != "c" || string(join.Params) != `{"as":"guest"}` ||
			len(join.Variables) != 2 || join.Variables["org"] != "acme" || join.Variables["room"] != "1:2" {
			t.Errorf("a hook is told of %+v", join)
		}
	}
	if !incoming.Joined || !incoming.Store || string(incoming.Data) != `{"n":1}` || len(joins) != 1 {
		t.Errorf("the hook is told of %+v", incoming)
	}
}

func TestWhatHooksSayIsTold(t *testing.T) {
	var logs logged
	var answer func() error
	policies := newPolicies(t, channels.Options{Log: logs.logger()}, specs.Channel{
		Pattern:   "room:{id}",
		Subscribe: func(context.Context, specs.Join) error { return answer() },
		Receive:   func(context.Context, specs.Incoming) (json.RawMessage, error) { return nil, answer() },
	})
	policy := of(t, policies, "room:1")
	for name, test := range map[string]struct {
		answer        func() error
		code          fault.Code
		message, logs string
	}{
		"a fault":           {func() error { return fault.New(fault.RateLimited, "slowly") }, fault.RateLimited, "slowly", ""},
		"a wrapped fault":   {func() error { return errors.Join(errors.New("x"), fault.New(fault.Busy, "later")) }, fault.Busy, "later", ""},
		"an error":          {func() error { return errors.New("broken disk") }, fault.Forbidden, "the channel refused", "broken disk"},
		"an internal fault": {func() error { return fault.New(fault.Internal, "secret words") }, fault.Internal, "internal error", "secret words"},
		"a panic":           {func() error { panic("broken bone") }, fault.Internal, "internal error", "broken bone"},
		"an exit":           {func() error { exit(); return nil }, fault.Internal, "internal error", "runtime.Goexit"},
		"another's end":     {func() error { return context.DeadlineExceeded }, fault.Forbidden, "the channel refused", "deadline"},
	} {
		answer = test.answer
		_, receive := policy.Receive(t.Context(), specs.Incoming{Join: join("room:1", alice), Joined: true, Data: []byte(`{}`)})
		for hook, err := range map[string]error{"subscribe": policy.Join(t.Context(), join("room:1", alice)), "receive": receive} {
			f := expect(t, err, test.code, test.message)
			if (f.Ref != "") != (f.Code == fault.Internal) || strings.Contains(f.Message, "secret") {
				t.Errorf("%s: told is %+v", name, f)
			}
			line := ""
			for text := range strings.Lines(logs.String()) {
				if contains(text, "hook="+hook, test.logs, "pattern=room:{id}", f.Ref) && test.logs != "" {
					line = text
				}
			}
			if (line == "") != (test.logs == "") || name == "a panic" && !strings.Contains(line, "policies_test.go") {
				t.Errorf("%s, %s: logged is %q in:\n%s", name, hook, line, logs.String())
			}
		}
	}
	answer = func() error { return specs.ErrStop }
	expect(t, policy.Join(t.Context(), join("room:1", alice)), fault.Forbidden, "the channel refused") // it means nothing there
}
