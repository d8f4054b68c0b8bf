package notify

import (
	"sync"
	"time"

	"github.com/walkergate/walkergate/wire"
)

// note is a message that is not stored, on its way to receivers. It may be
// under way in several streams at once.
type note struct {
	message Message
	at      time.Time
	raw     *wire.Message

	mu sync.Mutex
	// reached holds who was reached, and whether by raw data. It is there where
	// the note has several targets. Who was tried is not in it: a connection
	// whose first membership has just ended may still be reached by another.
	reached map[Conn]bool
	count   int // how many were reached, where it has one target
}

func newNote(message Message, at time.Time) *note {
	return &note{message: message, at: at, raw: wire.Text(message.Data)}
}

// sendTo delivers the note to the members of one group: as an envelope of the
// channel to those who have subscribed it, as raw data to others, and that once
// to each connection. It gives how many of them have it, and how many got it
// now.
func (n *note) sendTo(members []*membership, channelID string) (present, sent int) {
	envelope := func() *wire.Message { return envelopeOf(channelID, n.message, n.at) }
	if n.reached == nil {
		sent = sendToAll(members, n.raw, envelope)
		n.mu.Lock()
		defer n.mu.Unlock()
		n.count += sent
		return sent, sent
	}
	var enveloped *wire.Message
	n.mu.Lock() // one group after the other; sending waits for no receiver
	defer n.mu.Unlock()
	for _, member := range members {
		if !member.void.Load() {
			if n.reached[member.conn] {
				present++
				continue
			}
			if member.conn.Send(n.raw, &member.void) {
				n.reached[member.conn] = true
				present++
				sent++
				continue
			}
		}
		if sub := member.openSub(); sub != nil {
			if enveloped == nil {
				enveloped = envelope()
			}
			if member.conn.Send(enveloped, &sub.void) {
				n.mark(member.conn)
				present++
				sent++
			}
		}
	}
	return present, sent
}

// sendToAll sends raw data or, where a subscription stands in its place, an
// envelope. The raw data is tried first: it is voided under the lock that opens
// the subscription, so where it is refused for that, the envelope is not.
func sendToAll(members []*membership, raw *wire.Message, envelope func() *wire.Message) (sent int) {
	var enveloped *wire.Message
	for _, member := range members {
		if !member.void.Load() && member.conn.Send(raw, &member.void) {
			sent++
			continue
		}
		if sub := member.openSub(); sub != nil {
			if enveloped == nil {
				enveloped = envelope()
			}
			if member.conn.Send(enveloped, &sub.void) {
				sent++
			}
		}
	}
	return sent
}

// openSub is the subscription of a membership, where it is open.
func (m *membership) openSub() *Subscription {
	if sub := m.sub.Load(); sub != nil && !sub.void.Load() {
		return sub
	}
	return nil
}

// stands reports whether anything can come by this membership now.
func (m *membership) stands() bool { return !m.void.Load() || m.openSub() != nil }

// envelopeOf is a message that is not stored as subscriptions get it.
func envelopeOf(channelID string, message Message, at time.Time) *wire.Message {
	return wire.Envelope(wire.ChannelMessage{
		ChannelID: channelID, From: sender(message.From), At: at, Data: message.Data,
	})
}

// share is called before the note goes to several targets.
func (n *note) share() {
	if n.reached == nil {
		n.reached = make(map[Conn]bool)
	}
}

// mark counts a connection as reached, and leaves be how.
func (n *note) mark(conn Conn) {
	if _, again := n.reached[conn]; !again {
		n.reached[conn] = false
	}
}

// expect counts the members of a group as reached, though the note waits for
// its turn. It gives how many stand there.
func (n *note) expect(members []*membership) (present int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, member := range members {
		if !member.stands() {
			continue
		}
		present++
		if n.reached != nil {
			n.mark(member.conn)
		}
	}
	n.count += present
	return present
}

// total is how many connections were reached so far.
func (n *note) total() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.reached != nil {
		return len(n.reached)
	}
	return n.count
}
