package gateway_test

import (
	"context"
	"errors"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/walkergate/walkergate/gateway"
	"github.com/walkergate/walkergate/internal/testkit"
	"github.com/walkergate/walkergate/wire"
)

var idForm = regexp.MustCompile(`^\d+:[0-9a-f]{32}$`)

func TestOpenChoosesChannels(t *testing.T) {
	t.Parallel()
	w := newWorld(t, gateway.Limits{})
	long, many := strings.Repeat("x", 256), make([]string, 101)
	for i := range many {
		many[i] = "c" + strconv.Itoa(i)
	}
	tests := []struct {
		name    string
		asked   []string
		joined  []string // nil: a random one
		refused []string
	}{
		{"none", nil, nil, nil},
		{"an empty one", []string{""}, nil, nil},
		{"one", []string{"room"}, []string{"room"}, nil},
		{"several, in order", []string{"b", "a", "c"}, []string{"b", "a", "c"}, nil},
		{"one twice", []string{"a", "b", "a"}, []string{"a", "b"}, nil},
		{"the longest", []string{long}, []string{long}, nil},
		{"too long", []string{long + "x", "a"}, []string{"a"}, []string{"channel_id[0]"}},
		{"reserved", []string{"a", "$me", "$"}, []string{"a"}, []string{"channel_id[1]", "channel_id[2]"}},
		{"no UTF-8", []string{"\xff", "a"}, []string{"a"}, []string{"channel_id[0]"}},
		{"none left", []string{"$me", ""}, nil, []string{"channel_id[0]"}},
		{"too many", many, many[:100], []string{"channel_id[100]"}},
		{"any other bytes", []string{"a\x00b", " ", "🙂"}, []string{"a\x00b", " ", "🙂"}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := w.open(t, test.asked...)
			data := p.next()["data"].(map[string]any)
			first, _ := data["channel_id"].(string)
			joined := []string{first}
			if all, several := data["channel_ids"].([]any); several {
				joined = joined[:0]
				for _, id := range all {
					joined = append(joined, id.(string))
				}
			}
			if test.joined == nil {
				if len(joined) != 1 || !idForm.MatchString(first) || first == data["client_id"] {
					t.Errorf("joined %q", joined)
				}
			} else if diff := cmp.Diff(test.joined, joined); diff != "" || first != test.joined[0] {
				t.Errorf("channels (-want +got):\n%s", diff)
			}
			if test.refused == nil {
				return
			}
			failure := p.next()
			var refused []string
			for _, detail := range failure["details"].([]any) {
				refused = append(refused, detail.(map[string]any)["field"].(string))
			}
			if diff := cmp.Diff(test.refused, refused); diff != "" || failure["code"] != "bad_frame" || failure["type"] != "error" {
				t.Errorf("told %v", failure)
			}
		})
	}
}

func TestCloseSendsEverybodyAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t, gateway.Limits{})
	peers := make([]*peer, 20)
	for i := range peers {
		peers[i] = w.open(t)
		peers[i].next()
	}
	busy := w.open(t)
	busy.next()
	busy.say(`{"type":"walker","walker":"hold","response":true}`)
	testkit.Soon(t, "the walker to start", w.started)

	ended := make(chan error, 1)
	go func() { ended <- w.Close(context.Background()) }()
	for _, p := range peers {
		if code, reason := p.closed(); code != wire.CloseGoingAway || !strings.HasPrefix(reason, "retry=") {
			t.Errorf("closed with %d %q", code, reason)
		}
	}
	busy.say(`{"type":"ping"}`)
	if got := busy.next(); got["type"] != "pong" {
		t.Fatalf("got %v", got)
	}
	select {
	case err := <-ended:
		t.Fatalf("ended with %v before the walker had", err)
	default:
	}
	w.release <- struct{}{}
	if got := busy.next(); !cmp.Equal(got["reports"], []any{"held"}) {
		t.Errorf("got %v", got)
	}
	if code, _ := busy.closed(); code != wire.CloseGoingAway {
		t.Errorf("closed with %d", code)
	}
	if err := testkit.Soon(t, "the end", ended); err != nil {
		t.Error(err)
	}
	if stats := w.notify.Stats(); stats.Connections != 0 || stats.Channels != 0 || w.Stats.Connections.Load() != 0 {
		t.Errorf("left: %+v", stats)
	}
}

func TestCloseIsBoundedByItsContext(t *testing.T) {
	t.Parallel()
	w := newWorld(t, gateway.Limits{})
	p := w.open(t)
	p.next()
	p.say(`{"type":"walker","walker":"hold","response":true}`)
	testkit.Soon(t, "the walker to start", w.started)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.Close(ctx) }()
	cancel()
	if code, _ := p.closed(); code != wire.CloseGoingAway {
		t.Errorf("closed with %d", code)
	}
	if err := testkit.Soon(t, "the end", ended); !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
}

func TestCloseWaitsForPlacesThatAreTaken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, gateway.Limits{})
	first, second := w.reserve(t, stranger()), w.reserve(t, stranger())
	ended := make(chan error, 1)
	go func() { ended <- w.Close(context.Background()) }()
	testkit.Until(t, "the closing to begin", func() bool {
		place, err := w.Reserve(stranger())
		if err == nil {
			place.Release()
		}
		return err != nil
	})
	late := openAt(t, first) // its upgrade was answered before
	if code, _ := late.closed(); code != wire.CloseGoingAway {
		t.Errorf("closed with %d", code)
	}
	select {
	case err := <-ended:
		t.Fatalf("ended with %v while a place was taken", err)
	default:
	}
	second.Release()
	if err := testkit.Soon(t, "the end", ended); err != nil {
		t.Error(err)
	}
}

func TestWaitingBytesAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, gateway.Limits{WaitingBytes: 1000})
	p := w.open(t)
	p.next()
	p.say(`{"type":"walker","walker":"hold","response":true}`)
	testkit.Soon(t, "the walker to start", w.started)
	padded := func(id string) string {
		return `{"type":"connection","id":"` + id + `","pad":"` + strings.Repeat("x", 400) + `"}`
	}
	p.say(padded("first"))
	p.say(padded("second"))
	p.say(padded("third"))
	if got := p.next(); got["id"] != "third" || got["code"] != "busy" {
		t.Fatalf("got %v", got)
	}
	w.release <- struct{}{}
	p.next() // of the walker
	for _, id := range []string{"first", "second"} {
		if got := p.next(); got["id"] != id || got["type"] != "connection" {
			t.Errorf("got %v", got)
		}
	}
}
