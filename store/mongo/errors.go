package mongo

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/walkergate/walkergate/fault"
)

var (
	errFull     = fault.New(fault.Busy, "the store has no room now")
	errClosed   = fault.New(fault.Busy, "the store is closed")
	errAbsent   = fault.New(fault.Busy, "the store does not answer")
	errNotFound = fault.New(fault.NotFound, "no such user")
	errConflict = fault.New(fault.Conflict, "taken or changed meanwhile")
	errUnknown  = fault.New(fault.Conflict, "the store did not say whether messages were stored")
	errAnew     = fault.New(fault.Conflict, "the log began anew meanwhile")
	errMarks    = fault.New(fault.Busy, "this user has marks in as many channels as there may be")

	// errBroken is what a document is that nobody here can have written.
	errBroken = errors.New("a document is broken")
)

// passing are the codes of a server that cannot serve now, and may soon: it
// steps down, starts, stops, or waits in vain for the others.
var passing = []int{
	6,     // HostUnreachable
	7,     // HostNotFound
	64,    // WriteConcernTimeout
	89,    // NetworkTimeout
	91,    // ShutdownInProgress
	100,   // UnsatisfiableWriteConcern: too few members are up
	133,   // FailedToSatisfyReadPreference
	189,   // PrimarySteppedDown
	262,   // ExceededTimeLimit
	276,   // IndexBuildAborted
	462,   // IngressRequestRateLimitExceeded
	9001,  // SocketException
	10058, // LegacyNotPrimary
	10107, // NotWritablePrimary
	11600, // InterruptedAtShutdown
	11602, // InterruptedDueToReplStateChange
	13435, // NotPrimaryNoSecondaryOk
	13436, // NotPrimaryOrSecondary
}

// callError gives the error of a call. One that was cancelled by its caller is
// the context's. One whose time was over, whether the caller's or ours, found a
// store that did not answer within it.
func callError(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, mongo.ErrClientDisconnected):
		return errClosed.Because(err)
	case isFault(err):
		return err
	case errors.Is(ctx.Err(), context.Canceled):
		return ctx.Err()
	case isAbsence(err):
		return errAbsent.Because(err)
	}
	return fmt.Errorf("store: %w", err)
}

func isFault(err error) bool {
	var known *fault.Error
	return errors.As(err, &known)
}

// isAbsence reports whether the server was not there, not in time, or not able.
// The driver has errors of many types for that, some without a name outside of
// it. So it is told by what it is not: the word of a server that was there, or
// a document that cannot be read.
func isAbsence(err error) bool {
	if mongo.IsTimeout(err) || mongo.IsNetworkError(err) {
		return true
	}
	var command mongo.CommandError
	if errors.As(err, &command) && command.Code == 0 {
		return true // the driver's own words in the form of a server's: its pool was cleared
	}
	var told mongo.ServerError
	if errors.As(err, &told) {
		return isPassing(told)
	}
	var (
		unread    *bson.DecodeError
		unwritten mongo.MarshalError
	)
	return !errors.Is(err, errBroken) && !errors.As(err, &unread) && !errors.As(err, &unwritten)
}

func isPassing(told mongo.ServerError) bool {
	for _, label := range []string{"RetryableWriteError", "RetryableError", "SystemOverloadedError"} {
		if told.HasErrorLabel(label) {
			return true
		}
	}
	for _, code := range passing {
		if told.HasErrorCode(code) {
			return true
		}
	}
	return false
}
