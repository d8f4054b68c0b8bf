package load

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"
)

// Dialect is how a server is spoken to once it answers at a TCP port. A
// channel may be empty where none is to be joined.
type Dialect interface {
	// Path is where a connection upgrades that is to be in a channel.
	Path(channel string) string
	// Greet is called after the upgrade, with heard 0 and no text, and for each
	// message after it, until it says that the connection is in its channel. What
	// it says is sent.
	Greet(channel string, heard int, text []byte) (say []byte, in bool, err error)
	// Publish adds a message to dst that publishes data to a channel.
	Publish(dst []byte, channel string, data []byte) []byte
	// Echo adds a message to dst that is answered by one with the same data.
	Echo(dst []byte, id uint32, data []byte) []byte
	// Control takes a message that holds no payload of ours, and tells what to
	// answer. An error means that something was refused.
	Control(text []byte) (say []byte, err error)
}

// Connecting says what connections to open, and how.
type Connecting struct {
	To      netip.AddrPort
	Dialect Dialect               // nil for plain HTTP
	Count   int                   // connections
	AtOnce  int                   // of them on their way at a time
	Channel func(conn int) string // may be nil
	Within  time.Duration         // an error after that
}

// joining is the state of one Connect.
type joining struct {
	Connecting
	loop    *Loop
	request func(*Conn) []byte
	dialect Dialect
	conns   []*Conn
	joined  int
	last    time.Duration
}

// Connect opens connections and waits until all have joined. It gives them in
// order, and the time from the first to the last.
func (l *Loop) Connect(plan Connecting) ([]*Conn, time.Duration, error) {
	if plan.Count < 1 || plan.AtOnce < 1 {
		return nil, 0, errors.New("no connections asked for")
	}
	j := &joining{Connecting: plan, loop: l, dialect: plan.Dialect}
	if plan.Dialect != nil {
		j.request = func(c *Conn) []byte { return upgradeRequest(plan.To, plan.Dialect.Path(c.Channel)) }
	}
	begin := l.Now()
	if err := j.more(); err != nil {
		return nil, 0, err
	}
	err := l.Run(func(now time.Duration) (time.Duration, bool, error) {
		if now-begin > plan.Within {
			return 0, false, fmt.Errorf("%d of %d connections joined within %v", j.joined, plan.Count, plan.Within)
		}
		return begin + plan.Within, j.joined == plan.Count, nil
	})
	if err != nil {
		return nil, 0, err
	}
	for _, c := range j.conns {
		c.join = nil
	}
	return j.conns, j.last - begin, nil
}

// more begins as many connections as may be on their way.
func (j *joining) more() error {
	for len(j.conns) < j.Count && len(j.conns)-j.joined < j.AtOnce {
		c := &Conn{ID: len(j.conns), loop: j.loop, join: j}
		binary.NativeEndian.PutUint32(c.mask[:], rand.Uint32()) //nolint:gosec // nobody is to be kept from guessing it
		if j.Channel != nil {
			c.Channel = j.Channel(c.ID)
		}
		j.conns = append(j.conns, c)
		if err := j.loop.connect(c, j.To); err != nil {
			return fmt.Errorf("connection %d: %w", c.ID, err)
		}
	}
	return nil
}
