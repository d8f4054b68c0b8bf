package wire

import (
	"encoding/binary"

	"github.com/gobwas/ws"
)

// Message is one message to clients, encoded once as a whole WebSocket text
// frame. It never changes after it is made, so any number of connections may
// share it, from any goroutine.
type Message struct {
	frame  []byte
	header int
}

// maxHeader is the longest header of an unmasked frame (RFC 6455, 5.2).
const maxHeader = 10

// Text makes a message of one JSON text. The payload is copied.
func Text(payload []byte) *Message { return seal(append(open(len(payload)), payload...)) }

// open begins a message of about that many bytes. Space for the header comes
// first, so that the payload is written once, where it will stay.
func open(size int) []byte { return make([]byte, maxHeader, maxHeader+size) }

// seal makes a message of what was written behind open. The header goes right
// in front of the payload.
func seal(b []byte) *Message {
	var room [maxHeader]byte
	header := appendHeader(room[:0], len(b)-maxHeader)
	frame := b[maxHeader-len(header):]
	copy(frame, header)
	return &Message{frame: frame, header: len(header)}
}

// Frame is the whole frame, header and payload, as it goes over the wire. The
// caller must not change it.
func (m *Message) Frame() []byte { return m.frame }

// Payload is the JSON text alone. The caller must not change it.
func (m *Message) Payload() []byte { return m.frame[m.header:] }

// appendHeader writes the header of a final, unmasked text frame.
func appendHeader(b []byte, length int) []byte {
	const finalText = 0x80 | byte(ws.OpText)
	switch {
	case length <= 125:
		return append(b, finalText, byte(length))
	case length <= 0xffff:
		b = append(b, finalText, 126)
		return binary.BigEndian.AppendUint16(b, uint16(length))
	default:
		b = append(b, finalText, 127)
		return binary.BigEndian.AppendUint64(b, uint64(length))
	}
}
