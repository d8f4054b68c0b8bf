// Package load is the client side of the benchmark: thousands of connections
// on one epoll loop in one goroutine, with a WebSocket parser of its own, so
// that it costs as little as it can beside the server on the same machine. It
// connects to loopback addresses only. Linux only.
package load

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// Loop is one epoll loop with its connections. All its methods are for one
// goroutine. Close it.
type Loop struct {
	handler Handler
	epoll   int
	start   time.Time
	conns   []*Conn // by file descriptor
	open    int
	events  [512]unix.EpollEvent
	buffer  [256 << 10]byte
	scratch []byte
}

// Handler takes what comes on the connections of a loop.
type Handler interface {
	// Message takes one whole message, or the body of a response; at is when it
	// was read. An error ends the run.
	Message(c *Conn, text []byte, at time.Duration) error
}

// NewLoop makes a loop; its goroutine keeps its thread until Close.
func NewLoop(handler Handler) (*Loop, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	runtime.LockOSThread()
	return &Loop{handler: handler, epoll: epoll, start: time.Now()}, nil
}

// Now is the time since the loop was made.
func (l *Loop) Now() time.Duration { return time.Since(l.start) }

// Close drops all connections, by reset: the ports are free at once.
func (l *Loop) Close() error {
	for _, c := range l.conns {
		if c != nil {
			l.drop(c)
		}
	}
	runtime.UnlockOSThread()
	return unix.Close(l.epoll)
}

// drop closes a connection; nothing can be done where that fails.
func (l *Loop) drop(c *Conn) {
	_ = unix.SetsockoptLinger(c.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	_ = unix.Close(c.fd)
	l.conns[c.fd] = nil
	l.open--
}

// Run serves the connections. It calls step before each wait; step tells when
// it wants to be called again at the latest, or that all is done.
func (l *Loop) Run(step func(now time.Duration) (next time.Duration, done bool, err error)) error {
	for {
		next, done, err := step(l.Now())
		if err != nil || done {
			return err
		}
		// A wait is counted in milliseconds. The last one is spent polling, so
		// that a step comes when it asked to.
		wait := min(max(int((next-l.Now())/time.Millisecond), 0), 1000)
		if err := l.wait(wait); err != nil {
			return err
		}
	}
}

// For serves the connections for so long.
func (l *Loop) For(d time.Duration) error {
	until := l.Now() + d
	return l.Run(func(now time.Duration) (time.Duration, bool, error) { return until, now >= until, nil })
}

func (l *Loop) wait(milliseconds int) error {
	n, err := unix.EpollWait(l.epoll, l.events[:], milliseconds)
	if err != nil && !errors.Is(err, unix.EINTR) {
		return fmt.Errorf("epoll: %w", err)
	}
	for i := range max(n, 0) {
		event := l.events[i]
		c := l.conns[event.Fd]
		if c == nil {
			continue
		}
		if err := c.ready(event.Events); err != nil {
			return fmt.Errorf("connection %d: %w", c.ID, err)
		}
	}
	return nil
}

// connect begins one connection.
func (l *Loop) connect(c *Conn, to netip.AddrPort) error {
	if !to.Addr().IsLoopback() {
		return fmt.Errorf("%v is not on this machine: load goes to loopback addresses only", to.Addr())
	}
	family, address := unix.AF_INET, unix.Sockaddr(&unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().Unmap().As4()})
	if to.Addr().Is6() && !to.Addr().Is4In6() {
		family, address = unix.AF_INET6, &unix.SockaddrInet6{Port: int(to.Port()), Addr: to.Addr().As16()}
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	c.fd = fd
	for len(l.conns) <= fd {
		l.conns = append(l.conns, nil)
	}
	l.conns[fd] = c
	l.open++
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	if err := unix.Connect(fd, address); err != nil && !errors.Is(err, unix.EINPROGRESS) {
		return fmt.Errorf("connect: %w", err)
	}
	event := unix.EpollEvent{Events: unix.EPOLLOUT, Fd: int32(fd)}
	if err := unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	return nil
}

func (l *Loop) watch(c *Conn, events uint32) error {
	event := unix.EpollEvent{Events: events, Fd: int32(c.fd)}
	if err := unix.EpollCtl(l.epoll, unix.EPOLL_CTL_MOD, c.fd, &event); err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	return nil
}
