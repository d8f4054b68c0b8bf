package testkit

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// Handshake is an upgrade that was written by hand: for what no client library
// does.
type Handshake struct {
	Conn     net.Conn
	Response *http.Response
	reader   *bufio.Reader
}

// Shake asks for an upgrade with those headers, pairs of name and value that
// replace the proper ones; an empty value leaves one out. What stands behind
// goes out in the same write.
func Shake(t testing.TB, conn net.Conn, behind []byte, headers ...string) *Handshake {
	t.Helper()
	fields := map[string]string{
		"Host": conn.RemoteAddr().String(), "Connection": "Upgrade", "Upgrade": "websocket",
		"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
	}
	for i := 0; i+1 < len(headers); i += 2 {
		fields[headers[i]] = headers[i+1]
	}
	var request strings.Builder
	request.WriteString("GET /websocket HTTP/1.1\r\n")
	for name, value := range fields {
		if value != "" {
			request.WriteString(name + ": " + value + "\r\n")
		}
	}
	request.WriteString("\r\n")
	if err := conn.SetDeadline(time.Now().Add(Patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(append([]byte(request.String()), behind...)); err != nil {
		t.Fatalf("write the handshake: %v", err)
	}
	h := &Handshake{Conn: conn, reader: bufio.NewReader(conn)}
	response, err := http.ReadResponse(h.reader, nil)
	if err != nil {
		t.Fatalf("read the answer to the handshake: %v", err)
	}
	_ = response.Body.Close() // an answer to an upgrade is read by Next, a refusal by its status
	h.Response = response
	return h
}

// Next is the next text message.
func (h *Handshake) Next(t testing.TB) []byte {
	t.Helper()
	text, err := wsutil.ReadServerText(struct {
		io.Reader
		io.Writer
	}{h.reader, h.Conn})
	if err != nil {
		t.Fatalf("waiting for a frame: %v", err)
	}
	return text
}

// ClientFrame is one masked text frame, as it goes over the wire.
func ClientFrame(text string) []byte {
	return ws.MustCompileFrame(ws.MaskFrameInPlace(ws.NewTextFrame([]byte(text))))
}

// Frame is the next frame of any kind.
func (h *Handshake) Frame() (ws.OpCode, []byte, error) { return ReadFrame(h.reader) }

// maxFrame bounds what a test reads as one frame.
const maxFrame = 16 << 20

// ReadFrame reads one frame of the gateway, whatever its kind.
func ReadFrame(from io.Reader) (ws.OpCode, []byte, error) {
	header, err := ws.ReadHeader(from)
	if err != nil {
		return 0, nil, err
	}
	if header.Length > maxFrame {
		return 0, nil, fmt.Errorf("a frame of %d bytes", header.Length)
	}
	payload := make([]byte, header.Length)
	_, err = io.ReadFull(from, payload)
	return header.OpCode, payload, err
}
