package notify

import (
	"sync"
	"time"

	"github.com/walkergate/walkergate/channels"
)

const (
	// holeWait is how long a message may be missing before it is read from the
	// log: as long as another node's may be on its way.
	holeWait = 50 * time.Millisecond
	// maxHeld and maxHeldBytes bound what arrived too early in one stream. What
	// finds no room is read from the log when its turn comes.
	maxHeld      = 1024
	maxHeldBytes = 1 << 20
	// maxForeign and maxForeignBytes bound the messages of another epoch that
	// are kept until the log has said which one holds.
	maxForeign      = 256
	maxForeignBytes = 1 << 20
)

// stream is the ordered delivery of one log on this node. What arrives, from
// this node's log, from other nodes or read anew, in any order and any number
// of times, is put in line once and strictly by seq; one flusher at a time
// takes it from there.
//
// A stream that was closed is not used any more: whoever finds it so looks for
// the one in its place.
type stream struct {
	of        *streams
	channelID string // the log's name
	name      string // the name that clients know
	owner     string // the user whose own stream it is, else empty

	mu     sync.Mutex
	closed bool
	epoch  string // empty until anything is known of the log
	begun  bool   // it is known where delivery begins: pos and tail hold
	pos    int64  // the last seq that the flusher took
	tail   int64  // the last seq that was put in line
	known  int64  // the log is known to reach so far: above tail there is a hole

	held      map[int64]*channels.Message // arrived too early
	heldBytes int
	line      line
	ring      ring
	reading   reading

	foreign      []foreign
	foreignBytes int

	pins   int       // subscriptions, and those who are about to make one
	rested time.Time // when the last of pins went, or of the line

	mend mending
}

// foreign is a message that arrived under an epoch which is not the stream's.
type foreign struct {
	epoch   string
	message channels.Message
}

// arrive takes in messages of the log, in ascending order, at least one. Where
// wait is true it waits for room in the line; else what finds none is read from
// the log later. False where the stream is closed.
func (s *stream) arrive(epoch string, messages []channels.Message, wait bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	if s.epoch == "" {
		s.epoch = epoch
	}
	if s.epoch != epoch {
		s.setAside(epoch, messages)
		return true
	}
	if !s.begun && (!s.of.shared || messages[0].Seq == 1) {
		// Nothing that comes before can still be on its way from another node.
		s.begin(messages[0].Seq - 1)
	}
	for i := range messages {
		if !s.takeIn(&messages[i], wait) {
			return false
		}
	}
	s.settle()
	return true
}

// takeIn puts a message in line where it is its turn. False where the stream
// was closed meanwhile. It is called with the lock held, and lets it go for a
// while where it waits.
func (s *stream) takeIn(message *channels.Message, wait bool) bool {
	for {
		switch {
		case s.closed:
			return false
		case s.begun && message.Seq <= s.tail:
			return true // it has come before
		case !s.begun || message.Seq > s.tail+1:
			s.hold(message)
			return true
		case s.line.hasRoom():
			s.append(message)
			s.advance()
			return true
		case !wait:
			s.known = max(s.known, message.Seq)
			return true
		}
		s.waitRoom()
	}
}

// hold keeps a message that came too early, where there is room. With the lock
// held, as all below.
func (s *stream) hold(message *channels.Message) {
	s.known = max(s.known, message.Seq)
	size := len(message.Data)
	if s.held[message.Seq] != nil || len(s.held) >= maxHeld || s.heldBytes+size > maxHeldBytes {
		return
	}
	if s.held == nil {
		s.held = make(map[int64]*channels.Message)
	}
	s.held[message.Seq] = message
	s.heldBytes += size
}

// release forgets a held message.
func (s *stream) release(message *channels.Message) {
	delete(s.held, message.Seq)
	s.heldBytes -= len(message.Data)
}

// begin says that delivery begins behind a seq.
func (s *stream) begin(behind int64) {
	s.begun = true
	s.pos, s.tail = behind, behind
	s.known = max(s.known, behind)
	s.advance()
}

// beginAtHeld says that delivery begins with what has arrived so far, or behind
// a seq where that is lower.
func (s *stream) beginAtHeld(behind int64) {
	for seq := range s.held {
		behind = min(behind, seq-1)
	}
	s.begin(behind)
}

// append puts the next message in line.
func (s *stream) append(message *channels.Message) {
	s.tail = message.Seq
	s.known = max(s.known, s.tail)
	s.enter(item{message: message})
}

// advance puts in line what was held and has its turn now, and the notes behind
// it.
func (s *stream) advance() {
	for s.line.hasRoom() {
		message := s.held[s.tail+1]
		if message == nil {
			break
		}
		s.release(message)
		s.append(message)
		s.unpark()
	}
	s.unpark()
}

// jump gives up on messages that the log no longer holds, up to a seq.
func (s *stream) jump(lost int64) {
	s.tail = lost
	s.known = max(s.known, lost)
	for seq, message := range s.held {
		if seq <= lost {
			s.release(message)
		}
	}
	s.enter(item{lost: lost})
	s.advance()
}

// hole reports whether messages are missing.
func (s *stream) hole() bool { return s.known > s.tail }

// settle tells the mender of a hole.
func (s *stream) settle() {
	if s.hole() && !s.mend.planned {
		s.mendIn(holeWait)
	}
}

// mendIn asks the mender to look at the stream.
func (s *stream) mendIn(wait time.Duration) {
	s.mend.planned = true
	s.of.mender.at(s, time.Now().Add(wait))
}

// setAside keeps what came under another epoch, and has the log asked which one
// holds.
func (s *stream) setAside(epoch string, messages []channels.Message) {
	for i := range messages {
		size := len(messages[i].Data)
		if len(s.foreign) == maxForeign || s.foreignBytes+size > maxForeignBytes {
			break
		}
		s.foreign = append(s.foreign, foreign{epoch, messages[i]})
		s.foreignBytes += size
	}
	s.mend.doubts = max(s.mend.doubts, 1)
	s.mend.news = true
	s.mendIn(0)
}
