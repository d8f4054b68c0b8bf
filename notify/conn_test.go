package notify_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/walkergate/walkergate/wire"
)

// conn is a connection that keeps what it was sent, in the manner a session
// does: what decides is looked at under the lock that orders what is sent. The
// tests of package gateway hold real ones to the same.
type conn struct {
	mu     sync.Mutex
	closed bool
	got    []string
	change chan struct{} // closed at the next change

	// paced says that offers wait: each allowance lets one go.
	paced     bool
	allowance int
	room      chan struct{}
	refused   int // offers that had to wait
}

func (c *conn) Send(message *wire.Message, void *atomic.Bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || void != nil && void.Load() {
		return false
	}
	c.keep(message)
	return true
}

func (c *conn) SendNext(message *wire.Message, void *atomic.Bool, next *atomic.Int64, seq int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || void.Load() || next.Load() != seq {
		return false
	}
	c.keep(message)
	next.Store(seq + 1)
	return true
}

func (c *conn) Offer(message *wire.Message, void *atomic.Bool, next *atomic.Int64, seq int64) (bool, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || void.Load() || next.Load() != seq {
		return false, nil
	}
	if c.paced && c.allowance == 0 {
		c.refused++
		if c.room == nil {
			c.room = make(chan struct{})
		}
		c.tell()
		return false, c.room
	}
	c.allowance--
	c.keep(message)
	next.Store(seq + 1)
	return true, nil
}

func (c *conn) SendOpening(message *wire.Message, open func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.keep(message)
	open()
	return true
}

func (c *conn) keep(message *wire.Message) {
	c.got = append(c.got, string(message.Payload()))
	c.tell()
}

func (c *conn) tell() {
	if c.change != nil {
		close(c.change)
		c.change = nil
	}
}

// allow lets so many offers go.
func (c *conn) allow(offers int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.allowance += offers
	if c.room != nil {
		close(c.room)
		c.room = nil
	}
}

func (c *conn) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	if c.room != nil {
		close(c.room)
		c.room = nil
	}
}

func (c *conn) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	got := c.got
	c.got = nil
	return got
}

func (c *conn) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.got)
}

// until waits until something holds of the connection; the check runs under its
// lock, after each change.
func (c *conn) until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for {
		c.mu.Lock()
		if holds() {
			c.mu.Unlock()
			return
		}
		if c.change == nil {
			c.change = make(chan struct{})
		}
		change := c.change
		c.mu.Unlock()
		select {
		case <-change:
		case <-patience(t):
			t.Errorf("never happened: %s", what)
			return
		}
	}
}

// event is what a connection got, taken apart: an envelope, an ended event, or
// raw data, which is then all there is.
type event struct {
	Event     string          `json:"event"`
	ChannelID string          `json:"channel_id"`
	Epoch     string          `json:"epoch"`
	Seq       int64           `json:"seq"`
	Code      string          `json:"code"`
	Data      json.RawMessage `json:"data"`
}

func parse(t testing.TB, text string) event {
	t.Helper()
	if !strings.HasPrefix(text, `{"type":"channel",`) {
		return event{Data: json.RawMessage(text)}
	}
	var e event
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return e
}

// short tells events so that they can be compared: "room:3" for a stored
// message, "room" for one that is not, "raw" for raw data, each with the data,
// and "room!conflict" for an end.
func short(t testing.TB, texts []string) []string {
	t.Helper()
	told := make([]string, len(texts))
	for i, text := range texts {
		switch e := parse(t, text); {
		case e.Event == "":
			told[i] = "raw " + string(e.Data)
		case e.Event == "ended":
			told[i] = e.ChannelID + "!" + e.Code
		case e.Epoch == "":
			told[i] = fmt.Sprintf("%s %s", e.ChannelID, e.Data)
		default:
			told[i] = fmt.Sprintf("%s:%d %s", e.ChannelID, e.Seq, e.Data)
		}
	}
	return told
}
