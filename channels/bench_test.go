package channels_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/walkergate/walkergate/channels"
)

// instant is a store that keeps nothing.
type instant struct {
	channels.Store
	seq    atomic.Int64
	writes atomic.Int64
}

func (s *instant) Append(_ context.Context, appending channels.Appending) (string, []channels.Place, error) {
	s.writes.Add(1)
	n := int64(len(appending.Messages))
	last := s.seq.Add(n)
	places := make([]channels.Place, n)
	for i := range places {
		places[i].Seq = last - n + 1 + int64(i)
	}
	return "e", places, nil
}

// BenchmarkAppend is the log alone: 64 callers, over a store that does nothing.
func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{100, 4096} {
		for _, keyed := range []bool{false, true} {
			b.Run(fmt.Sprintf("%d bytes, keyed %t", size, keyed), func(b *testing.B) {
				store := &instant{}
				log := channels.NewLog(store, channels.LogOptions{Now: func() time.Time { return time.Unix(1, 0) }})
				e := entry("room", strings.Repeat("x", size))
				e.Scope = alice.RootID
				var left atomic.Int64
				left.Store(int64(b.N))
				b.ReportAllocs()
				b.ResetTimer()
				var callers sync.WaitGroup
				for n := range 64 {
					callers.Go(func() {
						e := e
						if keyed {
							e.Key = fmt.Sprint(n)
						}
						for left.Add(-1) >= 0 {
							if _, err := log.Append(context.Background(), e); err != nil {
								b.Error(err)
							}
						}
					})
				}
				callers.Wait()
				b.ReportMetric(float64(b.N)/float64(store.writes.Load()), "messages/write")
			})
		}
	}
}
