package socket

import (
	"encoding/binary"
	"strings"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"github.com/walkergate/walkergate/wire"
)

// pingFrame is the one ping that the heartbeat sends. It is shared and never
// changes.
var pingFrame = controlFrame(ws.OpPing, nil)

// maxReason is what a close frame has room for behind its code.
const maxReason = ws.MaxControlFramePayloadSize - 2

// controlFrame makes a whole unmasked control frame; payload is copied and is
// at most 125 bytes long.
func controlFrame(op ws.OpCode, payload []byte) []byte {
	frame := make([]byte, 2, 2+len(payload))
	frame[0] = 0x80 | byte(op)
	frame[1] = byte(len(payload))
	return append(frame, payload...)
}

// closeFrame makes a whole close frame. A code that must not be sent leaves the
// payload empty; a reason too long is cut between two runes.
func closeFrame(code wire.CloseCode, reason string) []byte {
	if !mayBeSent(code) {
		return controlFrame(ws.OpClose, nil)
	}
	payload := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(reason)), uint16(code))
	return controlFrame(ws.OpClose, append(payload, cutReason(reason)...))
}

// cutReason is reason as it can stand in a close frame: valid UTF-8 of at most
// maxReason bytes.
func cutReason(reason string) string {
	reason = strings.ToValidUTF8(reason, "\uFFFD")
	if len(reason) <= maxReason {
		return reason
	}
	end := maxReason
	for !utf8.RuneStart(reason[end]) {
		end--
	}
	return reason[:end]
}

// mayBeSent reports whether code may stand in a close frame: those that the RFC
// and its registry define for the wire, and the ranges of libraries and
// applications. The check of gobwas/ws does not serve, for it lets 5000 pass
// and refuses the registered 1012 to 1014.
func mayBeSent(code wire.CloseCode) bool {
	switch {
	case code >= 1000 && code <= 1003, code >= 1007 && code <= 1014:
		return true
	default:
		return code >= 3000 && code <= 4999
	}
}

// parseClose reads the payload of a peer's close frame.
func parseClose(payload []byte) (wire.CloseCode, string, *violation) {
	switch {
	case len(payload) == 0:
		return wire.CloseNoStatus, "", nil
	case len(payload) == 1:
		return 0, "", &violation{wire.CloseProtocol, "close payload of one byte"}
	}
	code := wire.CloseCode(binary.BigEndian.Uint16(payload))
	if !mayBeSent(code) {
		return 0, "", &violation{wire.CloseProtocol, "invalid close code"}
	}
	if !utf8.Valid(payload[2:]) {
		return 0, "", &violation{wire.CloseInvalidText, "close reason is not UTF-8"}
	}
	return code, string(payload[2:]), nil
}
