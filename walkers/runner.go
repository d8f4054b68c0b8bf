package walkers

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/walkergate/walkergate/fault"
	"github.com/walkergate/walkergate/specs"
)

// DefaultTimeout bounds a run where neither the spec nor the options do.
const DefaultTimeout = 30 * time.Second

// DefaultAtOnce is how many runs there may be at once where the options do not
// say.
const DefaultAtOnce = 1000

// maxAbandoned is how many runs of one walker may go on past their end before
// the walker takes no more.
const maxAbandoned = 16

// Options configures a Runner. The zero value works.
type Options struct {
	// Notifier delivers what walkers send; without one everybody is offline.
	Notifier Notifier
	// Timeout bounds a run whose spec sets no bound; zero is DefaultTimeout.
	Timeout time.Duration
	// AtOnce bounds the runs of all walkers together, those included that go on
	// past their end; zero is DefaultAtOnce. Beyond it callers get busy. The
	// spec of a walker may bound its own.
	AtOnce int
	// UsersReady, if set, is asked before a walker runs that needs a user. Its
	// error is the answer where nobody can say who still is one.
	UsersReady func() error
	// Observe, if set, is told of each call once it is answered. It is called
	// from many goroutines, and must not block.
	Observe func(Observation)
	// Log takes internal faults; without it they go nowhere.
	Log *slog.Logger
}

// Observation is what metrics may know of one call.
type Observation struct {
	// Walker is empty where the caller named none that exists.
	Walker string
	Door   specs.Method
	// Code is empty for a call that succeeded.
	Code fault.Code
	// Gone says that the caller left before the answer.
	Gone     bool
	Duration time.Duration
}

// Load is what one walker has on its hands.
type Load struct {
	Walker string
	// Running counts handlers that run, Abandoned those among them whose call
	// was answered already.
	Running   int
	Abandoned int
}

// Runner runs walkers. It never changes, and all its methods may be called
// concurrently.
type Runner struct {
	walkers    map[string]*walker
	sorted     []*walker
	notifier   Notifier
	usersReady func() error
	observe    func(Observation)
	log        *slog.Logger
	gate       gate
}

// walker is one walker with what is known of its runs.
type walker struct {
	specs.Described
	prepare prepare
	timeout time.Duration
	http    bool

	running   atomic.Int64
	abandoned atomic.Int64
}

func newRunner(all []*registered, options Options) *Runner {
	r := &Runner{
		walkers:  make(map[string]*walker, len(all)),
		notifier: options.Notifier, usersReady: options.UsersReady,
		observe: options.Observe,
		log:     options.Log,
	}
	r.gate.room = cmp.Or(options.AtOnce, DefaultAtOnce)
	r.gate.idle = make(chan struct{})
	if r.notifier == nil {
		r.notifier = nobody{}
	}
	if r.usersReady == nil {
		r.usersReady = func() error { return nil }
	}
	if r.observe == nil {
		r.observe = func(Observation) {}
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	for _, each := range all {
		w := &walker{
			Described: each.described,
			prepare:   each.prepare,
			timeout:   cmp.Or(each.described.Timeout, options.Timeout, DefaultTimeout),
			http:      len(each.described.HTTPMethods()) > 0,
		}
		r.walkers[w.Name] = w
		r.sorted = append(r.sorted, w)
	}
	slices.SortFunc(r.sorted, func(a, b *walker) int { return cmp.Compare(a.Name, b.Name) })
	return r
}

// Walker gives the spec of a walker, private ones included.
func (r *Runner) Walker(name string) (specs.Described, bool) {
	if w := r.walkers[name]; w != nil {
		return w.Described, true
	}
	return specs.Described{}, false
}

// Walkers gives the specs of all walkers by name, private ones included.
func (r *Runner) Walkers() []specs.Described {
	described := make([]specs.Described, len(r.sorted))
	for i, w := range r.sorted {
		described[i] = w.Described
	}
	return described
}

// Routes gives the HTTP entries of all walkers, in the order in which a router
// that takes the first match must know them.
func (r *Runner) Routes() []specs.Route { return specs.Routes(r.Walkers()) }

// Loads tells what each walker has on its hands at this moment, by name.
func (r *Runner) Loads() []Load {
	loads := make([]Load, len(r.sorted))
	for i, w := range r.sorted {
		loads[i] = Load{Walker: w.Name, Running: int(w.running.Load()), Abandoned: int(w.abandoned.Load())}
	}
	return loads
}

// Close lets no further walker start, and waits for those that run until ctx
// ends. The error tells how many it left behind.
func (r *Runner) Close(ctx context.Context) error {
	idle := r.gate.close()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
	}
	if left := r.gate.inside(); left > 0 {
		return fmt.Errorf("walkers: %d still run: %w", left, context.Cause(ctx))
	}
	return nil
}

// gate counts the goroutines of handlers, bounds them, and can be closed.
type gate struct {
	room    int
	mu      sync.Mutex
	running int
	closed  bool
	idle    chan struct{} // closed once the gate is closed and nobody is inside
}

// enter lets the caller in, who must then leave, or says why not.
func (g *gate) enter() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.closed:
		return fault.New(fault.Busy, "the gateway is about to stop")
	case g.running >= g.room:
		return fault.New(fault.Busy, "too many walkers run")
	}
	g.running++
	return nil
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.running--
	if g.closed && g.running == 0 {
		close(g.idle)
	}
}

func (g *gate) close() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed {
		g.closed = true
		if g.running == 0 {
			close(g.idle)
		}
	}
	return g.idle
}

func (g *gate) inside() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.running
}
