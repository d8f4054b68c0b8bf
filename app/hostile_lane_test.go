//go:build linux

package app_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/gobwas/ws"

	"github.com/walkergate/walkergate/internal/testkit"
)

// A hostileStrike is one input. It tells what came of it in the words of the
// table, or, where the table has no words for that, in its own.
type hostileStrike interface {
	strike(lane *hostileLane) (answer string)
}

// hostileLane strikes one input after the other, over connections that it keeps
// for as long as the gateway does.
type hostileLane struct {
	address string
	room    string // its channel, in which nobody else is
	socket  *hostileSocket
	http    *hostileHTTP
	probes  int
}

// leave lets the connections go.
func (l *hostileLane) leave() {
	l.leaveSocket()
	l.leaveHTTP()
}

func (l *hostileLane) leaveSocket() {
	if l.socket != nil {
		_ = l.socket.conn.Close()
	}
	l.socket = nil
}

func (l *hostileLane) leaveHTTP() {
	if l.http != nil {
		_ = l.http.conn.Close()
	}
	l.http = nil
}

func (l *hostileLane) dial() (net.Conn, error) {
	conn, err := (&net.Dialer{Timeout: testkit.Patience}).Dial("tcp", l.address)
	if err != nil {
		return nil, err
	}
	return conn, conn.SetDeadline(time.Now().Add(testkit.Patience))
}

// hostileSocket is an upgraded connection of which every byte is written by
// hand.
type hostileSocket struct {
	conn   net.Conn
	reader *bufio.Reader
	pings  bool // are answered
	cut    int  // strikes in frames and segments of their own cutting
}

// manyCut is how many strikes of several frames one connection makes: together
// they stay below what closes it with 4429.
const manyCut = 100

// hostileRoom stands in a text for the channel of the lane that sends it.
const hostileRoom = "siege"

const hostileHandshake = "GET /websocket?channel_id=%s HTTP/1.1\r\nHost: gateway\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

// connected gives the lane's socket, a new one where there is none.
func (l *hostileLane) connected() (*hostileSocket, error) {
	if l.socket != nil && l.socket.cut > manyCut {
		l.leaveSocket()
	}
	if l.socket != nil {
		return l.socket, l.socket.conn.SetDeadline(time.Now().Add(testkit.Patience))
	}
	conn, err := l.dial()
	if err != nil {
		return nil, err
	}
	s := &hostileSocket{conn: conn, reader: bufio.NewReader(conn), pings: true}
	if _, err := fmt.Fprintf(conn, hostileHandshake, l.room); err != nil {
		return nil, err
	}
	response, err := http.ReadResponse(s.reader, nil)
	if err != nil {
		return nil, err
	}
	_ = response.Body.Close() // an upgrade has none
	if response.StatusCode != http.StatusSwitchingProtocols {
		return nil, fmt.Errorf("a proper handshake was answered %d", response.StatusCode)
	}
	if _, _, err := s.next(); err != nil { // the connection event
		return nil, err
	}
	l.socket = s
	return s, nil
}

// next is the next frame that is no ping.
func (s *hostileSocket) next() (ws.OpCode, []byte, error) {
	for {
		op, payload, err := testkit.ReadFrame(s.reader)
		if err != nil || op != ws.OpPing {
			return op, payload, err
		}
		if s.pings {
			if _, err := s.conn.Write(rawFrame(0x80|byte(ws.OpPong), payload)); err != nil {
				return op, payload, err
			}
		}
	}
}

// The words of the table.
const (
	keptOn       = ", kept"
	closedAfter  = ", closed"
	asWritten    = "as written" + keptOn
	endedWithout = "ended"
)

// socketStrike writes a text, or bytes, behind a handshake.
type socketStrike struct {
	text string // where there are no segments
	// segments are written one by one. Before each but the first the gateway
	// has read what was written so far, for it has answered a ping at the
	// beginning of the segment before.
	segments [][]byte
	written  []byte // what must come back, byte by byte; nil: an error
	bare     bool   // nothing behind it asks whether the connection goes on
}

func (s socketStrike) String() string {
	if s.segments == nil {
		return s.text
	}
	return fmt.Sprintf("%q", bytes.Join(s.segments, []byte("⏎")))
}

func (s socketStrike) strike(lane *hostileLane) string {
	socket, err := lane.connected()
	if err != nil {
		lane.leaveSocket()
		return "no connection: " + err.Error()
	}
	answer := s.on(lane, socket)
	if !strings.HasSuffix(answer, keptOn) {
		lane.leaveSocket()
	}
	return answer
}

func (s socketStrike) on(lane *hostileLane, socket *hostileSocket) string {
	segments := s.segments
	socket.cut += min(len(segments), 1)
	if segments == nil {
		segments = [][]byte{rawFrame(0x81, []byte(strings.ReplaceAll(s.text, hostileRoom, lane.room)))}
	}
	for i, segment := range segments {
		last := i == len(segments)-1
		switch {
		case !last:
			segment = append(rawFrame(0x80|byte(ws.OpPing), []byte("read")), segment...)
		case !s.bare:
			lane.probes++
			segment = append(bytes.Clone(segment), rawFrame(0x81, fmt.Appendf(nil, `{"type":"connection","id":"probe%d"}`, lane.probes))...)
		}
		// Where the gateway has closed already, the read tells why.
		_, _ = socket.conn.Write(segment)
		if last {
			break
		}
		op, payload, err := socket.next()
		if answer, over := closeAnswer(op, payload, err); over {
			return answer
		}
		if op != ws.OpPong {
			return fmt.Sprintf("%q in place of a pong", payload)
		}
	}
	return s.outcome(lane, socket)
}

// outcome reads up to the answer of the probe.
func (s socketStrike) outcome(lane *hostileLane, socket *hostileSocket) string {
	probe := fmt.Appendf(nil, `"id":"probe%d"`, lane.probes)
	var told []string
	for {
		op, payload, err := socket.next()
		if answer, over := closeAnswer(op, payload, err); over {
			if len(told) > 0 {
				answer = strings.Join(told, ", ") + ", then " + answer
			}
			return answer
		}
		switch {
		case op == ws.OpPong:
		case op != ws.OpText:
			return fmt.Sprintf("a frame of kind %d: %q", op, payload)
		case bytes.Contains(payload, probe):
			if told == nil {
				return "nothing" + keptOn
			}
			return strings.Join(told, ", ") + keptOn
		default:
			told = append(told, s.word(payload))
		}
	}
}

// word tells a message in a word.
func (s socketStrike) word(payload []byte) string {
	if s.written != nil && bytes.Equal(payload, s.written) {
		return strings.TrimSuffix(asWritten, keptOn)
	}
	var failure struct {
		Code   string `json:"code"`
		Status int    `json:"status"`
		Error  string `json:"error"`
	}
	if json.Unmarshal(payload, &failure) != nil || failure.Code == "" || failure.Error == "" || failure.Status < 400 || failure.Status > 499 {
		return string(payload)
	}
	return "`" + failure.Code + "`"
}

// closeAnswer tells the end of a connection; over is false where it goes on.
func closeAnswer(op ws.OpCode, payload []byte, err error) (answer string, over bool) {
	switch {
	case errors.Is(err, io.EOF):
		return endedWithout, true
	case err != nil:
		return err.Error(), true
	case op == ws.OpClose:
		code, _ := ws.ParseCloseFrameData(payload)
		return fmt.Sprintf("close %d", code), true
	}
	return "", false
}

// rawFrame is a masked frame; first is its first byte.
func rawFrame(first byte, payload []byte) []byte {
	return append(rawHeader(first, uint64(len(payload)), true), masked(payload)...)
}

var hostileMask = [4]byte{0x37, 0xfa, 0x21, 0x3d}

func masked(payload []byte) []byte {
	payload = bytes.Clone(payload)
	ws.Cipher(payload, hostileMask, 0)
	return payload
}

// rawHeader is the header of a frame that has, or says it has, so many bytes.
func rawHeader(first byte, length uint64, mask bool) []byte {
	size := byte(127)
	switch {
	case length < 126:
		size = byte(length)
	case length < 1<<16:
		size = 126
	}
	return rawLength(first, size, length, mask)
}

// rawLength is a header with the length in the size that is said, whether it
// fits or not.
func rawLength(first, size byte, length uint64, mask bool) []byte {
	b := []byte{first, size}
	switch size {
	case 126:
		b = append(b, byte(length>>8), byte(length))
	case 127:
		for shift := 56; shift >= 0; shift -= 8 {
			b = append(b, byte(length>>shift))
		}
	}
	if mask {
		b[1] |= 0x80
		b = append(b, hostileMask[:]...)
	}
	return b
}

// hostileHTTP is a connection that speaks HTTP by hand.
type hostileHTTP struct {
	conn   net.Conn
	reader *bufio.Reader
}

func (l *hostileLane) opened() (*hostileHTTP, error) {
	if l.http != nil {
		return l.http, l.http.conn.SetDeadline(time.Now().Add(testkit.Patience))
	}
	conn, err := l.dial()
	if err != nil {
		return nil, err
	}
	l.http = &hostileHTTP{conn: conn, reader: bufio.NewReader(conn)}
	return l.http, nil
}

// httpStrike writes a request, or what should pass for one.
type httpStrike struct {
	request string
	upgrade bool // it may be answered by one
}

func (s httpStrike) String() string { return fmt.Sprintf("%q", s.request) }

func (s httpStrike) strike(lane *hostileLane) string {
	connection, err := lane.opened()
	if err != nil {
		return "no connection: " + err.Error()
	}
	lane.probes++
	probe := fmt.Sprintf("probe%d", lane.probes)
	// Where the gateway has closed already, the read tells.
	_, _ = io.WriteString(connection.conn, s.request)
	answer, goesOn := connection.answer(s.upgrade)
	if goesOn {
		// Whatever of the request was left lying would be taken for the
		// beginning of this one, or answered before it.
		_, err := io.WriteString(connection.conn, "GET /healthz HTTP/1.1\r\nHost: gateway\r\nX-Request-Id: "+probe+"\r\n\r\n")
		response, readErr := http.ReadResponse(connection.reader, nil)
		if err = errors.Join(err, readErr); err == nil {
			_, err = io.Copy(io.Discard, response.Body)
			_ = response.Body.Close() // it was read
		}
		switch {
		case err != nil:
			answer += ", then " + err.Error()
		case response.Header.Get("X-Request-Id") != probe:
			answer += ", and answered twice"
		default:
			return answer + keptOn
		}
	}
	lane.leaveHTTP()
	return answer
}

// answer reads one response and tells it; goesOn says that another request may
// follow.
func (h *hostileHTTP) answer(upgrade bool) (answer string, goesOn bool) {
	response, err := http.ReadResponse(h.reader, nil)
	// A reset is an end too: of a connection on which something was not read.
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
		return endedWithout, false
	}
	if err != nil {
		return err.Error(), false
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusSwitchingProtocols {
		answer = "101"
		if upgrade && response.Header.Get("Sec-WebSocket-Extensions") == "" && response.Header.Get("Sec-WebSocket-Protocol") == "" {
			answer = "101, nothing negotiated"
		}
		return answer, false
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Sprintf("%d, then %v", response.StatusCode, err), false
	}
	var failure struct {
		Code   string `json:"code"`
		Status int    `json:"status"`
		Error  string `json:"error"`
	}
	if response.Header.Get("X-Request-Id") == "" {
		return fmt.Sprintf("%d without an id", response.StatusCode), false
	}
	if err := json.Unmarshal(body, &failure); err != nil || failure.Status != response.StatusCode || failure.Error == "" {
		return fmt.Sprintf("%d %q", response.StatusCode, body), false
	}
	answer = fmt.Sprintf("%d `%s`", response.StatusCode, failure.Code)
	if !response.Close {
		return answer, true
	}
	if _, err := h.reader.ReadByte(); err == nil {
		return answer + ", then more", false
	}
	return answer + closedAfter, false
}
