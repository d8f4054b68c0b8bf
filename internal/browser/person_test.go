//go:build browser

package browser_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/walkergate/walkergate/auth"
	"github.com/walkergate/walkergate/internal/browser"
	"github.com/walkergate/walkergate/internal/testkit"
)

const password = "correct horse battery"

// person sits before the gateway's page and does what people do there: types,
// clicks and reads.
type person struct {
	*browser.Tab
	t testing.TB
}

// visit opens the page in a browser of one's own; room may be empty.
func visit(t testing.TB, chrome *browser.Chrome, g *testkit.Gateway, room string) *person {
	t.Helper()
	p := &person{Tab: chrome.Tab(t), t: t}
	p.Visit(g.URL + "/?" + url.Values{"room": {room}}.Encode())
	p.live()
	return p
}

func (p *person) live() {
	p.t.Helper()
	testkit.Until(p.t, "the page to be live", func() bool {
		return browser.Eval[string](p.Tab, `document.getElementById("status").dataset.state`) == "live"
	})
}

func (p *person) register(email string) {
	p.t.Helper()
	p.enter("register", email)
	p.reads("account-message", "Registered and logged in.")
}

func (p *person) login(email string) {
	p.t.Helper()
	p.enter("login", email)
	p.reads("account-message", "Logged in.")
}

func (p *person) enter(button, email string) {
	p.t.Helper()
	p.Type("email", email)
	p.Type("password", password)
	p.Click(button)
	testkit.Until(p.t, "the page to show the user", func() bool {
		return p.Text("who") == email && p.root() != auth.PublicRoot && p.Text("root-kind") == "logged in"
	})
}

// reads waits until the element says so.
func (p *person) reads(id, want string) {
	p.t.Helper()
	testkit.Until(p.t, "#"+id+" to read "+want, func() bool { return p.Text(id) == want })
}

func (p *person) join(room string) {
	p.t.Helper()
	p.Type("room", room)
	p.Click("join")
	p.reads("room-now", room)
	p.live()
}

func (p *person) say(text string) {
	p.t.Helper()
	p.Type("message", text)
	p.Click("send")
}

func (p *person) tell(to, text string) {
	p.t.Helper()
	p.Type("to-root", to)
	p.Type("direct-message", text)
	p.Click("send-direct")
}

// lines are the lines of one kind in the log: chat, sent, info or error.
func (p *person) lines(kind string) []string {
	p.t.Helper()
	return p.Texts(`#log [data-kind="` + kind + `"] .text`)
}

// hears waits for a line.
func (p *person) hears(kind, want string) {
	p.t.Helper()
	testkit.Until(p.t, kind+" line "+want, func() bool { return slices.Contains(p.lines(kind), want) })
}

// heard demands that those are all chat lines so far.
func (p *person) heard(want ...string) {
	p.t.Helper()
	if got := p.lines("chat"); !slices.Equal(got, want) {
		p.t.Errorf("the chat lines are\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

func (p *person) root() string   { return p.Text("root-id") }
func (p *person) client() string { return p.Text("client-id") }
