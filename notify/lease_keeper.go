package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/walkergate/walkergate/fault"
)

// beatsPerLease is how often a lease is renewed within its length.
const beatsPerLease = 5

// keeper holds the lease of this node and removes what dead ones left. Its
// methods belong to one goroutine, but for ready.
type keeper struct {
	store  Store
	lease  time.Duration
	log    *slog.Logger
	renew  func(nodeID string) // told the id under which records go from now on
	nodeID string              // of this process; each life adds to it
	lives  int
	own    Lease
	watch  leaseWatch

	mu      sync.Mutex
	absence error     // why this node is not entered
	beaten  time.Time // when its beat was last written
	failing error     // of the last try
}

func newKeeper(options Options, renew func(nodeID string)) *keeper {
	return &keeper{
		store: options.Store, lease: options.Lease, log: options.Log, renew: renew,
		nodeID: options.NodeID, own: Lease{Bus: options.Bus != nil}, watch: leaseWatch{lease: options.Lease},
		absence: errNotEntered,
	}
}

var errNotEntered = errors.New("the node has not entered yet")

func (k *keeper) every() time.Duration { return k.lease / beatsPerLease }

// ready reports nil while the node is entered and its lease is renewed. Others
// count from the beat they saw last: half a lease without one is close enough
// to its end to say so.
func (k *keeper) ready() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.absence != nil {
		return k.absence
	}
	if silent := time.Since(k.beaten); silent > k.lease/2 {
		why := fmt.Errorf("the lease of this node was not renewed for %s", silent.Round(time.Millisecond))
		return fault.New(fault.Busy, "the store does not answer").Because(errors.Join(why, k.failing))
	}
	return nil
}

// enter registers this node under an id of its own and then looks who else is
// there, in this order: of two that come at once, at least one sees the other.
// Dead ones are swept, which is all it waits for. Where one that lives has no
// bus in common with this one, it is ErrNotAlone; among candidates the one with
// the smaller id stays. A store that does not answer is asked again until ctx
// ends. Whatever the end, the caller may have a lease to leave.
func (k *keeper) enter(ctx context.Context) error {
	k.setAbsence(errNotEntered)
	k.watch = leaseWatch{lease: k.lease} // what was seen before says nothing of now
	registered, told := false, false
	for {
		var waiting string
		if !registered {
			registered = k.register(ctx)
		}
		if registered {
			var err error
			waiting, err = k.admit(ctx)
			switch {
			case errors.Is(err, errSwept):
				registered = false
				continue
			case errors.Is(err, ErrNotAlone):
				return err
			case err != nil:
				k.failed("leases cannot be read", err)
			case waiting == "":
				k.setAbsence(nil)
				return nil
			}
		}
		if waiting != "" && !told {
			told = true
			k.log.Info("another node has a lease; waiting to see whether it lives",
				slog.String("node", waiting), slog.Duration("lease", k.lease))
		}
		if !pause(ctx, k.watch.next(k.every())) {
			return ctx.Err()
		}
	}
}

// errSwept means that others took this node for dead.
var errSwept = errors.New("the lease of this node is gone")

// register begins a life. Each has an id of its own, so that what others still
// do to sweep the life before cannot touch this one's lease and records.
func (k *keeper) register(ctx context.Context) bool {
	id := k.nodeID
	if k.lives > 0 {
		id = fmt.Sprintf("%s.%d", k.nodeID, k.lives+1)
	}
	k.own = Lease{NodeID: id, Bus: k.own.Bus}
	ctx, cancel := k.bounded(ctx)
	defer cancel()
	if _, err := k.store.HoldLease(ctx, k.own); err != nil {
		k.failed("the lease of this node cannot be written", err)
		return false
	}
	k.lives++
	k.renew(id)
	return true
}

// admit beats, looks round, and enters where nothing stands against it. It
// gives a node that has to be waited for.
func (k *keeper) admit(ctx context.Context) (waiting string, err error) {
	if err := k.beat(ctx); err != nil {
		return "", err
	}
	others, err := k.look(ctx)
	if err != nil {
		return "", err
	}
	for _, other := range others {
		switch {
		case other.Bus && k.own.Bus, k.sweep(ctx, other):
		case k.watch.moved(other.NodeID) && (other.Serving || other.NodeID < k.own.NodeID):
			return "", fmt.Errorf("%w: node %s", ErrNotAlone, other.NodeID)
		default:
			waiting = other.NodeID
		}
	}
	if waiting != "" {
		return waiting, nil
	}
	k.own.Serving = true
	if err := k.beat(ctx); err != nil {
		k.own.Serving = false
		return "", err
	}
	return "", nil
}

// run renews the lease and sweeps the dead until ctx ends. Where the node finds
// itself swept, after a long stop or a long loss of the store, it enters again;
// ErrNotAlone where another has taken its place.
func (k *keeper) run(ctx context.Context) error {
	for pause(ctx, k.watch.next(k.every())) {
		err := k.beat(ctx)
		if errors.Is(err, errSwept) {
			k.log.Warn("this node was taken for dead and enters again", slog.String("node", k.own.NodeID))
			if err := k.enter(ctx); err != nil && ctx.Err() == nil {
				return err
			}
			continue
		}
		others, lookErr := k.look(ctx)
		if err = errors.Join(err, lookErr); err != nil {
			k.failed("the lease of this node cannot be renewed", err)
			continue
		}
		for _, other := range others {
			k.sweep(ctx, other)
		}
	}
	return nil
}

// beat renews the lease; errSwept where there is none to renew.
func (k *keeper) beat(ctx context.Context) error {
	k.own.Beat++
	ctx, cancel := k.bounded(ctx)
	defer cancel()
	begun := time.Now()
	held, err := k.store.HoldLease(ctx, k.own)
	if err != nil {
		return fmt.Errorf("renew the lease: %w", err)
	}
	if !held {
		return errSwept
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.failing != nil {
		k.log.Info("the lease of this node is renewed again")
	}
	k.beaten, k.failing = begun, nil
	return nil
}

// look gives the leases of the other nodes.
func (k *keeper) look(ctx context.Context) ([]Lease, error) {
	ctx, cancel := k.bounded(ctx)
	defer cancel()
	leases, err := k.store.Leases(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the leases: %w", err)
	}
	others := leases[:0]
	for _, lease := range leases {
		if lease.NodeID != k.own.NodeID {
			others = append(others, lease)
		}
	}
	k.watch.look(others, time.Now())
	return others, nil
}

// sweep removes what a dead node left and reports whether nothing of it stays.
// The lease is marked first, so that its holder, should it live after all,
// learns of it, and goes last, so that what one observer leaves undone the next
// one does. Two that do it at once do no harm.
func (k *keeper) sweep(ctx context.Context, lease Lease) bool {
	if !lease.Condemned && !k.watch.dead(lease.NodeID) {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	condemned, err := k.store.CondemnLease(ctx, lease.NodeID, lease.Beat)
	if err == nil && !condemned {
		return false // it lives, or is gone: the next look tells
	}
	if err == nil {
		err = k.store.ClearRecords(ctx, lease.NodeID)
	}
	if err == nil {
		err = k.store.ForgetLease(ctx, lease.NodeID)
	}
	if err != nil {
		k.log.Warn("what a dead node left cannot be removed yet", slog.String("node", lease.NodeID), slog.Any("error", err))
		return false
	}
	k.log.Info("records of a dead node removed", slog.String("node", lease.NodeID))
	return true
}

// leave gives the lease back, once no record of this node is left. Where it
// fails the others sweep it.
func (k *keeper) leave() error {
	ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
	defer cancel()
	if err := k.store.ForgetLease(ctx, k.own.NodeID); err != nil {
		return fmt.Errorf("give the lease of this node back: %w", err)
	}
	return nil
}

// bounded keeps a call from taking so long that the next beat would be late.
func (k *keeper) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, min(writeTimeout, k.lease/2))
}

func (k *keeper) setAbsence(why error) {
	if why != nil {
		why = fault.New(fault.Busy, "this node is entering").Because(why)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.absence = why
}

// failed tells of the first of a row of failures.
func (k *keeper) failed(what string, err error) {
	k.mu.Lock()
	before := k.failing
	k.failing = err
	k.mu.Unlock()
	if before == nil {
		k.log.Warn("lease of this node fails", slog.String("what", what), slog.Any("error", err))
	}
}
