package gateway

import (
	"context"
	"log/slog"
	"runtime/debug"
	"sync"

	"golang.org/x/time/rate"

	"github.com/walkergate/walkergate/auth"
	"github.com/walkergate/walkergate/fault"
	"github.com/walkergate/walkergate/notify"
	"github.com/walkergate/walkergate/socket"
	"github.com/walkergate/walkergate/wire"
)

// Client is one connected client. Its principal and its member belong to
// whoever runs its frames: the session's reader while the worker rests, the
// worker while it works. All others reach it by Send and Close of its session.
type Client struct {
	gateway   *Gateway
	place     *Place
	id        string
	session   *socket.Session
	member    *notify.Member
	principal auth.Principal
	// refused says that the client is the public user because a token of its
	// was refused, and not for want of one.
	refused bool
	bucket  bucket

	mu sync.Mutex
	// working says that somebody runs frames: the worker, or the session's
	// reader where nothing waits. Whoever does owns the client's state.
	working      bool
	waiting      []waiting
	waitingBytes int
	notices      notices
	vigil        *vigil
	gone         bool
	farewell     *farewell
	calls        context.Context // of the client's walkers; made for the first
	cancelCalls  context.CancelFunc
}

// waiting is a frame behind a running walker, and how many bytes it came as.
type waiting struct {
	frame wire.Frame
	size  int
}

// farewell is a close that waits for the running walker.
type farewell struct {
	code   wire.CloseCode
	reason string
}

// bucket is the frame rate of one connection. It is touched by the session's
// reader alone.
type bucket struct {
	frames *rate.Limiter
	// strikes are refusals that are still forgiven; one comes back with each
	// frame that was within the rate.
	strikes int
}

func newBucket(limits Limits) bucket {
	return bucket{
		frames:  rate.NewLimiter(rate.Limit(limits.FramesPerSecond), limits.FrameBurst),
		strikes: limits.FrameBurst,
	}
}

// Frame runs one frame, or puts it behind those that still run. It is the
// session's reader that calls it, so it must not block.
func (c *Client) Frame(text []byte) {
	c.gateway.Stats.Frames.Add(1)
	frame := wire.Decode(text)
	if !c.withinRate(frame) {
		return
	}
	// A ping asks whether the connection lives, not whether its walkers do: it
	// alone is answered out of turn.
	if ping, ok := frame.(*wire.Ping); ok {
		c.session.Send(wire.Pong(ping.FrameID()), nil)
		return
	}
	if c.mustWait(frame, len(text)) {
		return
	}
	defer c.rest()
	c.run(frame)
}

// withinRate counts the frame and reports whether it may be run.
func (c *Client) withinRate(frame wire.Frame) bool {
	if c.bucket.frames.Allow() {
		c.bucket.strikes = min(c.bucket.strikes+1, c.gateway.limits.FrameBurst)
		return true
	}
	c.bucket.strikes--
	if c.bucket.strikes < 0 {
		c.gateway.Stats.OverLimits.Add(1)
		c.session.Close(wire.CloseOverLimits, "too many frames for long")
		return false
	}
	c.refuse(frame, fault.New(fault.RateLimited, "too many frames"))
	return false
}

// mustWait hands the frame to the worker where order or the frame itself asks
// for it, and reports whether it did or the frame was refused. Where it did
// not, the caller runs the frame and then rests.
func (c *Client) mustWait(frame wire.Frame, size int) bool {
	mayBlock := c.mayBlock(frame)
	c.mu.Lock()
	if !c.working && !mayBlock {
		c.working = true
		c.mu.Unlock()
		return false
	}
	refusal := c.noRoom(size)
	if refusal == "" {
		c.waiting = append(c.waiting, waiting{keep(frame), size})
		c.waitingBytes += size
		c.startWork()
	}
	c.mu.Unlock()
	if refusal != "" {
		c.refuse(frame, fault.New(fault.Busy, refusal))
	}
	return true
}

// mayBlock reports whether a frame may keep whoever runs it waiting: for a
// walker, or for what has to be fetched to judge a token.
func (c *Client) mayBlock(frame wire.Frame) bool {
	switch f := frame.(type) {
	case *wire.Walker:
		return true
	case *wire.ChangeUser:
		return f.Token != "" && c.gateway.auth.MayWait(f.Token)
	}
	return false
}

// startWork starts the worker where nobody works. It is called with the lock
// held.
func (c *Client) startWork() {
	if !c.working {
		c.working = true
		go c.work()
	}
}

// rest ends work that was not the worker's. What came meanwhile goes to the
// worker.
func (c *Client) rest() {
	c.mu.Lock()
	if !c.gone && (c.notices.any() || len(c.waiting) > 0) {
		c.mu.Unlock()
		go c.work()
		return
	}
	c.stopWork()
}

// noRoom says why no further frame may wait, if so. It is called with the lock
// held.
func (c *Client) noRoom(size int) string {
	limits := &c.gateway.limits
	switch {
	case c.farewell != nil:
		return "the gateway is going away"
	case len(c.waiting) >= limits.WaitingFrames, c.waitingBytes+size > limits.WaitingBytes:
		return "too many frames wait"
	}
	return ""
}

// keep copies what a frame shares with the reader's buffer.
func keep(frame wire.Frame) wire.Frame {
	switch f := frame.(type) {
	case *wire.Walker:
		f.Context = append([]byte(nil), f.Context...)
	case *wire.Publish:
		f.Data = append([]byte(nil), f.Data...)
	}
	return frame
}

// work runs what waits, in order, and ends when nothing does. A client whose
// worker still works is not yet out of the index.
func (c *Client) work() {
	for {
		frame, notices, more := c.next()
		if !more {
			return
		}
		c.runRecovering(frame, notices)
	}
}

// next takes what is to be done: notices first, then the frame whose turn it
// is. Where there is neither it ends the work.
func (c *Client) next() (wire.Frame, notices, bool) {
	c.mu.Lock()
	switch {
	case c.gone:
	case c.notices.any():
		due := c.notices
		c.notices = notices{}
		c.mu.Unlock()
		return nil, due, true
	case len(c.waiting) > 0:
		first := c.waiting[0]
		c.waiting[0] = waiting{}
		c.waiting = c.waiting[1:]
		c.waitingBytes -= first.size
		c.mu.Unlock()
		return first.frame, notices{}, true
	}
	c.stopWork()
	return nil, notices{}, false
}

// stopWork says that nobody works any more, and does what waited for that. It
// is called with the lock held, and lets it go.
func (c *Client) stopWork() {
	c.working = false
	c.waiting, c.waitingBytes = nil, 0
	gone, farewell := c.gone, c.farewell
	c.mu.Unlock()
	switch {
	case gone:
		c.leave()
	case farewell != nil:
		c.session.Close(farewell.code, farewell.reason)
	}
}

// runRecovering keeps the worker's goroutine from ending the process. Walkers
// recover by themselves; what arrives here is a fault of ours.
func (c *Client) runRecovering(frame wire.Frame, due notices) {
	defer func() {
		if value := recover(); value != nil {
			c.gateway.log.Error("frame panicked", slog.String("client_id", c.id),
				slog.Any("panic", value), slog.String("stack", string(debug.Stack())))
			c.session.Close(wire.CloseInternal, "internal error")
		}
	}()
	if frame == nil {
		c.heed(due)
		return
	}
	c.run(frame)
}

// Closed is the session's last word: running walkers are cancelled, and the
// client leaves the index now or, where its worker still works, with it.
func (c *Client) Closed(end socket.Closure) {
	c.mu.Lock()
	c.gone = true
	working, cancel := c.working, c.cancelCalls
	c.mu.Unlock()
	if cancel != nil {
		cancel()
	}
	reason := end.Reason
	if end.ByPeer {
		reason = "" // the client's own words
	}
	c.gateway.log.Debug("client disconnected",
		slog.String("client_id", c.id), slog.Int("code", int(end.Code)),
		slog.String("reason", reason), slog.Bool("by_peer", end.ByPeer), slog.Any("error", end.Err))
	if !working {
		c.leave()
	}
}

func (c *Client) leave() {
	c.stopVigil()
	c.member.Remove()
	c.gateway.leave(c)
}

// closeWhenIdle closes the connection when the frames that wait have run.
func (c *Client) closeWhenIdle(code wire.CloseCode, reason string) {
	c.mu.Lock()
	if c.working {
		c.farewell = &farewell{code, reason}
		c.mu.Unlock()
		return
	}
	c.mu.Unlock()
	c.session.Close(code, reason)
}

// callContext is the context of the client's walkers. It ends when the
// connection does.
func (c *Client) callContext() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.calls == nil {
		c.calls, c.cancelCalls = context.WithCancel(c.gateway.base)
		if c.gone {
			c.cancelCalls()
		}
	}
	return c.calls
}

// info is what a connection event tells.
func (c *Client) info() wire.ConnectionInfo {
	record := c.member.Record()
	info := wire.ConnectionInfo{ClientID: c.id, RootID: record.RootID, ChannelID: record.ChannelIDs[0]}
	if len(record.ChannelIDs) > 1 {
		info.ChannelIDs = record.ChannelIDs
	}
	return info
}
