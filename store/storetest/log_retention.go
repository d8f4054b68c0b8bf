package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/walkergate/walkergate/channels"
	"github.com/walkergate/walkergate/store"
)

var logRetentionTests = map[string]func(t *testing.T, s store.Store){
	"keeps the newest": func(t *testing.T, s store.Store) {
		for _, most := range []int{1, 2, 20} {
			channelID := fmt.Sprint("room of ", most)
			keep := channels.Retention{Messages: most, Age: time.Hour}
			for n := 1; n <= 60; n++ {
				appendAll(t, s, channelID, keep, someMessage(n))
				wantKept(t, s, channelID, int64(n), most)
			}
		}
	},
	"keeps the newest of a call that brings more": func(t *testing.T, s store.Store) {
		keep := channels.Retention{Messages: 7, Age: time.Hour}
		for n := range 3 {
			var batch []channels.Message
			for i := range 150 {
				batch = append(batch, someMessage(n*150+i))
			}
			appendAll(t, s, "room", keep, batch...)
			wantKept(t, s, "room", int64(n*150+150), 7)
		}
	},
	"follows a retention that changes": func(t *testing.T, s store.Store) {
		wide, narrow := channels.Retention{Messages: 2000, Age: 2 * time.Hour}, channels.Retention{Messages: 5, Age: time.Hour}
		n := 0
		for range 3 {
			var batch []channels.Message
			for range 400 {
				n++
				batch = append(batch, someMessage(0))
				batch[len(batch)-1].ID = fmt.Sprint(n)
			}
			appendAll(t, s, "room", wide, batch...)
		}
		same(t, "the first", headOf(t, s, "room").First, int64(1))
		for range 3 { // in steps
			n++
			appendAll(t, s, "room", narrow, someMessage(n))
		}
		wantKept(t, s, "room", int64(n), 5)
		appendAll(t, s, "room", wide, someMessage(n+1))
		wantKept(t, s, "room", int64(n+1), 5)
	},
	"lets go by age": func(t *testing.T, s store.Store) {
		keep := channels.Retention{Messages: 100, Age: time.Hour}
		appendAll(t, s, "room", keep, someMessage(1), someMessage(2))
		appendAll(t, s, "room", keep, someMessage(3), someMessage(4))
		epoch := headOf(t, s, "room").Epoch
		want := func(now time.Time, seq, first int64) {
			t.Helper()
			sweepAll(t, s, now)
			same(t, "the head", headOf(t, s, "room"), channels.Head{Epoch: epoch, Seq: seq, First: first})
			same(t, "the number of messages", len(wholeLog(t, s, "room")), int(seq-first+1))
		}
		want(someTime(1).Add(time.Hour-time.Millisecond), 4, 1)
		want(someTime(1).Add(time.Hour), 4, 2)
		want(someTime(3).Add(time.Hour-time.Millisecond), 4, 3)
		want(someTime(4).Add(time.Hour), 4, 5)
		late := someMessage(5)
		late.At = someTime(4).Add(time.Hour)
		_, places := appendAll(t, s, "room", keep, late)
		same(t, "the place of the next", places, []channels.Place{{Seq: 5}})
		want(late.At.Add(time.Hour-time.Millisecond), 5, 5)
		want(late.At.Add(time.Hour), 5, 6)
	},
	"lets go by the shortest age": func(t *testing.T, s store.Store) {
		keep := channels.Retention{Messages: 100, Age: time.Second}
		for n := range 4 { // at 0, 1001, 2002 and 3003 ms
			appendAll(t, s, "room", keep, someMessage(n))
			sweepAll(t, s, someTime(n))
			same(t, "the first", headOf(t, s, "room").First, int64(n+1))
		}
	},
	"lets go by an age that became shorter": func(t *testing.T, s store.Store) {
		appendAll(t, s, "room", channels.Retention{Messages: 100, Age: 100 * time.Hour}, someMessage(0))
		sweepAll(t, s, someTime(1))
		short := channels.Retention{Messages: 100, Age: 2 * time.Second}
		appendAll(t, s, "room", short, someMessage(2))
		sweepAll(t, s, someTime(2))
		head := headOf(t, s, "room")
		same(t, "the head", head, channels.Head{Epoch: head.Epoch, Seq: 2, First: 2})
	},
	"sweeps in steps": func(t *testing.T, s store.Store) {
		keep := channels.Retention{Messages: 10_000, Age: time.Hour}
		const count = 800
		for n := 0; n < count; n += 400 {
			var batch []channels.Message
			for i := range 400 {
				batch = append(batch, someMessage(0))
				batch[i].ID = fmt.Sprint(n + i)
			}
			appendAll(t, s, "room", keep, batch...)
		}
		now := someTime(0).Add(time.Hour)
		more, err := s.Sweep(t.Context(), now)
		must(t, err)
		if left := headOf(t, s, "room"); !more || left.First > count {
			t.Errorf("one step went up to %+v, and says that there is more: %v", left, more)
		}
		sweepAll(t, s, now)
		head := headOf(t, s, "room")
		same(t, "the head", head, channels.Head{Epoch: head.Epoch, Seq: count, First: count + 1})
	},
	"sweeps many channels": func(t *testing.T, s store.Store) {
		keep := channels.Retention{Messages: 10, Age: time.Minute}
		var asked []string
		for n := range 100 {
			asked = append(asked, fmt.Sprint("room ", n))
			appendAll(t, s, asked[n], keep, someMessage(n%2*1000))
		}
		sweepAll(t, s, someTime(0).Add(time.Minute))
		heads, err := s.Heads(t.Context(), asked)
		must(t, err)
		for n, head := range heads {
			same(t, "a first", head.First, int64(2-n%2))
		}
		more, err := s.Sweep(t.Context(), someTime(0).Add(time.Minute))
		must(t, err)
		same(t, "that there is more", more, false)
	},
	"forgets a channel that nobody uses": forgetChannels,
	"forgets a channel that leaves much behind": func(t *testing.T, s store.Store) {
		fill := func(now time.Time, keep channels.Retention) {
			t.Helper()
			for n := range 6 {
				batch := make([]channels.Message, 200)
				for i := range batch {
					batch[i] = someMessage(n*len(batch) + i)
					batch[i].At = now
				}
				_, places := appendAll(t, s, "room", keep, batch...)
				same(t, "the last place", places[len(batch)-1].Seq, int64((n+1)*len(batch)))
			}
		}
		fill(start, channels.Retention{Messages: 1, Age: time.Hour})
		now := start.Add(2 * store.ChannelLife)
		sweepAll(t, s, now)
		fill(now, lasting)
		same(t, "the number of messages", len(wholeLog(t, s, "room")), 1200)
	},
	"knows no channel by what was refused": func(t *testing.T, s store.Store) {
		before := headOf(t, s, "room")
		wantPlaced(t, s, "room", 1, owned("ann", 1), 0)
		same(t, "the head", headOf(t, s, "room"), before)
		sweepAll(t, s, start.Add(2*store.ChannelLife)) // with a channel to forget all heads would change
		same(t, "the head", headOf(t, s, "room"), before)

		appendAll(t, s, channels.StreamOf("ann"), lasting, someMessage(1))
		must(t, s.Forget(t.Context(), "ann"))
		anew := headOf(t, s, channels.StreamOf("ann"))
		wantPlaced(t, s, channels.StreamOf("ann"), 1, owned("ann", 2), 0)
		same(t, "the head of a stream that began anew", headOf(t, s, channels.StreamOf("ann")), anew)
	},
}

// forgetChannels leads a channel to its end and beyond: no epoch ever gives a
// seq twice.
func forgetChannels(t *testing.T, s store.Store) {
	keep := channels.Retention{Messages: 10, Age: time.Hour}
	epochs := map[string]bool{headOf(t, s, "room").Epoch: true}
	now := start
	for life := range 3 {
		message := keyedMessage(0, "a")
		message.At = now
		before := headOf(t, s, "room")
		epoch, places := appendAll(t, s, "room", keep, message)
		same(t, "the place", places, []channels.Place{{Seq: 1}})
		same(t, "the epoch", epoch, before.Epoch)
		sweepAll(t, s, now.Add(2*time.Hour))
		sweepAll(t, s, now.Add(store.ChannelLife-time.Millisecond))
		same(t, "the head of a channel that is remembered", headOf(t, s, "room"), channels.Head{Epoch: epoch, Seq: 1, First: 2})
		now = now.Add(store.ChannelLife + 2*time.Hour)
		sweepAll(t, s, now)
		head := headOf(t, s, "room")
		same(t, "the head of a channel that is forgotten", head, channels.Head{Epoch: head.Epoch, First: 1})
		if epochs[head.Epoch] {
			t.Errorf("the epoch %s of the life %d was there before", head.Epoch, life)
		}
		epochs[head.Epoch] = true
	}
}

// wantKept demands that a log stands at a seq, keeps at least so many messages,
// the newest, and not many more.
func wantKept(t *testing.T, s store.Store, channelID string, seq int64, most int) {
	t.Helper()
	const more = 100
	head := headOf(t, s, channelID)
	kept := int(head.Seq - head.First + 1)
	if head.Seq != seq || kept < min(most, int(seq)) || kept > most+more {
		t.Fatalf("a log that is to keep %d of %d stands at %+v", most, seq, head)
	}
	page := pageOf(t, s, channels.LogQuery{ChannelID: channelID, Limit: channels.MaxPage, Newest: true})
	same(t, "the number of messages", len(page.Messages), kept)
	same(t, "the first of them", page.Messages[0].Seq, head.First)
}
