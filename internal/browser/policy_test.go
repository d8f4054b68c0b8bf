//go:build browser

package browser_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/walkergate/walkergate/auth"
	"github.com/walkergate/walkergate/internal/browser"
	"github.com/walkergate/walkergate/internal/testkit"
)

// watch notes in the page each breach of its policy. The list lives as long as
// the page.
const watch = `
	globalThis.breaches = [];
	document.addEventListener("securitypolicyviolation", (e) => {
		breaches.push(e.effectiveDirective + " " + e.blockedURI);
	});`

// breach does what the policy forbids, and waits until the browser has said so.
const breach = `new Promise((resolve) => {
	document.addEventListener("securitypolicyviolation", () => resolve(true), { once: true });
	const script = document.createElement("script");
	script.textContent = "globalThis.ran = true";
	document.body.append(script);
})`

func TestPagePolicy(t *testing.T) {
	g := testkit.Start(t)
	page := g.Request(t, http.MethodGet, "/", "", nil)
	if policy := page.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'self'") ||
		strings.Contains(policy, "unsafe") {
		t.Errorf("the page's policy is %q", policy)
	}

	p := &person{Tab: browser.Open(t).Tab(t), t: t}
	p.Prepare(watch)
	p.Visit(g.URL)
	p.live()
	p.register("ann@example.com")
	p.join("lobby")
	p.say("hello")
	p.hears("chat", "ann: hello")
	p.tell(p.root(), "to myself")
	p.hears("chat", "ann: to myself")
	p.Click("logout")
	p.reads("account-message", "Logged out.")
	p.reads("root-id", auth.PublicRoot)
	p.login("ann@example.com")
	clean(t, p, g)

	p.Visit(g.URL + "/console/guide.html")
	if headings := p.Texts("h1"); len(headings) != 1 {
		t.Errorf("the guide has the headings %q", headings)
	}
	clean(t, p, g)
	p.Visit(g.URL + "/?room=lobby") // the login is the tab's, and is taken up again
	p.live()
	p.reads("who", "ann@example.com")
	p.reads("root-kind", "logged in")
	clean(t, p, g)

	// The watch sees: a breach is refused, noted and told.
	if !browser.Eval[bool](p.Tab, breach) || browser.Eval[bool](p.Tab, `"ran" in globalThis`) {
		t.Error("an inline script ran")
	}
	if noted := browser.Eval[[]string](p.Tab, "breaches"); len(noted) != 1 {
		t.Errorf("the planted breach was noted as %q", noted)
	}
	testkit.Until(t, "the planted breach on the console", func() bool { return len(bad(p)) > 0 })
}

// clean demands that up to here nothing was refused by the policy, nothing
// failed, and nobody but the gateway was asked for anything.
func clean(t *testing.T, p *person, g *testkit.Gateway) {
	t.Helper()
	if noted := browser.Eval[[]string](p.Tab, "breaches"); len(noted) > 0 {
		t.Errorf("the page broke its policy: %q", noted)
	}
	for _, message := range bad(p) {
		t.Errorf("on the console: %s", message)
	}
	own := strings.TrimPrefix(g.URL, "http://")
	requests := p.Requests()
	if len(requests) == 0 {
		t.Error("no request was seen")
	}
	for _, request := range requests {
		if address, err := url.Parse(request); err != nil || address.Host != own {
			t.Errorf("the page asked for %s", request)
		}
	}
}

// bad are the messages that should not be.
func bad(p *person) []browser.Message {
	var found []browser.Message
	for _, message := range p.Console() {
		if message.Bad() {
			found = append(found, message)
		}
	}
	return found
}
