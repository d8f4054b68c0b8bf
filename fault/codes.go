package fault

import "net/http"

// Code names a failure for machines. A code, once published, never changes its
// meaning; docs/PROTOCOL.md lists them for clients.
type Code string

// The codes that may reach a client.
const (
	BadFrame         Code = "bad_frame"          // a field of the frame itself is missing or mistyped
	BadCredentials   Code = "bad_credentials"    // the e-mail or the password is wrong
	UnknownType      Code = "unknown_type"       // no frame of that type exists
	ReservedType     Code = "reserved_type"      // published data claims a type that is the gateway's own
	Unauthenticated  Code = "unauthenticated"    // a login would help
	TokenInvalid     Code = "token_invalid"      // a token was offered and refused
	Forbidden        Code = "forbidden"          // a login would not help
	UnknownWalker    Code = "unknown_walker"     // no walker of that name at this door
	NotFound         Code = "not_found"          // the thing asked for does not exist
	MethodNotAllowed Code = "method_not_allowed" // it exists, but not for this method
	Conflict         Code = "conflict"           // it exists already, or its outcome is unknown
	TooLarge         Code = "too_large"          // a bound in bytes was passed
	InvalidContext   Code = "invalid_context"    // a field of the walker's context, body or query is wrong
	RateLimited      Code = "rate_limited"       // too many in too short a time
	Internal         Code = "internal"           // our fault; the log holds the ref
	Busy             Code = "busy"               // no room now; the same call may succeed later
	Timeout          Code = "timeout"            // the work did not end within its limit
)

var statuses = map[Code]int{
	BadFrame:         http.StatusBadRequest,
	BadCredentials:   http.StatusBadRequest,
	UnknownType:      http.StatusBadRequest,
	ReservedType:     http.StatusBadRequest,
	Unauthenticated:  http.StatusUnauthorized,
	TokenInvalid:     http.StatusUnauthorized,
	Forbidden:        http.StatusForbidden,
	UnknownWalker:    http.StatusNotFound,
	NotFound:         http.StatusNotFound,
	MethodNotAllowed: http.StatusMethodNotAllowed,
	Conflict:         http.StatusConflict,
	TooLarge:         http.StatusRequestEntityTooLarge,
	InvalidContext:   http.StatusUnprocessableEntity,
	RateLimited:      http.StatusTooManyRequests,
	Internal:         http.StatusInternalServerError,
	Busy:             http.StatusServiceUnavailable,
	Timeout:          http.StatusGatewayTimeout,
}

// Status is the number that stands beside the code in every error object, and
// the HTTP status where the object travels over HTTP. The table lives here and
// not at a door, because a socket's error frame carries the number too.
// An unknown code is an internal one.
func (c Code) Status() int {
	if status, ok := statuses[c]; ok {
		return status
	}
	return http.StatusInternalServerError
}
