package socket_test

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/walkergate/walkergate/socket"
	"github.com/walkergate/walkergate/wire"
)

// row is what decides of numbered messages.
type row struct {
	void atomic.Bool
	next atomic.Int64
}

func TestSendNextGoesByTheNumber(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			s, p := open(t, kind, &recorder{}, socket.Options{})
			var r row
			r.next.Store(3)
			send := func(number int64) bool {
				return s.SendNext(message(fmt.Sprint(number)), &r.void, &r.next, number)
			}
			if send(2) || send(4) || !send(3) || send(3) || !send(4) {
				t.Error("it did not go by the number")
			}
			r.void.Store(true)
			if send(5) {
				t.Error("what is void was sent")
			}
			r.void.Store(false)
			if !send(5) || r.next.Load() != 6 {
				t.Errorf("next is %d", r.next.Load())
			}
			p.want(t, "text:3", "text:4", "text:5")
			s.Close(wire.CloseNormal, "")
			if send(6) || r.next.Load() != 6 {
				t.Error("it was sent behind the close")
			}
			if sent, room := s.Offer(message("6"), &r.void, &r.next, 6); sent || room != nil {
				t.Errorf("behind the close an offer has %t, %v", sent, room)
			}
			if s.SendOpening(message("opening"), func() { t.Error("opened behind the close") }) {
				t.Error("an opening was sent behind the close")
			}
		})
	}
}

// Several goroutines carry the same row, live and as a replay: each message goes
// once, in its turn.
func TestNumberedMessagesFromSeveralSides(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			s, p := open(t, kind, &recorder{}, socket.Options{QueueBytes: 2000})
			const messages = 3000
			var r row
			r.next.Store(1)
			var carrying sync.WaitGroup
			for side := range 3 {
				carrying.Go(func() {
					for number := int64(1); number <= messages; {
						m := message(fmt.Sprint(number))
						if side == 0 && number%2 == 0 { // of which there are few enough to find room
							s.SendNext(m, &r.void, &r.next, number)
							number = max(number, r.next.Load())
							runtime.Gosched()
							continue
						}
						sent, room := s.Offer(m, &r.void, &r.next, number)
						switch {
						case sent:
							number++
						case room != nil:
							<-room
						default:
							number = r.next.Load()
						}
					}
				})
			}
			for number := 1; number <= messages; number++ {
				if got := p.next(); got != fmt.Sprint("text:", number) {
					t.Fatalf("got %q where %d was due", got, number)
				}
			}
			carrying.Wait()
		})
	}
}

// Offers leave three quarters of the queue to what cannot wait, and never close
// the session, however slow the peer is.
func TestOffersWaitForRoom(t *testing.T) {
	for _, kind := range kinds {
		for _, size := range []int{50, 2_000, 90_000} {
			t.Run(fmt.Sprint(kind, "/", size), func(t *testing.T) {
				const bound = 40_000
				stats := &socket.Stats{}
				s, p := openNarrow(t, kind, &recorder{}, socket.Options{QueueBytes: bound, WriteTimeout: time.Minute, Stats: stats})
				body := strings.Repeat("x", size)
				messages := min(8000, int64(3<<20)/int64(size)) // more than kernels take
				var r row
				r.next.Store(1)
				ended := make(chan struct{})
				var waits atomic.Int64
				go func() {
					defer close(ended)
					for number := int64(1); number <= messages; {
						sent, room := s.Offer(message(fmt.Sprint(number, "|", body)), &r.void, &r.next, number)
						if queued := stats.QueuedBytes.Load(); queued > bound/4 && queued > int64(size)+200 {
							t.Errorf("%d bytes are queued", queued)
						}
						switch {
						case sent:
							number++
						case room == nil:
							t.Errorf("the session has ended at %d", number)
							number = messages + 1
						default:
							waits.Add(1)
							<-room
						}
					}
				}()
				eventually(t, "an offer waits", func() bool { return waits.Load() > 0 })
				for number := range messages {
					if got, want := p.next(), fmt.Sprint("text:", number+1, "|"); !strings.HasPrefix(got, want) {
						t.Fatalf("got %.50q, want %s", got, want)
					}
				}
				<-ended
			})
		}
	}
}

// Whoever waits for room learns that none will come.
func TestRoomEndsWithTheSession(t *testing.T) {
	for name, end := range map[string]func(s *socket.Session, p *peer){
		"it is closed":       func(s *socket.Session, _ *peer) { s.Close(wire.CloseGoingAway, "") },
		"the peer is gone":   func(_ *socket.Session, p *peer) { p.Close() },
		"the peer closes it": func(_ *socket.Session, p *peer) { p.send(closing(1000, "")) },
		"it is too slow": func(s *socket.Session, _ *peer) {
			for s.Send(message(strings.Repeat("x", 1000)), nil) {
			}
		},
	} {
		for _, kind := range kinds {
			t.Run(name+"/"+kind, func(t *testing.T) {
				s, p := openNarrow(t, kind, &recorder{}, socket.Options{QueueBytes: 10_000, WriteTimeout: time.Minute, CloseTimeout: 50 * time.Millisecond})
				var r row
				big := message(strings.Repeat("x", 8<<20)) // more than any kernel takes
				if sent, _ := s.Offer(big, &r.void, &r.next, 0); !sent {
					t.Fatal("the first offer was refused")
				}
				sent, room := s.Offer(big, &r.void, &r.next, 1)
				if sent || room == nil {
					t.Fatalf("the second has %t, %v", sent, room)
				}
				end(s, p)
				select {
				case <-room:
				case <-time.After(patience):
					t.Fatal("nobody tells that there will be no room")
				}
				if sent, room := s.Offer(big, &r.void, &r.next, 1); sent || room != nil {
					t.Errorf("behind the end an offer has %t, %v", sent, room)
				}
			})
		}
	}
}

// What an opening sets free comes behind it, all of it, and nothing before.
func TestSendOpening(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			s, p := open(t, kind, &recorder{}, socket.Options{})
			for turn := range 50 {
				var void atomic.Bool
				void.Store(true)
				const freed = 3
				var sending sync.WaitGroup
				sending.Go(func() {
					for sent := 0; sent < freed; {
						if s.Send(message("freed"), &void) {
							sent++
						}
						runtime.Gosched()
					}
				})
				sending.Go(func() {
					if !s.SendOpening(message(fmt.Sprint("opening ", turn)), func() { void.Store(false) }) {
						t.Error("the session has ended")
					}
				})
				p.want(t, fmt.Sprint("text:opening ", turn))
				for range freed {
					p.want(t, "text:freed")
				}
				sending.Wait()
			}
		})
	}
}
