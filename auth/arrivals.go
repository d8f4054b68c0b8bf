package auth

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/walkergate/walkergate/fault"
)

const (
	// foreignTimeout bounds how long a token of another issuer may wait for its
	// key and for the store together.
	foreignTimeout = 2 * time.Second
	// maxKnown is how many users of other issuers are remembered as being in the
	// store, in each of two generations.
	maxKnown = 50_000
	// maxArriving is how many may be looked up and entered at once.
	maxArriving = 1024
)

var errArriving = fault.New(fault.Busy, "who the token stands for cannot be looked up now")

// arrivals are the users of other issuers who come here.
type arrivals struct {
	// known are those who stood in the store, each until when that may be
	// believed.
	known *recent[string, time.Time]
	// arriving holds a place for each who is looked up.
	arriving chan struct{}
}

func newArrivals() *arrivals {
	return &arrivals{known: newRecent[string, time.Time](maxKnown), arriving: make(chan struct{}, maxArriving)}
}

// MayWait reports whether Authenticate could have to wait before it has judged
// the token: for the keys of its issuer, for the store, or for a signature that
// is not yet known to hold. Where it does not, it reads memory only.
func (s *Service) MayWait(token string) bool {
	token = bare(token)
	if !s.foreign.takes(token) {
		return false
	}
	known, verified := s.foreign.recall(token)
	return !verified || !s.isKnown(known.principal.UserID)
}

func (s *Service) authenticateForeign(ctx context.Context, token string) (Principal, error) {
	known, verified := s.foreign.recall(token)
	if verified && s.isKnown(known.principal.UserID) {
		return s.stillValid(known.principal)
	}
	ctx, cancel := context.WithTimeout(ctx, foreignTimeout)
	defer cancel()
	if !verified {
		var err error
		if known, err = s.foreign.verify(ctx, token); err != nil {
			return Principal{}, err
		}
	}
	// Before the store is asked: who was deleted is not entered anew.
	if _, err := s.stillValid(known.principal); err != nil {
		return Principal{}, err
	}
	if err := s.admit(ctx, known); err != nil {
		return Principal{}, err
	}
	return s.stillValid(known.principal)
}

func (s *Service) stillValid(p Principal) (Principal, error) {
	if err := s.Valid(p); err != nil {
		return Principal{}, err
	}
	return p, nil
}

// isKnown reports whether the user was in the store lately. For as long as an
// entry is believed, the end of the user is remembered too, and Valid knows of
// it: both last as long as a token may live, and the end came later.
func (s *Service) isKnown(userID string) bool {
	until, known := s.arrivals.known.get(userID)
	return known && s.now().Before(until)
}

// admit makes sure that there is the user whom a proven token stands for. Of
// nodes that see somebody at the same moment each makes the same user, and one
// is the first.
func (s *Service) admit(ctx context.Context, found proof) error {
	if s.isKnown(found.principal.UserID) {
		return nil
	}
	if !s.loaded.Load() { // who was deleted is not yet known
		return errStale
	}
	select {
	case s.arrivals.arriving <- struct{}{}:
		defer func() { <-s.arrivals.arriving }()
	default:
		return errArriving
	}
	at := s.now()
	err := s.enter(ctx, found, at)
	switch {
	case err == nil:
		s.arrivals.known.put(found.principal.UserID, at.Add(s.tokens.ttl))
		return nil
	case ctx.Err() != nil:
		return errArriving.Because(err)
	}
	return err
}

func (s *Service) enter(ctx context.Context, found proof, at time.Time) error {
	there, err := s.isThere(ctx, found.principal)
	if there || err != nil {
		return err
	}
	user, err := found.user(at)
	if err != nil {
		return err
	}
	err = s.store.CreateUser(ctx, user)
	if fault.Is(err, fault.Conflict) {
		// Another call was faster; or the user was deleted, and a token of theirs
		// could still be out.
		if there, err = s.isThere(ctx, found.principal); err == nil && !there {
			return errRevoked
		}
		return err
	}
	if err != nil {
		return fmt.Errorf("enter a user of another issuer: %w", err)
	}
	s.log.InfoContext(ctx, "user of another issuer entered",
		slog.Any("user", user), slog.String("issuer", found.principal.Issuer))
	return nil
}

// isThere reports whether the store has the user. One who has but the same id
// is not them.
func (s *Service) isThere(ctx context.Context, p Principal) (bool, error) {
	user, err := s.store.FindUser(ctx, UserKey{ID: p.UserID})
	switch {
	case fault.Is(err, fault.NotFound):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("look a user up: %w", err)
	case user.RootID != p.RootID:
		return false, errInvalid
	}
	return true, nil
}

// user is who is entered. Nobody can log in as them: there is no password, and
// what stands in place of an address is none. The profile tells where they are
// from under a name that nobody can register.
func (f proof) user(at time.Time) (User, error) {
	from, err := json.Marshal(map[string]string{"issuer": f.principal.Issuer, "subject": f.subject})
	if err != nil {
		return User{}, fmt.Errorf("encode who a user is elsewhere: %w", err)
	}
	return User{
		ID: f.principal.UserID, RootID: f.principal.RootID, EmailKey: f.principal.RootID,
		Profile: map[string]json.RawMessage{"sso": from}, CreatedAt: at.UTC(),
	}, nil
}

// keepKeys keeps the keys of every issuer up to date until ctx ends.
func (f *foreign) keepKeys(ctx context.Context, running *sync.WaitGroup) {
	if f == nil {
		return
	}
	for _, issuer := range f.issuers {
		running.Go(func() { issuer.keys.keep(ctx) })
	}
}

// IssuerKeys tells of the keys of all issuers, in no order.
func (s *Service) IssuerKeys() []IssuerKeys {
	if s.foreign == nil {
		return nil
	}
	all := make([]IssuerKeys, 0, len(s.foreign.issuers))
	for _, issuer := range s.foreign.issuers {
		all = append(all, issuer.keys.state())
	}
	return all
}
