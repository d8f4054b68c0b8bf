//go:build browser

package browser_test

import (
	"net/url"
	"strconv"
	"testing"

	"github.com/walkergate/walkergate/app"
	"github.com/walkergate/walkergate/internal/browser"
	"github.com/walkergate/walkergate/internal/testkit"
)

// kept starts a gateway over a folder that outlives it, on a given port or on
// any with -1.
func kept(t *testing.T, dataDir string, port int) *testkit.Gateway {
	t.Helper()
	return testkit.Start(t, testkit.Config(func(c *app.Config) { c.DataDir, c.Port = dataDir, port }))
}

func portOf(t *testing.T, g *testkit.Gateway) int {
	t.Helper()
	address, err := url.Parse(g.URL)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(address.Port())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func TestTwoTabsChat(t *testing.T) {
	dataDir := t.TempDir()
	g := kept(t, dataDir, -1)
	chrome := browser.Open(t)
	ann, bob := visit(t, chrome, g, ""), visit(t, chrome, g, "")
	ann.register("ann@example.com")
	bob.register("bob@example.com")
	annRoot, bobRoot := ann.root(), bob.root()
	if annRoot == bobRoot {
		t.Fatalf("two users share the root %s", annRoot)
	}
	ann.join("lobby")
	bob.join("lobby")

	// In the room, both ways; each sees the own line once.
	ann.say("hello")
	bob.hears("chat", "ann: hello")
	bob.say(`<b onclick="x">hello</b> & "you" é`)
	ann.hears("chat", `bob: <b onclick="x">hello</b> & "you" é`)
	bob.hears("chat", `bob: <b onclick="x">hello</b> & "you" é`)
	room := []string{"ann: hello", `bob: <b onclick="x">hello</b> & "you" é`}
	ann.heard(room...)
	bob.heard(room...)
	if marked := ann.Texts("#log b"); len(marked) > 0 {
		t.Errorf("a message was read as markup: %q", marked)
	}

	// Directly, to the user and to the connection; nobody else hears it.
	ann.tell(bobRoot, "to you")
	ann.hears("sent", bobRoot+": ann: to you")
	bob.hears("chat", "ann: to you")
	annClient := ann.client()
	bob.tell(annClient, "to this tab")
	bob.hears("sent", annClient+": bob: to this tab")
	ann.hears("chat", "bob: to this tab")
	ann.heard(append(room[:2:2], "bob: to this tab")...)
	bob.heard(append(room[:2:2], "ann: to you")...)
	ann.Shoot("chat")

	// The gateway goes and comes back, and so do the pages, by themselves.
	port := portOf(t, g)
	g.Stop()
	for _, p := range []*person{ann, bob} {
		testkit.Until(t, "the page to see the end", func() bool {
			return browser.Eval[string](p.Tab, `document.getElementById("status").dataset.state`) != "live"
		})
	}
	ann.Shoot("stopped")
	g = kept(t, dataDir, port)
	for _, p := range []*person{ann, bob} {
		p.live()
		p.hears("info", "Connected again. What was said meanwhile is not shown.")
	}
	if ann.client() == annClient {
		t.Error("the new connection has the client id of the old one")
	}
	if ann.root() != annRoot || bob.root() != bobRoot {
		t.Errorf("after the restart the roots are %s and %s, want %s and %s", ann.root(), bob.root(), annRoot, bobRoot)
	}
	ann.say("still here")
	bob.hears("chat", "ann: still here")

	// The password still opens the account, in a browser that knows nothing.
	elsewhere := visit(t, chrome, g, "")
	elsewhere.login("ann@example.com")
	if elsewhere.root() != annRoot {
		t.Fatalf("the login after the restart gave the root %s, want %s", elsewhere.root(), annRoot)
	}
	bob.tell(elsewhere.client(), "one tab")
	bob.tell(annRoot, "every tab")
	elsewhere.hears("chat", "bob: every tab")
	ann.hears("chat", "bob: every tab")
	elsewhere.heard("bob: one tab", "bob: every tab")
	ann.heard(append(room[:2:2], "bob: to this tab", "ann: still here", "bob: every tab")...)
}

func TestPageWithoutUser(t *testing.T) {
	g := testkit.Start(t)
	chrome := browser.Open(t)
	one, other := visit(t, chrome, g, "lobby"), visit(t, chrome, g, "lobby")
	for _, p := range []*person{one, other} {
		p.reads("room-now", "lobby")
		p.reads("root-kind", "the public user")
	}

	one.say("anybody here?")
	one.hears("info", "You are not logged in: you can speak in this room, and to nobody else.")
	other.hears("chat", "anybody here?")
	other.Type("name", "guest")
	other.say("only me")
	one.hears("chat", "guest: only me")

	one.tell(other.client(), "psst")
	one.hears("error", "unauthenticated (401): Event send_chat_to_client requires to be authenticated! Register or log in first.")
	one.tell("nobody", "psst")
	one.hears("error", "A direct message goes to a root id (n::…) or a client id (1730887348:…).")
	one.Shoot("without-user")

	// What was refused reached nobody: this comes behind it.
	one.say("never mind")
	other.hears("chat", "never mind")
	other.heard("anybody here?", "guest: only me", "never mind")
}
