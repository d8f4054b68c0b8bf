//go:build clients

package clients_test

import (
	"encoding/json"
	"os/exec"
	"slices"
	"testing"

	"github.com/walkergate/walkergate/internal/browser"
	"github.com/walkergate/walkergate/internal/testkit"
)

// bundle makes one script of the React client and all that it needs.
func bundle(t testing.TB) string {
	t.Helper()
	modules(t, "react-use-websocket", "package.json")
	build := exec.CommandContext(t.Context(), modules(t, ".bin", "esbuild"), "react/app.jsx",
		"--bundle", "--format=iife", "--jsx=automatic", "--log-level=warning", `--define:process.env.NODE_ENV="production"`)
	script, err := build.Output()
	if err != nil {
		if exit, ok := err.(*exec.ExitError); ok {
			t.Logf("esbuild: %s", exit.Stderr)
		}
		t.Fatalf("bundle the React client: %v", err)
	}
	return string(script)
}

func TestReactHook(t *testing.T) {
	script := bundle(t)
	for name, channel := range map[string]string{"with a channel in the query": "room:1", "without a query": ""} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			user := s.NewUser(t)
			settings := map[string]string{"url": s.SocketURL(""), "token": user.Token}
			if channel != "" {
				settings["channel"] = channel
			}
			given, err := json.Marshal(settings)
			if err != nil {
				t.Fatal(err)
			}
			address := serve(t, map[string]string{
				"/": `<!doctype html><title>react</title><link rel="icon" href="data:,"><div id="root"></div>` +
					`<script>globalThis.settings = ` + string(given) + `</script><script src="/app.js"></script>`,
				"/app.js": script,
			})
			client := page{browser.Open(t).Tab(t)}
			client.Visit(address + "/")
			hookWorks(t, s, client, user, channel)
		})
	}
}

// hookWorks plays through what the hook's component does. An empty channel
// asks for one of its own.
func hookWorks(t *testing.T, s *stage, client page, user testkit.User, channel string) {
	t.Helper()
	testkit.Until(t, "the component to show its user", func() bool { return client.Text("user") == user.RootID })
	who := connection(t, client, 1)
	if shown := (identity{client.Text("client"), client.Text("user"), client.Text("channel")}); shown != who {
		t.Errorf("the component shows %+v, the event told %+v", shown, who)
	}
	if channel != "" && who.ChannelID != channel || who.ChannelID == "" {
		t.Errorf("the channel is %q, want %q", who.ChannelID, channel)
	}

	watcher := s.Dial(t, "", s.NewUser(t).Token)
	in := s.Dial(t, "channel_id="+who.ChannelID, "")
	for _, text := range []string{"one", "two"} {
		watcher.Say(testkit.Frame{"type": "channel", "channel_ids": []string{who.ChannelID},
			"data": testkit.Frame{"type": "chat", "data": testkit.Frame{"message": text}}})
		in.Expect(testkit.Frame{"type": "chat", "data": testkit.Frame{"message": text}})
	}
	client.Click("say")
	in.Expect(testkit.Frame{"type": "chat", "data": testkit.Frame{"message": "from react"}})
	testkit.Until(t, "the component to show the chat", func() bool {
		return slices.Equal(client.Texts("li"), []string{"one", "two", "from react"})
	})

	client.Click("ask")
	if caller := testkit.Soon(t, "the walker to run", s.called); caller != user.RootID {
		t.Errorf("the walker ran for %s, want %s", caller, user.RootID)
	}
	testkit.Until(t, "the component to show the answer", func() bool {
		return client.Text("answer") == `{"status":200,"reports":["`+user.RootID+`"]}`
	})
	s.reach(t, who, 1)
	if state := client.Text("state"); state != "OPEN" {
		t.Errorf("the hook's state is %q", state)
	}
	for _, message := range client.Console() {
		if message.Bad() {
			t.Errorf("on the console: %s", message)
		}
	}
}
