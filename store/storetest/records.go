package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/walkergate/walkergate/notify"
	"github.com/walkergate/walkergate/store"
)

var everyRecord notify.RecordQuery

var recordTests = map[string]func(t *testing.T, s store.Store){
	"puts, replaces and removes": putReplaceRemove,
	"finds by each field": func(t *testing.T, s store.Store) {
		a, b, c := someRecord(1, "red", "blue"), someRecord(2, "red"), someRecord(3)
		c.RootID = a.RootID
		must(t, s.WriteRecords(t.Context(), puts(a, b, c), nil))
		wantRecords(t, s, everyRecord, a, b, c)
		wantRecords(t, s, notify.RecordQuery{ClientID: b.ClientID}, b)
		wantRecords(t, s, notify.RecordQuery{RootID: a.RootID}, a, c)
		wantRecords(t, s, notify.RecordQuery{ChannelID: "red"}, a, b)
		wantRecords(t, s, notify.RecordQuery{ChannelID: "blue"}, a)
		wantRecords(t, s, notify.RecordQuery{ClientID: "nobody"})
		wantRecords(t, s, notify.RecordQuery{RootID: "nobody"})
		wantRecords(t, s, notify.RecordQuery{ChannelID: "green"})
	},
	"keeps the channels in step": func(t *testing.T, s store.Store) {
		record := someRecord(1, "a", "b", "c")
		must(t, s.WriteRecords(t.Context(), puts(record), nil))
		record.ChannelIDs = []string{"d", "b"}
		must(t, s.WriteRecords(t.Context(), puts(record), nil))
		for _, gone := range []string{"a", "c"} {
			wantRecords(t, s, notify.RecordQuery{ChannelID: gone})
		}
		for _, there := range []string{"b", "d"} {
			wantRecords(t, s, notify.RecordQuery{ChannelID: there}, record)
		}
		must(t, s.WriteRecords(t.Context(), nil, []string{record.ClientID}))
		wantRecords(t, s, notify.RecordQuery{ChannelID: "b"})
	},
	"clears one node": func(t *testing.T, s store.Store) {
		a, b := someRecord(1, "red"), someRecord(2, "red")
		a.NodeID, b.NodeID = "node a", "node A"
		must(t, s.WriteRecords(t.Context(), puts(a, b), nil))
		must(t, s.ClearRecords(t.Context(), "node a"))
		must(t, s.ClearRecords(t.Context(), "unknown"))
		wantRecords(t, s, everyRecord, b)
		wantRecords(t, s, notify.RecordQuery{ChannelID: "red"}, b)
	},
	"gives pages":                    pageRecords,
	"refuses a page without a bound": refusePages,
	"takes ids of any bytes":         recordLookalikes,
	"refuses a record without an id and all beside it": func(t *testing.T, s store.Store) {
		kept := someRecord(1, "red")
		must(t, s.WriteRecords(t.Context(), puts(kept), nil))
		if err := s.WriteRecords(t.Context(), puts(someRecord(2, "red"), notify.Record{}), []string{kept.ClientID}); err == nil {
			t.Error("a record without an id was taken")
		}
		wantRecords(t, s, everyRecord, kept)
		wantRecords(t, s, notify.RecordQuery{ChannelID: "red"}, kept)
	},
	"takes thousands at once": func(t *testing.T, s store.Store) {
		const count = 3000
		many, clientIDs := make([]notify.Record, count), make([]string, count)
		for n := range many {
			many[n] = someRecord(n, "everybody", fmt.Sprint("own ", n))
			clientIDs[n] = many[n].ClientID
		}
		must(t, s.WriteRecords(t.Context(), many, nil))
		same(t, "the records in the channel", len(walkPages(t, s, notify.RecordQuery{ChannelID: "everybody"}, 700)), count)
		must(t, s.WriteRecords(t.Context(), nil, clientIDs))
		wantRecords(t, s, everyRecord)
	},
	"takes a write that is repeated": func(t *testing.T, s store.Store) {
		kept, gone := someRecord(1, "red"), someRecord(2, "red")
		must(t, s.WriteRecords(t.Context(), puts(kept, gone), nil))
		for range 2 {
			must(t, s.WriteRecords(t.Context(), puts(kept), []string{gone.ClientID}))
			wantRecords(t, s, notify.RecordQuery{ChannelID: "red"}, kept)
		}
	},
	"lets the last of one client's writes stand": func(t *testing.T, s store.Store) {
		together(8, func(g int) {
			for round := range 10 {
				record := someRecord(g, fmt.Sprint("round ", round), "everybody")
				check(t, s.WriteRecords(t.Context(), puts(record), nil))
				if _, err := s.Records(t.Context(), notify.RecordQuery{ChannelID: "everybody"}, 5); err != nil {
					t.Error(err)
				}
			}
		})
		want := make([]notify.Record, 8)
		for g := range want {
			want[g] = someRecord(g, "round 9", "everybody")
		}
		wantRecords(t, s, everyRecord, want...)
		wantRecords(t, s, notify.RecordQuery{ChannelID: "round 8"})
	},
}

func putReplaceRemove(t *testing.T, s store.Store) {
	a, b := someRecord(1, "red"), someRecord(2)
	must(t, s.WriteRecords(t.Context(), nil, nil))
	must(t, s.WriteRecords(t.Context(), puts(b, a), nil))
	wantRecords(t, s, everyRecord, a, b)

	a.RootID, a.NodeID, a.ChangedAt = b.RootID, "another node", someTime(9)
	c := someRecord(3)
	must(t, s.WriteRecords(t.Context(), puts(a, c), []string{b.ClientID, "unknown"}))
	wantRecords(t, s, everyRecord, a, c)
	wantRecords(t, s, notify.RecordQuery{RootID: someRecord(1).RootID})

	must(t, s.WriteRecords(t.Context(), nil, []string{a.ClientID, c.ClientID}))
	wantRecords(t, s, everyRecord)
}

func pageRecords(t *testing.T, s store.Store) {
	var all, odd, rooted []notify.Record
	for n := range 25 {
		record := someRecord(n, "all")
		if n%2 == 1 {
			record.ChannelIDs = append(record.ChannelIDs, "odd")
		}
		if n%3 == 0 {
			record.RootID = "n::root"
		}
		all = append(all, record)
		if n%2 == 1 {
			odd = append(odd, record)
		}
		if n%3 == 0 {
			rooted = append(rooted, record)
		}
	}
	must(t, s.WriteRecords(t.Context(), all, nil))
	for _, size := range []int{1, 4, 25, 26} {
		same(t, "all by pages", walkPages(t, s, everyRecord, size), all)
		same(t, "a channel by pages", walkPages(t, s, notify.RecordQuery{ChannelID: "odd"}, size), odd)
		same(t, "a root by pages", walkPages(t, s, notify.RecordQuery{RootID: "n::root"}, size), rooted)
	}
	wantRecords(t, s, notify.RecordQuery{ClientID: all[3].ClientID, After: all[2].ClientID}, all[3])
	wantRecords(t, s, notify.RecordQuery{ClientID: all[3].ClientID, After: all[3].ClientID})
}

func refusePages(t *testing.T, s store.Store) {
	for _, limit := range []int{-1, 0, store.MaxRecords + 1} {
		if _, err := s.Records(t.Context(), everyRecord, limit); err == nil {
			t.Errorf("a page of %d was given", limit)
		}
	}
	if _, err := s.Records(t.Context(), notify.RecordQuery{ClientID: "a", RootID: "b"}, 1); err == nil {
		t.Error("records were selected by two fields at once")
	}
}

func recordLookalikes(t *testing.T, s store.Store) {
	var all []notify.Record
	for _, name := range lookalikes {
		record := someRecord(0, name, "both")
		record.ClientID, record.RootID, record.NodeID = name, name, name
		all = append(all, record)
	}
	must(t, s.WriteRecords(t.Context(), all, nil))
	for _, record := range all {
		wantRecords(t, s, notify.RecordQuery{ClientID: record.ClientID}, record)
		wantRecords(t, s, notify.RecordQuery{RootID: record.RootID}, record)
		wantRecords(t, s, notify.RecordQuery{ChannelID: record.ChannelIDs[0]}, record)
	}
	slices.SortFunc(all, func(a, b notify.Record) int { return strings.Compare(a.ClientID, b.ClientID) })
	same(t, "all by pages", walkPages(t, s, everyRecord, 3), all)
	same(t, "a channel by pages", walkPages(t, s, notify.RecordQuery{ChannelID: "both"}, 3), all)
	for i, record := range all {
		must(t, s.ClearRecords(t.Context(), record.NodeID))
		wantRecords(t, s, everyRecord, all[i+1:]...)
	}
}

func someRecord(n int, channelIDs ...string) notify.Record {
	return notify.Record{
		ClientID: fmt.Sprintf("%010d:%032x", 1_763_000_000+n, n), RootID: "n::" + someHex(n), NodeID: "node",
		ChannelIDs: channelIDs, ConnectedAt: someTime(n), ChangedAt: someTime(n + 1),
	}
}

func puts(records ...notify.Record) []notify.Record { return records }

func wantRecords(t *testing.T, s store.Store, query notify.RecordQuery, want ...notify.Record) {
	t.Helper()
	got, err := s.Records(t.Context(), query, store.MaxRecords)
	must(t, err)
	same(t, fmt.Sprintf("what %+v finds", query), got, want)
}

// walkPages reads all that a query finds, a page at a time.
func walkPages(t *testing.T, s store.Store, query notify.RecordQuery, size int) []notify.Record {
	t.Helper()
	var all []notify.Record
	for {
		page, err := s.Records(t.Context(), query, size)
		must(t, err)
		if len(page) > size {
			t.Fatalf("a page of %d holds %d", size, len(page))
		}
		all = append(all, page...)
		if len(page) < size {
			return all
		}
		query.After = page[len(page)-1].ClientID
	}
}
