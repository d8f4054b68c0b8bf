package app_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/walkergate/walkergate/app"
	"github.com/walkergate/walkergate/internal/testkit"
)

// lookalikes are names that fold into one where keys are joined, escaped, cut,
// trimmed, composed or compared loosely, and names that mean something
// elsewhere.
func lookalikes(user testkit.User, clientID string) []string {
	long := strings.Repeat("x", 255)
	return []string{
		"room", "Room", "ROOM", " room", "room ", "room\x00", "room\n", "room\t", "room\u200b", "\ufeffroom", "r\u043e\u043em", "ｒｏｏｍ",
		"a", "b", "a,b", "a:b", "a/b", "a\x00b", "a|b", `["a","b"]`, "a b", "a+b", "a%20b", "a%2Fb", "a%252Fb", "a_b", "a-b", "a.b", "a*", "*", "a?", "#",
		"é", "e\u0301", "\u212b", "\u00c5", "ss", "ß", "ﬁ", "fi", "İ", "i", "ı", "I",
		"0", "00", "-0", "0.0", "1", "01", "1e0", "null", "true", "undefined", "NaN", "[]", "{}", `""`, `"`, `\`, `\\`, `\"`, "'", "%", "_",
		"__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "toJSON", "then", "me$", "channel_id", "..", ".", "\x01", "\x7f", "\u2028",
		user.RootID, user.ID, clientID, publicRoot, long, long + "x", long + "y",
	}
}

// No two names of channels share a group or a record, whatever they are made
// of, and none is taken for the name of a user or a client.
func TestNamesAreKeptApart(t *testing.T) {
	t.Parallel()
	dataDir := t.TempDir()
	voice := newSpeaker()
	g := testkit.Start(t, testkit.Walkers(voice.register), testkit.Config(func(c *app.Config) { c.DataDir, c.PublishPolicy = dataDir, "open" }))
	records := openTable(t, dataDir)
	user := g.NewUser(t)
	sender, bystander := g.Dial(t, "channel_id=elsewhere", ""), g.Dial(t, "channel_id=nowhere", user.Token)
	names := lookalikes(user, bystander.ClientID)
	members := make(map[string]*testkit.Socket)
	for _, name := range names {
		if members[name] != nil {
			t.Fatalf("%q stands twice in the list", name)
		}
		s := g.Dial(t, "channel_id="+url.QueryEscape(name), "")
		if s.ChannelID != name {
			t.Errorf("asked for %q, joined %q", name, s.ChannelID)
		}
		members[name] = s
	}
	walker := voice.speak(t, g)
	for n, name := range names {
		frame := channels(name)
		frame["data"] = testkit.Frame{"to": name}
		sender.Same(sender.Ask(frame), reached(1))
		if outcome, err := walker.Channels(t.Context(), []string{name}, numbered(n)); err != nil || outcome.Reached != 1 {
			t.Errorf("%q: %+v, %v", name, outcome, err)
		}
	}
	for n, name := range names { // nobody got anything else, before or after
		members[name].Expect(testkit.Frame{"to": name})
		members[name].Expect(numbered(n))
		members[name].Quiet()
		records.waitFor(members[name].ClientID, &row{publicRoot, []string{name}})
	}
	bystander.Quiet()
	t.Run("in one frame", func(t *testing.T) {
		for _, some := range [][]string{{"a", "b"}, {"a,b"}, {"a:b", "a"}, {"room", "Room", "room "}, {`["a","b"]`, "__proto__"}} {
			sender.Same(sender.Ask(channels(some...)), reached(len(some)))
			for _, name := range some {
				members[name].Expect(news)
			}
		}
		for _, s := range members {
			s.Quiet()
		}
	})
	t.Run("by kind", func(t *testing.T) {
		sender.Same(sender.Ask(users(user.RootID)), reached(1))
		sender.Same(sender.Ask(clients(bystander.ClientID)), reached(1))
		bystander.Expect(news)
		bystander.Expect(news)
		sender.Same(sender.Ask(users("room")), reached(0))
		sender.Same(sender.Ask(clients("room", user.RootID)), reached(0))
		for _, s := range members {
			s.Quiet()
		}
	})
}

// Names that mean something in JavaScript are names like any other, wherever a
// client may make one up.
func TestNamesOfJavaScriptAreNames(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t, testkit.Walkers(fixtures))
	credentials := testkit.Frame{"email": "proto@example.com", "password": "long enough"}
	profile := testkit.Frame{"__proto__": testkit.Frame{"admin": true}, "constructor": "c", "toString": nil, "hasOwnProperty": 1.0, "toJSON": []any{"x"}}
	for name, value := range profile {
		credentials[name] = value
	}
	if status, body := account(t, g, "POST", "register", "", credentials); status != 201 {
		t.Fatalf("%d %v", status, body)
	}
	user := g.Login(t, testkit.User{Email: "proto@example.com", Password: "long enough"})
	_, me := account(t, g, "GET", "me", user.Token, nil)
	want := with(profile, "id", user.ID, "email", user.Email, "root_id", user.RootID)
	if diff := cmp.Diff(want, me); diff != "" {
		t.Errorf("/user/me (-want +got):\n%s", diff)
	}
	s := g.Dial(t, "", user.Token)
	s.Same(s.Ask(call("echo", testkit.Frame{"value": profile})), ok(profile))
	s.Say(with(users(user.RootID), "data", profile))
	s.Expect(profile)
	s.Expect(reached(1))
	for _, name := range []string{"__proto__", "constructor", "toString"} {
		s.Say(testkit.Frame{"type": name})
		s.ExpectError("error", "unknown_type")
		s.Say(call(name, testkit.Frame{}))
		s.ExpectError("walker", "unknown_walker")
	}
}
