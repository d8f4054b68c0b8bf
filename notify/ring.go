package notify

import (
	"sync/atomic"

	"github.com/walkergate/walkergate/wire"
)

const (
	// ringMessages and ringBytes bound the recent messages that one stream
	// keeps, cacheBytes those of all streams. What is not kept is read from the
	// log.
	ringMessages = 256
	ringBytes    = 256 << 10
	cacheBytes   = 64 << 20
)

// ring is the newest messages of a stream as they were delivered, without a
// hole: the log's cache, and no second log. It is guarded by the stream's lock.
type ring struct {
	envelopes fifo[*wire.Message]
	newest    int64 // the seq of the last of them
	bytes     int
}

// push keeps one more message, and lets go of what no longer fits. cached
// counts the bytes of all rings. Where others hold all there is, nothing is
// kept.
func (r *ring) push(seq int64, envelope *wire.Message, cached *atomic.Int64) {
	if seq != r.newest+1 {
		r.clear(cached)
	}
	size := len(envelope.Frame())
	r.envelopes.push(envelope)
	r.newest = seq
	r.bytes += size
	all := cached.Add(int64(size))
	for r.envelopes.len() > 0 && (r.envelopes.len() > ringMessages || r.bytes > ringBytes || all > cacheBytes) {
		size := len(r.envelopes.pop().Frame())
		r.bytes -= size
		all = cached.Add(-int64(size))
	}
}

// from gives at most limit messages from a seq on; none where the ring does not
// reach back so far.
func (r *ring) from(seq int64, limit int) []*wire.Message {
	oldest := r.newest - int64(r.envelopes.len()) + 1
	if seq < oldest || seq > r.newest {
		return nil
	}
	run := make([]*wire.Message, min(limit, int(r.newest-seq)+1))
	for i := range run {
		run[i] = r.envelopes.at(int(seq-oldest) + i)
	}
	return run
}

func (r *ring) clear(cached *atomic.Int64) {
	cached.Add(-int64(r.bytes))
	r.envelopes.reset()
	r.bytes = 0
}
