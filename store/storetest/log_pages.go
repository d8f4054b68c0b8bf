package storetest

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/walkergate/walkergate/channels"
	"github.com/walkergate/walkergate/store"
)

var logPageTests = map[string]func(t *testing.T, s store.Store){
	"give every part of a log": func(t *testing.T, s store.Store) {
		var all []channels.Message
		for n := range 10 {
			all = append(all, someMessage(n))
		}
		appendAll(t, s, "room", lasting, all...)
		appendAll(t, s, "rooms", lasting, someMessage(77), someMessage(78))
		wantParts(t, s, "room", numbered(1, all...))
	},
	"give every part of what is kept": func(t *testing.T, s store.Store) {
		var all []channels.Message
		for n := range 10 {
			all = append(all, someMessage(n))
		}
		keep := channels.Retention{Messages: 100, Age: time.Hour}
		appendAll(t, s, "room", keep, all...)
		sweepAll(t, s, someTime(3).Add(time.Hour)) // four go, and leave their ids behind
		sweepAll(t, s, someTime(3).Add(time.Hour))
		wantParts(t, s, "room", numbered(5, all[4:]...))
	},
	"are empty where nothing is": func(t *testing.T, s store.Store) {
		appendAll(t, s, "room", lasting, someMessage(1), someMessage(2), someMessage(3))
		head := headOf(t, s, "room")
		for _, query := range []channels.LogQuery{
			{After: 3}, {After: 1000}, {After: math.MaxInt64}, {Before: 1}, {After: 1, Before: 2}, {After: 2, Before: 1},
			{After: 2, Before: 2}, {After: math.MaxInt64, Before: math.MaxInt64},
		} {
			for _, newest := range []bool{false, true} {
				query.ChannelID, query.Limit, query.Newest = "room", 10, newest
				same(t, fmt.Sprintf("the page of %+v", query), pageOf(t, s, query), channels.Page{Head: head})
			}
		}
	},
	"hold as many as asked for": func(t *testing.T, s store.Store) {
		count := channels.MaxPage + 3
		for n := 0; n < count; n += 100 {
			var batch []channels.Message
			for i := n; i < min(n+100, count); i++ {
				batch = append(batch, someMessage(i))
			}
			appendAll(t, s, "room", lasting, batch...)
		}
		for _, newest := range []bool{false, true} {
			page := pageOf(t, s, channels.LogQuery{ChannelID: "room", Limit: channels.MaxPage, Newest: newest})
			same(t, "the number of messages", len(page.Messages), channels.MaxPage)
			same(t, "that there is more", page.More, true)
		}
	},
}

// wantParts asks for parts of a log, of ten seqs from 1 on, and compares them
// with the same parts of kept.
func wantParts(t *testing.T, s store.Store, channelID string, kept []channels.Message) {
	t.Helper()
	head := headOf(t, s, channelID)
	same(t, "the head", head, channels.Head{Epoch: head.Epoch, Seq: 10, First: kept[0].Seq})
	for _, after := range []int64{-1, 0, 4, 10} {
		for _, before := range []int64{0, 1, 7, 11, math.MaxInt64} {
			for _, limit := range []int{1, 3, channels.MaxPage} {
				query := channels.LogQuery{ChannelID: channelID, After: after, Before: before, Limit: limit}
				same(t, fmt.Sprintf("the page of %+v", query), pageOf(t, s, query), partOf(head, kept, query))
				query.Newest = true
				same(t, fmt.Sprintf("the page of %+v", query), pageOf(t, s, query), partOf(head, kept, query))
			}
		}
	}
}

// partOf is what a page is to hold.
func partOf(head channels.Head, kept []channels.Message, query channels.LogQuery) channels.Page {
	page := channels.Page{Head: head}
	for _, message := range kept {
		if message.Seq > query.After && (query.Before == 0 || message.Seq < query.Before) {
			page.Messages = append(page.Messages, message)
		}
	}
	if count := len(page.Messages); count > query.Limit {
		page.More = true
		if query.Newest {
			page.Messages = page.Messages[count-query.Limit:]
		} else {
			page.Messages = page.Messages[:query.Limit]
		}
	}
	return page
}
