package notify

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/walkergate/walkergate/fault"
)

const (
	// gather is how long the recorder waits for more after the first change,
	// so that a burst of connects becomes one write. Well under RecordLag.
	gather = RecordLag / 4
	// batchMost bounds one write, so that a burst does not hold the store's
	// writer for long.
	batchMost = 1000
	// batchLeast is a write that no store finds too long. One that fails is
	// halved down to it: a store that cannot take 1000 records within
	// writeTimeout would else be given the same in vain for ever.
	batchLeast = 8
	// pendingLimit bounds what waits while the store is out of reach. Beyond
	// it the list is let go: once the store answers again, the node's records
	// are cleared and written anew from the index.
	pendingLimit = 100_000
	// writeTimeout bounds one write. One that took a quarter of it is long
	// enough; shorter ones grow.
	writeTimeout = 5 * time.Second
	// retryFirst and retryMost bound the wait between tries.
	retryFirst = 50 * time.Millisecond
	retryMost  = 2 * time.Second
)

// recorder writes the records behind the index. Changes of one connection
// overwrite one another while they wait: only the last state is written.
type recorder struct {
	store RecordStore
	log   *slog.Logger
	all   func() []*Record
	wake  chan struct{}
	batch int // how much one write holds now; run's own

	mu      sync.Mutex
	nodeID  string             // under which records are written
	former  []string           // under which some may still stand
	pending map[string]*Record // nil: removed
	rewrite bool
	renewed bool // nodeID is new and not all records bear it yet
	failing error
}

func newRecorder(store RecordStore, log *slog.Logger, all func() []*Record) *recorder {
	return &recorder{
		store: store, log: log, all: all,
		wake: make(chan struct{}, 1), batch: batchMost, pending: make(map[string]*Record),
	}
}

// renew makes the recorder write under a node id from now on. Where there was
// another before, all records are written anew under this one, and those of
// the former are cleared: some may have been written after others swept it.
func (r *recorder) renew(nodeID string) {
	r.mu.Lock()
	if r.nodeID != "" {
		r.former = append(r.former, r.nodeID)
		r.rewrite, r.renewed = true, true
		r.pending = make(map[string]*Record)
	}
	r.nodeID = nodeID
	r.mu.Unlock()
	r.rouse()
}

func (r *recorder) put(record *Record) { r.change(record.ClientID, record) }

func (r *recorder) remove(clientID string) { r.change(clientID, nil) }

func (r *recorder) change(clientID string, record *Record) {
	r.mu.Lock()
	if !r.rewrite {
		r.pending[clientID] = record
		if len(r.pending) > pendingLimit {
			r.rewrite = true
			r.pending = make(map[string]*Record)
		}
	}
	r.mu.Unlock()
	r.rouse()
}

func (r *recorder) rouse() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

func (r *recorder) ready() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failing == nil && r.renewed {
		return errRenewed
	}
	return r.failing
}

var errRenewed = fault.New(fault.Busy, "the records of this node are being written anew")

// run writes what changed until ctx ends.
func (r *recorder) run(ctx context.Context) {
	wait := retryFirst
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.wake:
		}
		pause(ctx, gather)
		for !r.flush() {
			if !pause(ctx, wait) {
				break
			}
			wait = min(2*wait, retryMost)
		}
		wait = retryFirst
	}
}

// finish clears the records of this node. The process is about to end: it gets
// one try.
func (r *recorder) finish() error {
	r.mu.Lock()
	ids := append([]string{r.nodeID}, r.former...)
	r.mu.Unlock()
	return r.clear(ids...)
}

func (r *recorder) clear(nodeIDs ...string) error {
	for _, nodeID := range nodeIDs {
		ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
		err := r.store.ClearRecords(ctx, nodeID)
		cancel()
		if err != nil {
			return fmt.Errorf("clear the records of a node: %w", err)
		}
	}
	return nil
}

// flush writes all that waits and reports whether it could.
func (r *recorder) flush() bool {
	err := r.write()
	r.mu.Lock()
	before := r.failing
	r.failing = err
	r.mu.Unlock()
	switch {
	case err != nil && before == nil:
		r.log.Warn("records of connections cannot be written", slog.Any("error", err))
	case err == nil && before != nil:
		r.log.Info("records of connections are written again")
	}
	return err == nil
}

func (r *recorder) write() error {
	r.mu.Lock()
	rewrite, pending, nodeID := r.rewrite, r.pending, r.nodeID
	r.rewrite, r.pending = false, make(map[string]*Record)
	former := slices.Clone(r.former)
	r.mu.Unlock()
	if rewrite {
		return r.writeAnew(nodeID, former)
	}
	for len(pending) > 0 {
		puts, removed := nextBatch(pending, r.batch)
		if err := r.writeBatch(nodeID, puts, removed); err != nil {
			r.putBack(pending)
			return err
		}
		for _, record := range puts {
			delete(pending, record.ClientID)
		}
		for _, clientID := range removed {
			delete(pending, clientID)
		}
	}
	return nil
}

// writeAnew clears the node's records and writes those of the index. Changes
// made meanwhile wait in pending and follow.
func (r *recorder) writeAnew(nodeID string, former []string) error {
	err := r.clear(append(former, nodeID)...)
	records := r.all()
	for err == nil && len(records) > 0 {
		batch := records[:min(r.batch, len(records))]
		puts := make([]Record, len(batch))
		for i, record := range batch {
			puts[i] = *record
		}
		err = r.writeBatch(nodeID, puts, nil)
		records = records[len(batch):]
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case err != nil:
		r.rewrite = true
		r.pending = make(map[string]*Record)
	case nodeID == r.nodeID: // else it was renewed again meanwhile
		r.former = r.former[len(former):]
		r.renewed = false
	}
	return err
}

func (r *recorder) writeBatch(nodeID string, puts []Record, removed []string) error {
	for i := range puts {
		puts[i].NodeID = nodeID
	}
	ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
	defer cancel()
	begun := time.Now()
	if err := r.store.WriteRecords(ctx, puts, removed); err != nil {
		r.batch = max(r.batch/2, batchLeast)
		return fault.New(fault.Busy, "the store does not answer").Because(err)
	}
	if time.Since(begun) < writeTimeout/4 {
		r.batch = min(2*r.batch, batchMost)
	}
	return nil
}

// putBack returns what could not be written, but for what changed meanwhile.
func (r *recorder) putBack(unwritten map[string]*Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.rewrite {
		return
	}
	for clientID, record := range unwritten {
		if _, newer := r.pending[clientID]; !newer {
			r.pending[clientID] = record
		}
	}
}

func nextBatch(pending map[string]*Record, most int) (puts []Record, removed []string) {
	for clientID, record := range pending {
		if len(puts)+len(removed) == most {
			break
		}
		if record == nil {
			removed = append(removed, clientID)
		} else {
			puts = append(puts, *record)
		}
	}
	return puts, removed
}

// pause waits and reports whether ctx still runs.
func pause(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
