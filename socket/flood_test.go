package socket_test

import (
	"net"
	"testing"

	"github.com/gobwas/ws"

	"github.com/walkergate/walkergate/socket"
	"github.com/walkergate/walkergate/wire"
)

// What no message comes of costs too: pings, pongs and empty fragments over
// the bound of a second end the session.
func TestFloodsOfFramesWithoutAMessageAreCutOff(t *testing.T) {
	fragment := ws.MustCompileFrame(ws.MaskFrameInPlace(ws.NewFrame(ws.OpContinuation, false, nil)))
	for name, test := range map[string]struct{ first, flood []byte }{
		"pings":     {flood: ws.MustCompileFrame(ws.MaskFrameInPlace(ws.NewPingFrame(nil)))},
		"pongs":     {flood: ws.MustCompileFrame(ws.MaskFrameInPlace(ws.NewPongFrame(nil)))},
		"fragments": {first: ws.MustCompileFrame(ws.MaskFrameInPlace(ws.NewFrame(ws.OpText, false, []byte("a")))), flood: fragment},
	} {
		t.Run(name, func(t *testing.T) {
			server, client := net.Pipe()
			defer client.Close()
			h := &recorder{}
			s := socket.Open(server, nil, h, socket.Options{ControlPerSecond: 50})
			s.Start(nil)
			go func() {
				if _, err := client.Write(test.first); err != nil {
					return
				}
				for range 1_000_000 {
					if _, err := client.Write(test.flood); err != nil {
						return // cut off
					}
				}
			}()
			for { // pongs, then the close
				frame, err := ws.ReadFrame(client)
				if err != nil {
					break
				}
				if frame.Header.OpCode == ws.OpClose {
					break
				}
			}
			if end := h.ending(t, s); end.Code != wire.CloseOverLimits {
				t.Errorf("ended with %+v", end)
			}
		})
	}
}
