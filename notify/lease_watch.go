package notify

import "time"

// leaseWatch judges the leases of other nodes by this node's monotonic clock
// alone: one whose Beat stood still for a whole lease, while this node kept
// looking, is dead. It serves one goroutine.
type leaseWatch struct {
	lease  time.Duration
	looked time.Time
	seen   map[string]sighting
}

// sighting is what has been seen of one lease.
type sighting struct {
	beat  int64
	since time.Time // when beat was first seen
	moved bool      // the beat has changed under our eyes
}

// longestGap is how long may lie between two looks. Beyond it, as after a stop
// of this process or of the store, nobody can be said to have stood still in
// between: perhaps nobody could write either.
func (w *leaseWatch) longestGap() time.Duration { return w.lease / 2 }

// look takes in the leases of this moment.
func (w *leaseWatch) look(leases []Lease, now time.Time) {
	interrupted := now.Sub(w.looked) > w.longestGap()
	w.looked = now
	seen := make(map[string]sighting, len(leases))
	for _, lease := range leases {
		before, known := w.seen[lease.NodeID]
		switch {
		case !known:
			seen[lease.NodeID] = sighting{beat: lease.Beat, since: now}
		case before.beat != lease.Beat:
			seen[lease.NodeID] = sighting{beat: lease.Beat, since: now, moved: true}
		case interrupted:
			before.since = now
			seen[lease.NodeID] = before
		default:
			seen[lease.NodeID] = before
		}
	}
	w.seen = seen
}

// moved reports whether the node has been seen to live.
func (w *leaseWatch) moved(nodeID string) bool { return w.seen[nodeID].moved }

// dead reports whether, as of the last look, the node stood still for a lease.
func (w *leaseWatch) dead(nodeID string) bool {
	sighting, known := w.seen[nodeID]
	return known && w.looked.Sub(sighting.since) >= w.lease
}

// next is how long after the last look somebody may be dead, at most limit.
func (w *leaseWatch) next(limit time.Duration) time.Duration {
	for _, sighting := range w.seen {
		if left := w.lease - w.looked.Sub(sighting.since); left > 0 {
			limit = min(limit, left)
		}
	}
	return limit
}
