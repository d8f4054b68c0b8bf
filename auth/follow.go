package auth

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/walkergate/walkergate/fault"
)

const (
	// followEvery is how often the store is asked what other nodes revoked.
	followEvery = 500 * time.Millisecond
	// followOverlap is how far each question reaches back behind the last that
	// was answered, however long ago that was: a revocation bears the time of
	// the node that made it, whose clock may differ, and appears when its write
	// is done.
	followOverlap = 30 * time.Second
	// followTimeout bounds one question.
	followTimeout = 2 * time.Second
	// staleAfter is how long the store may be out of reach before nobody can
	// say any more whether a token still holds.
	staleAfter = 5 * time.Second
)

var errStale = fault.New(fault.Busy, "it cannot be told now whether the token still holds")

// Run keeps the Service up to date until ctx ends: with what other nodes
// revoked, with the tokens whose time comes, and with the keys of other issuers.
// It is called once.
func (s *Service) Run(ctx context.Context) {
	var following sync.WaitGroup
	defer following.Wait()
	following.Go(func() { s.keepFollowing(ctx) }) // a slow store delays no token's end
	s.foreign.keepKeys(ctx, &following)           // nor does a slow issuer
	due := time.NewTimer(0)
	defer due.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.watches.wake:
		case <-due.C:
		}
		due.Reset(s.watches.tell(s.now()))
	}
}

func (s *Service) keepFollowing(ctx context.Context) {
	again := time.NewTicker(followEvery)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-again.C:
			s.follow(ctx)
		}
	}
}

// Ready reports nil while the Service knows what was revoked elsewhere up to
// a moment ago. It is busy where Run does not run, or does not reach the store.
func (s *Service) Ready() error {
	if !s.loaded.Load() || time.Since(s.started)-time.Duration(s.followed.Load()) > staleAfter {
		return errStale
	}
	return nil
}

func (s *Service) follow(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, followTimeout)
	defer cancel()
	asked, at := time.Since(s.started), s.now()
	since := s.heardOf // zero at first, which asks for all
	if !since.IsZero() {
		since = since.Add(-followOverlap)
	}
	news, err := s.store.RevocationsSince(ctx, since)
	if err != nil {
		if s.Ready() != nil && !errors.Is(ctx.Err(), context.Canceled) && !s.stale.Swap(true) {
			s.log.Warn("revocations of other nodes cannot be read", slog.Any("error", err))
		}
		return
	}
	s.learn(news...)
	s.heardOf = at
	s.followed.Store(int64(asked))
	s.loaded.Store(true)
	if s.stale.Swap(false) {
		s.log.Info("revocations of other nodes are read again")
	}
}

// learn remembers revocations, wherever they were made, and ends what lives by
// a token that they end.
func (s *Service) learn(news ...Revocation) {
	users := s.revoked.learn(s.now(), news...)
	if len(users) == 0 {
		return
	}
	for _, w := range s.watches.ofUsers(users) {
		if s.revoked.holds(w.principal) {
			s.watches.end(w, errRevoked)
		}
	}
}
