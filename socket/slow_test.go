package socket_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/walkergate/walkergate/socket"
	"github.com/walkergate/walkergate/wire"
)

// narrow keeps the kernel from hiding a slow reader behind its buffers.
func narrow(conn net.Conn) {
	if wrapped, ok := conn.(hidden); ok {
		conn = wrapped.Conn
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetReadBuffer(64 << 10)
		_ = tcp.SetWriteBuffer(64 << 10)
	}
}

// openNarrow is open over a connection with little room.
func openNarrow(t *testing.T, kind string, h socket.Handler, o socket.Options) (*socket.Session, *peer) {
	server, client := connect(t, kind)
	narrow(server)
	narrow(client)
	s := socket.Open(server, nil, h, o)
	t.Cleanup(func() { client.Close(); <-s.Done() })
	s.Start(nil)
	return s, newPeer(client)
}

func TestSlowReaderIsClosed(t *testing.T) {
	for _, kind := range kinds {
		for _, size := range []int{100, 5_000, 90_000} {
			t.Run(fmt.Sprint(kind, "/", size), func(t *testing.T) {
				stats := &socket.Stats{}
				h, other := &recorder{}, &recorder{}
				// It is the bound that ends it, however long this takes to reach it.
				slow, p := openNarrow(t, kind, h, socket.Options{QueueBytes: 300_000, WriteTimeout: time.Hour, Stats: stats})
				swift, q := open(t, kind, other, socket.Options{WriteTimeout: time.Hour})

				taken := 0
				for body := strings.Repeat("x", size); ; taken++ {
					m := message(fmt.Sprintf("%d|%s", taken, body))
					if !swift.Send(m, nil) {
						t.Fatal("the other session was refused")
					}
					q.want(t, "text:"+string(m.Payload()))
					if !slow.Send(m, nil) {
						break
					}
				}
				if slow.Send(message("late"), nil) {
					t.Error("a message was taken behind the close")
				}
				// Now it reads: whole frames, in order, then why it ends.
				got, n := p.next(), 0
				for ; strings.HasPrefix(got, fmt.Sprintf("text:%d|", n)); n++ {
					got = p.next()
				}
				if got != "close:1013 too slow" {
					t.Fatalf("got %.50q behind %d of %d frames", got, n, taken)
				}
				if n >= taken {
					t.Errorf("nothing was dropped of %d frames", taken)
				}
				p.send(closing(1013, ""))
				if end := h.ending(t, slow); end.Code != wire.CloseTooSlow || end.ByPeer {
					t.Errorf("ended with %+v", end)
				}
				if closed, queued := stats.SlowClosed.Load(), stats.QueuedBytes.Load(); closed != 1 || queued != 0 {
					t.Errorf("counted %d slow, %d bytes queued", closed, queued)
				}
				if !swift.Send(message("alive"), nil) {
					t.Error("the other session was ended too")
				}
				q.want(t, "text:alive")
			})
		}
	}
}

// A peer that never reads is gone in time, and pings do not help it.
func TestSlowReaderThatPings(t *testing.T) {
	for _, kind := range []string{overTCP, overHidden} {
		t.Run(kind, func(t *testing.T) {
			stats := &socket.Stats{}
			h := &recorder{}
			const bound = 10_000
			s, p := openNarrow(t, kind, h, socket.Options{ControlPerSecond: 1 << 30, QueueBytes: bound, CloseTimeout: 100 * time.Millisecond, Stats: stats})
			// As long as pings may be: what the kernel holds of the pongs is soon full.
			payload := strings.Repeat("x", 125)
			flood := bytes.Repeat(frame(final|opPing, payload), 1000)
			most := int64(bound + 2 + len(payload) + socket.FrameCost)
			var group sync.WaitGroup
			group.Go(func() {
				for {
					if queued := stats.QueuedBytes.Load(); queued > most {
						t.Errorf("%d bytes are queued", queued)
					}
					if _, err := p.Write(flood); err != nil {
						return
					}
				}
			})
			if end := h.ending(t, s); end.Code != wire.CloseTooSlow {
				t.Errorf("ended with %+v", end)
			}
			group.Wait()
		})
	}
}

// A queue that makes no progress ends the session though it is not full. What
// has not begun is dropped, what has is completed.
func TestQueueWithoutProgress(t *testing.T) {
	stats := &socket.Stats{}
	h := &recorder{}
	s, p := openNarrow(t, overTCP, h, socket.Options{WriteTimeout: 50 * time.Millisecond, QueueBytes: 64 << 20, Stats: stats})
	body := strings.Repeat("x", 512<<10) // more than the kernel holds, and soon read
	for n := range 2 {
		s.Send(message(fmt.Sprintf("%d|%s", n, body)), nil)
	}
	eventually(t, "the session is too slow", func() bool { return stats.SlowClosed.Load() == 1 })
	p.want(t, "text:0|"+body, "close:1013 too slow")
	p.send(closing(1013, ""))
	if end := h.ending(t, s); end.Code != wire.CloseTooSlow || end.Err != nil {
		t.Errorf("ended with %+v", end)
	}
}

// Where a write cannot be taken up again, it ends there.
func TestQueueWithoutProgressOverPipe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, client := net.Pipe()
		defer client.Close()
		stats := &socket.Stats{}
		h := &recorder{}
		s := socket.Open(server, nil, h, socket.Options{Stats: stats})
		s.Start(nil)
		begin := time.Now()
		s.Send(message("never read"), nil)
		<-s.Done()
		if took := time.Since(begin); took != 5*time.Second {
			t.Errorf("ended after %v", took)
		}
		if end := h.ending(t, s); end.Code != wire.CloseTooSlow || end.Err == nil || stats.SlowClosed.Load() != 1 {
			t.Errorf("ended with %+v", end)
		}
	})
}

// Slow is not stuck: a reader that takes its time, but never 5 s, is served.
func TestSteadyReaderIsServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, client := net.Pipe()
		h := &recorder{}
		s := socket.Open(server, nil, h, socket.Options{})
		s.Start(nil)
		m := message(strings.Repeat("x", 500_000))
		s.Send(m, nil)
		got := make([]byte, 0, len(m.Frame()))
		for part := make([]byte, 10<<10); len(got) < cap(got); {
			<-time.After(2 * time.Second)
			n, err := client.Read(part)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, part[:n]...)
		}
		if !bytes.Equal(got, m.Frame()) {
			t.Error("the frame is not intact")
		}
		client.Close()
		<-s.Done()
	})
}

func TestOverflowBeforeStart(t *testing.T) {
	h := &recorder{}
	s, p := cork(t, overTCP, h, socket.Options{QueueBytes: 1000})
	for s.Send(message(strings.Repeat("x", 300)), nil) {
	}
	p.want(t, "close:1013 too slow")
	p.send(closing(1013, ""))
	if end := h.ending(t, s); end.Code != wire.CloseTooSlow {
		t.Errorf("ended with %+v", end)
	}
}

// A message larger than the bound still fits an empty queue.
func TestOneMessageAlwaysFits(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			s, p := openNarrow(t, kind, &recorder{}, socket.Options{QueueBytes: 1000})
			body := strings.Repeat("x", 5<<20)
			if !s.Send(message(body), nil) {
				t.Fatal("refused")
			}
			p.want(t, "text:"+body)
		})
	}
}

// halting is a connection whose every write runs out of time after a few bytes.
type halting struct{ *net.TCPConn }

func (c halting) Write(b []byte) (int, error) {
	n, err := c.TCPConn.Write(b[:min(len(b), 3)])
	if err == nil && n < len(b) {
		err = os.ErrDeadlineExceeded
	}
	return n, err
}

// A write that runs out of time goes on where it stopped, as long as some of it
// went out.
func TestProgressIsEnough(t *testing.T) {
	server, client := connect(t, overTCP)
	h := &recorder{}
	s := socket.Open(halting{server.(*net.TCPConn)}, nil, h, socket.Options{})
	s.Send(message("the first in the queue"), nil)
	s.Send(message("the second"), nil)
	s.Start(message("hello"))
	p := newPeer(client)
	p.want(t, "text:hello", "text:the first in the queue", "text:the second")
	p.Close()
	h.ending(t, s)
}

// The deadline of a queue that has emptied is not left to what is written later.
func TestQueueLeavesNoDeadline(t *testing.T) {
	s, p := cork(t, overTCP, &recorder{}, socket.Options{WriteTimeout: time.Second})
	s.Send(message("queued"), nil)
	s.Start(nil)
	p.want(t, "text:queued")
	p.patient = 1100 * time.Millisecond
	if got := p.next(); !strings.Contains(got, "timeout") {
		t.Fatalf("got %q, want nothing until the deadline is past", got)
	}
	p.patient = patience
	if !s.Send(message("direct"), nil) {
		t.Error("refused")
	}
	p.want(t, "text:direct")
}
