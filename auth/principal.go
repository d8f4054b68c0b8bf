// Package auth knows who is calling: it registers users, checks their
// passwords, issues and reads access tokens, and ends tokens before their time.
// It holds no connection of a client and knows no protocol of theirs; what it
// keeps it keeps through Store, which an engine of package store meets.
//
// A call is judged in memory alone: a token carries all that a Principal needs,
// and the tokens that were ended early are held by the Service. The store is
// read where a user acts on their own account, and written through where
// something changes.
//
// Tokens of other issuers are taken where Options.Issuers names them. Whoever
// comes by one is a user like any other, entered into the store at first sight.
package auth

import "time"

// PublicRoot is the root of every connection and call that is not
// authenticated. It stands for nobody in particular and owns nothing.
const PublicRoot = "n::000000000000000000000001"

// Principal is who a call or a connection acts for. The zero value is not
// valid; use Public for the public user. It is a value: copies are free and
// never change under their holder.
type Principal struct {
	// UserID is the user's own id (24 hex), empty for the public user.
	UserID string
	// RootID is "n::<24 hex>", PublicRoot for the public user.
	RootID string
	// TokenID is the id of the token that proved the principal: its jti, or the
	// hash of a token of another issuer.
	TokenID string
	// Issuer is the Issuer.Name of whose token it was; empty for a token of
	// ours.
	Issuer string
	// Generation is which of the user's generations the token belongs to; see
	// User.Generation. A token of another issuer belongs to none: IssuedAt
	// decides.
	Generation int64
	// IssuedAt and ExpiresAt bound the token; zero for the public user.
	IssuedAt  time.Time
	ExpiresAt time.Time
}

// Public is the principal of whoever shows no credential.
func Public() Principal { return Principal{RootID: PublicRoot} }

// IsPublic reports whether nobody in particular is meant.
func (p Principal) IsPublic() bool { return p.UserID == "" }
