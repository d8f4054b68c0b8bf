package channels

import (
	"context"
	"log/slog"
	"sync"

	"github.com/walkergate/walkergate/specs"
)

const (
	// maxTellers is how many Leave hooks of one policy run at once.
	maxTellers = 16
	// maxLeaving is how many ends of joins of one policy may wait to be told.
	// None is ever let go of for that: from there on nobody new may join, and
	// those who are in were let in before, so that what waits stays bounded.
	maxLeaving = 1 << 16
)

// leaves tells Leave hooks of the ends of joins, behind everybody's back.
type leaves struct {
	log  *slog.Logger
	base context.Context // of the hooks
	cut  context.CancelFunc

	mu      sync.Mutex
	pending int           // joins that wait, or are being told
	closed  bool          // no more are taken
	drained chan struct{} // closed: closed, and none is pending
}

// leaving is what one policy has to tell. It belongs to the lock of leaves.
type leaving struct {
	joins   []specs.Join
	tellers int
}

func newLeaves(log *slog.Logger) *leaves {
	l := &leaves{log: log, drained: make(chan struct{})}
	l.base, l.cut = context.WithCancel(context.Background())
	return l
}

func (l *leaves) add(p *Policy, join specs.Join) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		l.log.Warn("an end of a join was not told: it came too late", slog.String("pattern", p.spec.Pattern))
		return
	}
	p.leaving.joins = append(p.leaving.joins, join)
	l.pending++
	l.begin(p)
}

// begin lets one more goroutine tell, where there may be one. It is called with
// the lock held.
func (l *leaves) begin(p *Policy) {
	if p.leaving.tellers < maxTellers && !p.runs.clogged() {
		p.leaving.tellers++
		go l.tell(p)
	}
}

// rouse goes on with a policy whose hooks have come back.
func (l *leaves) rouse(p *Policy) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for range min(maxTellers, len(p.leaving.joins)) {
		l.begin(p)
	}
}

// tell tells until nothing waits, or the policy is clogged: then rouse goes on.
func (l *leaves) tell(p *Policy) {
	for {
		join, ok := l.next(p)
		if !ok {
			return
		}
		if err := l.one(p, join); err != nil {
			l.log.Warn("a leave hook failed", p.runs.attributes("leave", err)...)
		}
		l.told()
	}
}

// next takes the oldest join that waits. Whether there is one, and whether the
// teller goes on, is decided under one lock with rouse, so that no join is left
// without a teller.
func (l *leaves) next(p *Policy) (specs.Join, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := &p.leaving
	if len(w.joins) == 0 || p.runs.clogged() || l.base.Err() != nil {
		w.tellers--
		return specs.Join{}, false
	}
	join := w.joins[0]
	w.joins[0] = specs.Join{} // the slice may keep it for long
	if w.joins = w.joins[1:]; len(w.joins) == 0 {
		w.joins = nil
	}
	return join, true
}

// one runs the hook once, when there is a place for it.
func (l *leaves) one(p *Policy, join specs.Join) error {
	if err := p.runs.enter(l.base); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(l.base, p.runs.timeout)
	defer cancel()
	return p.runs.await(ctx, func(ctx context.Context) error { return p.spec.Leave(ctx, join) })
}

func (l *leaves) told() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pending--
	l.mayEnd()
}

// mayEnd is called with the lock held.
func (l *leaves) mayEnd() {
	if !l.closed || l.pending > 0 {
		return
	}
	select {
	case <-l.drained: // by an earlier close
	default:
		close(l.drained)
	}
}

func (l *leaves) waiting(p *Policy) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(p.leaving.joins)
}

func (l *leaves) full(p *Policy) bool { return l.waiting(p) >= maxLeaving }

// drain takes no more, and waits until all is told or ctx ends; it gives how
// many are not told to the end. The hooks that still run then are cut off.
func (l *leaves) drain(ctx context.Context) (untold int) {
	l.mu.Lock()
	l.closed = true
	l.mayEnd()
	l.mu.Unlock()
	select {
	case <-l.drained:
		l.cut()
		return 0
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut() // under the lock: whoever ends for it takes no other join
	return l.pending
}

// drop lets go of what a policy has not told.
func (l *leaves) drop(p *Policy) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if lost := len(p.leaving.joins); lost > 0 {
		l.log.Warn("ends of joins were not told", slog.String("pattern", p.spec.Pattern), slog.Int("joins", lost))
		l.pending -= lost
		p.leaving.joins = nil
		l.mayEnd()
	}
}
