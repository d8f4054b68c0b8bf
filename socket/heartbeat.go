package socket

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/walkergate/walkergate/wire"
)

const (
	wheelSlots = 128 // slots of one interval
	minTick    = time.Millisecond

	defaultInterval  = 25 * time.Second
	defaultDeadAfter = 60 * time.Second
)

// Heart watches any number of sessions for signs of life, with one goroutine
// and one timer. A session of which nothing was heard for the interval gets a
// ping, and again after each further interval; one of which nothing was heard
// for deadAfter is closed with 4408 and gone within interval/64 (2 ms at least)
// after that. Any bytes received are a sign of life.
//
// It is a hashed timer wheel: a session stands in the slot of the time at which
// it must be looked at next, so adding, removing and looking are O(1), and
// hearing from a session costs one atomic store.
type Heart struct {
	interval, deadAfter, tick time.Duration
	start                     time.Time
	quit, ended               chan struct{}
	closing                   sync.Once

	mu    sync.Mutex
	turns int64 // slots whose time has come so far
	slots [wheelSlots]pulse
	due   pulse // what this turn has yet to look at
}

// pulse is a session's place in the wheel, and the head of each slot's ring.
type pulse struct {
	session    *Session
	heard      atomic.Int64 // when bytes came last, on the heart's clock
	next, prev *pulse       // guarded by Heart.mu, as all below
	removed    bool
}

// NewHeart makes a heart and starts it; Close ends it. Zero durations mean 25 s
// and 60 s.
func NewHeart(interval, deadAfter time.Duration) *Heart {
	if interval <= 0 {
		interval = defaultInterval
	}
	if deadAfter <= 0 {
		deadAfter = defaultDeadAfter
	}
	h := &Heart{
		interval: interval, deadAfter: deadAfter, tick: max(interval/wheelSlots, minTick),
		start: time.Now(), quit: make(chan struct{}), ended: make(chan struct{}),
	}
	for i := range h.slots {
		h.slots[i].makeRing()
	}
	h.due.makeRing()
	go h.run()
	return h
}

// Close stops the heart and waits for its goroutine. Sessions that are still
// open are watched no more.
func (h *Heart) Close() {
	h.closing.Do(func() { close(h.quit) })
	<-h.ended
}

// elapsed is the heart's clock.
func (h *Heart) elapsed() time.Duration { return time.Since(h.start) }

func (h *Heart) run() {
	defer close(h.ended)
	ticker := time.NewTicker(h.tick)
	defer ticker.Stop()
	for {
		select {
		case <-h.quit:
			return
		case <-ticker.C:
			h.turn(h.elapsed())
		}
	}
}

// turn looks at every session whose time has come.
func (h *Heart) turn(now time.Duration) {
	h.mu.Lock()
	last := int64(now / h.tick)
	h.turns = max(h.turns, last-wheelSlots) // late by more than the wheel: once around is enough
	for h.turns < last {
		h.turns++
		h.due.takeRing(&h.slots[h.turns%wheelSlots])
	}
	for h.due.next != &h.due {
		p := h.due.next
		p.unlink()
		h.mu.Unlock()
		again, alive := h.look(p, now) // sends: not under the lock
		h.mu.Lock()
		if alive && !p.removed {
			h.insert(p, again)
		}
	}
	h.mu.Unlock()
}

// look pings or closes a session as its silence demands, and says when to look
// again.
func (h *Heart) look(p *pulse, now time.Duration) (again time.Duration, alive bool) {
	heard := time.Duration(p.heard.Load())
	switch silent := now - heard; {
	case silent >= h.deadAfter:
		p.session.noSignOfLife(h.tick)
		return 0, false
	case silent >= h.interval:
		return min(now+h.interval, heard+h.deadAfter), p.session.pingPeer()
	default:
		return heard + min(h.interval, h.deadAfter), true
	}
}

// add begins to watch; being added counts as a sign of life.
func (h *Heart) add(p *pulse) {
	now := h.elapsed()
	p.heard.Store(int64(now))
	h.mu.Lock()
	defer h.mu.Unlock()
	h.insert(p, now+min(h.interval, h.deadAfter))
}

// remove ends the watch for good.
func (h *Heart) remove(p *pulse) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p.removed = true
	if p.next != nil {
		p.unlink()
	}
}

// insert puts a pulse where it is looked at no sooner than at, or, where that
// is further than the wheel reaches, as late as it reaches. Under mu.
func (h *Heart) insert(p *pulse, at time.Duration) {
	turn := int64((at + h.tick - 1) / h.tick)
	turn = min(max(turn, h.turns+1), h.turns+wheelSlots)
	ring := &h.slots[turn%wheelSlots]
	p.prev, p.next = ring.prev, ring
	ring.prev.next, ring.prev = p, p
}

func (p *pulse) makeRing() { p.next, p.prev = p, p }

func (p *pulse) unlink() {
	p.prev.next, p.next.prev = p.next, p.prev
	p.next, p.prev = nil, nil
}

// takeRing moves all of another ring to the end of this one.
func (p *pulse) takeRing(other *pulse) {
	if other.next == other {
		return
	}
	p.prev.next, other.next.prev = other.next, p.prev
	other.prev.next, p.prev = p, other.prev
	other.makeRing()
}

// pingPeer asks for a sign of life; false when the session is ending already,
// which its own deadline bounds.
func (s *Session) pingPeer() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.ending.Load() && s.admit(pingFrame)
}

// noSignOfLife ends a session whose peer is silent: the close frame is for a
// peer that wakes up later, and nobody waits long for its answer.
func (s *Session) noSignOfLife(grace time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ending.Load() {
		return
	}
	s.options.Stats.silent()
	s.dropQueue()
	s.end(Closure{Code: wire.CloseNoSignOfLife, Reason: "no sign of life"}, grace)
}
