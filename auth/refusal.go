package auth

import (
	"errors"

	"github.com/walkergate/walkergate/fault"
)

// refusal is why a token was refused. It travels as the cause of a
// token_invalid fault.
type refusal string

// The reasons that clients know.
const (
	refusedExpired refusal = "expired"
	refusedInvalid refusal = "invalid"
	refusedRevoked refusal = "revoked"
)

func (r refusal) Error() string { return string(r) }

// The answers to a token. They say nothing of how it was read: what is wrong
// with a forged token is the forger's business.
var (
	errExpired = fault.New(fault.TokenInvalid, "the token has expired").Because(refusedExpired)
	errInvalid = fault.New(fault.TokenInvalid, "the token is not valid").Because(refusedInvalid)
	errRevoked = fault.New(fault.TokenInvalid, "the token was revoked").Because(refusedRevoked)
	errPublic  = fault.New(fault.Unauthenticated, "a login is needed")
)

// RefusalOf tells why a token was refused: "expired", "invalid" or "revoked".
// It is empty for an error that is no token_invalid.
func RefusalOf(err error) string {
	if !fault.Is(err, fault.TokenInvalid) {
		return ""
	}
	var reason refusal
	if errors.As(err, &reason) {
		return string(reason)
	}
	return string(refusedInvalid)
}
