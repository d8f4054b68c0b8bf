package notify

import (
	"context"
	"fmt"
	"time"

	"github.com/walkergate/walkergate/channels"
)

// headAge is how old what is known of a log's head may be when somebody
// subscribes: a crowd that comes at once costs one read.
const headAge = time.Second

// reading is what was read last of the head of a stream's log. It is guarded by
// the stream's lock.
type reading struct {
	head channels.Head
	at   time.Time     // zero where it was never read
	busy chan struct{} // closed when somebody who reads it has done so
}

// headNow is where the log stands, as far as this node knows.
func (s *stream) headNow() channels.Head {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.headLocked()
}

func (s *stream) headLocked() channels.Head {
	head := s.reading.head
	head.Seq = max(head.Seq, s.tail)
	return head
}

// readHeads reads where the logs of streams stand, but for those that were read
// within age. Each is read by one caller at a time, the others wait for it.
func (m *streams) readHeads(ctx context.Context, all []*stream, age time.Duration) error {
	since := time.Now().Add(-age)
	for len(all) > 0 {
		var mine, others []*stream
		var busy []chan struct{}
		for _, s := range all {
			switch other, stale := s.claim(since); {
			case other != nil:
				others, busy = append(others, s), append(busy, other)
			case stale:
				mine = append(mine, s)
			}
		}
		if err := m.readClaimed(ctx, mine); err != nil {
			return err
		}
		for _, other := range busy {
			select {
			case <-other:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		all = others // whose reading may have failed
	}
	return nil
}

// claim makes the caller the one who reads the head, where it is older than
// that and nobody else does: then busy is closed when they have.
func (s *stream) claim(since time.Time) (busy chan struct{}, stale bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.reading.at.After(since):
		return nil, false
	case s.reading.busy != nil:
		return s.reading.busy, true
	}
	s.reading.busy = make(chan struct{})
	return nil, true
}

// readClaimed reads the heads of streams that the caller has claimed.
func (m *streams) readClaimed(ctx context.Context, mine []*stream) error {
	if len(mine) == 0 {
		return nil
	}
	ids := make([]string, len(mine))
	for i, s := range mine {
		ids[i] = s.channelID
	}
	begun := time.Now()
	ctx, cancel := context.WithTimeout(ctx, logTimeout)
	defer cancel()
	heads, err := m.source.Heads(ctx, ids)
	if err == nil && len(heads) != len(ids) {
		err = fmt.Errorf("%d heads for %d logs", len(heads), len(ids))
	}
	for i, s := range mine {
		if err != nil {
			s.unclaim()
		} else if !s.learn(heads[i], begun) {
			m.retire(s, heads[i].Epoch)
		}
	}
	if err != nil {
		return fmt.Errorf("read the heads of logs: %w", err)
	}
	return nil
}

func (s *stream) unclaim() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.reading.busy)
	s.reading.busy = nil
}

// learn takes in a head that was read, and asked for at a time. False where the
// log has another epoch than the stream.
func (s *stream) learn(head channels.Head, at time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reading.busy != nil {
		close(s.reading.busy)
		s.reading.busy = nil
	}
	if s.epoch == "" {
		s.epoch = head.Epoch
	}
	if s.epoch != head.Epoch {
		return false
	}
	s.reading.head, s.reading.at = head, at
	s.known = max(s.known, head.Seq)
	if !s.begun {
		s.beginAtHeld(head.Seq)
	}
	s.settle()
	return true
}
