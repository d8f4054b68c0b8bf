package notify_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/walkergate/walkergate/notify"
)

// Two nodes over one log, and between them a bus that loses, doubles and delays:
// every subscriber on both gets the dense log, and notes at most once, none in
// front of what its publisher stored before it.
func TestNodesInAStorm(t *testing.T) {
	for name, w := range map[string]weather{
		"calm":           {},
		"late":           {delays: 100, longest: 200 * time.Millisecond},
		"doubled":        {doubles: 50, delays: 50, longest: 30 * time.Millisecond},
		"lossy":          {drops: 30, delays: 50, longest: 60 * time.Millisecond},
		"all of that":    {drops: 20, doubles: 30, delays: 70, longest: 120 * time.Millisecond},
		"almost nothing": {drops: 95, doubles: 50, delays: 50, longest: time.Second},
	} {
		for seed := range uint64(4) {
			t.Run(fmt.Sprint(name, "/", seed), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { ride(t, newStorm(seed, w), seed) })
			})
		}
	}
}

// spoken is what one publisher has sent to one channel, in order.
type spoken struct {
	mu     sync.Mutex
	behind map[string]int64 // note to the seq that its publisher had stored before it
}

func ride(t *testing.T, sky *storm, seed uint64) {
	const each = 150
	shared := newLogs()
	a, b := start(t, shared, settings{bus: sky.node()}), start(t, shared, settings{bus: sky.node()})
	defer a.stop()
	defer b.stop()
	channels := []string{"one", "two", "three"}
	told := &spoken{behind: make(map[string]int64)}

	receivers := make(map[string][]*conn)
	for n, g := range []*gateway{a, b} {
		for _, id := range channels {
			c, member := add(g.Manager, fmt.Sprint(id, n), "ann")
			opened(t, member, id)
			receivers[id] = append(receivers[id], c)
		}
	}
	var publishing sync.WaitGroup
	for n, g := range []*gateway{a, b} {
		for p := range 2 {
			dice := rand.New(rand.NewPCG(seed, uint64(10*n+p)))
			publishing.Go(func() { told.speak(t, g.Manager, fmt.Sprintf("%d-%d", n, p), channels, each, dice) })
		}
	}
	publishing.Wait()
	<-time.After(8 * time.Second) // whatever is lost is known by then, and read
	synctest.Wait()
	for _, id := range channels {
		for n, c := range receivers[id] {
			told.judge(t, fmt.Sprint(id, " on node ", n), short(t, c.take())[1:], id, len(shared.written(id)))
		}
	}
	if a.Stats().Streams != 3 || b.Stats().Streams != 3 {
		t.Errorf("%d and %d streams", a.Stats().Streams, b.Stats().Streams)
	}
}

// speak publishes to channels as one publisher, now and then resting.
func (s *spoken) speak(t *testing.T, m *notify.Manager, name string, channels []string, count int, dice *rand.Rand) {
	stored := make(map[string]int64)
	for n := range count {
		id := channels[dice.IntN(len(channels))]
		message := notify.Message{Data: fmt.Appendf(nil, `{"by":%q,"n":%d}`, name, n), Store: dice.IntN(3) > 0}
		if !message.Store {
			s.mu.Lock()
			s.behind[string(message.Data)] = stored[id]
			s.mu.Unlock()
		}
		outcome, err := m.Channels(context.Background(), []string{id}, message)
		if err != nil {
			t.Errorf("publish: %v", err)
		}
		if message.Store {
			stored[id] = outcome.Stored[id].Seq
		}
		if dice.IntN(4) == 0 {
			<-time.After(time.Duration(dice.IntN(40)) * time.Millisecond)
		}
	}
}

func (s *spoken) judge(t *testing.T, who string, got []string, channelID string, head int) {
	t.Helper()
	var seq int64
	notes := make(map[string]bool)
	for _, text := range got {
		var at int64
		var data string
		if _, err := fmt.Sscanf(text, channelID+":%d %s", &at, &data); err == nil {
			if seq++; at != seq {
				t.Fatalf("%s: %d came where %d was due", who, at, seq)
			}
			continue
		}
		if _, err := fmt.Sscanf(text, channelID+" %s", &data); err != nil {
			t.Fatalf("%s got %s", who, text)
		}
		behind, known := s.behind[data]
		if !known || notes[data] {
			t.Fatalf("%s: %s came again or from nowhere", who, data)
		}
		notes[data] = true
		if behind > seq {
			t.Fatalf("%s: %s came at %d, in front of %d, which its publisher had stored before", who, data, seq, behind)
		}
	}
	if seq != int64(head) {
		t.Errorf("%s got %d of %d", who, seq, head)
	}
}
