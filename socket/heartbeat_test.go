package socket_test

import (
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/walkergate/walkergate/socket"
	"github.com/walkergate/walkergate/wire"
)

const (
	interval  = 25 * time.Second
	deadAfter = 60 * time.Second
	slack     = interval / 64
)

// watched makes a session over a pipe, watched by a heart, within a bubble.
func watched(t *testing.T, heart *socket.Heart, stats *socket.Stats) (*socket.Session, *recorder, *peer) {
	server, client := net.Pipe()
	h := &recorder{}
	s := socket.Open(server, nil, h, socket.Options{Heart: heart, Stats: stats})
	s.Start(nil)
	p := newPeer(client)
	p.patient = time.Hour
	t.Cleanup(func() { client.Close(); <-s.Done() })
	return s, h, p
}

// after fails the test unless so much time has gone by since begin, and no more
// than the heart's slack above it.
func after(t *testing.T, begin time.Time, want time.Duration, what string) {
	t.Helper()
	if took := time.Since(begin); took < want || took > want+slack {
		t.Errorf("%s after %v, want %v", what, took, want)
	}
}

func TestSilentPeerIsPingedAndClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		heart := socket.NewHeart(0, 0) // the defaults
		defer heart.Close()
		stats := &socket.Stats{}
		<-time.After(10*time.Second + 7*time.Millisecond) // not on a tick
		s, h, p := watched(t, heart, stats)
		begin := time.Now()
		p.want(t, "ping:")
		after(t, begin, interval, "the first ping came")
		p.want(t, "ping:")
		after(t, begin, 2*interval, "the second ping came")
		p.want(t, "close:4408 no sign of life")
		after(t, begin, deadAfter, "the close came")
		<-s.Done()
		after(t, begin, deadAfter, "the session ended")
		if end := h.ending(t, s); end.Code != wire.CloseNoSignOfLife || end.ByPeer {
			t.Errorf("ended with %+v", end)
		}
		if n := stats.HeartbeatClosed.Load(); n != 1 {
			t.Errorf("counted %d", n)
		}
		if n := heart.Watched(); n != 0 {
			t.Errorf("%d sessions are still watched", n)
		}
	})
}

// A half-open peer takes nothing: not even the close frame can be written.
func TestHalfOpenPeerIsGoneInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		heart := socket.NewHeart(0, 20*time.Second) // before any ping fills the queue
		defer heart.Close()
		s, h, _ := watched(t, heart, nil)
		begin := time.Now()
		<-s.Done()
		after(t, begin, 20*time.Second, "the session ended")
		if end := h.ending(t, s); end.Code != wire.CloseNoSignOfLife {
			t.Errorf("ended with %+v", end)
		}
	})
}

// Whatever bytes arrive are a sign of life, be it half a header.
func TestAnyByteIsASignOfLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		heart := socket.NewHeart(0, 0)
		defer heart.Close()
		s, h, p := watched(t, heart, nil)
		stream := frame(final|opText, "slowly")
		done := make(chan struct{})
		go func() {
			defer close(done)
			for _, b := range stream {
				<-time.After(deadAfter - 2*time.Second)
				p.send([]byte{b})
			}
			p.send(closing(1000, ""))
		}()
		for range 2 * len(stream) { // two pings in each pause
			p.want(t, "ping:")
		}
		p.want(t, "close:1000")
		<-done
		if end := h.ending(t, s); end.Code != wire.CloseNormal {
			t.Errorf("ended with %+v", end)
		}
	})
}

func TestPeerThatAnswersStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		heart := socket.NewHeart(0, 0)
		defer heart.Close()
		_, _, p := watched(t, heart, nil)
		begin := time.Now()
		for n := 1; n <= 200; n++ {
			p.want(t, "ping:")
			took := time.Since(begin)
			if least := time.Duration(n) * interval; took < least || took > least+time.Duration(n)*slack {
				t.Fatalf("ping %d came after %v", n, took)
			}
			p.send(frame(final|opPong, ""))
		}
	})
}

// A peer that talks is not pinged.
func TestBusyPeerIsNotPinged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		heart := socket.NewHeart(0, 0)
		defer heart.Close()
		s, _, p := watched(t, heart, nil)
		for range 20 {
			<-time.After(interval - time.Second)
			p.send(text("x"))
		}
		s.Send(message("the first frame out"), nil)
		p.want(t, "text:the first frame out")
	})
}

// One heart watches many sessions, each by its own clock, and lets go of them
// whichever way they end.
func TestHeartWatchesMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		heart := socket.NewHeart(0, 0)
		defer heart.Close()
		const sessions = 300
		done := make(chan struct{}, sessions)
		for n := range sessions {
			<-time.After(131 * time.Millisecond)
			s, _, p := watched(t, heart, nil)
			begin := time.Now()
			go func() {
				defer func() { done <- struct{}{} }()
				p.want(t, "ping:")
				after(t, begin, interval, "a ping came")
				switch n % 5 {
				case 0:
					p.Close()
				case 1:
					p.send(closing(1000, ""))
					p.want(t, "close:1000")
				case 2:
					p.send([]byte{0xff, 0xff})
					p.want(t, "close:1002 use of reserved op code")
				case 3:
					s.Close(wire.CloseNormal, "")
					p.want(t, "close:1000")
				case 4:
					p.want(t, "ping:", "close:4408 no sign of life")
					after(t, begin, deadAfter, "a close came")
				}
				p.Close()
				<-s.Done()
			}()
		}
		if n := heart.Watched(); n < sessions/2 {
			t.Errorf("%d sessions are watched", n)
		}
		for range sessions {
			<-done
		}
		if n := heart.Watched(); n != 0 {
			t.Errorf("%d sessions are still watched", n)
		}
	})
}

// A session that has ended is not kept until the wheel comes around to it.
func TestHeartLetsGoAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		heart := socket.NewHeart(0, 0)
		defer heart.Close()
		for name, end := range map[string]func(*socket.Session, *peer){
			"peer vanishes": func(_ *socket.Session, p *peer) { p.Close() },
			"peer closes":   func(_ *socket.Session, p *peer) { p.send(closing(1000, "")); p.want(t, "close:1000") },
			"peer is wrong": func(_ *socket.Session, p *peer) { p.send([]byte{0xff, 0xff}); p.next() },
			"closed":        func(s *socket.Session, p *peer) { s.Close(wire.CloseNormal, ""); p.next(); p.Close() },
		} {
			s, _, p := watched(t, heart, nil)
			if n := heart.Watched(); n != 1 {
				t.Fatalf("%s: %d sessions are watched", name, n)
			}
			end(s, p)
			<-s.Done()
			if n := heart.Watched(); n != 0 {
				t.Errorf("%s: %d sessions are still watched", name, n)
			}
		}
	})
}

// A deadAfter shorter than the interval closes without a ping.
func TestDeadBeforeTheFirstPing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		heart := socket.NewHeart(interval, 2*time.Second)
		defer heart.Close()
		_, _, p := watched(t, heart, nil)
		begin := time.Now()
		p.want(t, "close:4408 no sign of life")
		after(t, begin, 2*time.Second, "the close came")
	})
}

// Sessions outlive a heart that was closed; they are watched no more.
func TestHeartCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		heart := socket.NewHeart(0, 0)
		s, _, p := watched(t, heart, nil)
		heart.Close()
		heart.Close()
		<-time.After(time.Hour)
		s.Close(wire.CloseNormal, "")
		p.want(t, "close:1000")
	})
}

// The same over a descriptor, in real time: who answers is given ample time to
// do so, and of who does not it is not asked when the close comes.
func TestHeartbeatOverTCP(t *testing.T) {
	t.Run("answered", func(t *testing.T) {
		heart := socket.NewHeart(20*time.Millisecond, time.Minute)
		t.Cleanup(heart.Close)
		_, p := open(t, overTCP, &recorder{}, socket.Options{Heart: heart})
		for range 5 {
			p.want(t, "ping:")
			p.send(frame(final|opPong, ""))
		}
	})
	t.Run("not answered", func(t *testing.T) {
		heart := socket.NewHeart(20*time.Millisecond, 100*time.Millisecond)
		t.Cleanup(heart.Close)
		h := &recorder{}
		s, p := open(t, overTCP, h, socket.Options{Heart: heart})
		silent(t, h, s, p)
	})
}

// silent demands that a peer which says nothing is closed for it.
func silent(t *testing.T, h *recorder, s *socket.Session, p *peer) {
	t.Helper()
	for got := p.next(); got != "close:4408 no sign of life"; got = p.next() {
		if got != "ping:" {
			t.Fatalf("got %q", got)
		}
	}
	p.want(t, "end")
	if end := h.ending(t, s); end.Code != wire.CloseNoSignOfLife {
		t.Errorf("ended with %+v", end)
	}
}

// dawdling is a connection that does not return from setting a deadline before
// that has come, as a goroutine may find it on a busy machine.
type dawdling struct{ *net.TCPConn }

func (c dawdling) SetDeadline(deadline time.Time) error {
	err := c.TCPConn.SetDeadline(deadline)
	if !deadline.IsZero() {
		<-time.After(time.Until(deadline))
	}
	return err
}

// The grace of a silent peer is a tick, which may be over at once: it is told
// why it is closed all the same.
func TestTheCloseOfASilentPeerIsNotLateForItsDeadline(t *testing.T) {
	heart := socket.NewHeart(20*time.Millisecond, 100*time.Millisecond)
	t.Cleanup(heart.Close)
	server, client := connect(t, overTCP)
	h := &recorder{}
	s := socket.Open(dawdling{server.(*net.TCPConn)}, nil, h, socket.Options{Heart: heart})
	s.Start(nil)
	p := newPeer(client)
	silent(t, h, s, p)
}
