package sqlite_test

import (
	"fmt"
	"testing"

	"github.com/walkergate/walkergate/auth"
	"github.com/walkergate/walkergate/notify"
)

// BenchmarkWriteRecords is a burst of connects, then of leaves, by batches of
// a thousand as the recorder writes them.
func BenchmarkWriteRecords(b *testing.B) {
	s := open(b, newDir(b))
	const batch = 1000
	puts, removed := make([]notify.Record, batch), make([]string, batch)
	for n := range puts {
		puts[n] = record(fmt.Sprintf("1763000000:%032x", n))
		puts[n].ChannelIDs = []string{"room", fmt.Sprintf("1763000000:%032x", n)}
		removed[n] = puts[n].ClientID
	}
	for b.Loop() {
		if err := s.WriteRecords(b.Context(), puts, nil); err != nil {
			b.Fatal(err)
		}
		if err := s.WriteRecords(b.Context(), nil, removed); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(2*batch*b.N)/b.Elapsed().Seconds(), "records/s")
}

// BenchmarkWriteRecord is many callers with one record each, who share
// commits.
func BenchmarkWriteRecord(b *testing.B) {
	s := open(b, newDir(b))
	b.SetParallelism(128)
	b.RunParallel(func(pb *testing.PB) {
		for n := 0; pb.Next(); n++ {
			if err := s.WriteRecords(b.Context(), []notify.Record{record(fmt.Sprint(n))}, nil); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func BenchmarkFindUser(b *testing.B) {
	s := open(b, newDir(b))
	if err := s.CreateUser(b.Context(), user(1)); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.FindUser(b.Context(), auth.UserKey{ID: user(1).ID}); err != nil {
			b.Fatal(err)
		}
	}
}
