package load

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// maxUnsent bounds what waits for a server that does not read.
const maxUnsent = 1 << 20

// stage is how far a connection has come.
type stage int

const (
	connecting stage = iota
	upgrading
	greeting
	joined
)

// Conn is one connection of a loop.
type Conn struct {
	ID      int
	Channel string

	loop  *Loop
	fd    int
	stage stage
	mask  [4]byte

	join      *joining // until it has joined
	heard     int      // messages of the greeting
	handshake []byte   // an answer that has not come whole
	decoder   decoder
	at        time.Duration // when the bytes at hand were read
	unsent    []byte
}

// decoder cuts a stream into messages.
type decoder interface {
	Feed(data []byte, to Sink) error
}

// ready is called when a connection can be read or written.
func (c *Conn) ready(events uint32) error {
	if c.stage == connecting {
		return c.connected()
	}
	if events&unix.EPOLLOUT != 0 {
		if err := c.flush(); err != nil {
			return err
		}
	}
	if events&^uint32(unix.EPOLLOUT) != 0 {
		return c.read()
	}
	return nil
}

func (c *Conn) connected() error {
	code, err := unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	if code != 0 {
		return fmt.Errorf("connect: %w", unix.Errno(code))
	}
	if err := c.loop.watch(c, unix.EPOLLIN); err != nil {
		return err
	}
	if c.join.request == nil { // plain HTTP
		c.decoder = &Responses{}
		return c.enter()
	}
	c.decoder = &Parser{}
	c.stage = upgrading
	return c.SendRaw(c.join.request(c))
}

func (c *Conn) read() error {
	n, err := unix.Read(c.fd, c.loop.buffer[:])
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
		return nil
	case err != nil:
		return fmt.Errorf("read: %w", err)
	case n == 0:
		return errors.New("the server closed the connection")
	}
	c.at = c.loop.Now()
	data := c.loop.buffer[:n]
	if c.stage == upgrading {
		if data, err = c.upgraded(data); err != nil || c.stage == upgrading {
			return err
		}
	}
	return c.decoder.Feed(data, c)
}

// upgraded takes the answer to the upgrade and gives what came behind it.
func (c *Conn) upgraded(data []byte) ([]byte, error) {
	c.handshake = append(c.handshake, data...)
	h, rest, ok, err := cutHead(c.handshake)
	if err != nil || !ok {
		return nil, err
	}
	if err := h.upgraded(); err != nil {
		return nil, err
	}
	c.handshake = nil
	c.stage = greeting
	return rest, c.greet(nil)
}

// greet takes a message of the greeting; nil is the upgrade itself.
func (c *Conn) greet(text []byte) error {
	say, in, err := c.join.dialect.Greet(c.Channel, c.heard, text)
	c.heard++
	if err != nil {
		return err
	}
	if len(say) > 0 {
		if err := c.Send(say); err != nil {
			return err
		}
	}
	if in {
		return c.enter()
	}
	return nil
}

func (c *Conn) enter() error {
	c.stage = joined
	c.join.joined++
	c.join.last = c.loop.Now()
	return c.join.more()
}

// Message takes a whole message off the parser.
func (c *Conn) Message(text []byte) error {
	if c.stage == greeting {
		return c.greet(text)
	}
	return c.loop.handler.Message(c, text, c.at)
}

// Control takes a control frame off the parser.
func (c *Conn) Control(opcode byte, payload []byte) error {
	switch opcode {
	case opPing:
		return c.send(opPong, payload)
	case opClose:
		if len(payload) >= 2 {
			return fmt.Errorf("the server closed with %d %q", binary.BigEndian.Uint16(payload), payload[2:])
		}
		return errors.New("the server closed")
	}
	return nil
}

// Send sends one text message, in one write where the kernel takes it.
func (c *Conn) Send(text []byte) error { return c.send(opText, text) }

func (c *Conn) send(opcode byte, payload []byte) error {
	c.loop.scratch = AppendFrame(c.loop.scratch[:0], opcode, c.mask, payload)
	return c.SendRaw(c.loop.scratch)
}

// SendRaw sends bytes as they are.
func (c *Conn) SendRaw(bytes []byte) error {
	if len(c.unsent) > 0 {
		return c.keep(bytes)
	}
	n, err := unix.Write(c.fd, bytes)
	if err != nil && !errors.Is(err, unix.EAGAIN) {
		return fmt.Errorf("write: %w", err)
	}
	n = max(n, 0)
	if n == len(bytes) {
		return nil
	}
	if err := c.keep(bytes[n:]); err != nil {
		return err
	}
	return c.loop.watch(c, unix.EPOLLIN|unix.EPOLLOUT)
}

func (c *Conn) keep(bytes []byte) error {
	if len(c.unsent)+len(bytes) > maxUnsent {
		return errors.New("the server does not read")
	}
	c.unsent = append(c.unsent, bytes...)
	return nil
}

// flush sends what waits.
func (c *Conn) flush() error {
	n, err := unix.Write(c.fd, c.unsent)
	if err != nil {
		if errors.Is(err, unix.EAGAIN) {
			return nil
		}
		return fmt.Errorf("write: %w", err)
	}
	c.unsent = append(c.unsent[:0], c.unsent[n:]...)
	if len(c.unsent) == 0 {
		return c.loop.watch(c, unix.EPOLLIN)
	}
	return nil
}
