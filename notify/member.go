package notify

import (
	"slices"
	"sync/atomic"
)

// Joining describes a connection that enters the index.
type Joining struct {
	ClientID   string
	RootID     string
	ChannelIDs []string
	Conn       Conn
}

// Member is one connection in the index. Its methods belong to whoever runs
// that connection's frames, one at a time; they never block on a receiver or
// on the store.
type Member struct {
	manager  *Manager
	conn     Conn
	record   atomic.Pointer[Record]
	client   *membership
	user     *membership
	channels []*membership // in the order of the record's ChannelIDs
}

// Add enters a connection; from then on it is reached by its client id, its
// user and its channels. The caller must Remove it. A channel named twice is
// entered once.
func (m *Manager) Add(joining Joining) *Member {
	now := m.now().UTC()
	record := &Record{
		ClientID: joining.ClientID, RootID: joining.RootID, ConnectedAt: now, ChangedAt: now,
	}
	member := &Member{manager: m, conn: joining.Conn}
	for _, id := range joining.ChannelIDs {
		if slices.Contains(record.ChannelIDs, id) {
			continue
		}
		record.ChannelIDs = append(record.ChannelIDs, id)
		member.channels = append(member.channels, m.index.channels.join(id, member))
	}
	member.record.Store(record)
	member.client = m.index.clients.join(record.ClientID, member)
	member.user = m.index.users.join(record.RootID, member)
	m.recorder.put(record)
	return member
}

// Record is what is known of the connection now. It must not be changed.
func (mb *Member) Record() *Record { return mb.record.Load() }

// ChangeUser moves the connection to another user. When it returns, nothing
// that is sent to the former user reaches the connection behind its next Send.
func (mb *Member) ChangeUser(rootID string) {
	before := mb.record.Load()
	if before.RootID == rootID {
		return
	}
	mb.manager.index.users.leave(before.RootID, mb.user)
	mb.user = mb.manager.index.users.join(rootID, mb)
	changed := *before
	changed.RootID = rootID
	changed.ChangedAt = mb.manager.now().UTC()
	mb.record.Store(&changed)
	mb.manager.recorder.put(&changed)
}

// Remove takes the connection out of the index and its record out of the
// store. It is called once, on every way a connection can end.
func (mb *Member) Remove() {
	record := mb.record.Load()
	index := mb.manager.index
	index.clients.leave(record.ClientID, mb.client)
	index.users.leave(record.RootID, mb.user)
	for i, id := range record.ChannelIDs {
		index.channels.leave(id, mb.channels[i])
	}
	mb.manager.recorder.remove(record.ClientID)
}
