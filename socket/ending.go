package socket

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/walkergate/walkergate/wire"
)

const (
	// slowGrace is what a peer that does not keep up has to take the rest of a
	// begun frame and the close frame.
	slowGrace = 2 * time.Second
	// lingerTime and lingerBytes bound how long and how much is still read, and
	// thrown away, behind our close frame. Closing a socket with unread bytes
	// resets it, and a reset destroys the close frame on its way.
	lingerTime  = time.Second
	lingerBytes = 1 << 20
	// lingerBlind takes lingerTime's place where the connection cannot be closed
	// one way, so that the peer cannot see that it is its turn.
	lingerBlind = 200 * time.Millisecond
)

// past is a deadline that wakes whoever reads or writes.
var past = time.Unix(1, 0)

var errReaderGone = errors.New("socket: the handler ended the reader's goroutine")

// end sends the close frame of a Closure and sets the time at which all is
// over; whoever wants what waits dropped has dropped it. Under mu, once: the
// session must not be ending.
func (s *Session) end(closure Closure, grace time.Duration) {
	s.ending.Store(true)
	s.tellRoom()
	s.closure = closure
	s.final = time.Now().Add(grace)
	corked := !s.started
	s.started = true
	// What the kernel takes at once is not held to the deadline: a short grace
	// may be over before this goroutine gets there.
	s.put(closeFrame(closure.Code, closure.Reason))
	if !s.dead {
		// The reader wakes at the deadline, and so does the writer. A connection
		// that refuses deadlines is broken, and both find out by themselves.
		_ = s.conn.SetDeadline(s.final)
	}
	if corked {
		s.startReader()
	}
}

// tooSlow ends a session whose peer does not keep up: whole frames that have
// not begun are dropped, so that the close frame comes as soon as it can.
// Under mu, not ending.
func (s *Session) tooSlow() {
	s.options.Stats.slow()
	s.dropQueue()
	s.end(Closure{Code: wire.CloseTooSlow, Reason: "too slow"}, min(slowGrace, s.options.CloseTimeout))
}

// broken ends a session whose connection is gone: nothing can be sent. Under mu.
func (s *Session) broken(closure Closure) {
	if !s.ending.Load() {
		s.ending.Store(true)
		s.closure = closure
	} else if s.closure.Err == nil && !s.closure.ByPeer {
		s.closure.Err = closure.Err
	}
	s.dead = true
	s.tellRoom()
	s.dropQueue()
	_ = s.conn.SetDeadline(past) // wakes reader and writer; a failure means that they are awake
}

// dropQueue drops the frames that have not begun. Under mu.
func (s *Session) dropQueue() {
	before := s.queue.cost
	s.queue.cut(s.inFlight)
	s.options.Stats.queued(s.queue.cost - before)
}

// refuse answers a breach of the protocol with its close code, behind what
// waits, as the peer may still read the answers to what it did well. Called by the
// reader, which then reads no more.
func (s *Session) refuse(v *violation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.linger = s.lingerFor(lingerBlind)
	if s.ending.Load() {
		return
	}
	s.end(Closure{Code: v.code, Reason: v.reason, Err: v}, s.options.CloseTimeout)
}

// closedByPeer answers the peer's close with the same code, behind what waits.
// Called by the reader, which then reads no more.
func (s *Session) closedByPeer(code wire.CloseCode, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ending.Load() {
		return // this is the answer to ours
	}
	s.linger = s.lingerFor(0)
	s.end(Closure{Code: code, Reason: reason, ByPeer: true}, s.options.CloseTimeout)
}

// lost ends the session because nothing can be read any more. Called by the
// reader.
func (s *Session) lost(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ending.Load() {
		s.broken(Closure{Code: wire.CloseAbnormal, ByPeer: true, Err: err})
		return
	}
	// The writer may still be at work on the close frame; s.final bounds it.
	if s.closure.Err == nil && !s.closure.ByPeer {
		s.closure.Err = fmt.Errorf("socket: no answer to the close: %w", err)
	}
}

// finish is the one way out, whatever ended the session: it waits for the
// writer, closes the connection and tells. It runs on the reader's goroutine.
func (s *Session) finish() {
	s.mu.Lock()
	if !s.ending.Load() {
		s.broken(Closure{Code: wire.CloseAbnormal, Err: errReaderGone})
	}
	s.mu.Unlock() // from here on no writer is started
	s.writers.Wait()
	s.mu.Lock()
	closure, dead := s.closure, s.dead
	s.options.Stats.queued(-s.queue.cost)
	s.queue.reset()
	s.mu.Unlock()

	clean := !dead && closure.Err == nil
	if !dead && s.linger > 0 {
		s.drainPeer()
	}
	s.hangUp(clean)
	if heart := s.options.Heart; heart != nil {
		heart.remove(&s.pulse)
	}
	defer close(s.done)
	defer s.recovered()
	s.handler.Closed(closure)
}

// hangUp closes the connection. After an unclean end a TLS connection is closed
// beneath its TLS, which would else try to say goodbye, for up to 5 s, to
// somebody who does not listen.
func (s *Session) hangUp(clean bool) {
	conn := s.conn
	if layered, ok := conn.(interface{ NetConn() net.Conn }); ok && !clean {
		conn = layered.NetConn()
	}
	_ = conn.Close() // the connection is given up: there is nobody to tell
}

// lingerFor is how long to drain: blind where the connection cannot be closed
// one way.
func (s *Session) lingerFor(blind time.Duration) time.Duration {
	if _, ok := s.conn.(interface{ CloseWrite() error }); ok {
		return min(lingerTime, s.options.CloseTimeout)
	}
	return blind
}

// drainPeer tells the peer that nothing follows and throws away what it still
// sends, until it closes as well or a bound is met.
func (s *Session) drainPeer() {
	if half, ok := s.conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() != nil {
		return // the peer is gone
	}
	if s.conn.SetReadDeadline(time.Now().Add(s.linger)) != nil {
		return // likewise
	}
	buffer := chunks.Get().(*chunk)
	defer chunks.Put(buffer)
	for left := lingerBytes; left > 0; {
		n, err := s.conn.Read(buffer[:])
		if err != nil {
			return // closed by the peer, or out of time: either is the end
		}
		left -= n
	}
}

// recovered keeps a handler's panic from ending the process; it must be
// deferred itself. The first panic ends the session, which hands on nothing
// more, so there is at most one from Frame and one from Closed.
func (s *Session) recovered() {
	value := recover()
	if value == nil {
		return
	}
	// What a panic says may hold what the peer sent; only the runtime's own
	// words are known not to.
	text := fmt.Sprintf("%T", value)
	if fault, ok := value.(runtime.Error); ok {
		text = fault.Error()
	}
	s.options.Log.Error("a socket handler panicked",
		slog.String("panic", text), slog.String("stack", string(debug.Stack())))
	s.Close(wire.CloseInternal, "internal error")
}

// eof is err, or what says that the peer dropped the connection.
func eof(err error) error {
	if err == nil {
		return io.ErrUnexpectedEOF
	}
	return err
}
