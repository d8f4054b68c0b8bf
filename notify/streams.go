package notify

import (
	"context"
	"fmt"
	"hash/maphash"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/walkergate/walkergate/channels"
)

const (
	// lingerTime is how long a stream stays when nobody is there any more, so
	// that those who come back find what they missed in memory.
	lingerTime = 30 * time.Second
	// lingering is how many streams there may be before none lingers.
	lingering = 10_000
)

// streams are the streams of one node, by the log's names of their channels.
// There is one for each channel that somebody has subscribed, and for each in
// which something was stored while somebody was there.
type streams struct {
	index    *index
	source   Log
	shared   bool // other nodes write to the same logs, and tell of it by a bus
	log      *slog.Logger
	mender   *mender
	work     work
	catching chan struct{} // one place for each of catchersAtOnce

	count  atomic.Int64
	cached atomic.Int64 // bytes of all rings

	deliveries atomic.Uint64
	mended     atomic.Uint64

	shards [shardCount]streamShard
}

type streamShard struct {
	mu      sync.RWMutex
	streams map[string]*stream
}

func newStreams(index *index, options Options) *streams {
	m := &streams{
		index: index, source: options.Channels, shared: options.Bus != nil, log: options.Log,
		catching: make(chan struct{}, catchersAtOnce),
	}
	m.mender = newMender(m)
	return m
}

func (m *streams) shard(channelID string) *streamShard {
	return &m.shards[maphash.String(shardSeed, channelID)%shardCount]
}

// get gives the stream of a channel, or nil.
func (m *streams) get(channelID string) *stream {
	if m.count.Load() == 0 {
		return nil
	}
	shard := m.shard(channelID)
	shard.mu.RLock()
	defer shard.mu.RUnlock()
	return shard.streams[channelID]
}

// obtain gives the stream of a channel, a new one where there is none.
func (m *streams) obtain(channelID string) *stream {
	if s := m.get(channelID); s != nil {
		return s
	}
	shard := m.shard(channelID)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if s := shard.streams[channelID]; s != nil {
		return s
	}
	s := &stream{of: m, channelID: channelID, name: channelID, rested: time.Now()}
	if owner, ok := channels.OwnerOf(channelID); ok {
		s.name, s.owner = channels.Me, owner
	}
	if shard.streams == nil {
		shard.streams = make(map[string]*stream)
	}
	shard.streams[channelID] = s
	m.count.Add(1)
	return s
}

// pin gives the stream of a channel, which stays until it is unpinned, unless
// its log begins anew.
func (m *streams) pin(channelID string) *stream {
	for {
		s := m.obtain(channelID)
		s.mu.Lock()
		if !s.closed {
			s.pins++
			s.mu.Unlock()
			return s
		}
		s.mu.Unlock()
	}
}

func (m *streams) unpin(s *stream) {
	s.mu.Lock()
	s.pins--
	s.rested = time.Now()
	leave := s.pins == 0 && m.count.Load() > lingering
	s.mu.Unlock()
	if leave {
		m.vanish(s, 0)
	}
}

// pinAll pins the streams of channels, in their order.
func (m *streams) pinAll(channelIDs []string) []*stream {
	pinned := make([]*stream, len(channelIDs))
	for i, id := range channelIDs {
		pinned[i] = m.pin(id)
	}
	return pinned
}

func (m *streams) unpinAll(pinned []*stream) {
	for _, s := range pinned {
		m.unpin(s)
	}
}

// vanish closes a stream that nobody needs, where that has been so for a while.
func (m *streams) vanish(s *stream, idle time.Duration) {
	shard := m.shard(s.channelID)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
	case s.pins > 0 || s.line.flushing || m.inhabited(s.channelID):
		s.rested = time.Now()
	case time.Since(s.rested) >= idle:
		m.close(s, shard)
	}
}

// close takes a stream out. With the locks of its shard and of itself held.
func (m *streams) close(s *stream, shard *streamShard) {
	s.closed = true
	s.ring.clear(&m.cached)
	s.held, s.heldBytes = nil, 0
	s.line.tellRoom()
	s.unpark()
	delete(shard.streams, s.channelID)
	m.count.Add(-1)
}

// retire closes a stream whose log has begun anew. Its subscriptions cannot go
// on; what came under the new epoch begins another stream.
func (m *streams) retire(s *stream, epoch string) {
	shard := m.shard(s.channelID)
	shard.mu.Lock()
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		shard.mu.Unlock()
		return
	}
	m.close(s, shard)
	came := s.foreign
	s.foreign = nil
	s.mu.Unlock()
	shard.mu.Unlock()

	m.log.Warn("the log of a channel has begun anew", slog.String("channel_id", s.channelID))
	for _, member := range m.index.channels.members(s.channelID) {
		if sub := member.sub.Load(); sub != nil && sub.stream == s {
			sub.End(errNewEpoch)
		}
	}
	for i := range came {
		if came[i].epoch == epoch {
			m.arrive(s.channelID, epoch, []channels.Message{came[i].message}, true, true)
		}
	}
}

// arrive hands messages to the stream of their channel, where anybody needs
// them. Own says that this node has stored them: where there are other nodes,
// what is sent behind them tells these how far the log is.
func (m *streams) arrive(channelID, epoch string, messages []channels.Message, wait, own bool) {
	for {
		s := m.get(channelID)
		if s == nil {
			here := m.inhabited(channelID)
			if !here && (!own || !m.shared || m.count.Load() >= lingering) {
				return
			}
			s = m.obtain(channelID)
		}
		if s.arrive(epoch, messages, wait) {
			return
		}
	}
}

// inhabited reports whether a connection of this node stands where messages of
// a log go.
func (m *streams) inhabited(channelID string) bool {
	owner, own := channels.OwnerOf(channelID)
	return m.index.channels.inhabited(channelID) || own && m.index.users.inhabited(owner)
}

// audience is who gets what is not stored.
func (m *streams) audience(s *stream) []*membership {
	if s.owner != "" {
		return m.index.users.members(s.owner)
	}
	return m.index.channels.members(s.channelID)
}

// all gives the streams of this moment.
func (m *streams) all() []*stream {
	var all []*stream
	for i := range m.shards {
		shard := &m.shards[i]
		shard.mu.RLock()
		for _, s := range shard.streams {
			all = append(all, s)
		}
		shard.mu.RUnlock()
	}
	return all
}

// page reads a part of a log, in bounded time.
func (m *streams) page(ctx context.Context, query channels.LogQuery) (channels.Page, error) {
	ctx, cancel := context.WithTimeout(ctx, logTimeout)
	defer cancel()
	page, err := m.source.Page(ctx, query)
	if err != nil {
		return channels.Page{}, fmt.Errorf("read a log: %w", err)
	}
	return page, nil
}
