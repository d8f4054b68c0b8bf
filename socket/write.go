package socket

import (
	"errors"
	"os"
	"sync"
	"time"

	"github.com/gobwas/ws"

	"github.com/walkergate/walkergate/wire"
)

// chunks lends buffers to readers that have something to read, and to writers
// that join small frames.
var chunks = sync.Pool{New: func() any { return new(chunk) }}

// admit takes a frame in within the bound, or closes the session. Under mu, not
// ending.
func (s *Session) admit(frame []byte) bool {
	if !s.queue.empty() && s.queue.cost+len(frame)+frameCost > s.options.QueueBytes {
		s.tooSlow()
		return false
	}
	s.put(frame)
	return !s.dead
}

// put writes a frame at once where it can, and queues what is left of it.
// Under mu.
func (s *Session) put(frame []byte) {
	written := 0
	// RawConn.Write takes the descriptor's write lock, which the transient
	// writer holds for as long as it waits: never try beside it.
	if s.raw != nil && s.started && !s.writing && !s.dead {
		n, err := s.writeNow(frame)
		if err != nil {
			s.broken(Closure{Code: wire.CloseAbnormal, ByPeer: true, Err: err})
			return
		}
		if n == len(frame) {
			s.options.Stats.sent(n, 1)
			return
		}
		s.options.Stats.sent(n, 0)
		written = n
	}
	s.queue.push(frame, written)
	s.options.Stats.queued(len(frame) + frameCost)
	s.startWriter()
}

// writeNow writes what the kernel takes without waiting. Under mu.
func (s *Session) writeNow(frame []byte) (int, error) {
	s.out = frame
	err := s.raw.Write(s.onWritable)
	n, outErr := s.outN, s.outErr
	s.out, s.outN, s.outErr = nil, 0, nil
	if err != nil {
		return n, err
	}
	return n, outErr
}

// startWriter starts the transient writer where there is work and none is at
// it. Under mu.
func (s *Session) startWriter() {
	if s.started && !s.writing && !s.dead && !s.queue.empty() {
		s.writing = true
		s.writers.Go(s.drain)
	}
}

// drain is the transient writer: it lives while the queue does.
func (s *Session) drain() {
	buffer := chunks.Get().(*chunk)
	defer chunks.Put(buffer)
	s.mu.Lock()
	for !s.dead && !s.queue.empty() {
		piece := s.queue.next(buffer)
		s.inFlight = len(piece)
		// A connection that refuses deadlines is broken; Write tells.
		_ = s.conn.SetWriteDeadline(s.writeDeadline())
		s.mu.Unlock()
		n, err := s.conn.Write(piece)
		s.mu.Lock()
		s.inFlight = 0
		s.written(n)
		if err != nil && !s.dead {
			s.writeFailed(n, err)
		}
	}
	s.writing = false
	dead := s.dead
	if !s.ending.Load() {
		// A deadline left behind would fail the next direct write. A connection
		// that refuses to clear it is broken; that write tells.
		_ = s.conn.SetWriteDeadline(time.Time{})
	}
	s.mu.Unlock()
	if dead {
		s.hangUp(false) // the reader may be busy in its handler for a while
	}
}

// written takes n bytes off the queue. Under mu.
func (s *Session) written(n int) {
	before := s.queue.cost
	frames := s.queue.advance(n)
	s.options.Stats.sent(n, frames)
	s.options.Stats.queued(s.queue.cost - before)
	s.tellRoom()
}

// writeDeadline is when the next write must have made progress. Under mu.
func (s *Session) writeDeadline() time.Time {
	if s.ending.Load() {
		return s.final
	}
	return time.Now().Add(s.options.WriteTimeout)
}

// writeFailed decides what a failed write means, after n bytes of it went out:
// the session goes on, ends as too slow, or is broken. Under mu, not dead.
func (s *Session) writeFailed(n int, err error) {
	ending := s.ending.Load()
	switch {
	case !errors.Is(err, os.ErrDeadlineExceeded):
		s.broken(Closure{Code: wire.CloseAbnormal, ByPeer: true, Err: err})
	case ending && (s.raw == nil || !time.Now().Before(s.final)):
		s.broken(Closure{Err: err})
	case ending, n > 0 && s.raw != nil:
		// There is time left, or there was progress: another deadline.
	case s.raw == nil:
		// A timed-out write ends a TLS connection: no close frame can follow.
		s.options.Stats.slow()
		s.broken(Closure{Code: wire.CloseTooSlow, Reason: "too slow", Err: err})
	default:
		s.tooSlow()
	}
}

// ping answers a ping with its payload. Called by the reader. Pongs count in
// the queue as all frames do: who pings and does not read is too slow.
func (s *Session) ping(payload []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ending.Load() {
		s.admit(controlFrame(ws.OpPong, payload))
	}
}
