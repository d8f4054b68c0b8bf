package socket

import (
	"sync/atomic"

	"github.com/walkergate/walkergate/wire"
)

// SendNext is Send for a message that has a number in a row of its own. It is
// sent only where next holds that number; next then holds the number behind it.
// Next is looked at, and counted up, under the lock that orders all messages of
// the session: whoever of several goroutines that carry the same row comes
// first sends a message, once and in its turn, and the others get false.
func (s *Session) SendNext(m *wire.Message, void *atomic.Bool, next *atomic.Int64, number int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ending.Load() || void.Load() || next.Load() != number || !s.admit(m.Frame()) {
		return false
	}
	next.Store(number + 1)
	return true
}

// Offer is SendNext for what can wait. The message is sent only where, with it,
// at most a quarter of QueueBytes waits, or where nothing waits; so offering
// never closes a session, and leaves most of the queue to what cannot wait.
// Where there is no room yet, room is closed when some has come, or when the
// session ends; then it is time to offer again. Where room is nil too, the
// message was not to be sent at all, as with SendNext.
func (s *Session) Offer(
	m *wire.Message, void *atomic.Bool, next *atomic.Int64, number int64,
) (sent bool, room <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ending.Load() || void.Load() || next.Load() != number {
		return false, nil
	}
	if !s.queue.empty() && s.queue.cost+len(m.Frame())+frameCost > s.options.QueueBytes/offered {
		if s.room == nil {
			s.room = make(chan struct{})
		}
		return false, s.room
	}
	if !s.admit(m.Frame()) {
		return false, nil
	}
	next.Store(number + 1)
	return true, nil
}

// offered is the part of the queue that offers may fill. Whoever waits is woken
// at half of that, so that each time there is room for more than one message.
const offered = 4

// tellRoom wakes who waits for room, where there is some or none will ever be.
// Under mu.
func (s *Session) tellRoom() {
	if s.room == nil {
		return
	}
	if s.ending.Load() || s.queue.empty() || s.queue.cost <= s.options.QueueBytes/(2*offered) {
		close(s.room)
		s.room = nil
	}
}

// SendOpening sends a message and, where it was taken, calls open under the
// lock that orders all messages of the session. What open sets free by a void
// follows the message, and nothing of it comes before. Open must not block, and
// must not call the session. It reports what Send would.
func (s *Session) SendOpening(m *wire.Message, open func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ending.Load() || !s.admit(m.Frame()) {
		return false
	}
	open()
	return true
}
