package channels

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/walkergate/walkergate/fault"
)

const (
	// maxHooks is how many hooks of one policy run at once; more wait for as
	// long as they may take. Those that go on past their end are among them, so
	// that no policy can hold more goroutines than this.
	maxHooks = 256
	// maxAbandoned is how many hooks of one policy may go on past their end
	// before it decides nothing more.
	maxAbandoned = 16
)

// A runs lets the hooks of one policy run, each in a goroutine of its own, since
// nothing can stop it.
type runs struct {
	pattern string
	timeout time.Duration
	log     *slog.Logger
	places  chan struct{}
	// rouse is called when hooks may run again that could not before.
	rouse func()

	abandoned atomic.Int64
}

func newRuns(pattern string, options Options, rouse func()) *runs {
	return &runs{
		pattern: pattern, timeout: options.HookTimeout, log: options.Log,
		places: make(chan struct{}, maxHooks), rouse: rouse,
	}
}

func (r *runs) clogged() bool { return r.abandoned.Load() >= maxAbandoned }

// run runs a hook for a caller, who waits for a place and for the hook no
// longer than the timeout in all. The error may be told as it is.
func (r *runs) run(ctx context.Context, name string, hook func(context.Context) error) error {
	if r.clogged() {
		return errClogged
	}
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	if err := r.enter(ctx); err != nil {
		return over(err, errCrowded)
	}
	return r.told(name, r.await(ctx, hook))
}

// enter takes a place; await gives it back.
func (r *runs) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case r.places <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := ctx.Err(); err != nil { // at the same moment: nothing is run for nobody
		<-r.places
		return err
	}
	return nil
}

// await waits for a hook or for the end of ctx, which has a deadline. A hook
// left behind counts as abandoned from that on until it returns.
func (r *runs) await(ctx context.Context, hook func(context.Context) error) error {
	behind := &leftover{runs: r}
	result := make(chan error, 1)
	go func() {
		err := errExited
		defer func() {
			<-r.places // before the answer: whoever has it finds the place free
			result <- err
			behind.returned()
		}()
		err = protect(func() error { return hook(ctx) })
	}()
	select {
	case err := <-result:
		return ended(ctx, err)
	case <-ctx.Done():
	}
	deadline, _ := ctx.Deadline()
	if !behind.countFrom(deadline) { // it has returned at the same moment: its result counts
		return ended(ctx, <-result)
	}
	return over(ctx.Err(), errUndecided)
}

// leftover is a hook that nobody waits for any more.
type leftover struct {
	runs *runs

	mu      sync.Mutex
	done    bool
	counted bool
	timer   *time.Timer
}

// countFrom counts the hook as abandoned if it still runs at that time: one
// whose caller has gone still has the time that it was promised. It reports
// false where the hook has returned.
func (l *leftover) countFrom(deadline time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.done {
		return false
	}
	if wait := time.Until(deadline); wait > 0 {
		l.timer = time.AfterFunc(wait, func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.count()
		})
		return true
	}
	l.count()
	return true
}

// count is called with the lock held.
func (l *leftover) count() {
	if l.done {
		return
	}
	l.counted = true
	if l.runs.abandoned.Add(1) == maxAbandoned {
		l.runs.log.Warn("channels decide nothing until abandoned hooks end",
			slog.String("pattern", l.runs.pattern), slog.Int("abandoned", maxAbandoned))
	}
}

func (l *leftover) returned() {
	l.mu.Lock()
	l.done = true
	if l.timer != nil {
		l.timer.Stop()
	}
	counted := l.counted
	l.mu.Unlock()
	if counted && l.runs.abandoned.Add(-1) == maxAbandoned-1 {
		l.runs.rouse()
	}
}

// ended gives the error of a hook that returned. An error that only passes the
// end of the context on is told as that end.
func ended(ctx context.Context, err error) error {
	var told *fault.Error
	if err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()) && !errors.As(err, &told) {
		return over(ctx.Err(), errUndecided)
	}
	return err
}

// over is the fault of a context that has ended.
func over(end error, inTime *fault.Error) error {
	if errors.Is(end, context.DeadlineExceeded) {
		return inTime
	}
	return fault.New(fault.Timeout, "the caller has gone").Because(context.Canceled)
}

// told makes the error that a client may see of that of a hook, and logs the
// rest.
func (r *runs) told(hook string, err error) error {
	if err == nil {
		return nil
	}
	var told *fault.Error
	var wrong *broken
	var panicked *panicked
	switch {
	case errors.As(err, &panicked), errors.As(err, &wrong), errors.Is(err, errExited):
	case !errors.As(err, &told):
		r.log.Info("a hook of a channel refused", r.attributes(hook, err)...)
		return errRefused.Because(err)
	case told.Code != fault.Internal:
		return told
	}
	// An internal error tells its ref and nothing else, whoever made it.
	ref := fault.From(err).Ref
	r.log.Error("a hook of a channel failed", append(r.attributes(hook, err), slog.String("ref", ref))...)
	return (&fault.Error{Code: fault.Internal, Message: "internal error", Ref: ref}).Because(err)
}

func (r *runs) attributes(hook string, err error) []any {
	attributes := []any{
		slog.String("pattern", r.pattern), slog.String("hook", hook), slog.String("error", err.Error()),
	}
	var panicked *panicked
	if errors.As(err, &panicked) {
		attributes = append(attributes, slog.String("stack", string(panicked.stack)))
	}
	return attributes
}

// errExited is what remains of a hook that ended its goroutine.
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
