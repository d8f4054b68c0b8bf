package sqlite

import (
	"context"
	"sync"
	"sync/atomic"
)

// maxBatch is how many requests share one transaction at most, so that the
// first of them does not wait for too long.
const maxBatch = 1024

// writer runs requests on the one connection that writes. It takes what waits,
// without a timer, and commits it in one transaction: alone a request does not
// wait, and in a crowd the cost of a commit is shared.
type writer struct {
	conn  *conn
	queue chan *request
	stop  chan struct{} // closed: take what waits and end
	ended chan struct{} // closed: nothing is run any more

	stopOnce sync.Once
}

// request is one all-or-nothing write.
type request struct {
	do func(*conn) error
	// claimed belongs to whoever sets it first: the writer, which then runs
	// the request, or the caller, who leaves, and then it is never run. So a
	// caller knows whether what it gave up on was written.
	claimed atomic.Bool
	done    chan error // of one place: the writer never waits for a caller
	err     error      // of the last run; the writer's
}

func (r *request) claim() bool { return !r.claimed.Swap(true) }

func startWriter(conn *conn, queue int) *writer {
	w := &writer{
		conn: conn, queue: make(chan *request, queue),
		stop: make(chan struct{}), ended: make(chan struct{}),
	}
	go w.run()
	return w
}

// submit runs do in a transaction and gives its error, or that of the commit.
// do may run twice, never beside another; between two runs nothing of it
// stays. The error of ctx means that it did not run and never will.
func (w *writer) submit(ctx context.Context, do func(*conn) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r := &request{do: do, done: make(chan error, 1)}
	select {
	case <-w.stop:
		return errClosed
	default:
	}
	select {
	case w.queue <- r:
	default:
		return errBusy
	}
	select {
	case err := <-r.done:
		return err
	case <-w.ended:
		return r.outcome()
	case <-ctx.Done():
	}
	if r.claim() {
		return ctx.Err()
	}
	select {
	case err := <-r.done:
		return err
	case <-w.ended:
		return r.outcome()
	}
}

// outcome is that of a request whose writer has ended.
func (r *request) outcome() error {
	select {
	case err := <-r.done:
		return err
	default:
		return errClosed // it came behind the last batch
	}
}

// close ends the writer behind what it has accepted.
func (w *writer) close() error {
	w.stopOnce.Do(func() { close(w.stop) })
	<-w.ended
	return w.conn.close()
}

func (w *writer) run() {
	defer close(w.ended)
	batch := make([]*request, 0, maxBatch)
	for {
		batch = batch[:0]
		stopping := false
		select {
		case first := <-w.queue:
			batch = appendClaimed(batch, first)
		case <-w.stop:
			stopping = true
		}
		batch = w.gather(batch)
		if stopping && len(batch) == 0 {
			return
		}
		w.write(batch)
		clear(batch)
	}
}

// gather adds what waits, up to a full batch.
func (w *writer) gather(batch []*request) []*request {
	for len(batch) < maxBatch {
		select {
		case next := <-w.queue:
			batch = appendClaimed(batch, next)
		default:
			return batch
		}
	}
	return batch
}

func appendClaimed(batch []*request, r *request) []*request {
	if r.claim() {
		return append(batch, r)
	}
	return batch
}

// write answers every request of the batch. Where one of them, or the commit,
// fails they are run again one by one, so that one does not fail the others.
func (w *writer) write(batch []*request) {
	if len(batch) == 0 {
		return
	}
	begun, err := w.transact(batch...)
	if err != nil && begun && len(batch) > 1 {
		for i, r := range batch {
			if begun, err = w.transact(r); !begun {
				answer(batch[i:], err)
				return
			}
			answer(batch[i:i+1], err)
		}
		return
	}
	answer(batch, err)
}

// answer gives each request the error of the transaction, or where that
// succeeded its own.
func answer(batch []*request, err error) {
	for _, r := range batch {
		if err != nil {
			r.done <- orBusy(err)
		} else {
			r.done <- r.err
		}
	}
}

// transact runs requests in one transaction. An error means that nothing of
// any of them was written; begun, that it was not for want of the database.
func (w *writer) transact(batch ...*request) (begun bool, err error) {
	if err := w.conn.control("BEGIN IMMEDIATE"); err != nil {
		return false, err
	}
	for _, r := range batch {
		if r.err = r.do(w.conn); r.err != nil && !isRefusal(r.err) {
			w.conn.rollback()
			return true, r.err
		}
	}
	if err := w.conn.control("COMMIT"); err != nil {
		w.conn.rollback()
		return true, err
	}
	return true, nil
}
