package socket

import (
	"unsafe"

	"github.com/walkergate/walkergate/wire"
)

// SessionSize is what one session's struct takes, in bytes.
const SessionSize = unsafe.Sizeof(Session{})

// FrameCost is what a queued frame counts beyond its length.
const FrameCost = frameCost

// Parsed is what a parser made of a stream.
type Parsed struct {
	Texts  []string
	Pings  []string
	Closed bool           // the peer's close frame was met
	Code   wire.CloseCode // of the close frame, or of the violation
	Failed bool           // the stream breaks the protocol
	Kept   int            // the most bytes ever reserved for an unfinished message
}

type collector struct{ Parsed }

func (c *collector) text(message []byte) { c.Texts = append(c.Texts, string(message)) }
func (c *collector) ping(payload []byte) { c.Pings = append(c.Pings, string(payload)) }
func (c *collector) closedByPeer(code wire.CloseCode, _ string) {
	c.Closed, c.Code = true, code
}

// Parse feeds a stream to a parser, chunk by chunk.
func Parse(limit int, chunks ...[]byte) Parsed {
	var c collector
	p := parser{sink: &c, max: limit}
	for _, chunk := range chunks {
		err := p.feed(append([]byte(nil), chunk...))
		c.Kept = max(c.Kept, cap(p.message))
		if breach, ok := err.(*violation); ok {
			c.Failed, c.Code = true, breach.code
		}
		if err != nil {
			break
		}
	}
	return c.Parsed
}

// Feeder keeps one parser for a benchmark.
type Feeder struct{ p parser }

// NewFeeder makes a parser whose messages go nowhere.
func NewFeeder() *Feeder {
	return &Feeder{parser{sink: nowhere{}, max: 64 << 10}}
}

// Feed feeds one chunk, which is changed in place.
func (f *Feeder) Feed(chunk []byte) error { return f.p.feed(chunk) }

type nowhere struct{}

func (nowhere) text([]byte)                         {}
func (nowhere) ping([]byte)                         {}
func (nowhere) closedByPeer(wire.CloseCode, string) {}

// Watched counts the sessions in the wheel.
func (h *Heart) Watched() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for i := range h.slots {
		for p := h.slots[i].next; p != &h.slots[i]; p = p.next {
			n++
		}
	}
	return n
}
