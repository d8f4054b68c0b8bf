package socket_test

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/walkergate/walkergate/socket"
	"github.com/walkergate/walkergate/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

// The kinds of connection that every session must serve alike.
const (
	overTCP    = "tcp"    // a raw descriptor: direct writes
	overHidden = "hidden" // TCP behind a wrapper: always queues
	overPipe   = "pipe"   // no buffer between the two sides at all
)

var kinds = []string{overTCP, overHidden, overPipe}

// hidden is a connection of which nothing but net.Conn can be seen.
type hidden struct{ net.Conn }

// connect gives the two sides of a connection.
func connect(t testing.TB, kind string) (server, client net.Conn) {
	t.Helper()
	if kind == overPipe {
		server, client = net.Pipe()
	} else {
		server, client = connectTCP(t)
	}
	t.Cleanup(func() { server.Close(); client.Close() })
	if kind == overHidden {
		server = hidden{server}
	}
	return server, client
}

func connectTCP(t testing.TB) (server, client net.Conn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	client, err = net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if server, err = listener.Accept(); err != nil {
		t.Fatal(err)
	}
	return server, client
}

// recorder is a handler that keeps what it is given.
type recorder struct {
	mu     sync.Mutex
	texts  []string
	closed int
	end    socket.Closure
	frames chan string          // each text, where not nil
	onText func(text string)    // called for each text, where not nil
	onEnd  func(socket.Closure) // called at the end, where not nil
}

func (r *recorder) Frame(text []byte) {
	r.mu.Lock()
	r.texts = append(r.texts, string(text))
	if r.closed > 0 {
		panic("a frame after Closed")
	}
	r.mu.Unlock()
	if r.frames != nil {
		r.frames <- string(text)
	}
	if r.onText != nil {
		r.onText(string(text))
	}
}

func (r *recorder) Closed(end socket.Closure) {
	r.mu.Lock()
	r.closed++
	r.end = end
	r.mu.Unlock()
	if r.onEnd != nil {
		r.onEnd(end)
	}
}

func (r *recorder) received() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.texts...)
}

// next waits for a text; frames must be set.
func (r *recorder) next(t testing.TB) string {
	t.Helper()
	select {
	case got := <-r.frames:
		return got
	case <-time.After(patience):
		t.Fatal("no text arrives")
		return ""
	}
}

// ending waits for the session's end and gives its closure.
func (r *recorder) ending(t testing.TB, s *socket.Session) socket.Closure {
	t.Helper()
	select {
	case <-s.Done():
	case <-time.After(patience):
		t.Fatal("the session does not end")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed != 1 {
		t.Fatalf("Closed was called %d times", r.closed)
	}
	return r.end
}

// peer is the client's side.
type peer struct {
	net.Conn
	r       *bufio.Reader
	patient time.Duration // how long next waits
}

// open makes a session, started without a greeting, and its peer.
func open(t testing.TB, kind string, h socket.Handler, o socket.Options) (*socket.Session, *peer) {
	t.Helper()
	s, p := cork(t, kind, h, o)
	s.Start(nil)
	return s, p
}

// cork makes a session that is not started, and its peer. Where nothing else is
// said, a test that was held up still answers a close in time.
func cork(t testing.TB, kind string, h socket.Handler, o socket.Options) (*socket.Session, *peer) {
	t.Helper()
	o.CloseTimeout = cmp.Or(o.CloseTimeout, patience)
	server, client := connect(t, kind)
	s := socket.Open(server, nil, h, o)
	t.Cleanup(func() { // before the connection closes: goleak wants no reader left
		client.Close()
		s.Close(wire.CloseGoingAway, "")
		<-s.Done()
	})
	return s, newPeer(client)
}

func newPeer(conn net.Conn) *peer { return &peer{conn, bufio.NewReader(conn), patience} }

// next reads a frame and tells it as "text:hi", "pong:x", "close:1000 bye", or
// "end" when the connection was ended, "broken: ..." when it was not well.
func (p *peer) next() string {
	_ = p.SetReadDeadline(time.Now().Add(p.patient))
	var head [2]byte
	if _, err := io.ReadFull(p.r, head[:]); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe) {
			return "end"
		}
		return "broken: " + err.Error()
	}
	length := uint64(head[1])
	if head[1] >= 126 {
		var more [8]byte
		size := 2 + int(head[1]-126)*6
		if _, err := io.ReadFull(p.r, more[8-size:]); err != nil {
			return "broken: " + err.Error()
		}
		length = binary.BigEndian.Uint64(more[:])
	}
	payload := make([]byte, length)
	if _, err := io.ReadFull(p.r, payload); err != nil {
		return "broken: " + err.Error()
	}
	switch head[0] {
	case 0x81:
		return "text:" + string(payload)
	case 0x89:
		return "ping:" + string(payload)
	case 0x8a:
		return "pong:" + string(payload)
	case 0x88:
		if len(payload) < 2 {
			return fmt.Sprintf("close:%x", payload)
		}
		return strings.TrimSpace(fmt.Sprintf("close:%d %s", binary.BigEndian.Uint16(payload), payload[2:]))
	}
	return fmt.Sprintf("broken: first byte %#x", head[0])
}

// want fails the test unless the next frames are these.
func (p *peer) want(t testing.TB, frames ...string) {
	t.Helper()
	for _, want := range frames {
		if got := p.next(); got != want {
			t.Fatalf("got %.100q, want %.100q", got, want)
		}
	}
}

// send writes frames; an error is left for the reading side to show.
func (p *peer) send(frames ...[]byte) {
	for _, f := range frames {
		if _, err := p.Write(f); err != nil {
			return
		}
	}
}

// sendFrom is send from a goroutine, for peers that are answered meanwhile.
func (p *peer) sendFrom(frames ...[]byte) (wait func()) {
	var group sync.WaitGroup
	group.Go(func() { p.send(frames...) })
	return group.Wait
}

const (
	opContinue = 0x0
	opText     = 0x1
	opBinary   = 0x2
	opClose    = 0x8
	opPing     = 0x9
	opPong     = 0xa
	final      = 0x80
)

// frame makes a masked frame of a client; first is its first byte.
func frame(first byte, payload string) []byte {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	mask := [4]byte{0xa1, 0x5e, 0x07, 0xff}
	b = append(b, mask[:]...)
	for i := range len(payload) {
		b = append(b, payload[i]^mask[i%4])
	}
	return b
}

func text(payload string) []byte { return frame(final|opText, payload) }

// closing makes a client's close frame.
func closing(code int, reason string) []byte {
	return frame(final|opClose, string(binary.BigEndian.AppendUint16(nil, uint16(code)))+reason)
}

// eventually waits until something holds that nothing announces.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(patience)
	poll := time.NewTicker(time.Millisecond)
	defer poll.Stop()
	for !holds() {
		select {
		case <-poll.C:
		case <-deadline:
			t.Fatalf("never happened: %s", what)
		}
	}
}
