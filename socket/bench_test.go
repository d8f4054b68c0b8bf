package socket_test

import (
	"io"
	"strings"
	"testing"

	"github.com/walkergate/walkergate/socket"
)

// discarding is a started session whose peer reads and forgets.
func discarding(tb testing.TB, kind string, o socket.Options) *socket.Session {
	tb.Helper()
	s, p := open(tb, kind, &recorder{}, o)
	done := make(chan struct{})
	go func() {
		defer close(done)
		buffer := make([]byte, 1<<20)
		for {
			if _, err := p.Read(buffer); err != nil {
				return
			}
		}
	}()
	tb.Cleanup(func() { p.Close(); <-done })
	return s
}

// A message that the kernel takes at once costs no allocation.
func TestDirectSendDoesNotAllocate(t *testing.T) {
	stats := &socket.Stats{}
	s := discarding(t, overTCP, socket.Options{Stats: stats})
	m := message(strings.Repeat("x", 128))
	if n := testing.AllocsPerRun(100, func() { s.Send(m, nil) }); n >= 1 {
		t.Errorf("%v allocations a message", n)
	}
}

func BenchmarkSendDirect(b *testing.B) {
	s := discarding(b, overTCP, socket.Options{Stats: &socket.Stats{}})
	m := message(strings.Repeat("x", 128))
	b.ReportAllocs()
	for b.Loop() {
		if !s.Send(m, nil) {
			b.Fatal("refused")
		}
	}
}

// BenchmarkWrite is the yardstick of BenchmarkSendDirect: the same bytes by a
// plain Write.
func BenchmarkWrite(b *testing.B) {
	server, client := connect(b, overTCP)
	go func() { _, _ = io.Copy(io.Discard, struct{ io.Reader }{client}) }()
	m := message(strings.Repeat("x", 128))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := server.Write(m.Frame()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEcho(b *testing.B) {
	for _, kind := range []string{overTCP, overHidden} {
		b.Run(kind, func(b *testing.B) {
			server, client := connect(b, kind)
			h := &echo{}
			h.s = socket.Open(server, nil, h, socket.Options{})
			h.s.Start(nil)
			stream := text(strings.Repeat("x", 128))
			back := make([]byte, 2+2+128)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := client.Write(stream); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(client, back); err != nil {
					b.Fatal(err)
				}
			}
			client.Close()
			<-h.s.Done()
		})
	}
}

type echo struct{ s *socket.Session }

var echoed = message(strings.Repeat("x", 128))

func (e *echo) Frame([]byte)          { e.s.Send(echoed, nil) }
func (e *echo) Closed(socket.Closure) {}
