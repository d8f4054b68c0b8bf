package notify

import (
	"context"
	"log/slog"
	"time"

	"github.com/walkergate/walkergate/channels"
	"github.com/walkergate/walkergate/wire"
)

const (
	// logTimeout bounds one call of the log.
	logTimeout = 5 * time.Second
	// catchRun is how many messages of a ring are taken at once, catchPage how
	// many are read from the log at first, and catchMost at most.
	catchRun  = 64
	catchPage = 8
	catchMost = 128
	// catchersAtOnce bounds how many hold a page in memory at the same time.
	// None waits for its receiver meanwhile.
	catchersAtOnce = 16
)

// Catch sends what the subscription lacks until it is live, that is until the
// stream delivers by itself: at once, where nothing is lacking. Messages are
// taken from the log as the connection has room, never more than its Offer
// takes, while what is not stored comes to it as ever. It comes back without an
// error when the subscription is live, suspended or ended, or the connection
// has; and with that of ctx. While the log does not answer it goes on trying.
//
// It follows each Member.Open of the subscription, in any goroutine; several at
// once do no harm.
func (sub *Subscription) Catch(ctx context.Context) error {
	limit := catchPage
	var retry backoff
	for {
		run, from, done := sub.lacking()
		if done {
			return nil
		}
		var room <-chan struct{}
		var err error
		if len(run) > 0 {
			_, room, done = sub.offer(run, from)
		} else {
			limit, room, done, err = sub.catchPage(ctx, from, limit)
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			if retry.first() {
				sub.stream.of.log.Warn("missed messages cannot be read",
					slog.String("channel_id", sub.ChannelID()), slog.Any("error", err))
			}
			pause(ctx, retry.next())
		case done:
			return nil
		case room != nil:
			retry = backoff{}
			select {
			case <-room:
			case <-ctx.Done():
				return ctx.Err()
			}
		default:
			retry = backoff{}
		}
	}
}

// lacking gives what the subscription needs next: a run of envelopes from a seq
// on, or only that seq, where the log has to be read. Done where there is
// nothing to do: it is void, or live from now on. The stream takes a message
// under the same lock, so that either it sees a live subscription, or the
// subscription sees what was taken.
func (sub *Subscription) lacking() (run []*wire.Message, from int64, done bool) {
	s := sub.stream
	s.mu.Lock()
	defer s.mu.Unlock()
	if sub.void.Load() {
		return nil, 0, true
	}
	from = sub.next.Load()
	if from > s.pos {
		sub.behind.Store(false)
		return nil, 0, true
	}
	return s.ring.from(from, catchRun), from, false
}

// offer offers envelopes in a row, and gives how many went. Where one has to
// wait for room, room tells when there may be some. Done where the connection
// has ended.
func (sub *Subscription) offer(run []*wire.Message, from int64) (sent int, room <-chan struct{}, done bool) {
	for _, envelope := range run {
		took, room := sub.member.conn.Offer(envelope, &sub.void, &sub.next, from)
		switch {
		case took:
		case room != nil:
			return sent, room, false
		case sub.void.Load():
			return sent, nil, true
		case sub.next.Load() == from:
			return sent, nil, true // neither void nor out of turn: the connection is gone
		default:
			return sent, nil, false // somebody else has sent it
		}
		sent++
		from++
	}
	return sent, nil, false
}

// catchPage sends a page of the log, and gives how long the next one should be:
// a connection that takes little is not read much for.
func (sub *Subscription) catchPage(
	ctx context.Context, from int64, limit int,
) (next int, room <-chan struct{}, done bool, err error) {
	s := sub.stream
	select {
	case s.of.catching <- struct{}{}:
		defer func() { <-s.of.catching }()
	case <-ctx.Done():
		return limit, nil, false, ctx.Err()
	}
	page, err := s.of.page(ctx, channels.LogQuery{ChannelID: s.channelID, After: from - 1, Limit: limit})
	if err != nil {
		return limit, nil, false, err
	}
	switch {
	case sub.next.Load() != from:
		return limit, nil, false, nil // somebody else has sent it meanwhile
	case page.Head.Epoch != sub.epoch:
		sub.End(errNewEpoch)
		return limit, nil, true, nil
	case len(page.Messages) == 0 || page.Messages[0].Seq != from:
		sub.End(errLapsed)
		return limit, nil, true, nil
	}
	for i := range page.Messages {
		var sent int
		envelope := [1]*wire.Message{s.envelope(&page.Messages[i])}
		sent, room, done = sub.offer(envelope[:], page.Messages[i].Seq)
		if sent == 0 {
			return max(i, 1), room, done, nil
		}
	}
	return min(2*limit, catchMost), nil, false, nil
}

// backoff is the wait between tries that fail.
type backoff struct{ tries int }

func (b *backoff) first() bool { return b.tries == 0 }

func (b *backoff) next() time.Duration {
	wait := retryMost
	if b.tries < 6 {
		wait = min(retryFirst<<b.tries, retryMost)
	}
	b.tries++
	return wait
}
