package socket

import (
	"errors"
	"time"

	"github.com/gobwas/ws"

	"github.com/walkergate/walkergate/wire"
)

// minFrame is the length of the shortest frame of a client. A read of so much
// at a frame's beginning never reaches into the next frame.
const minFrame = ws.MinHeaderSize + 4

// inbound is what onReadable read.
type inbound struct {
	buffer *chunk
	n      int
	err    error
}

// run is the reader: one small goroutine that holds no buffer while it waits.
func (s *Session) run() {
	defer s.finish() // deferred, so that not even runtime.Goexit in a handler evades it
	head := s.head
	s.head = nil
	if len(head) > 0 && !s.received(head) {
		return
	}
	if s.raw != nil {
		for s.readRaw() {
		}
		return
	}
	for s.readPlain() {
	}
}

// readRaw waits until the descriptor is readable and takes one chunk of it. It
// reports whether to go on.
func (s *Session) readRaw() bool {
	err := s.raw.Read(s.onReadable)
	in := s.in
	s.in = inbound{}
	if in.buffer == nil {
		s.lost(eof(err))
		return false
	}
	defer chunks.Put(in.buffer)
	if in.n == 0 {
		s.lost(eof(in.err))
		return false
	}
	return s.received(in.buffer[:in.n])
}

// readPlain takes some bytes of a connection that can only be read by waiting.
// Between two frames it waits for the shortest frame's length alone, with
// bytes of the session's own, and borrows a chunk when more is sure to follow.
func (s *Session) readPlain() bool {
	into := s.first[:]
	if !s.parser.idle() {
		buffer := chunks.Get().(*chunk)
		defer chunks.Put(buffer)
		into = buffer[:]
	}
	n, err := s.conn.Read(into)
	if n > 0 && !s.received(into[:n]) {
		return false
	}
	if err != nil {
		s.lost(err)
		return false
	}
	return true
}

// received parses the next bytes of the stream and reports whether to go on.
// It is all that a reader of any kind has to call, but for lost at the stream's
// end and finish behind all.
func (s *Session) received(bytes []byte) bool {
	if heart := s.options.Heart; heart != nil {
		s.pulse.heard.Store(int64(heart.elapsed()))
	}
	err := s.parser.feed(bytes)
	s.options.Stats.received(len(bytes), s.parser.frames)
	s.parser.frames = 0
	if err == nil && s.parser.besides > 0 && s.flooded() {
		err = &violation{wire.CloseOverLimits, "too many control frames and fragments"}
	}
	if err == nil {
		return true
	}
	var breach *violation
	if errors.As(err, &breach) {
		s.refuse(breach)
	}
	return false
}

// flooded counts the frames of which no message came, and which no limit of the
// handler's can see: each costs a read and perhaps a pong.
func (s *Session) flooded() bool {
	if now := time.Now().Unix(); now != s.second {
		s.second, s.besides = now, 0
	}
	s.besides += s.parser.besides
	s.parser.besides = 0
	return s.besides > s.options.ControlPerSecond
}

// text hands a message on, unless the session is ending.
func (s *Session) text(message []byte) {
	if s.ending.Load() {
		return
	}
	defer s.recovered()
	s.handler.Frame(message)
}
