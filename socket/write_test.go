package socket_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/walkergate/walkergate/socket"
	"github.com/walkergate/walkergate/wire"
)

func message(text string) *wire.Message { return wire.Text([]byte(text)) }

func TestGreetingGoesFirst(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			s, p := cork(t, kind, &recorder{}, socket.Options{})
			const senders = 100
			var group sync.WaitGroup
			ready := make(chan struct{})
			for i := range senders {
				group.Go(func() {
					if i > 0 {
						<-ready
					}
					if !s.Send(message("other"), nil) {
						t.Error("a message was refused")
					}
					if i == 0 {
						close(ready)
					}
				})
			}
			<-ready // one waits already, the others run against Start
			s.Start(message("greeting"))
			s.Start(message("again"))
			p.want(t, "text:greeting")
			for range senders {
				p.want(t, "text:other")
			}
			group.Wait()
		})
	}
}

func TestConcurrentSendersOfLargeMessages(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			stats := &socket.Stats{}
			h := &recorder{}
			s, p := open(t, kind, h, socket.Options{QueueBytes: 64 << 20, Stats: stats})
			const senders, each, size = 4, 6, 1 << 20
			var group sync.WaitGroup
			for sender := range senders {
				group.Go(func() {
					for n := range each {
						mark := fmt.Sprintf("%d:%d|", sender, n)
						if !s.Send(message(mark+strings.Repeat(mark[:1], size-len(mark))), nil) {
							t.Error("a message was refused")
						}
					}
				})
			}
			var seen [senders]int
			for range senders * each {
				got := p.next()
				mark, rest, _ := strings.Cut(got, "|")
				var sender, n int
				if _, err := fmt.Sscanf(mark, "text:%d:%d", &sender, &n); err != nil {
					t.Fatalf("got %.50q", got)
				}
				if n != seen[sender] {
					t.Fatalf("sender %d: got its message %d, want %d", sender, n, seen[sender])
				}
				if len(mark)+1+len(rest) != len("text:")+size || strings.Trim(rest, mark[5:6]) != "" {
					t.Fatalf("message %s is not intact", mark)
				}
				seen[sender]++
			}
			group.Wait()
			p.Close()
			h.ending(t, s)
			const frameBytes = senders * each * (size + 10)
			if frames, sent, queued := stats.FramesOut.Load(), stats.BytesOut.Load(), stats.QueuedBytes.Load(); frames != senders*each || sent != frameBytes || queued != 0 {
				t.Errorf("counted %d frames, %d bytes, %d queued", frames, sent, queued)
			}
		})
	}
}

// After the reply to a change nothing comes that the state before it would
// have brought.
func TestVoidedMessagesNeverFollowTheReply(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			s, p := open(t, kind, &recorder{}, socket.Options{QueueBytes: 64 << 20})
			const rounds, senders = 200, 4
			var failed atomic.Bool
			var reading sync.WaitGroup
			reading.Go(func() {
				for reply := 0; reply < rounds; {
					got := p.next()
					var n int
					if _, err := fmt.Sscanf(got, "text:reply %d", &n); err == nil {
						reply = n + 1
					} else if _, err := fmt.Sscanf(got, "text:old %d", &n); err != nil || n < reply {
						t.Errorf("got %q behind %d replies", got, reply)
						failed.Store(true)
						return
					}
				}
			})
			for round := 0; round < rounds && !failed.Load(); round++ {
				var void atomic.Bool
				var group sync.WaitGroup
				old := message(fmt.Sprint("old ", round))
				begun := make(chan struct{}, senders)
				for range senders {
					group.Go(func() {
						s.Send(old, &void)
						begun <- struct{}{}
						for range 200 { // enough to run into the reply, not to fill the queue
							s.Send(old, &void)
						}
					})
				}
				<-begun
				void.Store(true)
				if !s.Send(message(fmt.Sprint("reply ", round)), nil) {
					t.Error("the reply was refused")
				}
				group.Wait()
			}
			reading.Wait()
		})
	}
}
