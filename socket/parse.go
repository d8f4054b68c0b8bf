package socket

import (
	"encoding/binary"
	"errors"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"github.com/walkergate/walkergate/wire"
)

// sink takes what a parser finds, in the order of the stream. The slices are
// valid during the call only.
type sink interface {
	text(message []byte)
	ping(payload []byte)
	closedByPeer(code wire.CloseCode, reason string)
}

// violation is a breach of RFC 6455, or of our limits, by the peer: the code to
// close with, and a reason that may be told.
type violation struct {
	code   wire.CloseCode
	reason string
}

func (v *violation) Error() string { return "socket: " + v.reason }

// errPeerClosed ends the parsing behind the peer's close frame.
var errPeerClosed = errors.New("socket: closed by the peer")

// parser cuts a stream of bytes, fed in chunks of any size, into frames, and
// assembles frames into messages. It knows nothing of where the bytes come
// from. What lies whole within one chunk is unmasked and handed on in place;
// only what is cut by a chunk's end, or fragmented, is kept, and it is kept as
// it arrives, so that a length which is announced but never sent costs nothing.
// It is used by one goroutine at a time.
type parser struct {
	sink    sink
	message []byte // of the unfinished message: what has arrived, unmasked
	control []byte // the same of an unfinished control frame
	max     int    // bytes that a message may have
	left    int    // bytes of the present frame's payload still to come
	valid   int    // message[:valid] is known to be whole runes
	masked  int    // bytes of the present frame that were unmasked
	frames  int    // frames completed since the caller last set it to 0
	besides int    // those of them that no message came of: control frames, fragments
	mask    [4]byte
	header  [ws.MaxHeaderSize]byte
	held    uint8 // bytes of header that have arrived
	op      ws.OpCode
	final   bool
	inside  bool // the header is known, the payload not yet complete
	open    bool // a message has begun and waits for further fragments
}

// idle reports whether the stream stands between two frames.
func (p *parser) idle() bool { return !p.inside && p.held == 0 }

// feed takes the next bytes of the stream and changes them in place. It returns
// nil to go on, errPeerClosed behind a close frame, or a *violation. After an
// error the parser must not be fed again.
func (p *parser) feed(chunk []byte) error {
	for len(chunk) > 0 {
		if !p.inside {
			n, err := p.takeHeader(chunk)
			if err != nil {
				return err
			}
			chunk = chunk[n:]
			if !p.inside {
				return nil
			}
		}
		piece := chunk[:min(p.left, len(chunk))]
		chunk = chunk[len(piece):]
		ws.Cipher(piece, p.mask, p.masked)
		p.masked += len(piece)
		p.left -= len(piece)
		if err := p.take(piece); err != nil {
			return err
		}
	}
	return nil
}

// take handles the next piece of the present frame's payload.
func (p *parser) take(piece []byte) error {
	done := p.left == 0
	p.inside = !done
	if done {
		p.held = 0
		p.frames++
		if p.op.IsControl() || !p.final {
			p.besides++
		}
	}
	if p.op.IsControl() {
		return p.takeControl(piece, done)
	}
	return p.takeData(piece, done)
}

// takeHeader takes bytes of the frame's header and returns how many.
func (p *parser) takeHeader(chunk []byte) (int, error) {
	used := 0
	for {
		want := p.headerSize()
		n := copy(p.header[p.held:want], chunk[used:])
		used += n
		p.held += uint8(n)
		if int(p.held) < want {
			return used, nil
		}
		if want > 2 {
			return used, p.beginFrame()
		}
		// The first two bytes are judged before any more is waited for.
		if err := p.checkStart(); err != nil {
			return used, err
		}
	}
}

// headerSize is how long the header is as far as its bytes tell. Every frame
// that passes checkStart has a mask.
func (p *parser) headerSize() int {
	if p.held < 2 {
		return 2
	}
	switch p.header[1] & 0x7f {
	case 126:
		return 2 + 2 + 4
	case 127:
		return 2 + 8 + 4
	default:
		return 2 + 4
	}
}

// checkStart judges the first two bytes of a header.
func (p *parser) checkStart() error {
	header := ws.Header{
		Fin:    p.header[0]&0x80 != 0,
		Rsv:    p.header[0] >> 4 & 0x07,
		OpCode: ws.OpCode(p.header[0] & 0x0f),
		Masked: p.header[1]&0x80 != 0,
		Length: int64(p.header[1] & 0x7f), // 126 and 127 stand for more: too long for a control frame as well
	}
	state := ws.StateServerSide
	if p.open {
		state = state.Set(ws.StateFragmented)
	}
	if err := ws.CheckHeader(header, state); err != nil {
		return &violation{wire.CloseProtocol, err.Error()}
	}
	if header.OpCode == ws.OpBinary {
		return &violation{wire.CloseUnsupported, "binary messages are not supported"}
	}
	p.op, p.final = header.OpCode, header.Fin
	return nil
}

// beginFrame reads the rest of a complete header and decides on the announced
// length before any of it is kept.
func (p *parser) beginFrame() error {
	length := uint64(p.header[1] & 0x7f)
	least := uint64(0)
	switch length {
	case 126:
		length, least = uint64(binary.BigEndian.Uint16(p.header[2:])), 126
	case 127:
		length, least = binary.BigEndian.Uint64(p.header[2:]), 1<<16
	}
	if length < least || length>>63 != 0 {
		return &violation{wire.CloseProtocol, "invalid payload length"}
	}
	if !p.op.IsControl() {
		if length > uint64(p.max-len(p.message)) {
			return &violation{wire.CloseTooBig, "message too big"}
		}
		p.open = true
	}
	p.mask = [4]byte(p.header[p.held-4 : p.held])
	p.left, p.masked, p.inside = int(length), 0, true
	return nil
}

// takeControl handles a piece of a control frame.
func (p *parser) takeControl(piece []byte, done bool) error {
	if !done || p.control != nil {
		p.control = append(p.control, piece...)
		piece = p.control
	}
	if !done {
		return nil
	}
	p.control = nil
	switch p.op {
	case ws.OpPing:
		p.sink.ping(piece)
	case ws.OpClose:
		code, reason, broken := parseClose(piece)
		if broken != nil {
			return broken
		}
		p.sink.closedByPeer(code, reason)
		return errPeerClosed
	}
	// A pong says only that the peer lives, which its bytes have said already.
	return nil
}

// takeData handles a piece of a text message.
func (p *parser) takeData(piece []byte, done bool) error {
	whole := done && p.final
	if whole && p.message == nil {
		p.open = false
		if !utf8.Valid(piece) {
			return errNotText
		}
		p.sink.text(piece)
		return nil
	}
	p.keep(piece)
	if !p.checkText(whole) {
		return errNotText
	}
	if whole {
		message := p.message
		p.message, p.valid, p.open = nil, 0, false
		p.sink.text(message)
	}
	return nil
}

var errNotText = &violation{wire.CloseInvalidText, "text is not UTF-8"}

// keep appends a piece to the message. It never reserves more than twice what
// has arrived, nor more than the frame announced.
func (p *parser) keep(piece []byte) {
	if need := len(p.message) + len(piece); need > cap(p.message) {
		grown := make([]byte, len(p.message), max(need, min(2*need, need+p.left)))
		copy(grown, p.message)
		p.message = grown
	}
	p.message = append(p.message, piece...)
}

// checkText judges the part of the message that has arrived, so that a message
// fails at its first bad byte. A rune that is cut by the end may still be
// completed unless the message is whole.
func (p *parser) checkText(whole bool) bool {
	end := len(p.message)
	if !whole {
		for start := end - 1; start >= p.valid && start >= end-utf8.UTFMax; start-- {
			if utf8.RuneStart(p.message[start]) {
				if !utf8.FullRune(p.message[start:]) {
					end = start
				}
				break
			}
		}
	}
	if !utf8.Valid(p.message[p.valid:end]) {
		return false
	}
	p.valid = end
	return true
}
