//go:build linux

package app_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/walkergate/walkergate/app"
	"github.com/walkergate/walkergate/internal/testkit"
)

// TestHostileAnnouncements announces bodies and messages as long as may be, and
// sends next to nothing of them: they cost what they are, and not what they say.
func TestHostileAnnouncements(t *testing.T) {
	const clients, body, frame = 100, 4 << 20, 1 << 20
	g := testkit.Start(t, testkit.Config(func(c *app.Config) { c.MaxBodyBytes, c.MaxFrameBytes = body, frame }))
	siege := &hostileSiege{t: t, address: strings.TrimPrefix(g.URL, "http://")}
	before := inUse().heap
	for number := range clients {
		lane := siege.lane(number)
		t.Cleanup(lane.leave)
		socket, err := lane.connected()
		if err != nil {
			t.Fatal(err)
		}
		stream := append(rawFrame(final|kindPing, []byte("read")), rawHeader(final|kindText, frame, true)...)
		if _, err := socket.conn.Write(append(stream, 'x')); err != nil {
			t.Fatal(err)
		}
		if op, payload, err := socket.next(); err != nil || string(payload) != "read" {
			t.Fatalf("got a frame of kind %d, %q, %v; want a pong", op, payload, err)
		}
		connection, err := lane.opened()
		if err != nil {
			t.Fatal(err)
		}
		// As much as the server reads before anybody asks for it.
		if _, err := fmt.Fprintf(connection.conn, "POST /nothing HTTP/1.1\r\nHost: gateway\r\nContent-Length: %d\r\n\r\n%s", body, strings.Repeat("x", 8<<10)); err != nil {
			t.Fatal(err)
		}
	}
	testkit.Until(t, "the bodies to be waited for", func() bool {
		stacks := make([]byte, 4<<20)
		return strings.Count(string(stacks[:runtime.Stack(stacks, true)]), ".(*App).readBody(") == clients
	})
	const each = 100 << 10 // buffers of the server's and the test's own included
	if after := inUse().heap; after > before+clients*each {
		t.Errorf("%d announced bodies and messages take %d KiB each, at most %d are allowed", clients, (after-before)/clients>>10, each>>10)
	} else {
		t.Logf("each takes %d KiB", (after-before)/clients>>10)
	}
}
