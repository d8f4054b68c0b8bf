package app_test

import (
	"net"
	"strings"
	"testing"

	"github.com/walkergate/walkergate/app"
	"github.com/walkergate/walkergate/internal/testkit"
)

// Whoever hangs up in the handshake leaves no place behind: the next client is
// let in at once, and a stop waits for nobody.
func TestHangingUpInTheHandshakeKeepsNoPlace(t *testing.T) {
	t.Parallel()
	log := &logged{}
	g := testkit.Start(t, testkit.Log(log.logger()), testkit.Config(func(c *app.Config) { c.MaxConnections = 20 }))
	host := strings.TrimPrefix(g.URL, "http://")
	for range 500 {
		conn, err := net.Dial("tcp", host)
		if err != nil {
			t.Fatal(err)
		}
		_, err = conn.Write([]byte("GET /websocket HTTP/1.1\r\nHost: " + host + "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"))
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.(*net.TCPConn).SetLinger(0); err != nil { // close with a reset
			t.Fatal(err)
		}
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
	}
	testkit.Until(t, "room for the next client", func() bool {
		_, connected := g.TryDial(t, "", nil)
		return connected
	})
	g.Stop()
	// The stop has waited for every place. One that nobody gives back comes free
	// by itself after ten seconds, which is told.
	if late := len(log.lines(t, "no connection came of an upgrade that was answered")); late > 0 {
		t.Errorf("%d places came free only by themselves", late)
	}
}
