package load

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // RFC 6455 has it so
	"encoding/base64"
	"fmt"
	"net/netip"
	"strconv"
)

// key is the one Sec-WebSocket-Key of all connections. Its randomness guards
// caches in between, of which there are none on loopback.
const key = "d2Fsa2VyZ2F0ZSBiZW5jaA=="

var accept = acceptOf(key)

func acceptOf(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) //nolint:gosec // as above
	return base64.StdEncoding.EncodeToString(sum[:])
}

// upgradeRequest asks for a WebSocket at a path.
func upgradeRequest(to netip.AddrPort, path string) []byte {
	return []byte("GET " + path + " HTTP/1.1\r\nHost: " + to.String() +
		"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + key + "\r\n\r\n")
}

// AppendPost adds a POST of JSON to dst.
func AppendPost(dst []byte, to netip.AddrPort, path string, body []byte) []byte {
	dst = append(dst, "POST "...)
	dst = append(dst, path...)
	dst = append(dst, " HTTP/1.1\r\nHost: "...)
	dst = to.AppendTo(dst)
	dst = append(dst, "\r\nContent-Type: application/json\r\nContent-Length: "...)
	dst = strconv.AppendInt(dst, int64(len(body)), 10)
	dst = append(dst, "\r\n\r\n"...)
	return append(dst, body...)
}

// head is the status and the header lines of one response.
type head struct {
	status int
	lines  []byte
}

// cutHead takes a response's head off the stream; ok is false where it has not
// come whole.
func cutHead(stream []byte) (h head, rest []byte, ok bool, err error) {
	end := bytes.Index(stream, []byte("\r\n\r\n"))
	if end < 0 {
		if len(stream) > 16<<10 {
			return head{}, nil, false, fmt.Errorf("a response's head of more than %d bytes", len(stream))
		}
		return head{}, nil, false, nil
	}
	lines, rest := stream[:end+2], stream[end+4:]
	if len(lines) < 12 || !bytes.HasPrefix(lines, []byte("HTTP/1.1 ")) {
		return head{}, nil, false, fmt.Errorf("no HTTP/1.1 response: %.60q", lines)
	}
	status, err := strconv.Atoi(string(lines[9:12]))
	if err != nil {
		return head{}, nil, false, fmt.Errorf("no HTTP status: %.60q", lines)
	}
	return head{status: status, lines: lines}, rest, true, nil
}

// value is the value of a header line, empty where there is none.
func (h head) value(name string) []byte {
	for lines := h.lines; len(lines) > 0; {
		line, after, _ := bytes.Cut(lines, []byte("\r\n"))
		lines = after
		if len(line) > len(name) && line[len(name)] == ':' && bytes.EqualFold(line[:len(name)], []byte(name)) {
			return bytes.TrimSpace(line[len(name)+1:])
		}
	}
	return nil
}

// upgraded judges the answer to an upgrade.
func (h head) upgraded() error {
	if h.status != 101 {
		return fmt.Errorf("the upgrade was answered with %d", h.status)
	}
	if got := string(h.value("Sec-WebSocket-Accept")); got != accept {
		return fmt.Errorf("the handshake's answer is %q, not %q", got, accept)
	}
	return nil
}

// Responses cuts a stream into the bodies of HTTP/1.1 responses. The zero value
// is ready.
type Responses struct{ rest []byte }

// Feed takes the next bytes of the stream. Any status but 200 is an error.
func (r *Responses) Feed(data []byte, to Sink) error {
	r.rest = append(r.rest, data...)
	stream := r.rest
	for len(stream) > 0 {
		h, body, ok, err := cutHead(stream)
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		length, err := strconv.Atoi(string(h.value("Content-Length")))
		if err != nil || length < 0 || length > maxMessage {
			return fmt.Errorf("a response without a length: %.200q", h.lines)
		}
		if len(body) < length {
			break
		}
		if h.status != 200 {
			return fmt.Errorf("a request was answered with %d: %.200q", h.status, body[:length])
		}
		if err := to.Message(body[:length]); err != nil {
			return err
		}
		stream = body[length:]
	}
	r.rest = append(r.rest[:0], stream...)
	return nil
}
