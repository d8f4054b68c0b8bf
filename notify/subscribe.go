package notify

import (
	"context"

	"github.com/walkergate/walkergate/fault"
	"github.com/walkergate/walkergate/wire"
)

// Faults of Subscribe.
var (
	errGone     = fault.New(fault.Busy, "the connection has ended")
	errNotOwner = fault.New(fault.Forbidden, "this is the stream of another user")
)

// Subscribe makes subscriptions of channels, by the log's names (StreamOf the
// connection's user for "$me"), in the order asked; it gives those that are
// there already as they are. A new one is pending until Open opens it. A channel
// that the connection has joined turns from raw data to envelopes then.
//
// It reads where the logs stand, in one call for all of them, and for a crowd.
// Faults: busy where the log does not answer, and forbidden for the stream of
// another user; then no subscription was made.
func (mb *Member) Subscribe(ctx context.Context, channelIDs ...string) ([]*Subscription, error) {
	if mb.manager.log == nil {
		return nil, errNoLog
	}
	subs := make([]*Subscription, len(channelIDs))
	made := make([]*Subscription, 0, len(channelIDs))
	for whole := false; !whole; {
		whole = true
		pinned := mb.manager.streams.pinAll(channelIDs)
		err := mb.manager.streams.readHeads(ctx, pinned, headAge)
		for i, s := range pinned {
			if err != nil {
				break
			}
			var fresh bool
			subs[i], fresh, err = mb.enter(s)
			if fresh {
				made = append(made, subs[i])
			}
			whole = whole && subs[i] != nil
		}
		mb.manager.streams.unpinAll(pinned)
		if err != nil {
			for _, sub := range made {
				mb.undo(sub)
			}
			return nil, err
		}
	}
	mb.mu.Lock()
	defer mb.mu.Unlock()
	if !mb.gone {
		mb.rewriteChannels()
	}
	return subs, nil
}

// enter gives the subscription of a stream's channel, a fresh one where there
// is none; nil where the stream is closed.
func (mb *Member) enter(s *stream) (sub *Subscription, fresh bool, err error) {
	mb.mu.Lock()
	defer mb.mu.Unlock()
	switch {
	case mb.gone:
		return nil, false, errGone
	case s.owner != "" && s.owner != mb.record.Load().RootID:
		return nil, false, errNotOwner
	}
	at := mb.find(s.channelID)
	if at != nil {
		switch there := at.sub.Load(); {
		case there == nil:
		case !there.Ended():
			return there, false, nil
		default: // whoever ended it is about to take it out
			mb.leave(s.channelID)
			at = nil
		}
	}
	if sub = s.subscribe(mb); sub == nil {
		return nil, false, nil
	}
	if at != nil {
		sub.at = at
		at.sub.Store(sub)
	} else {
		sub.at = &membership{conn: mb.conn, member: mb}
		sub.at.void.Store(true)
		sub.at.sub.Store(sub)
		mb.manager.index.channels.enter(s.channelID, sub.at)
		mb.places = append(mb.places, place{s.channelID, sub.at})
	}
	if s.isClosed() { // perhaps too soon to see it
		mb.takeBack(sub)
		return nil, false, nil
	}
	return sub, true, nil
}

// subscribe makes a pending subscription that begins at the head; nil where the
// stream is closed.
func (s *stream) subscribe(mb *Member) *Subscription {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.pins++
	sub := &Subscription{member: mb, stream: s, epoch: s.epoch, head: s.headLocked()}
	if s.owner != "" {
		sub.user = mb.user
	}
	sub.void.Store(true)
	sub.behind.Store(true)
	sub.next.Store(sub.head.Seq + 1)
	return sub
}

func (s *stream) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// undo takes a subscription back that nobody was given.
func (mb *Member) undo(sub *Subscription) {
	mb.mu.Lock()
	defer mb.mu.Unlock()
	if mb.find(sub.ChannelID()) == sub.at && sub.at.sub.Load() == sub {
		mb.takeBack(sub)
	}
}

// takeBack undoes enter: where raw data came before, it goes on. With the lock
// held.
func (mb *Member) takeBack(sub *Subscription) {
	sub.finish()
	if !sub.at.joined {
		mb.leave(sub.ChannelID())
		return
	}
	sub.at.sub.Store(nil)
	mb.manager.streams.unpin(sub.stream)
}

// Subscription gives the subscription of a channel, or nil.
func (mb *Member) Subscription(channelID string) *Subscription {
	mb.mu.Lock()
	defer mb.mu.Unlock()
	if at := mb.find(channelID); at != nil {
		return at.sub.Load()
	}
	return nil
}

// Suspend keeps everything of those channels away, until Reopen. When it
// returns, nothing of them reaches the connection behind its next Send.
// Subscriptions keep their place: of what is stored they will have missed
// nothing.
func (mb *Member) Suspend(channelIDs ...string) {
	mb.mu.Lock()
	defer mb.mu.Unlock()
	for _, id := range channelIDs {
		if at := mb.find(id); at != nil {
			at.suspended.Store(true)
			at.void.Store(true)
			if sub := at.sub.Load(); sub != nil {
				sub.suspend()
			}
		}
	}
}

// Open sends a message, the reply to whoever subscribed, and opens under the
// same lock of the connection its subscriptions of those channels, but for
// those that were suspended meanwhile. So nothing of them comes before the
// message, and all that is sent to them behind it does come. Then Catch is to be
// run for each. False where the connection has ended.
func (mb *Member) Open(message *wire.Message, channelIDs ...string) bool {
	return mb.sendOpening(message, mb.standing(channelIDs))
}

// Reopen is Open for what was suspended: also for channels of which raw data
// comes.
func (mb *Member) Reopen(message *wire.Message, channelIDs ...string) bool {
	opening := mb.standing(channelIDs)
	for _, at := range opening {
		at.suspended.Store(false)
	}
	return mb.sendOpening(message, opening)
}

// standing gives where the connection stands in channels.
func (mb *Member) standing(channelIDs []string) []*membership {
	mb.mu.Lock()
	defer mb.mu.Unlock()
	standing := make([]*membership, 0, len(channelIDs))
	for _, id := range channelIDs {
		if at := mb.find(id); at != nil {
			standing = append(standing, at)
		}
	}
	return standing
}

func (mb *Member) sendOpening(message *wire.Message, opening []*membership) bool {
	sent := mb.conn.SendOpening(message, func() {
		for _, at := range opening {
			if sub := at.sub.Load(); sub != nil {
				sub.open()
			} else {
				at.reopen()
			}
		}
	})
	for _, at := range opening {
		if sub := at.sub.Load(); sub != nil && sub.Ended() && !sub.Pending() {
			sub.tell()
			mb.clear(sub)
		}
	}
	return sent
}
