// Command floor is the yardstick: what a fan-out and an echo cost when nothing
// is done but the system calls. A handshake made by hand, a frame built once,
// one write(2) a member in a loop. It has no JSON, no auth, no limits, no
// heartbeat and no queue; one reader that stalls, stalls its channel for ever.
// It is no usable server, and it is never to change: figures of different days
// are compared through it.
package main

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // RFC 6455 has it so
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
)

const largest = 1 << 20

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: floor HOST:PORT")
		os.Exit(2)
	}
	fmt.Fprintln(os.Stderr, "floor:", serve(os.Args[1]))
	os.Exit(1)
}

// serve ends with an error only.
func serve(address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	rooms := &rooms{byName: make(map[string]*room)}
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer func() { _ = conn.Close() }()
			if err := rooms.serve(conn); err != nil && !errors.Is(err, net.ErrClosed) {
				return // a client that is gone
			}
		}()
	}
}

type rooms struct {
	mu     sync.Mutex
	byName map[string]*room
}

// room is one channel. Its lock is held while it writes, so that all members
// get all messages in the same order.
type room struct {
	mu      sync.Mutex
	members []net.Conn
}

func (r *rooms) named(name string) *room {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byName[name] == nil {
		r.byName[name] = &room{}
	}
	return r.byName[name]
}

func (r *room) join(conn net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.members = append(r.members, conn)
}

func (r *room) leave(conn net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, member := range r.members {
		if member == conn {
			r.members = append(r.members[:i], r.members[i+1:]...)
			return
		}
	}
}

func (r *room) send(frame []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, member := range r.members {
		_, _ = member.Write(frame) // one that is gone is removed by its reader
	}
}

// serve does the handshake and then reads frames until the connection ends.
func (r *rooms) serve(conn net.Conn) error {
	buffer := make([]byte, 4096)
	path, rest, err := handshake(conn, buffer)
	if err != nil {
		return err
	}
	handle := func(frame []byte) error {
		_, err := conn.Write(frame)
		return err
	}
	if name, ok := strings.CutPrefix(path, "/channel/"); ok {
		room := r.named(name)
		room.join(conn)
		defer room.leave(conn)
		handle = func(frame []byte) error { room.send(frame); return nil }
	}
	if _, err := conn.Write(answer(rest.key)); err != nil {
		return err
	}
	return read(conn, buffer, rest.read, handle)
}

// arrived is what a handshake brought.
type arrived struct {
	key  []byte
	read int // bytes of frames at the beginning of the buffer
}

func handshake(conn net.Conn, buffer []byte) (string, arrived, error) {
	for have := 0; have < len(buffer); {
		n, err := conn.Read(buffer[have:])
		if err != nil {
			return "", arrived{}, err
		}
		have += n
		end := bytes.Index(buffer[:have], []byte("\r\n\r\n"))
		if end < 0 {
			continue
		}
		head := bytes.Clone(buffer[:end])
		line, _, _ := bytes.Cut(head, []byte("\r\n"))
		words := bytes.Fields(line)
		_, key, found := bytes.Cut(head, []byte("Sec-WebSocket-Key: "))
		if len(words) < 2 || !found {
			return "", arrived{}, errors.New("no handshake")
		}
		key, _, _ = bytes.Cut(key, []byte("\r\n"))
		return string(words[1]), arrived{key: key, read: copy(buffer, buffer[end+4:have])}, nil
	}
	return "", arrived{}, errors.New("a handshake that is too long")
}

func answer(key []byte) []byte {
	sum := sha1.Sum(append(bytes.Clone(key), "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"...)) //nolint:gosec // as above
	return []byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
		base64.StdEncoding.EncodeToString(sum[:]) + "\r\n\r\n")
}

// read cuts frames and hands each on as a server's frame, built in place.
func read(conn net.Conn, buffer []byte, have int, handle func([]byte) error) error {
	for {
		used := 0
		for {
			frame, size, err := cut(buffer[used:have])
			if err != nil {
				return err
			}
			if size == 0 {
				break
			}
			used += size
			if frame == nil {
				continue
			}
			if err := handle(frame); err != nil {
				return err
			}
		}
		have = copy(buffer, buffer[used:have])
		if have == len(buffer) {
			if have > largest {
				return errors.New("a frame that is too large")
			}
			buffer = append(buffer, make([]byte, have)...)
		}
		n, err := conn.Read(buffer[have:])
		if err != nil {
			return err
		}
		have += n
	}
}

// cut takes one client's frame off the stream: unmasked, behind the header of a
// server's frame, in the place where it was. size is 0 where it is not whole;
// frame is nil where it is nothing to hand on.
func cut(stream []byte) (frame []byte, size int, err error) {
	if len(stream) < 2 {
		return nil, 0, nil
	}
	header, length := 2, int(stream[1]&0x7F)
	switch length {
	case 126:
		header = 4
	case 127:
		header = 10
	}
	if len(stream) < header+4 {
		return nil, 0, nil
	}
	switch header {
	case 4:
		length = int(binary.BigEndian.Uint16(stream[2:]))
	case 10:
		length = int(min(binary.BigEndian.Uint64(stream[2:]), largest+1))
	}
	if length > largest || stream[1]&0x80 == 0 {
		return nil, 0, errors.New("a frame that is too large or not masked")
	}
	size = header + 4 + length
	if len(stream) < size {
		return nil, 0, nil
	}
	switch stream[0] {
	case 0x88:
		return nil, 0, net.ErrClosed
	case 0x81:
	default:
		return nil, size, nil
	}
	mask := [4]byte(stream[header : header+4])
	payload := stream[header+4 : size]
	for i := range payload {
		payload[i] ^= mask[i&3]
	}
	begin := 4 // the mask's place goes unused
	head := bytes.Clone(stream[:header])
	copy(stream[begin:], head)
	stream[begin+1] &= 0x7F
	return stream[begin:size], size, nil
}
