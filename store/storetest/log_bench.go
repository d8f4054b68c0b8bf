package storetest

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/walkergate/walkergate/channels"
	"github.com/walkergate/walkergate/store"
)

// BenchmarkLog measures an engine's log. open gives a new, empty store and sees
// to its end.
func BenchmarkLog(b *testing.B, open func(b *testing.B) store.Store) {
	b.Run("append", func(b *testing.B) {
		s := open(b)
		for n := 0; b.Loop(); n++ {
			if _, _, err := s.Append(b.Context(), benchAppending(0, n)); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
	})
	b.Run("append by 100", func(b *testing.B) {
		const batch = 100
		s := open(b)
		for n := 0; b.Loop(); n++ {
			asked := benchAppending(0, n)
			for i := range batch - 1 {
				asked.Messages = append(asked.Messages, benchAppending(i+1, n).Messages...)
			}
			if _, _, err := s.Append(b.Context(), asked); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(batch*b.N)/b.Elapsed().Seconds(), "messages/s")
	})
	b.Run("append, 256 callers over 16 channels", func(b *testing.B) { benchCallers(b, open(b)) })
	b.Run("page of 50", func(b *testing.B) { benchPage(b, open(b)) })
	b.Run("16 heads", func(b *testing.B) { benchHeads(b, open(b)) })
}

func benchCallers(b *testing.B, s store.Store) {
	const callers, channelCount = 256, 16
	var left atomic.Int64
	left.Store(int64(b.N))
	b.ResetTimer()
	together(callers, func(caller int) {
		for n := 0; left.Add(-1) >= 0; n++ {
			asked := benchAppending(caller, n)
			asked.ChannelID = fmt.Sprint("room ", caller%channelCount)
			if _, _, err := s.Append(b.Context(), asked); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}

func benchPage(b *testing.B, s store.Store) {
	for n := range 10 {
		asked := benchAppending(0, n)
		for i := range 99 {
			asked.Messages = append(asked.Messages, benchAppending(i+1, n).Messages...)
		}
		if _, _, err := s.Append(b.Context(), asked); err != nil {
			b.Fatal(err)
		}
	}
	query := channels.LogQuery{ChannelID: "room", After: 470, Limit: 50}
	for b.Loop() {
		if page, err := s.Messages(b.Context(), query); err != nil || len(page.Messages) != 50 {
			b.Fatalf("a page of %d messages (%v)", len(page.Messages), err)
		}
	}
}

func benchHeads(b *testing.B, s store.Store) {
	var asked []string
	for n := range 16 {
		appending := benchAppending(0, n)
		appending.ChannelID = fmt.Sprint("room ", n)
		asked = append(asked, appending.ChannelID)
		if _, _, err := s.Append(b.Context(), appending); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if _, err := s.Heads(b.Context(), asked); err != nil {
			b.Fatal(err)
		}
	}
}

// benchAppending is one message of 200 bytes, of a caller, under the retention
// and the quota that are usual.
func benchAppending(caller, n int) channels.Appending {
	return channels.Appending{
		ChannelID: "room", Retention: channels.Retention{Messages: 1000, Age: 7 * 24 * time.Hour}, Quota: 1 << 40,
		Messages: []channels.Message{{
			ID: fmt.Sprintf("r%016x%016x", caller, n), At: time.Now(), Owner: fmt.Sprint("n::", caller),
			From: &channels.Sender{ClientID: fmt.Sprint("client ", caller), RootID: fmt.Sprint("n::", caller)},
			Data: json.RawMessage(`{"text":"` + strings.Repeat("x", 189) + `"}`),
		}},
	}
}
