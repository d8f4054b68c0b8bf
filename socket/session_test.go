package socket_test

import (
	"bytes"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/walkergate/walkergate/socket"
	"github.com/walkergate/walkergate/wire"
)

// panicking is a handler that fails as it is told.
type panicking struct {
	recorder
	inFrame, inClosed func()
}

func (h *panicking) Frame(text []byte) {
	h.recorder.Frame(text)
	if h.inFrame != nil {
		h.inFrame()
	}
}

func (h *panicking) Closed(end socket.Closure) {
	h.recorder.Closed(end)
	if h.inClosed != nil {
		h.inClosed()
	}
}

func TestPanicInHandler(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			var log bytes.Buffer
			h := &panicking{inFrame: func() { panic("secret of " + "hunter2") }}
			s, p := open(t, kind, h, socket.Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
			wait := p.sendFrom(text("a"), text("b"))
			p.want(t, "close:1011 internal error")
			wait()
			p.send(closing(1011, ""))
			if end := h.ending(t, s); end.Code != wire.CloseInternal {
				t.Errorf("ended with %+v", end)
			}
			if got := h.received(); len(got) != 1 {
				t.Errorf("the handler got %q behind its panic", got)
			}
			if n := strings.Count(log.String(), "a socket handler panicked"); n != 1 {
				t.Errorf("logged %d times: %s", n, &log)
			}
			if !strings.Contains(log.String(), "session_test.go") {
				t.Error("the log does not say where")
			}
			if strings.Contains(log.String(), "hunter2") {
				t.Error("the log holds what the panic said")
			}
		})
	}
}

func TestPanicInClosed(t *testing.T) {
	var log bytes.Buffer
	h := &panicking{inClosed: func() { _ = []int{}[len(kinds)] }}
	s, p := open(t, overTCP, h, socket.Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	p.Close()
	h.ending(t, s)
	if !strings.Contains(log.String(), "index out of range") {
		t.Errorf("logged %q", &log)
	}
}

func TestHandlerEndsItsGoroutine(t *testing.T) {
	h := &panicking{inFrame: runtime.Goexit}
	s, p := open(t, overTCP, h, socket.Options{})
	p.send(text("a"))
	p.want(t, "end")
	if end := h.ending(t, s); end.Err == nil || end.ByPeer {
		t.Errorf("ended with %+v", end)
	}
}

func TestHandlerAnswersAndCloses(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			h := &recorder{}
			s, p := cork(t, kind, h, socket.Options{})
			h.onText = func(got string) {
				if got == "bye" {
					s.Close(wire.CloseNormal, "bye")
				} else {
					s.Send(message("re: "+got), nil)
				}
			}
			s.Start(message("hello"))
			wait := p.sendFrom(text("1"), text("2"), text("bye"), text("late"))
			p.want(t, "text:hello", "text:re: 1", "text:re: 2", "close:1000 bye")
			wait()
			p.send(closing(1000, ""))
			h.ending(t, s)
			if got := strings.Join(h.received(), " "); got != "1 2 bye" {
				t.Errorf("the handler got %q", got)
			}
		})
	}
}

func TestStatsCountWhatArrives(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			stats := &socket.Stats{}
			h := &recorder{}
			s, p := open(t, kind, h, socket.Options{Stats: stats})
			stream := [][]byte{frame(opText, "he"), frame(final|opPong, ""), frame(final|opContinue, "llo"), closing(1000, "")}
			wait := p.sendFrom(stream...)
			p.want(t, "close:1000")
			wait()
			p.Close()
			h.ending(t, s)
			if frames, arrived := stats.FramesIn.Load(), stats.BytesIn.Load(); frames != 4 || arrived != int64(len(bytes.Join(stream, nil))) {
				t.Errorf("counted %d frames, %d bytes", frames, arrived)
			}
			if frames, sent := stats.FramesOut.Load(), stats.BytesOut.Load(); frames != 1 || sent != 4 {
				t.Errorf("counted %d frames, %d bytes out", frames, sent)
			}
		})
	}
}

func TestSessionIsSmall(t *testing.T) {
	if socket.SessionSize > 1024 {
		t.Errorf("a session takes %d bytes", socket.SessionSize)
	}
	t.Logf("a session takes %d bytes", socket.SessionSize)
}

// What took the connection over may have left a deadline behind, as draining
// the handshake's reader does.
func TestOpenClearsDeadlines(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			server, client := connect(t, kind)
			_ = server.SetDeadline(time.Unix(1, 0))
			h := &recorder{frames: make(chan string, 1)}
			s := socket.Open(server, nil, h, socket.Options{})
			s.Start(message("hello"))
			p := newPeer(client)
			p.want(t, "text:hello")
			p.send(text("hi"))
			if got := h.next(t); got != "hi" {
				t.Errorf("got %q", got)
			}
			p.Close()
			h.ending(t, s)
		})
	}
}
