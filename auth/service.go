package auth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"sync/atomic"
	"time"
)

// defaultTokenTTL is how long a token lives where nothing else is said.
const defaultTokenTTL = 12 * time.Hour

// Options configures a Service. Secret is required; every other zero value is
// a useful default.
type Options struct {
	// Secret signs the tokens: at least 32 bytes, the same on every node. See
	// LoadOrCreateSecret for a node that stands alone.
	Secret []byte
	// TokenTTL is how long a token lives; zero means twelve hours. Making it
	// shorter shortens the tokens that are out, too.
	TokenTTL time.Duration
	// Issuer, where it is not empty, is written into each token and asked of
	// each.
	Issuer string
	// Issuers are others whose tokens are taken beside our own. Such a token
	// lives no longer here than TokenTTL, counted from its iat.
	Issuers []Issuer
	// Transport reaches the URLs of their keys; nil means over the network, by
	// the proxy that the environment names.
	Transport http.RoundTripper
	// ArgonParallel is how many passwords are hashed at once; zero means as
	// many as there are processors. Sixteen times as many may wait.
	ArgonParallel int
	// Argon is what a hash costs. Hashes made at another cost still verify and
	// are made anew at their user's next login.
	Argon ArgonCost
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	Log *slog.Logger
}

// Service knows who is calling. It starts no goroutine and needs no Close, but
// Run must run for it to hear of other nodes; its methods may be called
// concurrently. Their errors are faults that may reach a client, or errors of
// the store.
type Service struct {
	store     Store
	tokens    *tokens
	foreign   *foreign // nil where no other issuer is trusted
	arrivals  *arrivals
	passwords *passwords
	revoked   *revoked
	watches   *watches
	now       func() time.Time
	log       *slog.Logger

	started  time.Time    // the zero of followed, on the monotonic clock
	followed atomic.Int64 // when the store was last asked with success
	loaded   atomic.Bool  // all that the store keeps was read once
	stale    atomic.Bool  // told in the log
	heardOf  time.Time    // when the last answered question was asked; New's, then follow's own
}

// New makes a Service. It reads the revocations that the store keeps, so that
// no ended token comes alive by a restart. Where the store does not answer it
// is not Ready until Run has read them. Files of keys have to be there; the
// keys that an issuer has behind a URL are fetched by Run, and until they came
// its tokens are busy.
func New(ctx context.Context, store Store, options Options) (*Service, error) {
	if err := options.complete(); err != nil {
		return nil, err
	}
	foreign, err := newForeign(ctx, options)
	if err != nil {
		return nil, err
	}
	s := &Service{
		store:     store,
		tokens:    newTokens(bytes.Clone(options.Secret), options.Issuer, options.TokenTTL, options.Now),
		foreign:   foreign,
		arrivals:  newArrivals(),
		passwords: newPasswords(options.Argon, options.ArgonParallel),
		revoked:   newRevoked(options.Now),
		watches:   newWatches(),
		started:   time.Now(),
		now:       options.Now,
		log:       options.Log,
	}
	s.follow(ctx)
	return s, nil
}

func (o *Options) complete() error {
	if err := CheckSecret(o.Secret); err != nil {
		return err
	}
	if o.TokenTTL == 0 {
		o.TokenTTL = defaultTokenTTL
	}
	if o.TokenTTL < time.Second {
		return fmt.Errorf("tokens cannot live for %v: at least a second", o.TokenTTL)
	}
	if o.ArgonParallel == 0 {
		o.ArgonParallel = runtime.GOMAXPROCS(0)
	}
	if o.ArgonParallel < 0 {
		return errors.New("the number of passwords hashed at once cannot be negative")
	}
	o.Argon = o.Argon.orDefault()
	if err := errors.Join(append(checkIssuers(o.Issuers), o.Argon.check())...); err != nil {
		return err
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}

// Authenticate gives who a token stands for. "Bearer " may stand before it, in
// any case. The error is a token_invalid fault; RefusalOf tells why.
//
// A token of ours is judged in memory. So is one of another issuer, but for
// what is new of it: a key that is not known, which is looked for at its issuer,
// or a user who was not here lately, who is looked up in the store and entered
// at first sight. That takes two seconds at most, and where it cannot be done
// the error is busy, or one of the store.
func (s *Service) Authenticate(ctx context.Context, token string) (Principal, error) {
	token = bare(token)
	if s.foreign.takes(token) {
		return s.authenticateForeign(ctx, token)
	}
	principal, err := s.tokens.read(token)
	if err != nil {
		return Principal{}, err
	}
	if s.revoked.holds(principal) {
		return Principal{}, errRevoked
	}
	return principal, nil
}

// Valid reports whether a principal still stands: nil for the public user and
// for one whose token neither expired nor was revoked, else a token_invalid
// fault. It reads memory only, so it may be asked for every frame.
func (s *Service) Valid(p Principal) error {
	switch {
	case p == Public():
		return nil
	case p.IsPublic():
		return errInvalid
	case !s.now().Before(p.ExpiresAt):
		return errExpired
	case s.revoked.holds(p):
		return errRevoked
	}
	return nil
}

// RevocationCount is how many revocations are remembered: single tokens, and
// users whose tokens all ended.
func (s *Service) RevocationCount() int { return s.revoked.size() }

// endTokens says that what is issued until now ends, and for how long that
// must be remembered. Now is no earlier than the token of who asks for it was
// issued, by the clock of its issuer.
func (s *Service) endTokens(p Principal) EndTokens {
	now := s.now()
	if p.Issuer != "" && p.IssuedAt.After(now) {
		now = p.IssuedAt
	}
	return EndTokens{At: now, Ends: now.Add(s.tokens.ttl + clockSkew)}
}
