package storetest

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/walkergate/walkergate/channels"
	"github.com/walkergate/walkergate/store"
)

// ownedCost is what each message of ownedMessage counts.
const ownedCost = 100 + channels.MessageCost

var logQuotaTests = map[string]func(t *testing.T, s store.Store){
	"bounds an owner over all channels": func(t *testing.T, s store.Store) {
		const quota = 3*ownedCost + ownedCost/2
		wantPlaced(t, s, "room", quota, owned("ann", 1, 2), 1, 2)
		wantPlaced(t, s, "hall", quota, owned("ann", 3, 4), 1, 0)
		wantPlaced(t, s, "attic", quota, owned("ann", 5), 0)
		same(t, "the head where nothing was stored", headOf(t, s, "attic").Seq, int64(0))
		wantPlaced(t, s, "attic", quota, owned("bob", 1, 2, 3, 4), 1, 2, 3, 0)
		wantPlaced(t, s, "attic", quota+ownedCost, owned("ann", 6), 4)
	},
	"leaves the others of a call alone": func(t *testing.T, s store.Store) {
		const quota = 2 * ownedCost
		small := owned("ann", 9)[0]
		small.Data = []byte(`{}`)
		batch := append(owned("ann", 1), owned("bob", 1, 2, 3)...)
		batch = append(batch, owned("", 1, 2, 3)...)
		big := owned("ann", 2)[0]
		big.Data = []byte(`{"big":"` + strings.Repeat("x", 1000) + `"}`)
		batch = append(batch, big, small, owned("ann", 3)[0])
		wantPlaced(t, s, "room", quota, batch, 1, 2, 3, 0, 4, 5, 6, 0, 7, 0)
	},
	"knows an id before it refuses": func(t *testing.T, s store.Store) {
		const quota = 2 * ownedCost
		all := owned("ann", 1, 2)
		wantPlaced(t, s, "room", quota, all, 1, 2)
		for range 2 {
			_, places, err := s.Append(t.Context(), channels.Appending{
				ChannelID: "room", Messages: append(owned("ann", 3), all...), Retention: lasting, Quota: quota,
			})
			must(t, err)
			same(t, "the places", places, []channels.Place{
				{Refused: channels.ErrQuota}, {Seq: 1, Before: true, At: all[0].At}, {Seq: 2, Before: true, At: all[1].At},
			})
		}
	},
	"does not count what is repeated": func(t *testing.T, s store.Store) {
		const quota = 3 * ownedCost
		for range 5 {
			appendUnder(t, s, "room", lasting, quota, owned("ann", 1, 2))
		}
		wantPlaced(t, s, "room", quota, owned("ann", 3), 3)
		wantPlaced(t, s, "room", quota, owned("ann", 4), 0)
	},
	"is none where it is 0": func(t *testing.T, s store.Store) {
		wantPlaced(t, s, "room", 0, owned("ann", 1, 2, 3), 1, 2, 3)
		wantPlaced(t, s, "room", 3*ownedCost, owned("ann", 4), 0)
		wantPlaced(t, s, "room", 4*ownedCost, owned("ann", 5), 4)
	},
	"gives back what was let go by number": func(t *testing.T, s store.Store) {
		const quota = 3 * ownedCost
		keep := channels.Retention{Messages: 1, Age: 1000 * time.Hour}
		for n := range 12 {
			batch := owned("ann", n)
			batch[0].At = start.Add(time.Duration(n) * time.Minute)
			if place := appendUnder(t, s, "room", keep, quota, batch)[0]; place.Seq != int64(n+1) {
				t.Fatalf("the message %d got the place %+v", n, place)
			}
		}
		late := owned("ann", 100, 101, 102)
		for i := range late {
			late[i].At = start.Add(time.Hour)
		}
		wantPlaced(t, s, "hall", quota, late, 1, 2, 0)
	},
	"gives back what was let go by age": func(t *testing.T, s store.Store) {
		const quota = 3 * ownedCost
		keep := channels.Retention{Messages: 100, Age: time.Hour}
		appendUnder(t, s, "room", keep, quota, owned("ann", 1, 2, 3))
		now := someTime(2).Add(time.Hour)
		sweepAll(t, s, now)
		late := owned("ann", 4, 5, 6)
		for i := range late {
			late[i].At = now
		}
		wantPlaced(t, s, "hall", quota, late, 1, 2, 0)
	},
	"holds against many at once": func(t *testing.T, s store.Store) {
		const writers, each, room = 8, 6, 20
		var stored atomic.Int64
		together(writers, func(g int) {
			for n := range each {
				appending := channels.Appending{
					ChannelID: fmt.Sprint("room ", g%3), Messages: owned("ann", g*each+n), Retention: lasting, Quota: room * ownedCost,
				}
				_, places, err := s.Append(t.Context(), appending)
				check(t, err)
				if err == nil && places[0].Seq > 0 {
					stored.Add(1)
				}
			}
		})
		// An engine without transactions may be off by what was under way.
		if count := stored.Load(); count < room || count > room+writers {
			t.Errorf("%d messages were stored where there was room for %d", count, room)
		}
	},
}

// owned are messages of an owner, each of which counts ownedCost.
func owned(owner string, numbers ...int) []channels.Message {
	all := make([]channels.Message, len(numbers))
	for i, n := range numbers {
		all[i] = someMessage(n)
		all[i].ID = fmt.Sprint(owner, " ", n)
		all[i].Owner = owner
		text := fmt.Sprintf(`{"n":%d,"fill":"`, n)
		all[i].Data = []byte(text + strings.Repeat("x", ownedCost-channels.MessageCost-len(text)-2) + `"}`)
	}
	return all
}

func appendUnder(t *testing.T, s store.Store, channelID string, keep channels.Retention, quota int64, messages []channels.Message) []channels.Place {
	t.Helper()
	_, places, err := s.Append(t.Context(), channels.Appending{ChannelID: channelID, Messages: messages, Retention: keep, Quota: quota})
	must(t, err)
	return places
}

// wantPlaced demands the seqs of messages, 0 for one that is refused.
func wantPlaced(t *testing.T, s store.Store, channelID string, quota int64, messages []channels.Message, seqs ...int64) {
	t.Helper()
	var want []channels.Place
	for _, seq := range seqs {
		place := channels.Place{Seq: seq}
		if seq == 0 {
			place.Refused = channels.ErrQuota
		}
		want = append(want, place)
	}
	same(t, "the places", appendUnder(t, s, channelID, lasting, quota, messages), want)
}
