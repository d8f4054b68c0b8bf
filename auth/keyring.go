package auth

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/walkergate/walkergate/fault"
)

const (
	// keysEvery is how often the keys of an issuer are read anew: a key that it
	// withdrew is good for as long at most.
	keysEvery = time.Hour
	// keysAskEvery is how often they may be read because a token named a key
	// that is not known. Anybody can make up such tokens.
	keysAskEvery = 30 * time.Second
	// keysTimeout bounds one reading.
	keysTimeout = 5 * time.Second
	// keysRetryFirst and keysRetryMost bound the time until a reading that
	// failed is tried again; it doubles.
	keysRetryFirst = time.Second
	keysRetryMost  = 30 * time.Second
	// maxKeyWaiters is how many callers may wait for the keys of one issuer.
	maxKeyWaiters = 64
)

// errNoKeys says that a token can neither be taken nor refused.
var errNoKeys = fault.New(fault.Busy, "the keys of the token's issuer are not there now")

// keyring holds the keys of one issuer. It is read from one place, which the
// settings name; whatever a token says, nothing else is ever read for it. One
// goroutine reads, that of keep; callers ask it and wait.
type keyring struct {
	issuer string
	read   func(ctx context.Context) ([]byte, error)
	log    *slog.Logger

	set     atomic.Pointer[keySet] // nil until it was read once
	wake    chan struct{}          // somebody asked
	waiting chan struct{}          // holds a place for each who waits

	mu       sync.Mutex
	reading  chan struct{} // closed at the end of the reading that is to come or runs; nil without
	askAgain time.Time     // before it nobody may ask
	failed   bool          // the last reading; what stands in set may be old
	readAt   time.Time     // when the last good one ended
}

func newKeyring(issuer Issuer, read func(context.Context) ([]byte, error), log *slog.Logger) *keyring {
	return &keyring{
		issuer: issuer.Name, read: read, log: log,
		wake: make(chan struct{}, 1), waiting: make(chan struct{}, maxKeyWaiters),
		reading: make(chan struct{}), // the first, which need not be asked for
	}
}

// find gives the keys that a token may be signed by and the set they are of,
// which may be none. It waits for a reading where one may bring the key that
// is missing. Busy where the keys cannot be told now.
func (k *keyring) find(ctx context.Context, keyID, algorithm string) (*keySet, []any, error) {
	for {
		set := k.set.Load()
		if set != nil {
			if fitting, named := set.lookup(keyID, algorithm); named {
				return set, fitting, nil
			}
		}
		reading, err := k.ask(set)
		if err != nil {
			return nil, nil, err
		}
		if reading == nil {
			return set, nil, nil
		}
		if err := k.wait(ctx, reading); err != nil {
			return nil, nil, err
		}
	}
}

// ask gives the end of a reading that may bring what the set lacks: one under
// way, or one that it asks for. Nil where there is none to wait for: the set is
// as new as a stranger may ask it to be.
func (k *keyring) ask(set *keySet) (reading <-chan struct{}, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	switch {
	case k.reading != nil:
		return k.reading, nil
	case k.set.Load() != set: // it came meanwhile
		return ended, nil
	case set == nil: // and keep tries again by itself
		return nil, errNoKeys
	case !now.Before(k.askAgain):
		k.askAgain = now.Add(keysAskEvery)
		k.reading = make(chan struct{})
		select {
		case k.wake <- struct{}{}:
		default: // woken already
		}
		return k.reading, nil
	case k.failed:
		return nil, errNoKeys
	}
	return nil, nil
}

// ended is the end of something that has ended.
var ended = func() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

func (k *keyring) wait(ctx context.Context, reading <-chan struct{}) error {
	select {
	case k.waiting <- struct{}{}:
		defer func() { <-k.waiting }()
	default:
		return errNoKeys
	}
	select {
	case <-reading:
		return nil
	case <-ctx.Done():
		return errNoKeys.Because(ctx.Err())
	}
}

// keep reads the keys at once, unless they were read already, then again and
// again until ctx ends.
func (k *keyring) keep(ctx context.Context) {
	var wait time.Duration
	if k.set.Load() != nil {
		wait = keysEvery
	}
	due := time.NewTimer(wait)
	defer due.Stop()
	retry := keysRetryFirst
	for {
		select {
		case <-ctx.Done():
			return
		case <-k.wake:
		case <-due.C:
		}
		wait = keysEvery
		if err := k.load(ctx); err == nil {
			retry = keysRetryFirst
		} else {
			wait, retry = retry, min(2*retry, keysRetryMost)
		}
		due.Reset(wait)
	}
}

// load reads the keys once. What cannot be read changes nothing: the keys that
// were there stay.
func (k *keyring) load(ctx context.Context) error {
	k.mu.Lock()
	select {
	case <-k.wake: // whoever asked gets this reading
	default:
	}
	if k.reading == nil {
		k.reading = make(chan struct{})
	}
	k.mu.Unlock()
	set, err := k.readSet(ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	if ctx.Err() == nil {
		k.tell(set, err)
	}
	k.end(set, err)
	return err
}

// loadFirst is the first load where one can wait for it: nothing is told in the
// log, as the error goes back to who starts the gateway.
func (k *keyring) loadFirst(ctx context.Context) error {
	set, err := k.readSet(ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.end(set, err)
	return err
}

func (k *keyring) readSet(ctx context.Context) (*keySet, error) {
	ctx, cancel := context.WithTimeout(ctx, keysTimeout)
	defer cancel()
	text, err := k.read(ctx)
	if err != nil {
		return nil, err
	}
	return parseKeys(text)
}

// end takes what was read. A set that is the same as before leaves that in its
// place, and with it all that was verified by it. It is called with the lock
// held.
func (k *keyring) end(set *keySet, err error) {
	k.failed = err != nil
	if err == nil {
		k.readAt = time.Now()
		if before := k.set.Load(); before == nil || before.digest != set.digest {
			k.set.Store(set)
		}
	}
	close(k.reading)
	k.reading = nil
}

// tell writes into the log what has changed. It is called with the lock held.
func (k *keyring) tell(set *keySet, err error) {
	before := k.set.Load()
	issuer := slog.String("issuer", k.issuer)
	switch {
	case err != nil && before == nil && !k.failed:
		k.log.Warn("the keys of an issuer cannot be read: its tokens are answered busy until they can",
			issuer, slog.Any("error", err))
	case err != nil && !k.failed:
		k.log.Warn("the keys of an issuer cannot be read: those of before stay in use",
			issuer, slog.Any("error", err))
	case err != nil: // told already
	case len(set.keys) == 0 && (before == nil || len(before.keys) > 0):
		k.log.Warn("an issuer has no key that can be used: its tokens are refused", issuer)
	case before == nil || before.digest != set.digest:
		k.log.Info("the keys of an issuer were read", issuer, slog.Int("keys", len(set.keys)))
	case k.failed:
		k.log.Info("the keys of an issuer can be read again", issuer)
	}
}

// IssuerKeys tells of the keys of an issuer.
type IssuerKeys struct {
	Issuer string
	// Count is how many are in use.
	Count int
	// ReadAt is when they were last read; zero before they came.
	ReadAt time.Time
}

func (k *keyring) state() IssuerKeys {
	k.mu.Lock()
	defer k.mu.Unlock()
	state := IssuerKeys{Issuer: k.issuer, ReadAt: k.readAt}
	if set := k.set.Load(); set != nil {
		state.Count = len(set.keys)
	}
	return state
}
