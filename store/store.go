// Package store names what an engine of walkergate keeps: everything that the
// other packages declare, each beside the code that needs it. Engines are
// packages of their own below this one; storetest holds the suite that each
// must pass.
//
// An engine promises, beyond the contracts of the single methods:
//
//   - What was written when a method returned nil is seen by every later read,
//     through any goroutine, and survives the end of the process, however it
//     ends. Records of connections and leases are the exception: they mean
//     nothing once their node is gone.
//   - A method that fails with fault.NotFound or fault.Conflict has written
//     nothing. One that fails with fault.Busy or with the error of a context
//     that ended has written nothing either, unless the engine itself cannot
//     know: a server that stopped answering may have got as far as writing.
//     All but CreateUser and ChangeUser may then simply be called again.
//     Append tells the two apart: fault.Busy means that it wrote nothing, and
//     fault.Conflict that it cannot know.
//   - Text is any valid UTF-8 and is told apart byte by byte: neither case, nor
//     trailing space, nor a NUL makes two names one. Order is that of bytes.
//   - Times are kept to the millisecond and given back in UTC.
//   - What waits for the engine is bounded; beyond the bound the answer is
//     fault.Busy. A context bounds every call.
//   - Passwords, hashes and tokens are never logged.
package store

import (
	"context"

	"github.com/walkergate/walkergate/auth"
	"github.com/walkergate/walkergate/channels"
	"github.com/walkergate/walkergate/notify"
)

// MaxRecords bounds one page of notify.RecordStore.Records. To ask for more,
// or for less than one, is an error, so that no caller takes a cut page for
// the last one.
const MaxRecords = 1000

// Store is all that is kept. All methods may be called concurrently.
//
// A record without a ClientID is refused by WriteRecords, and with it all that
// came in the same call.
type Store interface {
	auth.Store
	channels.Store
	notify.Store
	// Ping reports nil where the store can be read and written now.
	Ping(ctx context.Context) error
	// Close writes what was accepted, waits for the calls under way and lets
	// go of everything. Later calls fail. It is called once.
	Close() error
}
