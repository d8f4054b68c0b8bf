package channels_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/walkergate/walkergate/channels"
	"github.com/walkergate/walkergate/fault"
)

func fill(t *testing.T, log *channels.Log, id string, n int) {
	t.Helper()
	for i := range n {
		if _, err := log.Append(t.Context(), entry(id, fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPages(t *testing.T) {
	store := newMemory()
	log, _ := newLog(t, store, channels.LogOptions{})
	fill(t, log, "a", 2*channels.MaxPage)
	for _, test := range []struct {
		query       channels.LogQuery
		first, last int64
		more        bool
	}{
		{channels.LogQuery{Limit: 3}, 1, 3, true},
		{channels.LogQuery{Limit: 3, After: 7, Before: 10}, 8, 9, false},
		{channels.LogQuery{Limit: 3, Before: 10, Newest: true}, 7, 9, true},
		{channels.LogQuery{Limit: 0}, 1, 1, true},
		{channels.LogQuery{Limit: -5}, 1, 1, true},
		{channels.LogQuery{Limit: 1 << 30}, 1, channels.MaxPage, true},
	} {
		test.query.ChannelID = "a"
		page, err := log.Page(t.Context(), test.query)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(page.Messages); n == 0 || page.Messages[0].Seq != test.first || page.Messages[n-1].Seq != test.last || page.More != test.more {
			t.Errorf("%+v gives %d messages (more: %t)", test.query, n, page.More)
		}
	}
}

func TestHeadsOfAnyNumberOfChannels(t *testing.T) {
	store := newMemory()
	log, _ := newLog(t, store, channels.LogOptions{})
	fill(t, log, "channel 700", 3)
	var ids []string
	for i := range 2*channels.MaxPage + 1 {
		ids = append(ids, fmt.Sprint("channel ", i))
	}
	heads, err := log.Heads(t.Context(), ids)
	if err != nil || len(heads) != len(ids) {
		t.Fatalf("%d heads, %v", len(heads), err)
	}
	for i, head := range heads {
		if want := "epoch of " + ids[i]; head.Epoch != want || (head.Seq == 3) != (i == 700) {
			t.Errorf("head %d is %+v", i, head)
		}
	}
	if want := []int{channels.MaxPage, channels.MaxPage, 1}; !slices.Equal(store.headsOf, want) {
		t.Errorf("asked for %v, want %v", store.headsOf, want)
	}
	if heads, err := log.Heads(t.Context(), nil); err != nil || len(heads) != 0 {
		t.Errorf("of no channels %v, %v", heads, err)
	}
}

func TestMarksAreHeldToTheHead(t *testing.T) {
	store := newMemory()
	log, _ := newLog(t, store, channels.LogOptions{})
	fill(t, log, "a", 10)
	for _, test := range []struct{ mark, want int64 }{{0, 0}, {-1, 0}, {4, 4}, {2, 4}, {1 << 60, 10}} {
		if err := log.Mark(t.Context(), alice.RootID, "a", test.mark); err != nil {
			t.Fatal(err)
		}
		if got, err := log.Marked(t.Context(), alice.RootID, "a"); err != nil || got != test.want {
			t.Errorf("after a mark at %d it is %d (%v), want %d", test.mark, got, err, test.want)
		}
	}
	if got, err := log.Marked(t.Context(), bob.RootID, "a"); err != nil || got != 0 {
		t.Errorf("the mark of another is %d, %v", got, err)
	}
	if err := log.Forget(t.Context(), alice.RootID); err != nil || !slices.Equal(store.forgot, []string{alice.RootID}) {
		t.Errorf("forgot %q, %v", store.forgot, err)
	}
}

func TestWhatReadingFailsOnIsTold(t *testing.T) {
	store := newMemory()
	store.broken = fault.New(fault.Busy, "the engine does not answer")
	log, _ := newLog(t, store, channels.LogOptions{})
	_, page := log.Page(t.Context(), channels.LogQuery{ChannelID: "a"})
	_, heads := log.Heads(t.Context(), []string{"a"})
	_, marked := log.Marked(t.Context(), alice.RootID, "a")
	for _, err := range []error{
		page, heads, marked, log.Mark(t.Context(), alice.RootID, "a", 1), log.Forget(t.Context(), alice.RootID),
	} {
		expect(t, err, fault.Busy, "the engine does not answer")
	}
}

// Each ten seconds steps are taken until there is nothing more to do.
func TestSweeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory()
		var mu sync.Mutex
		var steps []time.Duration
		began := time.Now()
		var failing error
		fail := func(err error) {
			mu.Lock()
			defer mu.Unlock()
			failing = err
		}
		store.sweep = func(now time.Time) (bool, error) {
			if !now.Equal(time.Now()) {
				t.Errorf("the time is %v", now)
			}
			<-time.After(time.Second)
			mu.Lock()
			defer mu.Unlock()
			steps = append(steps, now.Sub(began))
			return len(steps)%3 != 0, failing
		}
		var logs logged
		log, _ := newLog(t, store, channels.LogOptions{Log: logs.logger()})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			log.Run(ctx)
		}()
		<-time.After(27 * time.Second)
		synctest.Wait()
		want := []time.Duration{10 * time.Second, 11 * time.Second, 12 * time.Second, 23 * time.Second, 24 * time.Second, 25 * time.Second}
		mu.Lock()
		if diff := cmp.Diff(want, steps); diff != "" {
			t.Errorf("steps (-want +got):\n%s", diff)
		}
		mu.Unlock()
		fail(errors.New("broken"))
		<-time.After(40 * time.Second)
		fail(nil)
		<-time.After(20 * time.Second)
		cancel()
		<-ended
		text := logs.String()
		if strings.Count(text, "cannot be let go of") != 1 || strings.Count(text, "are let go of again") != 1 {
			t.Errorf("logged is:\n%s", text)
		}
	})
}
