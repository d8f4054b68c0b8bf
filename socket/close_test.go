package socket_test

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/walkergate/walkergate/socket"
	"github.com/walkergate/walkergate/wire"
)

func TestCloseHandshake(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			h := &recorder{}
			s, p := open(t, kind, h, socket.Options{})
			s.Close(wire.CloseGoingAway, "retry=100")
			s.Close(wire.CloseInternal, "the second does nothing")
			p.want(t, "close:1001 retry=100")
			if s.Send(wire.Text([]byte("late")), nil) {
				t.Error("a message was taken behind the close")
			}
			p.send(text("dropped"), frame(final|opPing, "unanswered"), closing(1001, ""))
			p.want(t, "end")
			end := h.ending(t, s)
			if end != (socket.Closure{Code: wire.CloseGoingAway, Reason: "retry=100"}) {
				t.Errorf("ended with %+v", end)
			}
			if got := h.received(); len(got) > 0 {
				t.Errorf("the handler got %q behind the close", got)
			}
		})
	}
}

func TestCloseByPeer(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			h := &recorder{}
			s, p := open(t, kind, h, socket.Options{})
			wait := p.sendFrom(closing(4001, "enough"))
			p.want(t, "close:4001 enough", "end")
			p.Close()
			wait()
			if end := h.ending(t, s); end != (socket.Closure{Code: 4001, Reason: "enough", ByPeer: true}) {
				t.Errorf("ended with %+v", end)
			}
		})
	}
}

func TestPeerVanishes(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			h := &recorder{}
			s, p := open(t, kind, h, socket.Options{})
			p.Close()
			if end := h.ending(t, s); end.Code != wire.CloseAbnormal || !end.ByPeer || end.Err == nil {
				t.Errorf("ended with %+v", end)
			}
		})
	}
}

func TestCloseSendsWhatWaits(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			s, p := open(t, kind, &recorder{}, socket.Options{})
			s.Send(wire.Text([]byte("one")), nil)
			s.Send(wire.Text([]byte("two")), nil)
			s.Close(wire.CloseNormal, "")
			p.want(t, "text:one", "text:two", "close:1000")
		})
	}
}

func TestCloseReasonAndCode(t *testing.T) {
	for _, c := range []struct {
		name   string
		code   wire.CloseCode
		reason string
		want   string
	}{
		{"reason of 123 bytes", 1000, strings.Repeat("x", 123), "close:1000 " + strings.Repeat("x", 123)},
		{"reason of 124 bytes", 1000, strings.Repeat("x", 124), "close:1000 " + strings.Repeat("x", 123)},
		{"cut between runes", 1000, strings.Repeat("€", 42), "close:1000 " + strings.Repeat("€", 41)},
		{"cut within a rune", 1000, "x" + strings.Repeat("€", 42), "close:1000 x" + strings.Repeat("€", 40)},
		{"reason that is not text", 1000, "a\xffb", "close:1000 a\uFFFDb"},
		{"code that must not be sent", wire.CloseAbnormal, "x", "close:"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, p := open(t, overTCP, &recorder{}, socket.Options{})
			s.Close(c.code, c.reason)
			p.want(t, c.want)
		})
	}
}

func TestCloseIsNotAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, client := net.Pipe()
		defer client.Close()
		h := &recorder{}
		s := socket.Open(server, nil, h, socket.Options{CloseTimeout: 3 * time.Second})
		s.Start(nil)
		go func() { _, _ = io.Copy(io.Discard, client) }()
		begin := time.Now()
		s.Close(wire.CloseNormal, "")
		<-s.Done()
		if took := time.Since(begin); took != 3*time.Second {
			t.Errorf("ended after %v", took)
		}
		if end := h.ending(t, s); end.Code != wire.CloseNormal || end.Err == nil {
			t.Errorf("ended with %+v", end)
		}
	})
}

// A peer that neither reads nor closes is gone after the timeout too.
func TestCloseIsNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, client := net.Pipe()
		defer client.Close()
		s := socket.Open(server, nil, &recorder{}, socket.Options{})
		s.Start(wire.Text([]byte("hello")))
		begin := time.Now()
		s.Close(wire.CloseNormal, "")
		<-s.Done()
		if took := time.Since(begin); took != 2*time.Second {
			t.Errorf("ended after %v", took)
		}
	})
}

func TestCloseBeforeStart(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			h := &recorder{}
			stats := &socket.Stats{}
			s, p := cork(t, kind, h, socket.Options{Stats: stats})
			s.Send(wire.Text([]byte("never sent")), nil)
			s.Close(wire.CloseGoingAway, "drain")
			s.Start(wire.Text([]byte("no greeting any more")))
			p.want(t, "close:1001 drain")
			p.send(closing(1001, ""))
			p.want(t, "end")
			if end := h.ending(t, s); end.Code != wire.CloseGoingAway || end.ByPeer {
				t.Errorf("ended with %+v", end)
			}
			if n := stats.QueuedBytes.Load(); n != 0 {
				t.Errorf("%d bytes are still counted as queued", n)
			}
		})
	}
}

func TestCloseFromEverywhereAtOnce(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			h := &recorder{}
			s, p := open(t, kind, h, socket.Options{})
			var group sync.WaitGroup
			for range 20 {
				group.Go(func() { s.Close(wire.CloseNormal, "") })
				group.Go(func() { s.Send(wire.Text([]byte("x")), nil) })
			}
			group.Go(func() { p.send(closing(1000, "")) })
			for got := p.next(); got != "close:1000"; got = p.next() {
				if got != "text:x" {
					t.Errorf("got %q", got)
					break
				}
			}
			group.Wait()
			p.Close()
			h.ending(t, s)
		})
	}
}

// The close frame reaches a peer that has far more under way than is read: the
// connection is not reset under it.
func TestCloseSurvivesUnreadBytes(t *testing.T) {
	for _, kind := range []string{overTCP, overHidden} {
		t.Run(kind, func(t *testing.T) {
			h := &recorder{}
			s, p := open(t, kind, h, socket.Options{})
			p.send(text(strings.Repeat("x", 500_000)))
			p.want(t, "close:1009 message too big", "end")
			p.Close()
			if end := h.ending(t, s); end.Code != wire.CloseTooBig || end.ByPeer || end.Err == nil {
				t.Errorf("ended with %+v", end)
			}
		})
	}
}

// A peer that keeps on sending after it was refused does not hold the session,
// nor is much of it read: unbounded, it would be hundreds of MiB.
func TestLingerIsBounded(t *testing.T) {
	h := &recorder{}
	s, p := open(t, overTCP, h, socket.Options{})
	junk := make([]byte, 64<<10)
	junk[0] = 0xff
	written := 0
	var group sync.WaitGroup
	group.Go(func() {
		for {
			n, err := p.Write(junk)
			written += n
			if err != nil {
				return
			}
		}
	})
	h.ending(t, s)
	group.Wait()
	if written > 32<<20 { // the bound, and what the kernel holds
		t.Errorf("%d bytes were written behind the refusal", written)
	}
}

// A peer that falls silent after it was refused does not hold it either.
func TestLingerEnds(t *testing.T) {
	h := &recorder{}
	s, p := open(t, overTCP, h, socket.Options{CloseTimeout: 300 * time.Millisecond})
	p.send([]byte{0xff, 0xff})
	p.want(t, "close:1002 use of reserved op code")
	if end := h.ending(t, s); end.Err == nil || end.Code != wire.CloseProtocol {
		t.Errorf("ended with %+v", end)
	}
}
