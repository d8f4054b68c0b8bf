package app_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/walkergate/walkergate/app"
	"github.com/walkergate/walkergate/internal/testkit"
)

// hasty are the ways of one who opens a connection and is gone at once. Each
// gets a TCP connection and the text of a handshake.
var hasty = []func(conn *net.TCPConn, handshake []byte) error{
	func(conn *net.TCPConn, _ []byte) error { return nil },
	func(conn *net.TCPConn, handshake []byte) error { return sendAll(conn, handshake[:len(handshake)/2]) },
	func(conn *net.TCPConn, handshake []byte) error { return sendAll(conn, handshake) },
	func(conn *net.TCPConn, handshake []byte) error {
		return errors.Join(conn.SetLinger(0), sendAll(conn, handshake))
	},
	func(conn *net.TCPConn, handshake []byte) error { // with a goodbye right behind, and it waits for the answer
		err := sendAll(conn, append(handshake, 0x88, 0x80, 0, 0, 0, 0))
		_, readErr := io.Copy(io.Discard, conn)
		return errors.Join(err, readErr)
	},
	func(conn *net.TCPConn, handshake []byte) error { // in the middle of a frame, once it is answered
		err := sendAll(conn, append(handshake, 0x81, 0x85, 0))
		_, readErr := conn.Read(make([]byte, 1))
		return errors.Join(err, readErr, conn.SetLinger(0))
	},
	func(conn *net.TCPConn, handshake []byte) error { // with a walker's call that nobody waits for
		return sendAll(conn, append(handshake, testkit.ClientFrame(`{"type":"walker","walker":"hold"}`)...))
	},
	func(conn *net.TCPConn, handshake []byte) error { // with a breach of the protocol
		return sendAll(conn, append(handshake, 0x01, 0x02, 0x03))
	},
}

func sendAll(conn net.Conn, text []byte) error {
	_, err := conn.Write(text)
	return err
}

// Opening and closing in a hurry, in every way and from many sides, while each
// is sent messages from its first moment on: nothing is left of any of it, and
// the next client is served.
func TestHurriedConnectionsLeaveNothing(t *testing.T) {
	t.Parallel()
	dataDir, h, voice := t.TempDir(), newHold(), newSpeaker()
	g := testkit.Start(t, testkit.Walkers(h.register), testkit.Walkers(voice.register), testkit.Config(func(c *app.Config) {
		c.DataDir, c.MaxConnectionsPerUser = dataDir, 10_000
	}))
	records := openTable(t, dataDir)
	user := g.NewUser(t)
	host := strings.TrimPrefix(g.URL, "http://")
	handshake := "GET /websocket?channel_id=hurry HTTP/1.1\r\nHost: " + host + "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Authorization: Bearer " + user.Token + "\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"

	loud := voice.speak(t, g)
	ctx, hush := context.WithCancel(t.Context())
	var speaking sync.WaitGroup
	speaking.Go(func() {
		for ctx.Err() == nil {
			_, err1 := loud.Channels(ctx, []string{"hurry"}, numbered(0))
			_, err2 := loud.Users(ctx, []string{user.RootID}, numbered(0))
			if err := errors.Join(err1, err2); err != nil && ctx.Err() == nil {
				t.Errorf("notify: %v", err)
			}
		}
	})
	var work errgroup.Group
	for _, hurry := range hasty {
		work.Go(func() error {
			for range 30 {
				conn, err := net.Dial("tcp", host)
				if err != nil {
					return err
				}
				if err := conn.SetDeadline(time.Now().Add(testkit.Patience)); err != nil {
					return err
				}
				if err := errors.Join(hurry(conn.(*net.TCPConn), []byte(handshake)), conn.Close()); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := work.Wait(); err != nil {
		t.Error(err)
	}
	hush()
	speaking.Wait()
	testkit.Until(t, "nothing to be left of them", func() bool { return indexed(t, g) == entries{} })
	testkit.Until(t, "their records to be gone", func() bool { return records.count("records") == 0 })
	s := g.Dial(t, "", user.Token)
	s.Same(s.Ask(call("echo", testkit.Frame{"value": 1})), ok(1))
}
