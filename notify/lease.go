package notify

import (
	"context"
	"errors"
	"time"
)

// Lease is what a node says of itself in the store, for as long as it lives.
type Lease struct {
	NodeID string
	// Beat counts up while the node lives: that it moves is all it says. No
	// node compares its clock with another's.
	Beat int64
	// Bus says whether the node hears of what is sent on others.
	Bus bool
	// Serving says whether the node has been let in. Before that it is a
	// candidate that looks for others.
	Serving bool
	// Condemned says that others have taken the node for dead and are about
	// to remove what it left.
	Condemned bool
}

// LeaseStore keeps the leases. All methods may be called concurrently, from
// any number of nodes, and what one of them wrote is seen by every later call.
type LeaseStore interface {
	// HoldLease stores the lease of a node. A Beat of 0 registers the node,
	// and doing that again changes nothing. Any other Beat goes on with a
	// lease that is there and not condemned; false, and nothing is written,
	// where there is none.
	HoldLease(ctx context.Context, lease Lease) (held bool, err error)
	// Leases gives all leases, ordered by NodeID.
	Leases(ctx context.Context) ([]Lease, error)
	// CondemnLease marks the lease of a node, so that its holder can no longer
	// go on with it, where its Beat is still that one. False where it has
	// moved on or is gone; true also where it was condemned before.
	CondemnLease(ctx context.Context, nodeID string, beat int64) (condemned bool, err error)
	// ForgetLease removes the lease of a node. An unknown one is no error.
	ForgetLease(ctx context.Context, nodeID string) error
}

// Store is what a Manager keeps in the store. Every engine has leases, the
// embedded one included, which only ever sees one node: one way to start, to
// live and to end is tested, and not two. All that a lone node pays for it is a
// small row written every fifth of a lease.
type Store interface {
	RecordStore
	LeaseStore
}

// DefaultLease is how long a node may be silent before it is taken for dead.
const DefaultLease = 10 * time.Second

// ErrNotAlone means that another live node uses the same store and that the
// two cannot reach each other, so that messages would be lost in silence.
var ErrNotAlone = errors.New("another live node uses the same store, and there is no bus between the two")
