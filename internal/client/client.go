// Package client is a small client of the gateway's socket, for the command
// line, for tests and for load. It reads when asked and starts no goroutine,
// so that many of them cost little.
package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/walkergate/walkergate/wire"
)

// Conn is one connection. One goroutine may read while others send.
type Conn struct {
	conn   net.Conn
	reader io.Reader

	writing sync.Mutex
}

// Closed is the error of a read on a connection that the gateway closed.
type Closed struct {
	Code   wire.CloseCode
	Reason string
}

func (c *Closed) Error() string { return fmt.Sprintf("closed with %d %q", c.Code, c.Reason) }

// Refused is the error of an upgrade that was answered otherwise.
type Refused struct{ Status int }

func (r *Refused) Error() string { return fmt.Sprintf("upgrade refused with %d", r.Status) }

// Dial opens a connection to a ws:// or wss:// URL. The header may be nil.
func Dial(ctx context.Context, url string, header http.Header) (*Conn, error) {
	dialer := ws.Dialer{Header: ws.HandshakeHeaderHTTP(header)}
	conn, buffered, _, err := dialer.Dial(ctx, url)
	if err != nil {
		if status := ws.StatusError(0); errors.As(err, &status) {
			return nil, &Refused{Status: int(status)}
		}
		return nil, err
	}
	c := &Conn{conn: conn, reader: conn}
	if buffered != nil { // frames came with the answer to the handshake
		c.reader = io.MultiReader(io.LimitReader(buffered, int64(buffered.Buffered())), conn)
	}
	return c, nil
}

// Send sends one frame as JSON.
func (c *Conn) Send(frame any) error {
	text, err := json.Marshal(frame)
	if err != nil {
		return err
	}
	return c.SendText(text)
}

// SendText sends one text message as it is.
func (c *Conn) SendText(text []byte) error { return c.SendMessage(ws.OpText, text) }

// SendMessage sends one message of any kind.
func (c *Conn) SendMessage(op ws.OpCode, payload []byte) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	return wsutil.WriteClientMessage(c.conn, op, payload)
}

// Read gives the next text message; it answers pings on the way. The error is
// *Closed once the gateway has closed, and a net.Error of Timeout where the
// deadline passed; zero means no deadline.
func (c *Conn) Read(deadline time.Time) ([]byte, error) {
	if err := c.conn.SetReadDeadline(deadline); err != nil {
		return nil, err
	}
	for {
		messages, err := wsutil.ReadServerMessage(c.reader, nil)
		if err != nil {
			return nil, err
		}
		for _, message := range messages {
			switch message.OpCode {
			case ws.OpText:
				return message.Payload, nil
			case ws.OpPing:
				if err := c.SendMessage(ws.OpPong, message.Payload); err != nil {
					return nil, err
				}
			case ws.OpClose:
				code, reason := ws.ParseCloseFrameData(message.Payload)
				_ = c.SendMessage(ws.OpClose, ws.NewCloseFrameBody(code, "")) // the other side may be gone
				return nil, &Closed{Code: wire.CloseCode(code), Reason: reason}
			}
		}
	}
}

// Close says goodbye and closes the connection without waiting for an answer.
func (c *Conn) Close() error {
	_ = c.SendMessage(ws.OpClose, ws.NewCloseFrameBody(ws.StatusNormalClosure, "")) // a courtesy
	return c.conn.Close()
}

// Raw is the connection below, for tests that break the protocol.
func (c *Conn) Raw() net.Conn { return c.conn }
