package storetest

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/walkergate/walkergate/channels"
	"github.com/walkergate/walkergate/fault"
	"github.com/walkergate/walkergate/store"
)

var markTests = map[string]func(t *testing.T, s store.Store){
	"never go back": func(t *testing.T, s store.Store) {
		wantMark(t, s, "ann", "room", 0)
		for _, step := range [][2]int64{{5, 5}, {3, 5}, {5, 5}, {0, 5}, {9, 9}, {1 << 40, 1 << 40}, {9, 1 << 40}} {
			must(t, s.Mark(t.Context(), "ann", "room", step[0]))
			wantMark(t, s, "ann", "room", step[1])
		}
	},
	"are one user's in one channel": func(t *testing.T, s store.Store) {
		pairs := [][2]string{{"a", "bc"}, {"ab", "c"}, {"a", "b"}, {"1:a", "b"}, {"a\x00", "b"}, {"a", "\x00b"}, {"A", "b"}}
		for _, name := range lookalikes {
			pairs = append(pairs, [2]string{"ann", name}, [2]string{name, "room"})
		}
		for n, pair := range pairs {
			must(t, s.Mark(t.Context(), pair[0], pair[1], int64(n+1)))
		}
		for n, pair := range pairs {
			wantMark(t, s, pair[0], pair[1], int64(n+1))
		}
		wantMark(t, s, "bob", "room", 0)
	},
	"race": func(t *testing.T, s store.Store) {
		together(16, func(g int) {
			for n := range 4 {
				check(t, s.Mark(t.Context(), "ann", fmt.Sprint("room ", n), int64(g+1)))
			}
		})
		for n := range 4 {
			wantMark(t, s, "ann", fmt.Sprint("room ", n), 16)
		}
	},
	"go with the user": func(t *testing.T, s store.Store) {
		must(t, s.Mark(t.Context(), "ann", "room", 7))
		must(t, s.Mark(t.Context(), "bob", "room", 8))
		must(t, s.Forget(t.Context(), "ann"))
		wantMark(t, s, "ann", "room", 0)
		wantMark(t, s, "bob", "room", 8)
		must(t, s.Mark(t.Context(), "ann", "room", 1))
		wantMark(t, s, "ann", "room", 1)
	},
	"and the stream and the quota go with the user": forgetUser,
	"of nobody are forgotten": func(t *testing.T, s store.Store) {
		head := headOf(t, s, channels.StreamOf("nobody"))
		must(t, s.Forget(t.Context(), "nobody"))
		same(t, "the head", headOf(t, s, channels.StreamOf("nobody")), head)
	},
}

// leftMarks is how many marks a user of LastMarks may have beside those that
// are there.
const leftMarks = 10

// LastMarks judges what becomes of the last marks that a user may have. fill
// gives the user ann one in each of count channels, "room 0" being the first.
func LastMarks(t *testing.T, s store.Store, fill func(count int)) {
	const racers = 2 * leftMarks
	fill(channels.MaxMarks - leftMarks)
	var stored atomic.Int32
	together(racers, func(i int) {
		err := s.Mark(t.Context(), "ann", fmt.Sprint("hall ", i), 1)
		if err == nil {
			stored.Add(1)
		} else if !fault.Is(err, fault.Busy) {
			t.Errorf("a mark beyond the last ended with %v", err)
		}
	})
	same(t, "the number of marks that found room", stored.Load(), int32(leftMarks))
	wantFault(t, s.Mark(t.Context(), "ann", "one more", 1), fault.Busy)
	wantMark(t, s, "ann", "one more", 0)
	must(t, s.Mark(t.Context(), "ann", "room 3", 2))
	wantMark(t, s, "ann", "room 3", 2)
	must(t, s.Mark(t.Context(), "bob", "one more", 1))
	must(t, s.Forget(t.Context(), "ann"))
	must(t, s.Mark(t.Context(), "ann", "one more", 1))
}

// forgetUser demands that a stream begins anew under an epoch that it never
// had, and that nothing else is touched.
func forgetUser(t *testing.T, s store.Store) {
	const quota = 4 * ownedCost
	stream := channels.StreamOf("ann")
	epochs := map[string]bool{headOf(t, s, stream).Epoch: true}
	appendUnder(t, s, "room", lasting, quota, owned("ann", 1))
	room := headOf(t, s, "room")
	now := start
	for life := range 3 {
		wantPlaced(t, s, stream, quota, append(owned("ann", 10, 11), owned("bob", life*10)...), 1, 2, 3)
		must(t, s.Forget(t.Context(), "ann"))
		head := headOf(t, s, stream)
		same(t, "the head of the stream", head, channels.Head{Epoch: head.Epoch, First: 1})
		if epochs[head.Epoch] {
			t.Errorf("the epoch %s was there before", head.Epoch)
		}
		epochs[head.Epoch] = true
		wantLog(t, s, stream)
		same(t, "the head of another channel", headOf(t, s, "room"), room)
		same(t, "what was said there", len(wholeLog(t, s, "room")), 1)
	}
	// Of a stream that stays empty nothing is left in the end; nor does its
	// first epoch come back then.
	now = now.Add(2 * store.ChannelLife)
	keepAlive := someMessage(50)
	keepAlive.At = now
	appendAll(t, s, "room", lasting, keepAlive)
	sweepAll(t, s, now)
	sweepAll(t, s, now.Add(time.Hour))
	if head := headOf(t, s, stream); head.Seq != 0 || epochs[head.Epoch] {
		t.Errorf("the head of the stream is %+v, and was not to be one of %v", head, epochs)
	}
	wantPlaced(t, s, stream, quota, owned("bob", 100, 101), 1, 2)
}

func wantMark(t *testing.T, s store.Store, rootID, channelID string, want int64) {
	t.Helper()
	seq, err := s.Marked(t.Context(), rootID, channelID)
	must(t, err)
	same(t, fmt.Sprintf("the mark of %q in %q", rootID, channelID), seq, want)
}
