package sqlite

import (
	"context"
	"errors"
	"time"

	driver "modernc.org/sqlite"
	result "modernc.org/sqlite/lib"

	"github.com/walkergate/walkergate/fault"
)

var (
	errBusy     = fault.New(fault.Busy, "the store has no room now")
	errClosed   = fault.New(fault.Busy, "the store is closed")
	errNotFound = fault.New(fault.NotFound, "no such user")
	errConflict = fault.New(fault.Conflict, "taken or changed meanwhile")
)

// isRefusal reports whether a request ended by its own contract, having
// written nothing. It then does not concern those it shares a transaction
// with.
func isRefusal(err error) bool {
	return fault.Is(err, fault.NotFound) || fault.Is(err, fault.Conflict)
}

// isTaken reports whether a row was refused because another has its key. The
// statement wrote nothing then, and the transaction goes on.
func isTaken(err error) bool {
	var failed *driver.Error
	return errors.As(err, &failed) &&
		(failed.Code() == result.SQLITE_CONSTRAINT_UNIQUE || failed.Code() == result.SQLITE_CONSTRAINT_PRIMARYKEY)
}

// orBusy makes a busy fault of the error that says that a program beside the
// gateway holds the database for longer than the timeout.
func orBusy(err error) error {
	var failed *driver.Error
	if errors.As(err, &failed) && failed.Code()&0xff == result.SQLITE_BUSY {
		return errBusy.Because(err)
	}
	return err
}

// readError gives the error of a read. One that was cut short because its
// context ended is the context's, whatever the driver calls it.
func readError(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return orBusy(err)
}

func milliseconds(t time.Time) int64 { return t.UnixMilli() }

func timeOf(milliseconds int64) time.Time { return time.UnixMilli(milliseconds).UTC() }
