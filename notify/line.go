package notify

import (
	"context"
	"time"

	"github.com/walkergate/walkergate/channels"
	"github.com/walkergate/walkergate/fault"
	"github.com/walkergate/walkergate/wire"
)

const (
	// maxLine and maxLineBytes bound what stands in line in one stream: whoever
	// has more waits, and what nobody waits with is read from the log later.
	maxLine      = 1024
	maxLineBytes = 4 << 20
	// maxParked and maxParkedBytes bound the notes that wait behind a hole of
	// one stream.
	maxParked      = 256
	maxParkedBytes = 1 << 20
)

// errStuck answers a note that finds no room behind a hole.
var errStuck = fault.New(fault.Busy, "the messages in front of this one cannot be read now")

// item is what a stream delivers in its turn: a message of the log, a note, or
// the news that messages are lost.
type item struct {
	message *channels.Message
	note    *note
	lost    int64    // the last seq that does not come
	done    chan int // is told how many have the note; nil where nobody waits
}

func (i *item) size() int {
	switch {
	case i.message != nil:
		return len(i.message.Data)
	case i.note != nil:
		return len(i.note.message.Data)
	}
	return 0
}

// parked is a note that waits until all of the log up to a seq is in line.
type parked struct {
	note   *note
	behind int64
}

// line is what a stream is about to deliver. It is guarded by the stream's
// lock.
type line struct {
	items    fifo[item]
	bytes    int
	flushing bool          // somebody takes from it
	room     chan struct{} // closed when there is some again; nil where nobody waits

	parked      fifo[parked]
	parkedBytes int
}

func (l *line) hasRoom() bool { return l.items.len() < maxLine && l.bytes < maxLineBytes }

func (l *line) push(next item) {
	l.items.push(next)
	l.bytes += next.size()
}

// pop takes the front out, and wakes those who wait for room when there is room
// for many.
func (l *line) pop() {
	gone := l.items.pop()
	l.bytes -= gone.size()
	if l.room != nil && l.items.len() <= maxLine/2 && l.bytes <= maxLineBytes/2 {
		l.tellRoom()
	}
}

func (l *line) tellRoom() {
	if l.room != nil {
		close(l.room)
		l.room = nil
	}
}

// park has a note wait behind a seq, where there is room.
func (l *line) park(n *note, behind int64) bool {
	size := len(n.message.Data)
	if l.parked.len() >= maxParked || l.parkedBytes+size > maxParkedBytes && l.parked.len() > 0 {
		return false
	}
	l.parked.push(parked{n, behind})
	l.parkedBytes += size
	return true
}

// unpark puts the notes in line whose turn has come, or all of them.
func (s *stream) unpark() {
	l := &s.line
	for l.parked.len() > 0 && (l.parked.at(0).behind <= s.tail || !s.hole() || s.closed) {
		next := item{note: l.parked.pop().note}
		l.parkedBytes -= next.size()
		s.enter(next)
	}
}

// enter puts an item in line and sees that somebody flushes.
func (s *stream) enter(next item) {
	s.line.push(next)
	if !s.line.flushing {
		s.line.flushing = true
		s.of.work.start(func() { s.flush(nil) })
	}
}

// waitRoom lets the lock go until the line has room, or the stream is closed.
// The flusher waits for nobody, so that comes.
func (s *stream) waitRoom() {
	if s.line.room == nil {
		s.line.room = make(chan struct{})
	}
	room := s.line.room
	s.mu.Unlock()
	<-room
	s.mu.Lock()
}

// logPlace is a place in a log.
type logPlace struct {
	epoch string
	seq   int64
}

// here is the place of a note of this node: behind all of the log that this
// node knows of.
var here = logPlace{seq: -1}

// seqOf gives the seq of a place in the stream's log. With the lock held.
func (s *stream) seqOf(place logPlace) int64 {
	switch {
	case place == here:
		return s.known
	case place.epoch == s.epoch:
		return place.seq
	}
	return 0
}

// put delivers a note in its turn: behind what is in line, and behind all of
// the log up to a place. Where wait is true it comes back when the note was
// delivered, or is parked behind a hole. It gives how many have the note, or
// stand there for it; open is false where the stream is closed.
func (s *stream) put(ctx context.Context, n *note, place logPlace, wait bool) (present int, open bool, err error) {
	s.mu.Lock()
	for {
		if s.closed {
			s.mu.Unlock()
			return 0, false, nil
		}
		behind := s.seqOf(place)
		s.known = max(s.known, behind)
		s.settle()
		if behind > s.tail || s.line.parked.len() > 0 {
			parked := s.line.park(n, behind)
			s.mu.Unlock()
			if !parked {
				return 0, true, errStuck
			}
			return n.expect(s.of.audience(s)), true, nil
		}
		if s.line.hasRoom() {
			break
		}
		s.waitRoom()
	}
	next := item{note: n}
	if !s.line.flushing {
		s.line.flushing = true
		s.line.push(next)
		s.mu.Unlock()
		return s.flush(n), true, nil
	}
	if wait {
		next.done = make(chan int, 1)
	}
	s.line.push(next)
	s.mu.Unlock()
	if !wait {
		return 0, true, nil
	}
	select {
	case present = <-next.done:
		return present, true, nil
	case <-ctx.Done():
		return 0, true, ctx.Err()
	}
}

// flush delivers what is in line until nothing is, or until a note has been:
// then somebody else goes on, and it gives how many have it. There is one
// flusher at a time: whoever sets flushing.
func (s *stream) flush(until *note) (present int) {
	for {
		next, ok := s.front()
		if !ok {
			return 0
		}
		switch {
		case next.message != nil:
			s.deliver(next.message)
		case next.note != nil:
			present = s.deliverNote(next.note)
		default:
			s.skip(next.lost)
		}
		if next.done != nil {
			next.done <- present
		}
		if until != nil && next.note == until {
			s.handOver()
			return present
		}
	}
}

// front gives what is next, and leaves it in line. Where nothing is, there is
// no flusher any more.
func (s *stream) front() (item, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.line.items.len() == 0 {
		s.rest()
		return item{}, false
	}
	return s.line.items.at(0), true
}

// handOver leaves the rest of the line to a goroutine of its own.
func (s *stream) handOver() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.line.items.len() == 0 {
		s.rest()
		return
	}
	s.of.work.start(func() { s.flush(nil) })
}

func (s *stream) rest() {
	s.line.flushing = false
	s.rested = time.Now()
}

// deliver sends a message of the log: its envelope to those who have subscribed
// and have all before it, raw data to the others. Whoever lacks some catches up
// by itself, and finds this one in the ring or in the log.
func (s *stream) deliver(message *channels.Message) {
	envelope := s.envelope(message)
	s.mu.Lock()
	s.line.pop()
	s.pos = message.Seq
	if !s.closed {
		s.ring.push(s.pos, envelope, &s.of.cached)
	}
	s.advance()
	s.mu.Unlock()

	reached := 0
	data := lazyText{data: message.Data}
	for _, member := range s.of.index.channels.members(s.channelID) {
		if sub := member.sub.Load(); sub != nil && sub.stream == s {
			if member.conn.SendNext(envelope, &sub.void, &sub.next, message.Seq) {
				reached++
				continue
			}
			sub.missed(message.Seq)
		}
		if !member.void.Load() && member.conn.Send(data.message(), &member.void) {
			reached++
		}
	}
	if s.owner != "" {
		for _, member := range s.of.index.users.members(s.owner) {
			if !member.storedVoid.Load() && member.conn.Send(data.message(), &member.storedVoid) {
				reached++
			}
		}
	}
	s.of.deliveries.Add(uint64(reached))
}

// deliverNote sends a note to those who stand there now.
func (s *stream) deliverNote(n *note) (present int) {
	s.mu.Lock()
	s.line.pop()
	s.advance()
	s.mu.Unlock()
	present, sent := n.sendTo(s.of.audience(s), s.name)
	s.of.deliveries.Add(uint64(sent))
	return present
}

// skip passes over messages that are lost. Who lacks them cannot go on.
func (s *stream) skip(lost int64) {
	s.mu.Lock()
	s.line.pop()
	s.pos = lost
	s.ring.clear(&s.of.cached)
	s.advance()
	s.mu.Unlock()
	for _, member := range s.of.index.channels.members(s.channelID) {
		if sub := member.sub.Load(); sub != nil && sub.stream == s {
			sub.missed(lost + 1)
		}
	}
}

// envelope is a message of the log as subscriptions get it.
func (s *stream) envelope(message *channels.Message) *wire.Message {
	return wire.Envelope(wire.ChannelMessage{
		ChannelID: s.name, Epoch: s.epoch, Seq: message.Seq,
		From: sender(message.From), At: message.At, Data: message.Data,
	})
}

func sender(from *channels.Sender) *wire.Sender {
	if from == nil {
		return nil
	}
	return &wire.Sender{ClientID: from.ClientID, RootID: from.RootID}
}

// lazyText is raw data that is encoded when the first receiver asks for it.
type lazyText struct {
	data    []byte
	encoded *wire.Message
}

func (t *lazyText) message() *wire.Message {
	if t.encoded == nil {
		t.encoded = wire.Text(t.data)
	}
	return t.encoded
}
