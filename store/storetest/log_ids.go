package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/walkergate/walkergate/channels"
	"github.com/walkergate/walkergate/store"
)

var logIDTests = map[string]func(t *testing.T, s store.Store){
	"are written once in one call": func(t *testing.T, s store.Store) {
		first, second := keyedMessage(1, "a"), keyedMessage(2, "b")
		again := keyedMessage(3, "a")
		again.Data = []byte(`{"n":"another"}`)
		_, places := appendAll(t, s, "room", lasting, first, again, second, first)
		before := channels.Place{Seq: 1, Before: true, Digest: first.Digest, At: first.At}
		same(t, "the places", places, []channels.Place{{Seq: 1}, before, {Seq: 2}, before})
		wantLog(t, s, "room", numbered(1, first, second)...)
	},
	"are written once over calls": func(t *testing.T, s store.Store) {
		first, other := keyedMessage(1, "a"), someMessage(2)
		appendAll(t, s, "room", lasting, first, other)
		again := keyedMessage(3, "a")
		again.Data, again.From, again.Owner = []byte(`{"n":"another"}`), nil, "n::other"
		otherAgain := someMessage(4)
		otherAgain.ID = other.ID
		epoch, places := appendAll(t, s, "room", lasting, someMessage(5), again, otherAgain, someMessage(6))
		same(t, "the epoch", epoch, headOf(t, s, "room").Epoch)
		same(t, "the places", places, []channels.Place{
			{Seq: 3},
			{Seq: 1, Before: true, Digest: first.Digest, At: first.At},
			{Seq: 2, Before: true, At: other.At},
			{Seq: 4},
		})
		wantLog(t, s, "room", numbered(1, first, other, someMessage(5), someMessage(6))...)
	},
	"are a repeated call's answer": func(t *testing.T, s store.Store) {
		all := []channels.Message{someMessage(1), keyedMessage(2, "a"), someMessage(3)}
		appendAll(t, s, "room", lasting, all...)
		for range 2 {
			_, places := appendAll(t, s, "room", lasting, all...)
			for i, place := range places {
				same(t, "a place", place, channels.Place{Seq: int64(i + 1), Before: true, Digest: all[i].Digest, At: all[i].At})
			}
		}
		wantLog(t, s, "room", numbered(1, all...)...)
	},
	"are each channel's own": func(t *testing.T, s store.Store) {
		for _, channelID := range []string{"room", "Room", "room\x00"} {
			_, places := appendAll(t, s, channelID, lasting, keyedMessage(1, "a"))
			same(t, "the places", places, []channels.Place{{Seq: 1}})
		}
	},
	"are told apart byte by byte": func(t *testing.T, s store.Store) {
		var all []channels.Message
		for n, id := range lookalikes {
			message := someMessage(n)
			message.ID = id
			all = append(all, message)
		}
		appendAll(t, s, "room", lasting, all...)
		wantLog(t, s, "room", numbered(1, all...)...)
	},
	"outlive a message that was let go": func(t *testing.T, s store.Store) {
		one := channels.Retention{Messages: 1, Age: time.Hour}
		first, second := keyedMessage(0, "a"), someMessage(0)
		second.At = first.At
		appendAll(t, s, "room", one, first, second)
		push(t, s, "room", one, 1, 4)
		want := []channels.Place{
			{Seq: 1, Before: true, Digest: first.Digest, At: first.At},
			{Seq: 2, Before: true, At: second.At},
		}
		head := headOf(t, s, "room")
		if head.First <= 2 {
			t.Fatalf("the messages are kept: %+v", head)
		}
		wantPlaces := func(want ...channels.Place) {
			t.Helper()
			_, places := appendAll(t, s, "room", one, first, second)
			same(t, "the places", places, want)
		}
		wantPlaces(want...)
		sweepAll(t, s, first.At.Add(channels.RetryLife-time.Millisecond))
		wantPlaces(want...)
		sweepAll(t, s, first.At.Add(channels.KeyLife-time.Millisecond))
		_, places := appendAll(t, s, "room", one, first)
		same(t, "the places", places, want[:1])
		same(t, "the head", headOf(t, s, "room"), head)
		for _, message := range wholeLog(t, s, "room") {
			if message.Seq < head.First {
				t.Errorf("the message %d came back", message.Seq)
			}
		}
		// Far behind its life an id may be anybody's again.
		sweepAll(t, s, first.At.Add(2*channels.KeyLife))
		_, places = appendAll(t, s, "room", one, first)
		same(t, "the places", places, []channels.Place{{Seq: head.Seq + 1}})
	},
	"outlive an age that is shorter": func(t *testing.T, s store.Store) {
		short := channels.Retention{Messages: 10, Age: time.Second}
		first := keyedMessage(1, "a")
		appendAll(t, s, "room", short, first)
		sweepAll(t, s, first.At.Add(time.Second))
		head := headOf(t, s, "room")
		same(t, "the head", head, channels.Head{Epoch: head.Epoch, Seq: 1, First: 2})
		_, places := appendAll(t, s, "room", short, first)
		same(t, "the places", places, []channels.Place{{Seq: 1, Before: true, Digest: first.Digest, At: first.At}})
	},
}

// push appends messages to a log one call at a time, so that those before them
// are let go.
func push(t *testing.T, s store.Store, channelID string, keep channels.Retention, from, to int) {
	t.Helper()
	for n := from; n <= to; n++ {
		message := someMessage(n)
		message.ID = fmt.Sprint("pushed ", n)
		appendAll(t, s, channelID, keep, message)
	}
}

// sweepAll sweeps until there is no more to do.
func sweepAll(t tester, s store.Store, now time.Time) {
	t.Helper()
	for range 1000 {
		more, err := s.Sweep(t.Context(), now)
		must(t, err)
		if !more {
			return
		}
	}
	t.Fatal("there is no end of sweeping")
}
