package auth

import (
	"encoding/json"
	"log/slog"
	"time"
)

// User is a registered user as the store keeps it. As JSON it is what the user
// themself may see: id, email, root_id, and the fields of Profile beside them.
type User struct {
	// ID and RootID are the user's own for ever; no other user ever gets them.
	// Those of a user of another issuer follow from issuer and subject.
	ID     string
	RootID string
	// Email is the address as it was typed, but for its domain, which is in
	// lower case; empty for a user of another issuer. EmailKey is the form that
	// is unique and that a login is looked up by; of a user of another issuer it
	// is the RootID, which is no address.
	Email    string
	EmailKey string
	// Profile holds the further fields that the user was registered with.
	Profile map[string]json.RawMessage
	// PasswordHash is the encoded argon2id hash; empty for an account that
	// cannot log in by password.
	PasswordHash string
	// Generation counts how often all tokens of the user were ended. A token
	// belongs to the generation it was issued in and dies with it. Counting
	// and not comparing times: no clock that was set back or is ahead on
	// another node, and no login that was under way meanwhile, brings forth a
	// token that outlives its end. For tokens of other issuers, which know
	// nothing of it, Revocation.At is what they can be held to.
	Generation int64
	CreatedAt  time.Time
}

// MarshalJSON gives the public form.
func (u User) MarshalJSON() ([]byte, error) {
	fields := make(map[string]any, len(u.Profile)+3)
	for name, value := range u.Profile {
		fields[name] = value
	}
	fields["id"] = u.ID
	fields["email"] = u.Email
	fields["root_id"] = u.RootID
	return json.Marshal(fields)
}

// LogValue keeps the address and the hash out of every log.
func (u User) LogValue() slog.Value {
	return slog.GroupValue(slog.String("id", u.ID), slog.String("root_id", u.RootID))
}
