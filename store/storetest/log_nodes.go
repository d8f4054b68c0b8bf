package storetest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/walkergate/walkergate/channels"
	"github.com/walkergate/walkergate/store"
)

// nodeTests are of several stores over one database.
var nodeTests = map[string]func(t *testing.T, nodes []store.Store){
	"see one log": func(t *testing.T, nodes []store.Store) {
		a, b := nodes[0], nodes[1]
		unborn := headOf(t, a, "room")
		same(t, "the head on the other node", headOf(t, b, "room"), unborn)
		var all []channels.Message
		for n := range 6 {
			epoch, places := appendAll(t, nodes[n%2], "room", lasting, someMessage(n))
			same(t, "the epoch", epoch, unborn.Epoch)
			same(t, "the places", places, []channels.Place{{Seq: int64(n + 1)}})
			all = append(all, someMessage(n))
		}
		wantLog(t, a, "room", numbered(1, all...)...)
		wantLog(t, b, "room", numbered(1, all...)...)
		_, places := appendAll(t, b, "room", lasting, all[0])
		same(t, "the place of what the other wrote", places, []channels.Place{{Seq: 1, Before: true, At: all[0].At}})

		must(t, a.Mark(t.Context(), "ann", "room", 3))
		wantMark(t, b, "ann", "room", 3)
		appendAll(t, a, channels.StreamOf("ann"), lasting, all...)
		must(t, b.Forget(t.Context(), "ann"))
		head := headOf(t, a, channels.StreamOf("ann"))
		epoch, places := appendAll(t, a, channels.StreamOf("ann"), lasting, all[1])
		same(t, "the epoch of a stream that began anew", epoch, head.Epoch)
		same(t, "its first place", places, []channels.Place{{Seq: 1}})
	},
	"agree on the epoch of what was never stored in": func(t *testing.T, nodes []store.Store) {
		const racers = 8
		heads := make([]channels.Head, racers)
		together(racers, func(i int) {
			got, err := nodes[i%len(nodes)].Heads(t.Context(), []string{"room"})
			check(t, err)
			if err == nil {
				heads[i] = got[0]
			}
		})
		epoch, _ := appendAll(t, nodes[0], "room", lasting, someMessage(1))
		for _, head := range heads {
			same(t, "the head", head, channels.Head{Epoch: epoch, First: 1})
		}
	},
	"append without a hole": func(t *testing.T, nodes []store.Store) {
		race(t, nodes, racing{writers: 16, calls: 6, channelIDs: []string{"room"}, keep: lasting})
	},
	"append without a hole in many channels": func(t *testing.T, nodes []store.Store) {
		race(t, nodes, racing{writers: 16, calls: 6, channelIDs: []string{"room", "hall", "attic"}, keep: lasting})
	},
	"append without a hole while messages are let go": func(t *testing.T, nodes []store.Store) {
		race(t, nodes, racing{
			writers: 8, calls: 8, channelIDs: []string{"room"}, sweeps: true,
			keep: channels.Retention{Messages: 3, Age: 2 * time.Second},
		})
	},
	"write an id once": func(t *testing.T, nodes []store.Store) {
		const racers, rounds = 8, 4
		for round := range rounds {
			message := keyedMessage(round, fmt.Sprint(round))
			places := make([]channels.Place, racers)
			together(racers, func(i int) {
				_, got, err := nodes[i%len(nodes)].Append(t.Context(), channels.Appending{
					ChannelID: "room", Messages: []channels.Message{message}, Retention: lasting,
				})
				check(t, err)
				if err == nil {
					places[i] = got[0]
				}
			})
			slices.SortFunc(places, func(a, b channels.Place) int { return len(a.Digest) - len(b.Digest) })
			seq := int64(round + 1)
			same(t, "the place of the winner", places[0], channels.Place{Seq: seq})
			for _, place := range places[1:] {
				same(t, "the place of another", place, channels.Place{Seq: seq, Before: true, Digest: message.Digest, At: message.At})
			}
		}
		same(t, "the head", headOf(t, nodes[0], "room").Seq, int64(rounds))
	},
}

// racing is a crowd of writers, each with calls of its own.
type racing struct {
	writers, calls int
	channelIDs     []string
	keep           channels.Retention
	sweeps         bool // beside the writers somebody sweeps
}

// placed is a message that was acknowledged.
type placed struct {
	seq     int64
	message channels.Message
}

// race lets writers append while others read. What was acknowledged must stand
// where it was said to, each seq once and none left out, each writer's in its
// order; and a reader must never see a message before those below it.
func race(t *testing.T, nodes []store.Store, r racing) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var readers sync.WaitGroup
	for i, channelID := range r.channelIDs {
		readers.Go(func() { watch(ctx, t, nodes[i%len(nodes)], channelID) })
	}
	if r.sweeps {
		readers.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				if _, err := nodes[n%len(nodes)].Sweep(ctx, someTime(n)); ctx.Err() == nil {
					check(t, err)
				}
			}
		})
	}
	var mu sync.Mutex
	told := make(map[string][]placed)
	together(r.writers, func(g int) {
		node, channelID := nodes[g%len(nodes)], r.channelIDs[g%len(r.channelIDs)]
		last := int64(0)
		for n := range r.calls {
			batch := make([]channels.Message, 1+(g+n)%4)
			for i := range batch {
				batch[i] = someMessage(n)
				batch[i].ID = fmt.Sprint(g, " ", n, " ", i)
			}
			_, places, err := node.Append(ctx, channels.Appending{ChannelID: channelID, Messages: batch, Retention: r.keep})
			check(t, err)
			mu.Lock()
			for i, place := range places {
				if place.Seq <= last || place.Before {
					t.Errorf("behind the seq %d came the place %+v", last, place)
				}
				last = place.Seq
				told[channelID] = append(told[channelID], placed{place.Seq, batch[i]})
			}
			mu.Unlock()
		}
	})
	stop()
	readers.Wait()
	for _, channelID := range r.channelIDs {
		wantTold(t, nodes[0], channelID, told[channelID])
	}
}

// wantTold demands that a log is what its writers were told.
func wantTold(t *testing.T, s store.Store, channelID string, told []placed) {
	t.Helper()
	slices.SortFunc(told, func(a, b placed) int { return int(a.seq - b.seq) })
	messages := make([]channels.Message, len(told))
	for i, one := range told {
		if one.seq != int64(i+1) {
			t.Fatalf("in %q the seq %d follows %d", channelID, one.seq, i)
		}
		messages[i] = one.message
	}
	head := headOf(t, s, channelID)
	same(t, "the head", head.Seq, int64(len(told)))
	wantLog(t, s, channelID, numbered(1, messages...)[head.First-1:]...)
}

// watch reads a log until ctx ends, as one who follows it and as one who asks
// for the newest.
func watch(ctx context.Context, t *testing.T, s store.Store, channelID string) {
	var followed, newest channels.Head
	for ctx.Err() == nil {
		page, err := s.Messages(ctx, channels.LogQuery{ChannelID: channelID, After: followed.Seq, Limit: 7})
		if ctx.Err() != nil {
			return
		}
		check(t, err)
		wantDense(t, page, followed)
		if len(page.Messages) > 0 {
			followed.Seq = page.Messages[len(page.Messages)-1].Seq
		} else {
			followed.Seq = max(followed.Seq, page.Head.First-1)
		}
		page, err = s.Messages(ctx, channels.LogQuery{ChannelID: channelID, Limit: 5, Newest: true})
		if ctx.Err() != nil {
			return
		}
		check(t, err)
		wantDense(t, page, newest)
		newest = page.Head
		heads, err := s.Heads(ctx, []string{channelID})
		if ctx.Err() != nil {
			return
		}
		check(t, err)
		if err != nil || heads[0].Seq < max(newest.Seq, followed.Seq) || heads[0].First < newest.First {
			t.Errorf("the head went from %+v to %+v (%v)", newest, heads, err)
			return
		}
	}
}

// wantDense demands that a page has no hole and lies within its head, which is
// behind one that was seen before.
func wantDense(t *testing.T, page channels.Page, seen channels.Head) {
	head := page.Head
	if head.Seq < seen.Seq || head.First < seen.First || head.First > head.Seq+1 {
		t.Errorf("the head went from %+v to %+v", seen, head)
	}
	for i, message := range page.Messages {
		if message.Seq != page.Messages[0].Seq+int64(i) || message.Seq < head.First || message.Seq > head.Seq {
			t.Errorf("a page with the head %+v holds the seq %d at %d, and %d first", head, message.Seq, i, page.Messages[0].Seq)
			return
		}
	}
}
