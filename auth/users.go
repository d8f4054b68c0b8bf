package auth

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/walkergate/walkergate/fault"
)

// errTaken is the answer to who registers an address twice, in the words that
// clients of jac-cloud know.
var errTaken = fault.New(fault.Conflict, "Already Exists!")

// Register makes a user. Addresses are unique without regard to the case of
// their letters. Faults: invalid_context with a detail for each field at
// fault, conflict where the address is taken, busy.
func (s *Service) Register(ctx context.Context, registration Registration) (User, error) {
	user, err := registration.check()
	if err != nil {
		return User{}, err
	}
	// Asked first to save the hash; the store decides for good below.
	switch _, err = s.store.FindUser(ctx, UserKey{EmailKey: user.EmailKey}); {
	case err == nil:
		return User{}, errTaken
	case !fault.Is(err, fault.NotFound):
		return User{}, fmt.Errorf("look an address up: %w", err)
	}
	if user.PasswordHash, err = s.passwords.hash(ctx, registration.Password); err != nil {
		return User{}, err
	}
	user.CreatedAt = s.now().UTC()
	user.ID = newID(user.CreatedAt)
	user.RootID = rootPrefix + newID(user.CreatedAt)
	err = s.store.CreateUser(ctx, user)
	if fault.Is(err, fault.Conflict) {
		return User{}, errTaken.Because(err)
	}
	if err != nil {
		return User{}, fmt.Errorf("create a user: %w", err)
	}
	s.log.InfoContext(ctx, "user registered", slog.Any("user", user))
	return user, nil
}

// Me gives the user that a principal stands for.
func (s *Service) Me(ctx context.Context, p Principal) (User, error) {
	return s.owner(ctx, p)
}

// Delete forgets the user that a principal stands for and ends all their
// tokens. A login with the address fails from then on, and whoever registers
// it anew is another user with another root.
//
// The ids of a user of another issuer follow from who they are there, and come
// again. So that no token that is out, and none that a program renews by
// itself, brings the user back at once, every token of theirs is refused for
// as long as one of ours lives, whenever it was issued. One that comes later
// makes a new user, who has the old root and nothing else of the old one's.
func (s *Service) Delete(ctx context.Context, p Principal) error {
	user, err := s.owner(ctx, p)
	if err != nil {
		return err
	}
	end := s.endTokens(p)
	err = s.store.DeleteUser(ctx, user.ID, end)
	if fault.Is(err, fault.NotFound) {
		return errRevoked // by a call beside this one
	}
	if err != nil {
		return fmt.Errorf("delete a user: %w", err)
	}
	s.learn(Revocation{
		UserID: user.ID, Generation: EveryGeneration, At: end.At, Ends: end.Ends,
	})
	s.log.InfoContext(ctx, "user deleted", slog.Any("user", user))
	return nil
}

// UserExists reports whether a root id, in any of its spellings, is that of a
// user or of the public. What is no root id is nobody's.
func (s *Service) UserExists(ctx context.Context, rootID string) (bool, error) {
	rootID, ok := ParseRootID(rootID)
	if !ok {
		return false, nil
	}
	if rootID == PublicRoot {
		return true, nil
	}
	_, err := s.store.FindUser(ctx, UserKey{RootID: rootID})
	if fault.Is(err, fault.NotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look a root up: %w", err)
	}
	return true, nil
}

// owner gives the user that a principal stands for, by the store: a token that
// another node ended is refused here even before this node has heard of it.
func (s *Service) owner(ctx context.Context, p Principal) (User, error) {
	if err := s.Valid(p); err != nil {
		return User{}, err
	}
	if p.IsPublic() {
		return User{}, errPublic
	}
	user, err := s.store.FindUser(ctx, UserKey{ID: p.UserID})
	switch {
	case fault.Is(err, fault.NotFound):
		return User{}, errRevoked
	case err != nil:
		return User{}, fmt.Errorf("look a user up: %w", err)
	case p.Issuer != "":
		return user, s.hear(ctx, p, user)
	case p.Generation < user.Generation:
		return User{}, errRevoked
	}
	return user, nil
}

// hear makes sure that it is known what ended of a user of another issuer: the
// store tells of more ends than this node has heard of, or remembers still.
func (s *Service) hear(ctx context.Context, p Principal, user User) error {
	if user.Generation <= s.revoked.generation(user.ID) {
		return nil // and Valid has asked
	}
	unheard := time.Since(s.started) - time.Duration(s.followed.Load())
	news, err := s.store.RevocationsSince(ctx, s.now().Add(-unheard-followOverlap))
	if err != nil {
		return fmt.Errorf("ask what was revoked: %w", err)
	}
	s.learn(news...)
	return s.Valid(p)
}
