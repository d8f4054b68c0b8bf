package load

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The opcodes of RFC 6455.
const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xA
)

// maxMessage bounds one message of a server, and one response.
const maxMessage = 4 << 20

// Sink takes what a server sent. The bytes are valid during the call only.
type Sink interface {
	// Message takes one whole text or binary message.
	Message(text []byte) error
	// Control takes one ping, pong or close frame, by its opcode.
	Control(opcode byte, payload []byte) error
}

// Parser cuts a server's stream into messages. It keeps bytes only of a frame
// that has not come whole, and of a message in several frames. The zero value
// is ready.
type Parser struct {
	rest      []byte // of a frame that is not whole
	fragments []byte // of a message that is not whole
	inMessage bool
}

// Feed takes the next bytes of the stream. After an error the stream is lost.
func (p *Parser) Feed(data []byte, to Sink) error {
	for len(p.rest) > 0 {
		want, err := wanted(p.rest)
		if err != nil {
			return err
		}
		take := min(want-len(p.rest), len(data))
		p.rest, data = append(p.rest, data[:take]...), data[take:]
		if len(p.rest) < want {
			return nil
		}
		header, total, err := size(p.rest)
		if err != nil {
			return err
		}
		if len(p.rest) == total && header > 0 {
			if err := p.frame(p.rest, header, to); err != nil {
				return err
			}
			p.rest = p.rest[:0]
		}
	}
	for len(data) > 0 {
		header, total, err := size(data)
		if err != nil {
			return err
		}
		if header == 0 || len(data) < total {
			p.rest = append(p.rest, data...)
			return nil
		}
		if err := p.frame(data[:total], header, to); err != nil {
			return err
		}
		data = data[total:]
	}
	return nil
}

// wanted is how many bytes the frame that begins here has, as far as can be
// told: at least one more than there are, unless it is whole.
func wanted(frame []byte) (int, error) {
	header, total, err := size(frame)
	if err != nil || header > 0 {
		return total, err
	}
	switch {
	case len(frame) < 2:
		return 2, nil
	case frame[1] == 126:
		return 4, nil
	default:
		return 10, nil
	}
}

// size gives the length of a frame's header and of the frame as a whole; both
// are 0 where the header is not all there.
func size(frame []byte) (header, total int, err error) {
	if len(frame) < 2 {
		return 0, 0, nil
	}
	if frame[0]&0x70 != 0 {
		return 0, 0, errors.New("a frame with reserved bits: no extension was agreed on")
	}
	if frame[1]&0x80 != 0 {
		return 0, 0, errors.New("a server's frame is masked")
	}
	length := int(frame[1])
	header = 2
	switch length {
	case 126:
		header = 4
		if len(frame) < header {
			return 0, 0, nil
		}
		length = int(binary.BigEndian.Uint16(frame[2:]))
	case 127:
		header = 10
		if len(frame) < header {
			return 0, 0, nil
		}
		long := binary.BigEndian.Uint64(frame[2:])
		if long > maxMessage {
			return 0, 0, fmt.Errorf("a frame of %d bytes", long)
		}
		length = int(long)
	}
	return header, header + length, nil
}

// frame takes one whole frame.
func (p *Parser) frame(frame []byte, header int, to Sink) error {
	opcode, final, payload := frame[0]&0x0F, frame[0]&0x80 != 0, frame[header:]
	switch opcode {
	case opClose, opPing, opPong:
		if !final || len(payload) > 125 {
			return errors.New("a control frame in pieces or too long")
		}
		return to.Control(opcode, payload)
	case opText, opBinary:
		if p.inMessage {
			return errors.New("a message begins inside another")
		}
		if final {
			return to.Message(payload)
		}
		p.inMessage = true
		p.fragments = append(p.fragments[:0], payload...)
		return nil
	case opContinuation:
		return p.continued(payload, final, to)
	}
	return fmt.Errorf("a frame of unknown kind %#x", opcode)
}

func (p *Parser) continued(payload []byte, final bool, to Sink) error {
	if !p.inMessage {
		return errors.New("a continuation of nothing")
	}
	if len(p.fragments)+len(payload) > maxMessage {
		return errors.New("a message that is too large")
	}
	p.fragments = append(p.fragments, payload...)
	if !final {
		return nil
	}
	p.inMessage = false
	return to.Message(p.fragments)
}

// AppendFrame adds a client's frame to dst, whole and masked.
func AppendFrame(dst []byte, opcode byte, mask [4]byte, payload []byte) []byte {
	dst = append(dst, 0x80|opcode)
	switch length := len(payload); {
	case length < 126:
		dst = append(dst, 0x80|byte(length))
	case length < 1<<16:
		dst = binary.BigEndian.AppendUint16(append(dst, 0x80|126), uint16(length))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, 0x80|127), uint64(length))
	}
	dst = append(dst, mask[:]...)
	at := len(dst)
	dst = append(dst, payload...)
	for i := range payload {
		dst[at+i] ^= mask[i&3]
	}
	return dst
}
