package notify

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
)

// shardCount spreads the locks of an index. A power of two; more than any
// machine has cores.
const shardCount = 64

var shardSeed = maphash.MakeSeed()

// membership says that a connection stands in one group: that of its own
// client id, of a user, or of a channel. Its voids are what Send looks at, so
// that ending it ends delivery at once, also for a fan-out already under way.
type membership struct {
	conn Conn
	// void keeps raw data away: for good once the membership has ended or a
	// subscription took its place, for a while where it is suspended.
	void atomic.Bool
	// storedVoid keeps the stored messages of a user's group away, raw as they
	// are: the connection has subscribed them.
	storedVoid atomic.Bool
	left       atomic.Bool
	suspended  atomic.Bool
	joined     bool // it was made for raw data
	// sub makes envelopes of what a channel's group gets.
	sub    atomic.Pointer[Subscription]
	member *Member

	at int // place in group.members; guarded by the shard's lock
}

// reopen lets raw data come again. It is called under the send lock of the
// connection: that void is false for a moment, where the membership has ended
// or was suspended meanwhile, is seen by nobody.
func (m *membership) reopen() {
	m.void.Store(false)
	if m.left.Load() || m.suspended.Load() {
		m.void.Store(true)
	}
}

// group is all who stand under one key. It never stands empty in the index.
type group struct {
	members []*membership
	// lent says that members was handed out to a fan-out: whoever changes the
	// group next makes a copy first. So a fan-out costs no copy, and a burst
	// of joins costs one.
	lent atomic.Bool
}

type shard struct {
	mu     sync.RWMutex
	groups map[string]*group
}

// groups is a sharded map from key to group.
type groups struct {
	shards [shardCount]shard
}

func (g *groups) shard(key string) *shard {
	return &g.shards[maphash.String(shardSeed, key)%shardCount]
}

// members gives who stands under a key at this moment. The slice is shared and
// must not be changed; it does not change either.
func (g *groups) members(key string) []*membership {
	s := g.shard(key)
	s.mu.RLock()
	defer s.mu.RUnlock()
	found := s.groups[key]
	if found == nil {
		return nil
	}
	found.lent.Store(true)
	return found.members
}

func (g *groups) join(key string, member *Member) *membership {
	joined := &membership{conn: member.conn, member: member, joined: true}
	g.enter(key, joined)
	return joined
}

// enter takes a membership in as it is.
func (g *groups) enter(key string, joined *membership) {
	s := g.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.groups == nil {
		s.groups = make(map[string]*group)
	}
	target := s.groups[key]
	if target == nil {
		target = &group{}
		s.groups[key] = target
	}
	target.unshare()
	joined.at = len(target.members)
	target.members = append(target.members, joined)
}

// leave voids the membership before it takes it out, so that a fan-out which
// still holds an older list sends nothing more.
func (g *groups) leave(key string, leaving *membership) {
	leaving.left.Store(true)
	leaving.void.Store(true)
	leaving.storedVoid.Store(true)
	s := g.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	from := s.groups[key]
	if len(from.members) == 1 {
		delete(s.groups, key)
		return
	}
	from.unshare()
	last := len(from.members) - 1
	moved := from.members[last]
	from.members[leaving.at] = moved
	moved.at = leaving.at
	from.members[last] = nil
	from.members = from.members[:last]
}

// inhabited reports whether anybody stands under a key.
func (g *groups) inhabited(key string) bool {
	s := g.shard(key)
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.groups[key] != nil
}

func (g *groups) size() int {
	total := 0
	for i := range g.shards {
		s := &g.shards[i]
		s.mu.RLock()
		total += len(s.groups)
		s.mu.RUnlock()
	}
	return total
}

func (g *group) unshare() {
	if g.lent.Swap(false) {
		g.members = append(make([]*membership, 0, len(g.members)+1), g.members...)
	}
}

// index is the truth about this node's connections.
type index struct {
	clients  groups
	users    groups
	channels groups
}

func newIndex() *index { return &index{} }

// of gives the groups of one kind.
func (x *index) of(to kind) *groups {
	switch to {
	case toClients:
		return &x.clients
	case toUsers:
		return &x.users
	case toChannels:
	}
	return &x.channels
}

func (x *index) sizes() (clients, users, channels int) {
	return x.clients.size(), x.users.size(), x.channels.size()
}

// records gives the record of each connection in the index.
func (x *index) records() []*Record {
	var records []*Record
	for i := range x.clients.shards {
		s := &x.clients.shards[i]
		s.mu.RLock()
		for _, client := range s.groups {
			records = append(records, client.members[0].member.record.Load())
		}
		s.mu.RUnlock()
	}
	return records
}
