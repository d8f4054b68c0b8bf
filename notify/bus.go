package notify

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"log/slog"
	"sync"

	"github.com/walkergate/walkergate/channels"
)

// Bus carries packets from this node to all others of the same store, and from
// them to this one. A packet may come late, out of order, twice or not at all:
// what is stored is then read from the log, and what is not is lost. All
// methods may be called concurrently.
type Bus interface {
	// Publish sends a packet to all other nodes. It does not wait for them. The
	// packet is the bus's from then on. An error means that it may be lost.
	Publish(packet []byte) error
	// Open begins to receive. Receive is called with each packet of another
	// node, from one goroutine at a time, and the packet is its own. It may take
	// its time; a bus that then has to drop packets says so. Lost is called
	// where packets may have been lost, as they are when a connection was. Both
	// may be called until hangUp has returned.
	Open(receive func(packet []byte), lost func()) (hangUp func(), err error)
}

const (
	// packetBytes is about how long a packet of stored messages is at most, but
	// for one that holds a single message.
	packetBytes = 128 << 10
	// remembered is how many notes of other nodes are known by their ids, so
	// that one that comes twice is delivered once.
	remembered = 1 << 16
)

// exchange is a manager's end of the bus.
type exchange struct {
	manager *Manager
	bus     Bus
	log     *slog.Logger
	life    [8]byte // tells the ids of this node's notes from those of others
	seen    memory

	mu      sync.Mutex
	sent    uint64
	failing bool
}

func newExchange(m *Manager, bus Bus, log *slog.Logger) *exchange {
	x := &exchange{manager: m, bus: bus, log: log, seen: newMemory(remembered)}
	_, _ = rand.Read(x.life[:]) // never fails: crypto/rand ends the process instead
	return x
}

// noteID is another one each time, on all nodes.
func (x *exchange) noteID() (id packetID) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.sent++
	copy(id[:], x.life[:])
	binary.BigEndian.PutUint64(id[len(x.life):], x.sent)
	return id
}

// publish sends a packet. That it cannot be sent is told once until it can: the
// receivers of this node have theirs, others find what is stored in the log.
func (x *exchange) publish(packet []byte) {
	err := x.bus.Publish(packet)
	x.mu.Lock()
	before := x.failing
	x.failing = err != nil
	x.mu.Unlock()
	switch {
	case err != nil && !before:
		x.log.Warn("other nodes cannot be told", slog.Any("error", err))
	case err == nil && before:
		x.log.Info("other nodes are told again")
	}
}

// publishStored sends messages of one log.
func (x *exchange) publishStored(channelID, epoch string, messages []channels.Message) {
	for len(messages) > 0 {
		n, size := 1, len(messages[0].Data)
		for n < len(messages) && size+len(messages[n].Data) <= packetBytes {
			size += len(messages[n].Data)
			n++
		}
		x.publish(storedPacket{channelID, epoch, messages[:n]}.encode())
		messages = messages[n:]
	}
}

// publishNote sends a note with all of its targets. It says how far the logs
// of the targets are here, so that it is not delivered elsewhere in front of
// what it was sent behind.
func (x *exchange) publishNote(to kind, targets []string, n *note) {
	packet := notePacket{
		id: x.noteID(), to: to, targets: make([]packetTarget, len(targets)),
		from: n.message.From, at: n.at, data: n.message.Data,
	}
	for i, target := range targets {
		packet.targets[i].id = target
		if to == toClients {
			continue
		}
		if s := x.manager.streams.get(streamID(to, target)); s != nil {
			packet.targets[i].behind = s.reaches()
		}
	}
	x.publish(packet.encode())
}

// reaches is how far the log is known to reach.
func (s *stream) reaches() logPlace {
	s.mu.Lock()
	defer s.mu.Unlock()
	return logPlace{s.epoch, s.known}
}

// receive delivers a packet of another node.
func (x *exchange) receive(packet []byte) {
	stored, noted, err := decodePacket(packet)
	switch {
	case err != nil:
		x.log.Warn("a packet of another node cannot be read", slog.Any("error", err))
	case stored != nil:
		x.manager.streams.arrive(stored.channelID, stored.epoch, stored.messages, false, false)
	case x.seen.add(noted.id):
		x.deliver(noted)
	}
}

func (x *exchange) deliver(packet *notePacket) {
	n := newNote(Message{Data: packet.data, From: packet.from}, packet.at)
	if len(packet.targets) > 1 {
		n.share()
	}
	for _, target := range packet.targets {
		_, err := x.manager.put(context.Background(), packet.to, target.id, n, target.behind, false)
		if err != nil {
			x.log.Warn("a message of another node was dropped", slog.Any("error", err))
		}
	}
}

// memory is which ids were met, the newest of them.
type memory struct {
	mu    sync.Mutex
	known map[packetID]struct{}
	order []packetID
	next  int
}

func newMemory(size int) memory {
	return memory{known: make(map[packetID]struct{}), order: make([]packetID, 0, size)}
}

// add reports whether the id is new.
func (m *memory) add(id packetID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, met := m.known[id]; met {
		return false
	}
	m.known[id] = struct{}{}
	if len(m.order) < cap(m.order) {
		m.order = append(m.order, id)
		return true
	}
	delete(m.known, m.order[m.next])
	m.order[m.next] = id
	m.next = (m.next + 1) % len(m.order)
	return true
}
