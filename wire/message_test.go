package wire_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/walkergate/walkergate/fault"
	"github.com/walkergate/walkergate/wire"
)

func TestTextFrames(t *testing.T) {
	for length, header := range map[int]int{
		0: 2, 1: 2, 124: 2, 125: 2, 126: 4, 127: 4, 65534: 4, 65535: 4, 65536: 10, 65537: 10, 1 << 20: 10,
	} {
		payload := bytes.Repeat([]byte{'x'}, length)
		message := wire.Text(payload)
		checkFrame(t, message)
		if got := len(message.Frame()) - len(message.Payload()); got != header {
			t.Errorf("the header of %d bytes has %d, want %d", length, got, header)
		}
		if !bytes.Equal(message.Payload(), payload) {
			t.Errorf("the payload of %d bytes came as %d others", length, len(message.Payload()))
		}
	}
}

func TestTextCopies(t *testing.T) {
	payload := []byte(`{"a":1}`)
	message := wire.Text(payload)
	payload[1] = 'x'
	if got := string(message.Payload()); got != `{"a":1}` {
		t.Errorf("got %s", got)
	}
}

// Every message is written behind room for its header. Whatever its length,
// the header must be the shortest.
func TestFramesOfEveryLength(t *testing.T) {
	for length := range 400 {
		text := strings.Repeat("x", length)
		quoted := []byte(`"` + text + `"`)
		for _, message := range []*wire.Message{
			wire.Pong("i" + text),
			wire.WalkerReply("7", 200, quoted),
			wire.WalkerBody("7", 200, quoted),
			wire.Failure("", true, fault.New(fault.Busy, text)),
			wire.Failure("7", false, fault.New(fault.BadFrame, "no", fault.Detail{Field: text, Reason: text})),
		} {
			checkFrame(t, message)
		}
	}
}

// checkFrame reads a message back as a client would.
func checkFrame(t *testing.T, message *wire.Message) {
	t.Helper()
	source := bytes.NewReader(message.Frame())
	frame, err := ws.ReadFrame(source)
	if err != nil {
		t.Fatalf("the frame cannot be read: %v", err)
	}
	header := ws.Header{Fin: true, OpCode: ws.OpText, Length: int64(len(message.Payload()))}
	if frame.Header != header {
		t.Errorf("the header is %+v, want %+v", frame.Header, header)
	}
	if ws.HeaderSize(header) != len(message.Frame())-len(message.Payload()) {
		t.Errorf("the header of %d bytes is not the shortest", len(message.Payload()))
	}
	if !bytes.Equal(frame.Payload, message.Payload()) || source.Len() != 0 {
		t.Errorf("read back: %q and %d bytes more", frame.Payload, source.Len())
	}
}
