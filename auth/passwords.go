package auth

import (
	"context"

	"github.com/walkergate/walkergate/fault"
)

// Bounds of a password in bytes. No rule but its length: rules make people
// choose what the rules' writer foresaw.
const (
	minPassword = 8
	maxPassword = 256
)

// queuePerRun is how many may wait for each hash that may run. At some 30 ms a
// hash the last of them waits about half a second.
const queuePerRun = 16

// passwords hashes and verifies, a bounded number at once: each run takes a
// core and megabytes, and whoever may ask for one is not yet known.
type passwords struct {
	cost ArgonCost
	// nobody stands in for the hash of a user who does not exist, so that the
	// answer takes as long as that to a wrong password.
	nobody  argonHash
	running chan struct{}
	waiting chan struct{}
	derive  func(hash argonHash, password string) []byte
}

func newPasswords(cost ArgonCost, parallel int) *passwords {
	return &passwords{
		cost: cost, nobody: newArgonHash(cost),
		running: make(chan struct{}, parallel),
		waiting: make(chan struct{}, parallel*queuePerRun),
		derive:  argonHash.derive,
	}
}

// hash makes the encoded hash of a password. One run.
func (p *passwords) hash(ctx context.Context, password string) (string, error) {
	hash := newArgonHash(p.cost)
	key, err := p.run(ctx, hash, password)
	if err != nil {
		return "", err
	}
	hash.key = key
	return hash.String(), nil
}

// verify reports whether the password is the one of an encoded hash, and
// whether that hash was made at another cost than today's. One run always,
// also for an empty hash, which no password fits.
func (p *passwords) verify(ctx context.Context, encoded, password string) (fits, stale bool, err error) {
	hash := p.nobody
	if encoded != "" {
		if hash, err = parseArgonHash(encoded); err != nil {
			return false, false, err
		}
	}
	key, err := p.run(ctx, hash, password)
	if err != nil {
		return false, false, err
	}
	fits = hash.matches(key) && encoded != ""
	return fits, fits && hash.cost != p.cost, nil
}

// run waits for its turn, first come first served.
func (p *passwords) run(ctx context.Context, hash argonHash, password string) ([]byte, error) {
	if err := p.enter(ctx); err != nil {
		return nil, err
	}
	defer func() { <-p.running }()
	return p.derive(hash, password), nil
}

func (p *passwords) enter(ctx context.Context) error {
	select {
	case p.running <- struct{}{}:
		return nil
	default:
	}
	select {
	case p.waiting <- struct{}{}:
		defer func() { <-p.waiting }()
	default:
		return fault.New(fault.Busy, "too many logins at once")
	}
	select {
	case p.running <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fault.New(fault.Busy, "too many logins at once").Because(ctx.Err())
	}
}

// checkPassword gives what is wrong with a new password, nil where nothing is.
func checkPassword(field, password string) []fault.Detail {
	switch {
	case password == "":
		return []fault.Detail{{Field: field, Reason: "required"}}
	case len(password) < minPassword:
		return []fault.Detail{{Field: field, Reason: "shorter than 8 bytes"}}
	case len(password) > maxPassword:
		return []fault.Detail{{Field: field, Reason: "longer than 256 bytes"}}
	}
	return nil
}
