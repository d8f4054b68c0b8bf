package channels

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/walkergate/walkergate/fault"
)

const (
	// maxWrite bounds the bytes of one write, so that it does not hold the
	// store's writer for long.
	maxWrite = 4 << 20
	// writeTimeout bounds one call of the store. Engines have bounds of their
	// own, below it, and say more where those end a call.
	writeTimeout = 10 * time.Second
	// waitTimeout is how long a message may wait for its write to begin. With
	// the time of a write and of what follows where its outcome is unknown, a
	// caller knows within RetryLife what there is to know.
	waitTimeout = 20 * time.Second
	// A write whose outcome is unknown is repeated, with the same ids, until
	// the store tells it: settleTries times at most, within settleTimeout in
	// all, the first wait being settleWait, and each twice the last.
	settleTries   = 5
	settleTimeout = 10 * time.Second
	settleWait    = 50 * time.Millisecond
)

// request is one message on its way into the log.
type request struct {
	message   Message
	retention Retention
	since     time.Time // by the clock of the machine
	// What became of it, which is the caller's to read once done says so.
	stored Stored
	err    error
	done   chan struct{} // of one place: nobody waits for a caller
}

func (r *request) fill(entry Entry) {
	r.message = Message{From: entry.From, Owner: entry.Owner, Data: bytes.Clone(entry.Data)}
	r.message.identify(entry)
	r.retention = entry.Retention.or(Retention{Messages: DefaultMessages, Age: DefaultAge})
}

func (r *request) size() int64 { return int64(len(r.message.Data)) + MessageCost }

// appender writes what there is for one channel, and vanishes when there is
// nothing.
type appender struct {
	log       *Log
	channelID string

	// Under the lock of the log.
	queue []*request
	room  room
}

func (a *appender) run() {
	for {
		queue := a.take(true)
		if len(queue) == 0 {
			return
		}
		for {
			if late := lateOf(queue); late > 0 {
				a.refuse(queue[:late], errBehind)
				queue = queue[late:]
			}
			if len(queue) == 0 {
				break
			}
			batch := queue[:nextWrite(queue)]
			queue = queue[len(batch):]
			if !a.write(batch) {
				// To try the same store with each of these would take its time
				// for each. Nothing of them is written, and they can say so.
				a.refuse(queue, errBehind)
				a.refuse(a.take(false), errBehind)
				break
			}
		}
	}
}

// take gives all that waits. Where nothing does, and end says so, the appender
// is at its end, and whoever comes next makes another.
func (a *appender) take(end bool) []*request {
	l := a.log
	l.mu.Lock()
	defer l.mu.Unlock()
	queue := a.queue
	a.queue = nil
	if end && len(queue) == 0 {
		delete(l.appenders, a.channelID)
		l.mayEnd()
	}
	return queue
}

// lateOf is how many of the queue have waited for too long.
func lateOf(queue []*request) int {
	for n, r := range queue {
		if time.Since(r.since) <= waitTimeout {
			return n
		}
	}
	return len(queue)
}

// nextWrite is how many of the queue go into one write: within its bounds, and
// no id twice, so that what is said of an id is said of one message.
func nextWrite(queue []*request) int {
	var bytes int64
	var keyed map[string]bool
	for n, r := range queue {
		bytes += r.size()
		if n == MaxPage || n > 0 && bytes > maxWrite || keyed[r.message.ID] {
			return n
		}
		if r.message.Keyed {
			if keyed == nil {
				keyed = make(map[string]bool)
			}
			keyed[r.message.ID] = true
		}
	}
	return len(queue)
}

// write stores messages, tells that they are, and answers those who gave them.
// It reports false where the outcome is unknown.
func (a *appender) write(batch []*request) bool {
	appending := Appending{
		ChannelID: a.channelID, Messages: make([]Message, len(batch)),
		Retention: batch[len(batch)-1].retention, Quota: a.log.options.Quota,
	}
	for i, r := range batch {
		appending.Messages[i] = r.message
	}
	epoch, places, repeated, err := a.settle(appending)
	if err != nil {
		a.refuse(batch, err)
		return fault.Is(err, fault.Busy)
	}
	fresh := appending.Messages[:0]
	for i, r := range batch {
		r.stored, r.err = judgePlace(epoch, r.message, places[i], repeated)
		if r.err == nil && !r.stored.Before {
			message := r.message
			message.Seq = r.stored.Seq
			fresh = append(fresh, message)
		}
	}
	if len(fresh) > 0 {
		a.log.options.Committed(a.channelID, epoch, fresh)
	}
	a.answer(batch)
	return true
}

func (a *appender) refuse(batch []*request, err error) {
	for _, r := range batch {
		r.stored, r.err = Stored{}, err
	}
	a.answer(batch)
}

// answer gives back the room of requests, then tells each what became of it.
func (a *appender) answer(batch []*request) {
	var bytes int64
	for _, r := range batch {
		bytes += r.size()
	}
	a.log.mu.Lock()
	a.room.add(-len(batch), -bytes)
	a.log.room.add(-len(batch), -bytes)
	a.log.mu.Unlock()
	for _, r := range batch {
		r.done <- struct{}{} // the request is its caller's from here on
	}
}

// judgePlace makes of a place what its publisher is told. What a repeated call
// finds there before it is what an earlier try has written, where it is the
// same message of the same moment.
func judgePlace(epoch string, message Message, place Place, repeated bool) (Stored, error) {
	if place.Refused != nil {
		return Stored{}, place.Refused
	}
	stored := Stored{Epoch: epoch, Seq: place.Seq, At: message.At}
	if !place.Before {
		return stored, nil
	}
	if place.Digest != message.Digest {
		return Stored{}, ErrKeyTaken
	}
	stored.Before = !repeated || !place.At.Equal(message.At)
	stored.At = place.At
	return stored, nil
}

// settle writes, and where the store does not say what became of that, asks
// again. Its error is busy where nothing was written, and else ErrUnknown.
func (a *appender) settle(appending Appending) (epoch string, places []Place, repeated bool, err error) {
	base := a.log.base
	if base.Err() != nil {
		return "", nil, false, errClosed
	}
	epoch, places, err = a.try(base, appending)
	if err == nil || fault.Is(err, fault.Busy) {
		return epoch, places, false, err
	}
	ctx, cancel := context.WithTimeout(base, settleTimeout)
	defer cancel()
	wait := settleWait
	for range settleTries {
		if !pause(ctx, wait) {
			break
		}
		if epoch, places, err = a.try(ctx, appending); err == nil {
			return epoch, places, true, nil
		}
		wait *= 2
	}
	a.log.options.Log.Warn("it is not known whether messages were stored",
		slog.Int("messages", len(appending.Messages)), slog.Any("error", err))
	a.log.options.Suspect(a.channelID)
	return "", nil, true, ErrUnknown.Because(err)
}

func (a *appender) try(ctx context.Context, appending Appending) (string, []Place, error) {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	epoch, places, err := a.log.store.Append(ctx, appending)
	if err == nil && len(places) != len(appending.Messages) {
		err = fmt.Errorf("the store gives %d places for %d messages", len(places), len(appending.Messages))
	}
	return epoch, places, err
}

// pause waits, and reports false where ctx ended first.
func pause(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
