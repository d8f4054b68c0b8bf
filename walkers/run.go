package walkers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/walkergate/walkergate/fault"
	"github.com/walkergate/walkergate/specs"
)

// Run runs a walker. It is the one way to do so, for every door. The error is
// always a *fault.Error that may be sent as it is: internal ones are logged
// here, and only here. Run waits until the walker has answered, its time is up
// (timeout), or ctx has ended; then nobody waits for the answer any more, and
// Gone tells so of the error.
//
// The order is: the walker and its door, the entry, the size of the context,
// the user, the node, what the walker has room for, and only then what the
// context holds.
func (r *Runner) Run(ctx context.Context, inv Invocation) (Answer, error) {
	started := time.Now()
	observed := Observation{Door: inv.Door}
	w, err := r.find(&inv)
	if w != nil {
		observed.Walker = w.Name
	}
	var answer Answer
	if err == nil {
		answer, err = r.run(ctx, w, &inv)
	}
	if err != nil {
		told := r.told(err, &inv)
		observed.Code, observed.Gone = told.Code, Gone(told)
		answer, err = Answer{}, told
	}
	observed.Duration = time.Since(started)
	r.observe(observed)
	return answer, err
}

// Gone reports whether an error of Run means that the caller left before the
// answer: there is nobody to tell it to.
func Gone(err error) bool {
	return fault.Is(err, fault.Timeout) && errors.Is(err, context.Canceled)
}

func (r *Runner) run(ctx context.Context, w *walker, inv *Invocation) (Answer, error) {
	if err := w.admit(inv); err != nil {
		return Answer{}, err
	}
	if w.Auth == specs.AuthRequired {
		if err := r.usersReady(); err != nil {
			return Answer{}, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	atRoot := inv.atRoot()
	if !atRoot {
		if err := r.enter(ctx, w, inv); err != nil {
			return Answer{}, err
		}
	}
	if err := r.begin(ctx, w); err != nil {
		return Answer{}, err
	}
	if limit := int64(w.Limits.Concurrent); w.running.Add(1) > limit && limit > 0 {
		w.running.Add(-1)
		r.gate.leave()
		return Answer{}, fault.Newf(fault.Busy, "walker %s runs as often as it may", w.Name)
	}
	handle, err := w.decode(inv)
	if err != nil {
		w.running.Add(-1)
		r.gate.leave()
		return Answer{}, err
	}
	call := newCall(r, w, inv, atRoot)
	err = r.await(ctx, w, &call.flight, func() error {
		defer w.running.Add(-1)
		return handle(ctx, call)
	})
	if err != nil {
		return Answer{}, err
	}
	return call.outcome()
}

// enter has the spec decide on the node, within the time of the run.
func (r *Runner) enter(ctx context.Context, w *walker, inv *Invocation) error {
	if err := r.begin(ctx, w); err != nil {
		return err
	}
	principal, node := inv.Principal, inv.Node
	return r.await(ctx, w, new(flight), func() error { return w.mayEnter(ctx, principal, node) })
}

// decode makes the context. It runs code of the context's types, which may
// panic.
func (w *walker) decode(inv *Invocation) (handle func(context.Context, *Call) error, err error) {
	err = protect(func() (err error) {
		handle, err = w.prepare(&input{
			json: inv.Context, socket: inv.Door == specs.WebSocket,
			path: inv.Path, query: inv.Query, form: inv.Form, files: inv.Files,
		})
		return err
	})
	return handle, err
}

// begin lets one more goroutine run for the walker; await, or else the caller,
// makes it leave.
func (r *Runner) begin(ctx context.Context, w *walker) error {
	if ctx.Err() != nil {
		return over(ctx, w)
	}
	if w.abandoned.Load() >= maxAbandoned {
		return fault.Newf(fault.Busy, "walker %s has too many runs that do not end", w.Name)
	}
	return r.gate.enter()
}

// await runs work in a goroutine of its own, since nothing can stop it, and
// waits for it or for the end of ctx. A goroutine left behind counts as
// abandoned from its deadline on until its work returns: one whose caller has
// gone still has the time that it was promised.
func (r *Runner) await(ctx context.Context, w *walker, f *flight, work func() error) error {
	result := make(chan error, 1)
	behind := &leftover{walker: w}
	go func() {
		err := errExited
		defer func() {
			r.gate.leave() // before the answer: whoever has it finds the room free
			if f.end(finished) {
				result <- err
			} else {
				behind.returned()
			}
		}()
		err = protect(work)
	}()
	select {
	case err := <-result:
		return ended(ctx, w, err)
	case <-ctx.Done():
	}
	if !f.end(expired) { // it has returned at the same moment: its result counts
		return ended(ctx, w, <-result)
	}
	deadline, _ := ctx.Deadline()
	behind.countFrom(deadline, r.log)
	return over(ctx, w)
}

// leftover is a run that nobody waits for any more.
type leftover struct {
	walker *walker

	mu      sync.Mutex
	done    bool
	counted bool
	timer   *time.Timer
}

// countFrom counts the run as abandoned if it still goes on at that time.
func (l *leftover) countFrom(deadline time.Time, log *slog.Logger) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if wait := time.Until(deadline); wait > 0 {
		l.timer = time.AfterFunc(wait, func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.count(log)
		})
		return
	}
	l.count(log)
}

// count is called with the lock held.
func (l *leftover) count(log *slog.Logger) {
	if l.done {
		return
	}
	l.counted = true
	if abandoned := l.walker.abandoned.Add(1); abandoned == maxAbandoned {
		log.Warn("a walker takes no more runs until abandoned ones end",
			slog.String("walker", l.walker.Name), slog.Int64("abandoned", abandoned))
	}
}

func (l *leftover) returned() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done = true
	if l.timer != nil {
		l.timer.Stop()
	}
	if l.counted {
		l.walker.abandoned.Add(-1)
	}
}

// ended gives the error of work that returned. An error that only passes the
// end of the context on is told as that end.
func ended(ctx context.Context, w *walker, err error) error {
	var told *fault.Error
	if err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()) && !errors.As(err, &told) {
		return over(ctx, w)
	}
	return err
}

// over is the fault of a run whose context has ended.
func over(ctx context.Context, w *walker) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fault.Newf(fault.Timeout, "walker %s did not end in time", w.Name)
	}
	return fault.New(fault.Timeout, "the caller has gone").Because(context.Canceled)
}

// errExited is what remains of work that ended its goroutine.
var errExited = errors.New("the goroutine was ended (runtime.Goexit)")

// panicked is a panic as an error.
type panicked struct {
	value any
	stack []byte
}

func (p *panicked) Error() string { return fmt.Sprintf("panic: %v", p.value) }

// protect turns a panic into an error.
func protect(work func() error) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = &panicked{value: value, stack: debug.Stack()}
		}
	}()
	return work()
}

// told makes the error that the caller may see, and logs what it may not.
func (r *Runner) told(err error, inv *Invocation) *fault.Error {
	told := fault.From(err)
	if told.Code != fault.Internal {
		return told
	}
	attributes := []any{
		slog.String("ref", told.Ref), slog.String("walker", inv.Walker),
		slog.String("request_id", inv.RequestID), slog.String("error", err.Error()),
	}
	var panicked *panicked
	if errors.As(err, &panicked) {
		attributes = append(attributes, slog.String("stack", string(panicked.stack)))
	}
	r.log.Error("walker failed", attributes...)
	// An internal error tells its ref and nothing else, whoever made it.
	return (&fault.Error{Code: fault.Internal, Message: "internal error", Ref: told.Ref}).Because(err)
}
