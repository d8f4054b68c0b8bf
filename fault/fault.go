// Package fault holds the one error type that may reach a client: a code for
// machines, a message for people, and a cause for the log alone. Whatever else
// goes wrong becomes an internal fault that tells a client nothing but a
// reference, under which the log holds the rest.
package fault

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
)

// Detail points at one field and says what is wrong with it. Reason is a short
// word or phrase ("required", "expected string"); it never echoes the value.
type Detail struct {
	Field  string `json:"field"`
	Reason string `json:"reason"`
}

// Error is a failure that a client may see: Code, Message and Details are
// public, the cause is not. It is immutable once made, and so safe to share.
type Error struct {
	Code    Code
	Message string
	Details []Detail
	// Ref is set on internal faults only: the name under which the log tells
	// what happened.
	Ref string

	cause error
}

// New makes an error with a message for people. The message must hold neither
// secrets nor internals.
func New(code Code, message string, details ...Detail) *Error {
	return &Error{Code: code, Message: message, Details: details}
}

// Newf is New with a formatted message.
func Newf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Because returns a copy of the error that wraps its cause, for the log.
func (e *Error) Because(cause error) *Error {
	wrapped := *e
	wrapped.cause = cause
	return &wrapped
}

// Error is the text for the log; it holds the cause. Clients get Message.
func (e *Error) Error() string {
	text := string(e.Code) + ": " + e.Message
	if e.Ref != "" {
		text += " (ref " + e.Ref + ")"
	}
	if e.cause != nil {
		text += ": " + e.cause.Error()
	}
	return text
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.cause }

// From turns any error into one that may reach a client. An *Error in the
// chain is that error; a deadline that passed is a timeout; everything else is
// an internal fault with a fresh Ref, the original being its cause. From(nil)
// is nil.
func From(err error) *Error {
	if err == nil {
		return nil
	}
	var known *Error
	if errors.As(err, &known) {
		if known.Code == Internal && known.Ref == "" {
			referred := *known
			referred.Ref = newRef()
			return &referred
		}
		return known
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return New(Timeout, "the work did not end in time").Because(err)
	}
	return &Error{Code: Internal, Message: "internal error", Ref: newRef(), cause: err}
}

// Is reports whether err is, or wraps, a fault of that code.
func Is(err error, code Code) bool {
	var known *Error
	return errors.As(err, &known) && known.Code == code
}

func newRef() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return hex.EncodeToString(b[:])
}
