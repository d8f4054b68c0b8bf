package notify

import (
	"context"
	"sync/atomic"

	"github.com/walkergate/walkergate/channels"
	"github.com/walkergate/walkergate/fault"
	"github.com/walkergate/walkergate/wire"
)

// Why a subscription ends that its client did not end.
var (
	errNewEpoch = fault.New(fault.Conflict, "the log of this channel has begun anew")
	errLapsed   = fault.New(fault.Conflict, "messages that follow are no longer kept")
)

// Subscription is one connection's place in one channel that it gets envelopes
// from. Stored messages come from a first seq on: each once, in order, none
// left out. Where that cannot be kept any more the subscription is ended, and
// its client told so, so that it can subscribe anew.
//
// It is made by Member.Subscribe, and nothing comes by it until Member.Open
// opens it with the reply. Then whoever opened it runs Catch.
type Subscription struct {
	member *Member
	at     *membership
	stream *stream
	user   *membership // of an own stream: whose stored raw data it takes the place of
	epoch  string
	head   channels.Head // while it is pending

	// void, at first, and next are looked at, and next is counted up, under the
	// send lock of the connection. So next is what has really gone out, and who
	// sends does not matter.
	void atomic.Bool
	next atomic.Int64 // the seq that is sent next
	// behind says that messages may have to be caught up with: the flusher takes
	// no offence at a next that is too low.
	behind atomic.Bool

	opened atomic.Bool
	ended  atomic.Bool
	told   atomic.Bool // the client knows of the end
	why    atomic.Pointer[fault.Error]
}

// ChannelID is the log's name of the channel: StreamOf a user, for "$me".
func (sub *Subscription) ChannelID() string { return sub.stream.channelID }

// Head is where the log stands. Of a pending subscription that is what the
// reply tells: without a Resume it begins behind just that.
func (sub *Subscription) Head() channels.Head {
	if sub.Pending() {
		return sub.head
	}
	return sub.stream.headNow()
}

// Pending reports whether the subscription was never opened.
func (sub *Subscription) Pending() bool { return !sub.opened.Load() }

// Ended reports whether nothing comes by the subscription any more, for good.
func (sub *Subscription) Ended() bool { return sub.ended.Load() }

// Resume has a pending subscription begin behind a seq instead of at the head:
// what was missed comes first. An empty epoch means the present one. False, and
// nothing is changed, where that cannot be: the log no longer reaches back so
// far, has another epoch, or never got there. Fault: busy where the log does
// not answer.
func (sub *Subscription) Resume(ctx context.Context, epoch string, after int64) (recovered bool, err error) {
	if epoch != "" && epoch != sub.epoch || after < 0 || !sub.Pending() {
		return false, nil
	}
	if after > sub.head.Seq {
		// Another node may be ahead of what this one knew: the log decides.
		s := sub.stream
		if err := s.of.readHeads(ctx, []*stream{s}, 0); err != nil {
			return false, err
		}
		sub.head = s.headNow()
		sub.next.Store(sub.head.Seq + 1)
	}
	if after > sub.head.Seq || after+1 < sub.head.First {
		return false, nil
	}
	sub.next.Store(after + 1)
	return true, nil
}

// open lets messages come. It is called under the send lock of the connection:
// what a void is for a moment in between is seen by nobody. Raw data of the
// same channel is over.
func (sub *Subscription) open() {
	sub.opened.Store(true)
	if sub.ended.Load() {
		return
	}
	sub.behind.Store(true)
	sub.at.void.Store(true)
	if sub.user != nil {
		sub.user.storedVoid.Store(true)
	}
	sub.void.Store(false)
	if sub.at.suspended.Load() {
		sub.void.Store(true)
	}
	if sub.ended.Load() {
		sub.void.Store(true)
		sub.rawAgain()
	}
}

// rawAgain has the stored messages of a user come as raw data again.
func (sub *Subscription) rawAgain() {
	if sub.user == nil {
		return
	}
	sub.user.storedVoid.Store(false)
	if sub.user.left.Load() {
		sub.user.storedVoid.Store(true)
	}
}

// suspend keeps messages away. Next stays where it is.
func (sub *Subscription) suspend() {
	sub.behind.Store(true)
	sub.void.Store(true)
}

// finish ends the subscription. It reports whether it was the first to. With
// the lock of the member held.
func (sub *Subscription) finish() bool {
	if sub.ended.Swap(true) {
		return false
	}
	sub.void.Store(true)
	sub.rawAgain()
	return true
}

// End ends the subscription against its client's will: nothing follows but an
// event that says why, behind the reply where that has yet to be sent. The
// connection has left the channel.
func (sub *Subscription) End(why *fault.Error) {
	if !sub.member.expel(sub, why) {
		return
	}
	sub.tell()
	if hears := sub.member.ended; hears != nil {
		hears(sub, why)
	}
}

// tell tells the client of the end, once, where the subscription was opened.
// Who ends it and who opens it both call it: one of them sees the other.
func (sub *Subscription) tell() {
	why := sub.why.Load()
	if why == nil || !sub.ended.Load() || !sub.opened.Load() || sub.told.Swap(true) {
		return
	}
	sub.member.conn.Send(wire.Ended(sub.stream.name, why), nil)
}

// missed is called by the flusher of the stream when the subscription did not
// take a message. One that is open and does not catch up would get nothing more,
// ever, if it lacked one: there it ends.
func (sub *Subscription) missed(seq int64) {
	if sub.void.Load() || sub.behind.Load() || sub.next.Load() >= seq {
		return
	}
	sub.End(errLapsed)
}
