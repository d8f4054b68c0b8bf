package load_test

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"go.uber.org/goleak"

	"github.com/walkergate/walkergate/bench/internal/load"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// simple is the dialect of the test servers: a greeting, then what is said.
type simple struct{}

func (simple) Path(channel string) string { return "/" + channel }

func (simple) Greet(_ string, heard int, text []byte) ([]byte, bool, error) {
	if heard == 0 {
		return []byte("hello"), false, nil
	}
	if string(text) != "welcome" {
		return nil, false, fmt.Errorf("greeted with %q", text)
	}
	return nil, true, nil
}

func (simple) Publish(dst []byte, _ string, data []byte) []byte { return append(dst, data...) }
func (simple) Echo(dst []byte, _ uint32, data []byte) []byte    { return append(dst, data...) }
func (simple) Control([]byte) ([]byte, error)                   { return nil, nil }

// answers collects what comes, and is done after enough.
type answers struct {
	got    []string
	enough int
}

func (a *answers) Message(c *load.Conn, text []byte, _ time.Duration) error {
	a.got = append(a.got, fmt.Sprintf("%d %s", c.ID, text))
	return nil
}

// server serves each connection with a function until the test ends.
func server(t *testing.T, serve func(net.Conn) error) netip.AddrPort {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer func() { _ = conn.Close() }()
				_ = serve(conn) // the client tells what it saw
			})
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close() // ends Accept
		<-ended
		serving.Wait()
	})
	return listener.Addr().(*net.TCPAddr).AddrPort()
}

// greeted upgrades and greets, then does the rest.
func greeted(then func(net.Conn) error) func(net.Conn) error {
	return func(conn net.Conn) error {
		if _, err := ws.Upgrade(conn); err != nil {
			return err
		}
		if _, err := wsutil.ReadClientText(conn); err != nil {
			return err
		}
		if err := wsutil.WriteServerText(conn, []byte("welcome")); err != nil {
			return err
		}
		return then(conn)
	}
}

func newLoop(t *testing.T, handler load.Handler) *load.Loop {
	t.Helper()
	loop, err := load.NewLoop(handler)
	if err != nil {
		t.Fatal(err)
	}
	return loop
}

func connecting(to netip.AddrPort, count int) load.Connecting {
	return load.Connecting{
		To: to, Dialect: simple{}, Count: count, AtOnce: 3, Within: 20 * time.Second,
		Channel: func(conn int) string { return fmt.Sprint("room-", conn) },
	}
}

func TestManyConnectionsJoinAndTalk(t *testing.T) {
	to := server(t, greeted(func(conn net.Conn) error {
		for {
			text, err := wsutil.ReadClientText(conn)
			if err != nil {
				return err
			}
			if err := wsutil.WriteServerText(conn, append([]byte("re: "), text...)); err != nil {
				return err
			}
		}
	}))
	handler := &answers{enough: 20}
	loop := newLoop(t, handler)
	conns, took, err := loop.Connect(connecting(to, 20))
	if err != nil {
		t.Fatal(err)
	}
	if took <= 0 || len(conns) != 20 || conns[7].Channel != "room-7" {
		t.Errorf("%d connections in %v", len(conns), took)
	}
	for _, c := range conns {
		if err := c.Send(fmt.Append(nil, "I am ", c.ID)); err != nil {
			t.Fatal(err)
		}
	}
	until(t, loop, func() bool { return len(handler.got) == handler.enough })
	for _, c := range conns {
		want := fmt.Sprintf("%d re: I am %d", c.ID, c.ID)
		if !strings.Contains(strings.Join(handler.got, "\n")+"\n", want+"\n") {
			t.Errorf("no answer %q", want)
		}
	}
	if err := loop.Close(); err != nil {
		t.Error(err)
	}
}

// until serves a loop until something is so.
func until(t *testing.T, loop *load.Loop, so func() bool) {
	t.Helper()
	end := loop.Now() + 20*time.Second
	err := loop.Run(func(now time.Duration) (time.Duration, bool, error) {
		if now > end {
			return 0, false, errors.New("it does not come")
		}
		return now + 10*time.Millisecond, so(), nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestPingsAreAnswered(t *testing.T) {
	to := server(t, greeted(func(conn net.Conn) error {
		if err := ws.WriteFrame(conn, ws.NewPingFrame([]byte("there?"))); err != nil {
			return err
		}
		frame, err := ws.ReadFrame(conn)
		if err != nil {
			return err
		}
		frame = ws.UnmaskFrame(frame)
		if err := wsutil.WriteServerText(conn, fmt.Append(nil, frame.Header.OpCode == ws.OpPong, " ", string(frame.Payload))); err != nil {
			return err
		}
		_, err = wsutil.ReadClientText(conn) // until the client goes
		return err
	}))
	handler := &answers{enough: 1}
	loop := newLoop(t, handler)
	if _, _, err := loop.Connect(connecting(to, 1)); err != nil {
		t.Fatal(err)
	}
	until(t, loop, func() bool { return len(handler.got) == 1 })
	if handler.got[0] != "0 true there?" {
		t.Errorf("the ping was answered with %q", handler.got)
	}
	if err := loop.Close(); err != nil {
		t.Error(err)
	}
}

func TestWhatGoesWrongIsTold(t *testing.T) {
	answer := func(text string) func(net.Conn) error {
		return func(conn net.Conn) error {
			if _, err := bufio.NewReader(conn).ReadString('\n'); err != nil {
				return err
			}
			_, err := conn.Write([]byte(text))
			return err
		}
	}
	for name, test := range map[string]struct {
		serve func(net.Conn) error
		want  string
	}{
		"a refused upgrade": {answer("HTTP/1.1 503 Busy\r\n\r\n"), "answered with 503"},
		"a false accept":    {answer("HTTP/1.1 101 OK\r\nSec-WebSocket-Accept: no\r\n\r\n"), `"no"`},
		"a silent end":      {func(net.Conn) error { return nil }, "connection 0: "},
		"a close": {greeted(func(conn net.Conn) error {
			return ws.WriteFrame(conn, ws.NewCloseFrame(ws.NewCloseFrameBody(1013, "too slow")))
		}), `closed with 1013 "too slow"`},
	} {
		t.Run(name, func(t *testing.T) {
			loop := newLoop(t, &answers{})
			_, _, err := loop.Connect(connecting(server(t, test.serve), 1))
			if err == nil { // it comes behind the greeting
				err = loop.For(20 * time.Second)
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %s", err, test.want)
			}
			if err := loop.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestOnlyLoopbackIsLoaded(t *testing.T) {
	for _, address := range []string{"192.0.2.1:80", "[2001:db8::1]:80", "0.0.0.0:80"} {
		loop := newLoop(t, &answers{})
		_, _, err := loop.Connect(connecting(netip.MustParseAddrPort(address), 1))
		if err == nil || !strings.Contains(err.Error(), "loopback addresses only") {
			t.Errorf("%s: %v", address, err)
		}
		if err := loop.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestConnectingTakesNoLongerThanItMay(t *testing.T) {
	to := server(t, func(conn net.Conn) error {
		_, err := conn.Read(make([]byte, 4096))
		if err == nil {
			_, err = conn.Read(make([]byte, 1)) // says nothing until the client goes
		}
		return err
	})
	loop := newLoop(t, &answers{})
	plan := connecting(to, 2)
	plan.Within = 50 * time.Millisecond
	if _, _, err := loop.Connect(plan); err == nil || !strings.Contains(err.Error(), "0 of 2 connections joined") {
		t.Errorf("%v", err)
	}
	if err := loop.Close(); err != nil {
		t.Error(err)
	}
}
