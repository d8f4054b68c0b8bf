//go:build clients

package clients_test

import (
	"context"
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/walkergate/walkergate/internal/testkit"
	"github.com/walkergate/walkergate/specs"
	"github.com/walkergate/walkergate/walkers"
)

// foreign is a client that is not ours, as a test sees it from outside.
type foreign interface {
	// received are the frames that it was sent so far.
	received() []string
	// logged are the lines that its code wrote to the console so far.
	logged() []string
	// run runs a script in which client is its WebSocket.
	run(script string)
}

// chat is the message that the publishing code of seed sends, and what it
// logs of it, in a browser and in Node.
const (
	chat       = `{"type":"chat","data":{"any_field":"any_value"}}`
	chatInPage = `{any_field: any_value}`
	chatInNode = `{ any_field: 'any_value' }`
)

// callWalker is the walker that clients call here: it reports who called.
const callWalker = "roll_call"

// stage is a gateway with that walker, and an observer on it.
type stage struct {
	*testkit.Gateway
	observer *testkit.Socket
	called   chan string // the root of each run of the walker
}

func newStage(t testing.TB, options ...testkit.Option) *stage {
	t.Helper()
	s := &stage{called: make(chan string, 16)}
	spec := specs.Walker{Name: callWalker, Methods: []specs.Method{specs.WebSocket}, Auth: specs.NoAuth}
	options = append(options, testkit.Walkers(func(r *walkers.Registry) {
		walkers.Register(r, spec, func(_ context.Context, call *walkers.Call, _ struct{}) error {
			call.Report(call.RootID())
			s.called <- call.RootID()
			return nil
		})
	}))
	s.Gateway = testkit.Start(t, options...)
	s.observer = s.Dial(t, "", s.NewUser(t).Token)
	return s
}

// identity is what a connection event tells.
type identity struct {
	ClientID  string `json:"client_id"`
	RootID    string `json:"root_id"`
	ChannelID string `json:"channel_id"`
}

// connection waits for the frame at that place and reads it as a connection
// event.
func connection(t testing.TB, f foreign, at int) identity {
	t.Helper()
	testkit.Until(t, "a connection event", func() bool { return len(f.received()) > at })
	var event struct {
		Type string   `json:"type"`
		Data identity `json:"data"`
	}
	text := f.received()[at]
	if err := json.Unmarshal([]byte(text), &event); err != nil || event.Type != "connection" || event.Data.ClientID == "" {
		t.Fatalf("frame %d is %s, want a connection event", at, text)
	}
	return event.Data
}

// receives waits until the client has been sent so many frames, and demands
// that the last ones are these.
func receives(t testing.TB, f foreign, total int, last ...string) {
	t.Helper()
	testkit.Until(t, "the client's frames", func() bool { return len(f.received()) >= total })
	if diff := cmp.Diff(last, f.received()[total-len(last):]); diff != "" {
		t.Fatalf("the client's frames (-want +got):\n%s", diff)
	}
}

// reach lets the observer send to a user and to a client, and demands that
// each reaches as many connections as it should.
func (s *stage) reach(t testing.TB, who identity, asUser int) {
	t.Helper()
	hello := testkit.Frame{"type": "hello"}
	for _, to := range []struct {
		kind, targets, id string
		want              int
	}{{"user", "root_ids", who.RootID, asUser}, {"client", "client_ids", who.ClientID, 1}} {
		s.observer.Say(testkit.Frame{"type": to.kind, "id": "o", to.targets: []string{to.id}, "data": hello})
		s.observer.Expect(testkit.Frame{"type": "reply", "id": "o", "ok": true, "reached": to.want})
	}
}

// publishes runs both publishing blocks of seed in a client that has received
// so many frames: the first at three others, the second at itself. It demands
// of each event in them that its effect is seen.
func publishes(t testing.TB, s *stage, f foreign, who identity, chatLine string) {
	t.Helper()
	frames := len(f.received())
	event := f.received()[frames-1] // the connection event as it was last told
	answer := `{"status":200,"reports":["` + who.RootID + `"]}`
	user := s.NewUser(t)
	client, channel := s.Dial(t, "", ""), s.Dial(t, "channel_id=watched", "")
	root := s.Dial(t, "", user.Token)
	watchers := []*testkit.Socket{client, channel, root}

	f.run(seed(t, "publish", fillWalker, callWalker,
		fillClient, client.ClientID, fillChannel, channel.ChannelID, fillRoot, user.RootID))
	for _, watcher := range watchers {
		if got := string(watcher.NextText()); got != chat {
			t.Errorf("a watcher received %s, want %s", got, chat)
		}
	}
	if caller := testkit.Soon(t, "the walker to run", s.called); caller != who.RootID {
		t.Errorf("the walker ran for %s, want %s", caller, who.RootID)
	}
	receives(t, f, frames+2, answer, event)

	f.run(seed(t, "publish_again", fillWalker, callWalker,
		fillClient, who.ClientID, fillChannel, who.ChannelID, fillRoot, who.RootID))
	testkit.Soon(t, "the walker to run again", s.called)
	receives(t, f, frames+7, answer, chat, chat, chat, event)
	for _, watcher := range watchers {
		if watcher.RootID == who.RootID { // the public user's connections are all one user's
			watcher.Expect(testkit.Frame{"type": "chat", "data": testkit.Frame{"any_field": "any_value"}})
		}
		watcher.Quiet()
	}

	// No case of the consuming code ends in a break, so it logs each message
	// four times; what has no type of its own it passes over.
	testkit.Until(t, "the client's log", func() bool {
		return count(f.logged(), chatLine) == 4*3
	})
}

func count(lines []string, line string) int {
	n := 0
	for l := range slices.Values(lines) {
		if l == line {
			n++
		}
	}
	return n
}
