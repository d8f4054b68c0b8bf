package auth_test

import (
	"context"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/walkergate/walkergate/auth"
	"github.com/walkergate/walkergate/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	email    = "ann@example.com"
	password = "correct horse"
)

var (
	secret = []byte("0123456789abcdef0123456789abcdef")
	cheap  = auth.ArgonCost{MemoryKiB: 8, Passes: 1, Lanes: 1}
)

// world is a service with the clock and the store it stands on.
type world struct {
	*auth.Service
	t     testing.TB
	clock *clock
	store *memory
}

// newWorld gives a service on a store of its own, with the user ann.
func newWorld(t testing.TB, set ...func(*auth.Options)) *world {
	t.Helper()
	w := &world{t: t, clock: &clock{now: time.UnixMilli(1_763_000_000_123)}, store: &memory{}}
	w.Service = w.node(set...)
	w.register(email)
	return w
}

// node gives another service on the same store and clock.
func (w *world) node(set ...func(*auth.Options)) *auth.Service {
	w.t.Helper()
	options := auth.Options{Secret: secret, Argon: cheap, Now: w.clock.Now}
	for _, change := range set {
		change(&options)
	}
	service, err := auth.New(w.t.Context(), w.store, options)
	if err != nil {
		w.t.Fatal(err)
	}
	return service
}

func (w *world) register(email string) auth.User {
	w.t.Helper()
	user, err := w.Register(w.t.Context(), auth.Registration{Email: email, Password: password})
	if err != nil {
		w.t.Fatal(err)
	}
	return user
}

// login gives a token of ann's and who it stands for.
func (w *world) login() (string, auth.Principal) {
	w.t.Helper()
	grant, err := w.Login(w.t.Context(), email, password)
	if err != nil {
		w.t.Fatal(err)
	}
	return grant.Token, w.principal(grant.Token)
}

func (w *world) principal(token string) auth.Principal {
	w.t.Helper()
	p, err := w.Authenticate(w.t.Context(), token)
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

func wantFault(t testing.TB, err error, code fault.Code, message string) {
	t.Helper()
	if !fault.Is(err, code) || fault.From(err).Message != message {
		t.Errorf("got the error %v, want %s: %s", err, code, message)
	}
}

// wantRefused says why a token is refused, by itself and by its principal; an
// empty reason wants it accepted.
func wantRefused(t testing.TB, s *auth.Service, token, reason string) {
	t.Helper()
	_, err := s.Authenticate(t.Context(), token)
	if auth.RefusalOf(err) != reason || (err == nil) != (reason == "") {
		t.Errorf("the token was refused as %q, want %q (%v)", auth.RefusalOf(err), reason, err)
	}
}

func wantValid(t testing.TB, s *auth.Service, p auth.Principal, reason string) {
	t.Helper()
	err := s.Valid(p)
	if auth.RefusalOf(err) != reason || (err == nil) != (reason == "") {
		t.Errorf("the principal was refused as %q, want %q (%v)", auth.RefusalOf(err), reason, err)
	}
}

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(by)
}

// memory is an auth.Store. While broken is set, every call fails with it, and
// while hanging is set, every call lasts until its context ends.
type memory struct {
	mu          sync.Mutex
	broken      error
	hanging     bool
	calls       int
	created     int
	users       []auth.User
	revocations []auth.Revocation
}

var _ auth.Store = (*memory)(nil)

func (m *memory) breakWith(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.broken = err
}

func (m *memory) hang(hanging bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hanging = hanging
}

// used gives how many calls there were, and how many users were created.
func (m *memory) used() (calls, created int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.calls, m.created
}

// enter locks the store.
func (m *memory) enter(ctx context.Context) (leave func(), err error) {
	m.mu.Lock()
	m.calls++
	if m.hanging {
		m.mu.Unlock()
		<-ctx.Done()
		m.mu.Lock()
		return m.mu.Unlock, ctx.Err()
	}
	return m.mu.Unlock, m.broken
}

func (m *memory) index(userID string) int {
	return slices.IndexFunc(m.users, func(u auth.User) bool { return u.ID == userID })
}

func (m *memory) CreateUser(ctx context.Context, user auth.User) error {
	leave, err := m.enter(ctx)
	defer leave()
	taken := func(u auth.User) bool {
		return u.ID == user.ID || u.EmailKey == user.EmailKey || u.RootID == user.RootID
	}
	gone := func(r auth.Revocation) bool {
		return r.UserID == user.ID && r.Generation == auth.EveryGeneration && r.Ends.After(user.CreatedAt)
	}
	if err == nil && (slices.ContainsFunc(m.users, taken) || slices.ContainsFunc(m.revocations, gone)) {
		return fault.New(fault.Conflict, "taken")
	}
	if err == nil {
		m.created++
		user.Profile = maps.Clone(user.Profile)
		m.users = append(m.users, user)
	}
	return err
}

func (m *memory) FindUser(ctx context.Context, key auth.UserKey) (auth.User, error) {
	leave, err := m.enter(ctx)
	defer leave()
	if err != nil {
		return auth.User{}, err
	}
	for _, u := range m.users {
		switch key {
		case auth.UserKey{ID: u.ID}, auth.UserKey{EmailKey: u.EmailKey}, auth.UserKey{RootID: u.RootID}:
			return u, nil
		}
	}
	return auth.User{}, fault.New(fault.NotFound, "no such user")
}

func (m *memory) ChangeUser(ctx context.Context, change auth.UserChange) (auth.User, error) {
	leave, err := m.enter(ctx)
	defer leave()
	at := m.index(change.UserID)
	switch {
	case err != nil:
		return auth.User{}, err
	case at < 0:
		return auth.User{}, fault.New(fault.NotFound, "no such user")
	case change.WasHash != "" && change.WasHash != m.users[at].PasswordHash:
		return auth.User{}, fault.New(fault.Conflict, "changed meanwhile")
	}
	user := &m.users[at]
	if change.NewHash != "" {
		user.PasswordHash = change.NewHash
	}
	if change.End != nil {
		user.Generation++
		m.end(user.ID, user.Generation, *change.End)
	}
	return *user, nil
}

func (m *memory) DeleteUser(ctx context.Context, userID string, end auth.EndTokens) error {
	leave, err := m.enter(ctx)
	defer leave()
	at := m.index(userID)
	if err == nil && at < 0 {
		return fault.New(fault.NotFound, "no such user")
	}
	if err == nil {
		m.users = slices.Delete(m.users, at, at+1)
		m.end(userID, auth.EveryGeneration, end)
	}
	return err
}

func (m *memory) end(userID string, generation int64, end auth.EndTokens) {
	m.revocations = append(m.revocations, auth.Revocation{
		UserID: userID, Generation: generation, At: end.At, Ends: end.Ends,
	})
}

func (m *memory) RevokeToken(ctx context.Context, revocation auth.Revocation) error {
	leave, err := m.enter(ctx)
	defer leave()
	if err == nil {
		m.revocations = append(m.revocations, revocation)
	}
	return err
}

func (m *memory) RevocationsSince(ctx context.Context, since time.Time) ([]auth.Revocation, error) {
	leave, err := m.enter(ctx)
	defer leave()
	var found []auth.Revocation
	for _, revocation := range m.revocations {
		if !revocation.At.Before(since) {
			found = append(found, revocation)
		}
	}
	return found, err
}
