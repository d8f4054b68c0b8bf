package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/walkergate/walkergate/channels"
	"github.com/walkergate/walkergate/fault"
	"github.com/walkergate/walkergate/store"
)

// lasting keeps all that a test appends.
var lasting = channels.Retention{Messages: 10_000, Age: 1000 * time.Hour}

var logTests = map[string]func(t *testing.T, s store.Store){
	"begins at nothing": func(t *testing.T, s store.Store) {
		head := headOf(t, s, "room")
		if head.Epoch == "" {
			t.Error("a channel without a message has no epoch")
		}
		same(t, "the head", head, channels.Head{Epoch: head.Epoch, First: 1})
		same(t, "the page", pageOf(t, s, channels.LogQuery{ChannelID: "room", Limit: 10}), channels.Page{Head: head})
		same(t, "the head asked for again", headOf(t, s, "room"), head)

		epoch, places := appendAll(t, s, "room", lasting, someMessage(1))
		same(t, "the epoch of the first message", epoch, head.Epoch)
		same(t, "its place", places, []channels.Place{{Seq: 1}})
		same(t, "the head behind it", headOf(t, s, "room"), channels.Head{Epoch: head.Epoch, Seq: 1, First: 1})
		same(t, "the head of another channel", headOf(t, s, "hall"), channels.Head{Epoch: headOf(t, s, "hall").Epoch, First: 1})
	},
	"keeps a message whole": func(t *testing.T, s store.Store) {
		all := []channels.Message{someMessage(1), keyedMessage(2, "a key"), someMessage(3), someMessage(4), someMessage(5)}
		all[0].From = nil
		all[2].From = &channels.Sender{RootID: "n::rest"}
		all[3].From = &channels.Sender{}
		all[4].Owner, all[4].Digest = "n::owner \x00", strings.Repeat("d", 64)
		all[4].ID = strings.Repeat("\x00", 64)
		appendAll(t, s, "room", lasting, all...)
		wantLog(t, s, "room", numbered(1, all...)...)
	},
	"keeps data byte by byte": func(t *testing.T, s store.Store) {
		var all []channels.Message
		for n, data := range oddData {
			message := someMessage(n)
			message.Data = json.RawMessage(data)
			all = append(all, message)
		}
		appendAll(t, s, "room", lasting, all...)
		page := pageOf(t, s, channels.LogQuery{ChannelID: "room", Limit: channels.MaxPage})
		same(t, "the number of messages", len(page.Messages), len(all))
		for n, message := range page.Messages {
			if string(message.Data) != oddData[n] {
				t.Errorf("%.80q became %.80q", oddData[n], message.Data)
			}
		}
	},
	"keeps times to the millisecond": func(t *testing.T, s store.Store) {
		message := someMessage(1)
		at := message.At
		message.At = at.Add(999_999 * time.Nanosecond).In(time.FixedZone("elsewhere", 3600))
		appendAll(t, s, "room", lasting, message)
		page := pageOf(t, s, channels.LogQuery{ChannelID: "room", Limit: 1})
		same(t, "the time", page.Messages[0].At.Format(time.RFC3339Nano), at.Format(time.RFC3339Nano))
	},
	"counts from call to call": func(t *testing.T, s store.Store) {
		var all []channels.Message
		for _, count := range []int{1, 2, 1, 40, 3, channels.MaxPage} {
			var batch []channels.Message
			var want []channels.Place
			for range count {
				batch = append(batch, someMessage(len(all)+len(batch)))
				want = append(want, channels.Place{Seq: int64(len(all) + len(batch))})
			}
			_, places := appendAll(t, s, "room", lasting, batch...)
			same(t, "the places", places, want)
			all = append(all, batch...)
		}
		wantLog(t, s, "room", numbered(1, all...)...)
	},
	"tells of heads in the order asked": func(t *testing.T, s store.Store) {
		for n := range 6 {
			for range n {
				appendAll(t, s, fmt.Sprint("room ", n), lasting, someMessage(n), someMessage(n+100))
			}
		}
		var asked []string
		var want []channels.Head
		for _, n := range []int{3, 0, 5, 1, 1, 4, 2, 0} {
			asked = append(asked, fmt.Sprint("room ", n))
			want = append(want, headOf(t, s, fmt.Sprint("room ", n)))
			same(t, "a head", want[len(want)-1].Seq, int64(min(n, 1)*2))
		}
		heads, err := s.Heads(t.Context(), asked)
		must(t, err)
		same(t, "the heads", heads, want)
		none, err := s.Heads(t.Context(), nil)
		must(t, err)
		same(t, "the heads of no channel", len(none), 0)
	},
	"tells of as many heads as a page": func(t *testing.T, s store.Store) {
		appendAll(t, s, "room 7", lasting, someMessage(1))
		asked := make([]string, channels.MaxPage)
		for n := range asked {
			asked[n] = fmt.Sprint("room ", n)
		}
		heads, err := s.Heads(t.Context(), asked)
		must(t, err)
		for n, head := range heads {
			same(t, "a head", head, channels.Head{Epoch: heads[0].Epoch, Seq: head.Seq, First: 1})
			same(t, "a seq", head.Seq == 1, n == 7)
		}
		_, err = s.Heads(t.Context(), slices.Concat(asked, []string{"one more"}))
		wantMistake(t, err)
	},
	"keeps channels apart":    keepChannelsApart,
	"refuses what is no call": refuseLogCalls,
	"heeds a context that ended": func(t *testing.T, s store.Store) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		appending := channels.Appending{ChannelID: "room", Messages: []channels.Message{someMessage(1)}, Retention: lasting}
		_, _, err := s.Append(ctx, appending)
		_, headsErr := s.Heads(ctx, []string{"room"})
		_, pageErr := s.Messages(ctx, channels.LogQuery{ChannelID: "room", Limit: 1})
		_, sweepErr := s.Sweep(ctx, start)
		_, markedErr := s.Marked(ctx, "root", "room")
		for what, err := range map[string]error{
			"Append": err, "Heads": headsErr, "Messages": pageErr, "Sweep": sweepErr,
			"Mark": s.Mark(ctx, "root", "room", 1), "Marked": markedErr, "Forget": s.Forget(ctx, "root"),
		} {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s under a context that ended gave %v", what, err)
			}
		}
		wantLog(t, s, "room")
		wantMark(t, s, "root", "room", 0)
	},
}

// oddData are objects that a store which reads them would change.
var oddData = []string{
	`{}`, ` { } `, "{\n\t\"a\" : 1 }\r\n", `{"a":1,"a":2}`, `{"b":1,"a":2}`, `{"":""}`,
	`{"n":[1.0,1e400,-0,0.1,1E+2,12345678901234567890123,9007199254740993]}`,
	`{"s":"\u0041\/\u00e9\u0000\ud83e\udd8a\ud800\b"}`, `{"s":"é 🦊 <&> \" '"}`, "{\"s\":\"\u2028\u2029\ufeff\x7f\"}",
	`{"$set":{"a.b":1},"_id":"x","$where":"1"}`, `{"a":null,"b":[],"c":{},"d":true}`,
	`{"deep":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}`,
	`{"long":"` + strings.Repeat("x", 1<<20) + `"}`,
}

func refuseLogCalls(t *testing.T, s store.Store) {
	before := headOf(t, s, "room")
	for what, change := range map[string]func(*channels.Appending){
		"without a channel":         func(a *channels.Appending) { a.ChannelID = "" },
		"to a long name":            func(a *channels.Appending) { a.ChannelID = strings.Repeat("x", 301) },
		"to a name that is broken":  func(a *channels.Appending) { a.ChannelID = "room\xff" },
		"of nothing":                func(a *channels.Appending) { a.Messages = nil },
		"of too many":               func(a *channels.Appending) { a.Messages = make([]channels.Message, channels.MaxPage+1) },
		"without an id":             func(a *channels.Appending) { a.Messages[0].ID = "" },
		"with a long id":            func(a *channels.Appending) { a.Messages[0].ID = strings.Repeat("x", 65) },
		"with an id that is broken": func(a *channels.Appending) { a.Messages[0].ID = "\xff" },
		"without data":              func(a *channels.Appending) { a.Messages[0].Data = nil },
		"that keeps nothing":        func(a *channels.Appending) { a.Retention.Messages = 0 },
		"that keeps no time":        func(a *channels.Appending) { a.Retention.Age = time.Second - 1 },
		"under a quota below none":  func(a *channels.Appending) { a.Quota = -1 },
	} {
		appending := channels.Appending{ChannelID: "room", Messages: []channels.Message{someMessage(1)}, Retention: lasting}
		change(&appending)
		if _, _, err := s.Append(t.Context(), appending); err == nil || fault.Is(err, fault.Busy) {
			t.Errorf("an append %s ended with %v", what, err)
		}
	}
	same(t, "the head", headOf(t, s, "room"), before)
	for _, limit := range []int{-1, 0, channels.MaxPage + 1} {
		_, err := s.Messages(t.Context(), channels.LogQuery{ChannelID: "room", Limit: limit})
		wantMistake(t, err)
	}
	_, err := s.Messages(t.Context(), channels.LogQuery{Limit: 1})
	wantMistake(t, err)
	_, err = s.Heads(t.Context(), []string{"room", ""})
	wantMistake(t, err)
}

// tester is a test, or a case of one that draws them.
type tester interface {
	rapid.TB
	Context() context.Context
}

// someMessage is the n-th of a row of messages without a key.
func someMessage(n int) channels.Message {
	return channels.Message{
		ID: fmt.Sprintf("r%032x", n), At: someTime(n),
		From: &channels.Sender{ClientID: fmt.Sprint("client ", n), RootID: "n::" + someHex(n)},
		Data: json.RawMessage(fmt.Sprintf(`{"n":%d}`, n)),
	}
}

// keyedMessage is the same under a key.
func keyedMessage(n int, key string) channels.Message {
	message := someMessage(n)
	message.ID, message.Keyed, message.Digest = "k"+key, true, fmt.Sprintf("%032x", n)
	return message
}

// numbered is what a log gives of messages that begin at a seq.
func numbered(first int64, messages ...channels.Message) []channels.Message {
	all := make([]channels.Message, len(messages))
	for i, message := range messages {
		message.Seq = first + int64(i)
		all[i] = message
	}
	return all
}

func appendAll(t *testing.T, s store.Store, channelID string, keep channels.Retention, messages ...channels.Message) (string, []channels.Place) {
	t.Helper()
	epoch, places, err := s.Append(t.Context(), channels.Appending{ChannelID: channelID, Messages: messages, Retention: keep})
	must(t, err)
	same(t, "the number of places", len(places), len(messages))
	return epoch, places
}

func headOf(t tester, s store.Store, channelID string) channels.Head {
	t.Helper()
	heads, err := s.Heads(t.Context(), []string{channelID})
	must(t, err)
	same(t, "the number of heads", len(heads), 1)
	return heads[0]
}

func pageOf(t tester, s store.Store, query channels.LogQuery) channels.Page {
	t.Helper()
	page, err := s.Messages(t.Context(), query)
	must(t, err)
	return page
}

// wantLog reads a whole log and demands that it is these messages.
func wantLog(t *testing.T, s store.Store, channelID string, want ...channels.Message) {
	t.Helper()
	same(t, fmt.Sprintf("the log of %q", channelID), wholeLog(t, s, channelID), want)
}

func wholeLog(t tester, s store.Store, channelID string) []channels.Message {
	t.Helper()
	var all []channels.Message
	query := channels.LogQuery{ChannelID: channelID, Limit: channels.MaxPage}
	for {
		page := pageOf(t, s, query)
		all = append(all, page.Messages...)
		if !page.More {
			return all
		}
		query.After = all[len(all)-1].Seq
	}
}

// wantMistake demands an error that says nothing of coming again.
func wantMistake(t *testing.T, err error) {
	t.Helper()
	if err == nil || fault.Is(err, fault.Busy) {
		t.Errorf("a call that must not be ended with %v", err)
	}
}
