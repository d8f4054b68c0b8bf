package notify

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/walkergate/walkergate/channels"
	"github.com/walkergate/walkergate/fault"
)

// Joining describes a connection that enters the index.
type Joining struct {
	ClientID string
	RootID   string
	// ChannelIDs are those whose messages it gets as raw data.
	ChannelIDs []string
	Conn       Conn
	// Ended, if set, hears of each subscription that was ended by its End,
	// whoever called that, and why. The client knows of it, or learns it behind
	// the message that Open sends. Ended may be called from any goroutine and
	// must not block.
	Ended func(sub *Subscription, why *fault.Error)
}

// Member is one connection in the index. Its methods may be called from any
// goroutine. But for Subscribe they block neither on a receiver nor on the
// store.
type Member struct {
	manager *Manager
	conn    Conn
	ended   func(*Subscription, *fault.Error)
	record  atomic.Pointer[Record]

	mu     sync.Mutex
	client *membership
	user   *membership
	places []place // in the order in which they were taken
	gone   bool
}

// place is where a connection stands in a channel.
type place struct {
	channelID string
	at        *membership
}

// Add enters a connection; from then on it is reached by its client id, its
// user and its channels. The caller must Remove it. A channel named twice is
// entered once.
func (m *Manager) Add(joining Joining) *Member {
	now := m.now().UTC()
	record := &Record{
		ClientID: joining.ClientID, RootID: joining.RootID, ConnectedAt: now, ChangedAt: now,
	}
	member := &Member{manager: m, conn: joining.Conn, ended: joining.Ended}
	for _, id := range joining.ChannelIDs {
		if slices.Contains(record.ChannelIDs, id) {
			continue
		}
		record.ChannelIDs = append(record.ChannelIDs, id)
		member.places = append(member.places, place{id, m.index.channels.join(id, member)})
	}
	member.record.Store(record)
	member.client = m.index.clients.join(record.ClientID, member)
	member.user = m.index.users.join(record.RootID, member)
	m.recorder.put(record)
	return member
}

// Record is what is known of the connection now. It must not be changed.
func (mb *Member) Record() *Record { return mb.record.Load() }

// rewrite changes the record. With the lock held.
func (mb *Member) rewrite(change func(*Record)) {
	changed := *mb.record.Load()
	change(&changed)
	changed.ChangedAt = mb.manager.now().UTC()
	mb.record.Store(&changed)
	mb.manager.recorder.put(&changed)
}

// rewriteChannels puts the channels in the record. A user's own stream is in
// the log's keeping alone. With the lock held.
func (mb *Member) rewriteChannels() {
	ids := make([]string, 0, len(mb.places))
	for _, place := range mb.places {
		if _, own := channels.OwnerOf(place.channelID); !own && !place.at.left.Load() {
			ids = append(ids, place.channelID)
		}
	}
	if !slices.Equal(ids, mb.record.Load().ChannelIDs) {
		mb.rewrite(func(r *Record) { r.ChannelIDs = ids })
	}
}

// find gives where the connection stands in a channel, or nil. With the lock
// held.
func (mb *Member) find(channelID string) *membership {
	for _, place := range mb.places {
		if place.channelID == channelID {
			return place.at
		}
	}
	return nil
}

// ChangeUser moves the connection to another user. When it returns, nothing
// that is sent to the former user reaches the connection behind its next Send,
// and the subscription of that user's own stream, which it gives, has ended.
func (mb *Member) ChangeUser(rootID string) (ended *Subscription) {
	mb.mu.Lock()
	defer mb.mu.Unlock()
	before := mb.record.Load().RootID
	if before == rootID || mb.gone {
		return nil
	}
	mb.manager.index.users.leave(before, mb.user)
	if own := mb.find(channels.StreamOf(before)); own != nil {
		ended = own.sub.Load()
		mb.leave(channels.StreamOf(before))
	}
	mb.user = mb.manager.index.users.join(rootID, mb)
	mb.rewrite(func(r *Record) { r.RootID = rootID })
	return ended
}

// Join has raw data of channels come, but for those in which the connection
// stands already.
func (mb *Member) Join(channelIDs ...string) {
	mb.mu.Lock()
	defer mb.mu.Unlock()
	if mb.gone {
		return
	}
	for _, id := range channelIDs {
		if mb.find(id) == nil {
			mb.places = append(mb.places, place{id, mb.manager.index.channels.join(id, mb)})
		}
	}
	mb.rewriteChannels()
}

// Unsubscribe takes the connection out of channels, however it stands there.
// When it returns, nothing of them reaches the connection behind its next Send.
// It gives the subscriptions that this has ended.
func (mb *Member) Unsubscribe(channelIDs ...string) (ended []*Subscription) {
	mb.mu.Lock()
	defer mb.mu.Unlock()
	for _, id := range channelIDs {
		if at := mb.find(id); at != nil {
			if sub := at.sub.Load(); sub != nil {
				ended = append(ended, sub)
			}
			mb.leave(id)
		}
	}
	if !mb.gone {
		mb.rewriteChannels()
	}
	return ended
}

// leave takes the connection out of one channel, in which it stands. With the
// lock held.
func (mb *Member) leave(channelID string) {
	i := slices.IndexFunc(mb.places, func(p place) bool { return p.channelID == channelID })
	at := mb.places[i].at
	mb.places = slices.Delete(mb.places, i, i+1)
	mb.vacate(channelID, at)
}

// vacate takes a membership out of its channel, where that has not been done.
// With the lock held.
func (mb *Member) vacate(channelID string, at *membership) {
	if at.left.Load() {
		return // it has kept its place beyond its end
	}
	sub := at.sub.Load()
	if sub != nil {
		sub.finish()
	}
	mb.manager.index.channels.leave(channelID, at)
	if sub != nil {
		mb.manager.streams.unpin(sub.stream)
	}
}

// expel ends a subscription and takes the connection out of its channel. False
// where it had ended before. One that was never opened keeps its place until it
// is: Open has to tell of the end.
func (mb *Member) expel(sub *Subscription, why *fault.Error) bool {
	mb.mu.Lock()
	defer mb.mu.Unlock()
	sub.why.CompareAndSwap(nil, why)
	if !sub.finish() {
		return false
	}
	if sub.Pending() {
		mb.vacate(sub.ChannelID(), sub.at)
	} else {
		mb.leave(sub.ChannelID())
	}
	if !mb.gone {
		mb.rewriteChannels()
	}
	return true
}

// clear takes a place out that a subscription has kept beyond its end.
func (mb *Member) clear(sub *Subscription) {
	mb.mu.Lock()
	defer mb.mu.Unlock()
	if mb.find(sub.ChannelID()) == sub.at {
		mb.leave(sub.ChannelID())
	}
}

// Remove takes the connection out of the index and its record out of the store.
// It is called once, on every way a connection can end.
func (mb *Member) Remove() {
	mb.mu.Lock()
	defer mb.mu.Unlock()
	mb.gone = true
	record := mb.record.Load()
	index := mb.manager.index
	index.clients.leave(record.ClientID, mb.client)
	index.users.leave(record.RootID, mb.user)
	for _, place := range mb.places {
		mb.vacate(place.channelID, place.at)
	}
	mb.places = nil
	mb.manager.recorder.remove(record.ClientID)
}
