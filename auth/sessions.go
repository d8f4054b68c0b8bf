package auth

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/walkergate/walkergate/fault"
)

// What is said of a user of another issuer who asks for what only that can do.
var (
	errRenewedElsewhere = fault.New(fault.Forbidden, "a token of this issuer is renewed by the issuer")
	errNoPassword       = fault.New(fault.Forbidden, "this user logs in elsewhere and has no password here")
)

// The answers that clients of jac-cloud know.
var (
	errBadCredentials = fault.New(fault.BadCredentials, "Invalid Email/Password!")
	errUpdateFailed   = fault.New(fault.Forbidden, "Update Failed!")
)

// Grant is the answer to a login: a token, how long it lives in seconds, and
// whose it is.
type Grant struct {
	Token     string `json:"token"`
	ExpiresIn int64  `json:"expires_in"`
	User      User   `json:"user"`
}

// LogValue keeps the token out of every log.
func (g Grant) LogValue() slog.Value { return g.User.LogValue() }

// Login gives a token to who knows the password. The address is matched
// without regard to case. An unknown address and a wrong password get the same
// answer, bad_credentials, after the same work.
func (s *Service) Login(ctx context.Context, email, password string) (Grant, error) {
	at := s.now()
	_, key, ok := parseEmail(email)
	if !ok || password == "" || len(password) > maxPassword {
		return Grant{}, errBadCredentials // whoever's address it were
	}
	user, err := s.store.FindUser(ctx, UserKey{EmailKey: key})
	if err != nil && !fault.Is(err, fault.NotFound) {
		return Grant{}, fmt.Errorf("look an address up: %w", err)
	}
	// An unknown user has no hash, and no hash is verified like any other.
	fits, stale, err := s.passwords.verify(ctx, user.PasswordHash, password)
	if err != nil {
		return Grant{}, fmt.Errorf("verify a password: %w", err)
	}
	if !fits {
		return Grant{}, errBadCredentials
	}
	if stale {
		s.rehash(ctx, user, password)
	}
	return s.grant(user, at)
}

// rehash stores the hash at today's cost. The login does not depend on it:
// what fails now is tried again at the next one.
func (s *Service) rehash(ctx context.Context, user User, password string) {
	hash, err := s.passwords.hash(ctx, password)
	if err == nil {
		_, err = s.store.ChangeUser(ctx, UserChange{UserID: user.ID, WasHash: user.PasswordHash, NewHash: hash})
	}
	if err != nil {
		s.log.WarnContext(ctx, "password not hashed anew", slog.Any("user", user), slog.Any("error", err))
	}
}

// Refresh gives a new token to who shows a good one. The old one stays good
// until its own end: a client that loses the answer, or uses the token on
// other connections, is not locked out. Logout ends it sooner. Forbidden for a
// token of another issuer: none of ours is ever given for it, or a user whom
// that issuer locks out could go on.
func (s *Service) Refresh(ctx context.Context, p Principal) (Grant, error) {
	at := s.now()
	user, err := s.owner(ctx, p)
	if err != nil {
		return Grant{}, err
	}
	if p.Issuer != "" {
		return Grant{}, errRenewedElsewhere
	}
	return s.grant(user, at)
}

// grant issues a token. at is a time before the user was read from the store:
// a token that belongs to an ended generation was then issued before the end,
// and dies while the end is still remembered.
func (s *Service) grant(user User, at time.Time) (Grant, error) {
	token, err := s.tokens.issue(user, at)
	if err != nil {
		return Grant{}, err
	}
	return Grant{Token: token, ExpiresIn: int64(s.tokens.ttl / time.Second), User: user}, nil
}

// Logout ends the token that proved the principal, or with all every token of
// the user. Tokens that a refresh made of this one live on, unless all end. A
// user who ends more than 256 single tokens within the life of a token ends
// all of them: what must be remembered of one user is bounded.
//
// Of a user of another issuer, all tokens are those whose iat is not after this
// moment. It has whole seconds as a rule, so one that is issued in the same
// second ends too.
func (s *Service) Logout(ctx context.Context, p Principal, all bool) error {
	if err := s.Valid(p); err != nil {
		return err
	}
	if p.IsPublic() {
		return errPublic
	}
	if all || s.revoked.full(p.UserID) {
		return s.logoutAll(ctx, p)
	}
	revocation := Revocation{UserID: p.UserID, TokenID: p.TokenID, At: s.now(), Ends: p.ExpiresAt}
	if err := s.store.RevokeToken(ctx, revocation); err != nil {
		return fmt.Errorf("end a token: %w", err)
	}
	s.learn(revocation)
	return nil
}

func (s *Service) logoutAll(ctx context.Context, p Principal) error {
	user, err := s.owner(ctx, p)
	if err != nil {
		return err
	}
	end := s.endTokens(p)
	if err := s.change(ctx, UserChange{UserID: user.ID, End: &end}); err != nil {
		return err
	}
	s.log.InfoContext(ctx, "all tokens of a user ended", slog.Any("user", user))
	return nil
}

// ChangePassword replaces the password of who knows the old one and ends every
// token of the user, that of the principal included. Faults: invalid_context
// for a new password out of bounds, forbidden where the old one is wrong or
// was changed by another call meanwhile, and for a user of another issuer.
func (s *Service) ChangePassword(ctx context.Context, p Principal, old, replacement string) error {
	user, err := s.owner(ctx, p)
	if err != nil {
		return err
	}
	if p.Issuer != "" {
		return errNoPassword
	}
	if wrong := checkPassword("new_password", replacement); wrong != nil {
		return invalid(wrong)
	}
	if len(old) > maxPassword {
		return errUpdateFailed
	}
	fits, _, err := s.passwords.verify(ctx, user.PasswordHash, old)
	if err != nil {
		return fmt.Errorf("verify a password: %w", err)
	}
	if !fits {
		return errUpdateFailed
	}
	hash, err := s.passwords.hash(ctx, replacement)
	if err != nil {
		return err
	}
	end := s.endTokens(p)
	err = s.change(ctx, UserChange{UserID: user.ID, WasHash: user.PasswordHash, NewHash: hash, End: &end})
	if fault.Is(err, fault.Conflict) {
		return errUpdateFailed.Because(err)
	}
	if err != nil {
		return err
	}
	s.log.InfoContext(ctx, "password changed", slog.Any("user", user))
	return nil
}

// change writes a change that ends tokens, then ends them here. In this order:
// memory that ran ahead of a write which failed would refuse every token the
// user gets from then on.
func (s *Service) change(ctx context.Context, change UserChange) error {
	user, err := s.store.ChangeUser(ctx, change)
	if fault.Is(err, fault.NotFound) {
		return errRevoked
	}
	if err != nil {
		return fmt.Errorf("end the tokens of a user: %w", err)
	}
	s.learn(Revocation{
		UserID: user.ID, Generation: user.Generation, At: change.End.At, Ends: change.End.Ends,
	})
	return nil
}
