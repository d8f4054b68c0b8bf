package auth

import (
	"context"
	"time"
)

// Store is the storage that a Service needs. All methods may be called
// concurrently. Times are kept to the millisecond, in UTC. Text is any valid
// UTF-8 and compared byte by byte.
//
// Faults of their own code are told apart by it: fault.NotFound, fault.Conflict
// and fault.Busy (no room now); nothing was written then. Any other error is
// the engine's.
type Store interface {
	UserStore
	RevocationStore
}

// UserStore keeps the users.
type UserStore interface {
	// CreateUser stores a new user. fault.Conflict where the ID, the EmailKey
	// or the RootID is taken, and where the ID is that of a user who was deleted
	// and whose revocation has not ended by CreatedAt, or some time longer; of
	// any number of racing calls for one EmailKey exactly one succeeds.
	CreateUser(ctx context.Context, user User) error
	// FindUser gives the one user that the key names, or fault.NotFound.
	FindUser(ctx context.Context, key UserKey) (User, error)
	// ChangeUser makes the whole change in one atomic step and gives the user
	// as it is afterwards. fault.NotFound where there is no such user,
	// fault.Conflict where WasHash no longer holds.
	ChangeUser(ctx context.Context, change UserChange) (User, error)
	// DeleteUser forgets the user and records the revocation of all their
	// tokens, of every generation, in one atomic step. fault.NotFound where
	// there is no such user. The EmailKey is free again afterwards.
	DeleteUser(ctx context.Context, userID string, end EndTokens) error
}

// UserKey names a user. Exactly one field is set.
type UserKey struct {
	ID       string
	EmailKey string
	RootID   string
}

// UserChange is one change of one user.
type UserChange struct {
	UserID string
	// WasHash, where it is not empty, must be the hash of this moment, so that
	// a password which was changed meanwhile is not put back.
	WasHash string
	// NewHash replaces the hash, where it is not empty.
	NewHash string
	// End, where it is not nil, ends every token issued so far: the
	// Generation goes up by one and the revocation of the generations below it
	// is recorded. Those of single tokens stand: a token of another issuer may
	// be younger than the end.
	End *EndTokens
}

// EndTokens says when tokens were ended and until when that must be
// remembered.
type EndTokens struct {
	At   time.Time
	Ends time.Time
}

// RevocationStore keeps which tokens were ended before their time, so that
// every node learns of it, and a node that starts knows it.
type RevocationStore interface {
	// RevokeToken records the end of one token; repeating it is no error. An
	// engine may forget, here and elsewhere, revocations whose Ends has come
	// by revocation.At.
	RevokeToken(ctx context.Context, revocation Revocation) error
	// RevocationsSince gives the revocations whose At is that time or later,
	// ordered by At; the zero time gives all that are kept.
	// Those of whole users, made by ChangeUser and DeleteUser, are among them.
	// A caller that polls asks with an overlap: At is by the clock of the node
	// that revoked, and the record appears a little later.
	RevocationsSince(ctx context.Context, since time.Time) ([]Revocation, error)
}

// Revocation ends one token, or all tokens of a user below a generation.
type Revocation struct {
	UserID string
	// TokenID is the token that ends; empty where the whole user is meant.
	TokenID string
	// Generation is the first of the user's generations that lives on; zero
	// where one token is meant. EveryGeneration leaves none.
	Generation int64
	// At is when it was recorded, Ends when no token that it concerns can be
	// alive any more.
	At   time.Time
	Ends time.Time
}

// EveryGeneration is the Generation of the revocation of a user who is gone.
const EveryGeneration int64 = 1<<63 - 1
