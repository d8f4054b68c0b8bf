package testkit

import (
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/google/go-cmp/cmp"

	"github.com/walkergate/walkergate/internal/client"
	"github.com/walkergate/walkergate/wire"
)

// Frame is one frame in any shape.
type Frame = map[string]any

// Socket is a connection of a test; it fails the test where anything but what
// the test says happens.
type Socket struct {
	*client.Conn
	// ClientID, RootID and ChannelID are of the first connection event.
	ClientID  string
	RootID    string
	ChannelID string
	// Greeting is that event.
	Greeting Frame

	t testing.TB
}

// Dial connects; query (channel_id=a&…) and token (sent as header) may be
// empty. The connection event has been read when it returns.
func (g *Gateway) Dial(t testing.TB, query, token string) *Socket {
	t.Helper()
	header := http.Header{}
	if token != "" {
		header.Set("Authorization", "Bearer "+token)
	}
	return g.DialWith(t, query, header)
}

// DialWith connects with any header.
func (g *Gateway) DialWith(t testing.TB, query string, header http.Header) *Socket {
	t.Helper()
	conn, err := client.Dial(t.Context(), g.SocketURL(query), header)
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	s := &Socket{Conn: conn, t: t}
	t.Cleanup(func() { _ = conn.Close() })
	s.Greeting = s.Next()
	data, ok := s.Greeting["data"].(map[string]any)
	if !ok || s.Greeting["type"] != "connection" {
		t.Fatalf("the first frame was %v", s.Greeting)
	}
	s.ClientID, _ = data["client_id"].(string)
	s.RootID, _ = data["root_id"].(string)
	s.ChannelID, _ = data["channel_id"].(string)
	return s
}

// TryDial tries to connect and hangs up at once where it can. status is what
// the upgrade was refused with, 0 where nobody answers any more.
func (g *Gateway) TryDial(t testing.TB, query string, header http.Header) (status int, connected bool) {
	t.Helper()
	conn, err := client.Dial(t.Context(), g.SocketURL(query), header)
	var refused *client.Refused
	switch {
	case err == nil:
		_ = conn.Close()
		return 0, true
	case errors.As(err, &refused):
		return refused.Status, false
	}
	return 0, false
}

// Refused demands that an upgrade is refused and gives the status.
func (g *Gateway) Refused(t testing.TB, query string, header http.Header) int {
	t.Helper()
	status, connected := g.TryDial(t, query, header)
	if connected {
		t.Fatalf("the upgrade with %q %v was not refused", query, header)
	}
	return status
}

// Say sends a frame.
func (s *Socket) Say(frame Frame) {
	s.t.Helper()
	if err := s.Send(frame); err != nil {
		s.t.Fatalf("send %v: %v", frame, err)
	}
}

// Next is the next frame.
func (s *Socket) Next() Frame {
	s.t.Helper()
	text := s.NextText()
	var frame Frame
	if err := json.Unmarshal(text, &frame); err != nil {
		s.t.Fatalf("frame %q: %v", text, err)
	}
	return frame
}

// NextText is the next frame as it came.
func (s *Socket) NextText() []byte {
	s.t.Helper()
	text, err := s.Read(time.Now().Add(Patience))
	if err != nil {
		s.t.Fatalf("waiting for a frame: %v", err)
	}
	return text
}

// Expect demands that the next frame is just this one.
func (s *Socket) Expect(want Frame) {
	s.t.Helper()
	s.Same(s.Next(), want)
}

// Same demands that a frame is just what it should be.
func (s *Socket) Same(got, want Frame) {
	s.t.Helper()
	if diff := cmp.Diff(normal(s.t, want), got); diff != "" {
		s.t.Fatalf("frame (-want +got):\n%s", diff)
	}
}

// Leave begins to close the connection, as a client does.
func (s *Socket) Leave(code wire.CloseCode) {
	s.t.Helper()
	if err := s.SendMessage(ws.OpClose, ws.NewCloseFrameBody(ws.StatusCode(code), "")); err != nil {
		s.t.Fatalf("close: %v", err)
	}
}

// ExpectError demands an error frame of that type and code, and gives it.
func (s *Socket) ExpectError(kind, code string) Frame {
	s.t.Helper()
	frame := s.Next()
	if frame["type"] != kind || frame["code"] != code {
		s.t.Fatalf("got %v, want an error of type %s and code %s", frame, kind, code)
	}
	return frame
}

// Ask sends a frame and gives what answers it.
func (s *Socket) Ask(frame Frame) Frame {
	s.t.Helper()
	s.Say(frame)
	return s.Next()
}

// Quiet demands that nothing is on its way: what was sent before the ping has
// arrived before its answer.
func (s *Socket) Quiet() {
	s.t.Helper()
	s.Say(Frame{"type": "connection", "id": "quiet"})
	if frame := s.Next(); frame["id"] != "quiet" {
		s.t.Fatalf("got %v, want nothing", frame)
	}
}

// Hang hangs up at once and waits until the gateway has noticed, so that
// nobody counts the connection any more.
func (s *Socket) Hang() {
	s.t.Helper()
	s.Leave(wire.CloseNormal)
	s.ExpectClose(wire.CloseNormal)
	_ = s.Raw().Close() // it has said goodbye
}

// ExpectClose demands that the gateway closes with that code, whatever comes
// before.
func (s *Socket) ExpectClose(code wire.CloseCode) string {
	s.t.Helper()
	for {
		_, err := s.Read(time.Now().Add(Patience))
		var closed *client.Closed
		if errors.As(err, &closed) {
			if closed.Code != code {
				s.t.Fatalf("closed with %d %q, want %d", closed.Code, closed.Reason, code)
			}
			return closed.Reason
		}
		if err != nil {
			s.t.Fatalf("waiting for the close: %v", err)
		}
	}
}

// normal gives a frame the types that decoded JSON has.
func normal(t testing.TB, frame Frame) Frame {
	t.Helper()
	text, err := json.Marshal(frame)
	if err != nil {
		t.Fatalf("encode %v: %v", frame, err)
	}
	var plain Frame
	if err := json.Unmarshal(text, &plain); err != nil {
		t.Fatalf("decode %s: %v", text, err)
	}
	return plain
}
