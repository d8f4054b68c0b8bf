// Package gateway is one connected client: who it is, where it is, and what
// its frames do. It knows walkers, notify and the session, and no HTTP.
//
// A client's frames run one at a time and in order. What cannot block runs at
// once on the session's reader; from the first walker on, or the first token
// for which something has to be fetched, frames wait for the client's worker,
// which lives while there is work. So what is slow holds up its own client's
// next frames and nothing else: not its pings, not its close, and no other
// client.
package gateway

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/walkergate/walkergate/auth"
	"github.com/walkergate/walkergate/notify"
	"github.com/walkergate/walkergate/socket"
	"github.com/walkergate/walkergate/walkers"
	"github.com/walkergate/walkergate/wire"
)

// PublishPolicy says who may send user, channel and client frames. Walkers may
// notify whomever they like.
type PublishPolicy string

// The policies.
const (
	// PublishOpen lets anyone send to anyone.
	PublishOpen PublishPolicy = "open"
	// PublishAuthenticated lets users send to anyone but the public root, and
	// the public user into channels that the connection is in.
	PublishAuthenticated PublishPolicy = "authenticated"
	// PublishNone leaves sending to walkers.
	PublishNone PublishPolicy = "none"
)

// Limits bound what one client can take. Zero fields get the default.
type Limits struct {
	// Connections is how many may be open at once; 10,000 by default.
	// ConnectionsPerUser and ConnectionsPerAddress are how many of one user,
	// the public one apart, and from one Network; 100 and 1,000 by default.
	Connections           int
	ConnectionsPerUser    int
	ConnectionsPerAddress int
	// FramesPerSecond and FrameBurst are the bucket of one connection; 100 and
	// 200 by default.
	FramesPerSecond float64
	FrameBurst      int
	// WaitingFrames and WaitingBytes bound what waits behind a running walker;
	// 64 and 1 MiB by default. Beyond: busy.
	WaitingFrames int
	WaitingBytes  int
}

// waitingBytes is what may wait behind a walker where nothing else is said.
const waitingBytes = 1 << 20

func (l Limits) withDefaults() Limits {
	if l.Connections == 0 {
		l.Connections = 10_000
	}
	if l.ConnectionsPerUser == 0 {
		l.ConnectionsPerUser = 100
	}
	if l.ConnectionsPerAddress == 0 {
		l.ConnectionsPerAddress = 1000
	}
	if l.FramesPerSecond == 0 {
		l.FramesPerSecond = 100
	}
	if l.FrameBurst == 0 {
		l.FrameBurst = 200
	}
	if l.WaitingFrames == 0 {
		l.WaitingFrames = 64
	}
	if l.WaitingBytes == 0 {
		l.WaitingBytes = waitingBytes
	}
	return l
}

// Options configures a Gateway. Auth, Runner and Notify are required.
type Options struct {
	Auth    *auth.Service
	Runner  *walkers.Runner
	Notify  *notify.Manager
	Publish PublishPolicy // PublishAuthenticated by default
	// ExpiryCloses closes a connection whose authentication ended, with 4401;
	// otherwise it becomes the public user's.
	ExpiryCloses bool
	Limits       Limits
	Session      socket.Options
	Log          *slog.Logger
}

// Stats counts what clients did since the start.
type Stats struct {
	Frames      atomic.Uint64
	BadFrames   atomic.Uint64
	Refused     atomic.Uint64 // frames answered busy, rate_limited or forbidden
	Opened      atomic.Uint64
	OverLimits  atomic.Uint64 // connections closed with 4429
	NoRoom      atomic.Uint64 // upgrades refused for want of room
	Connections atomic.Int64
}

// Gateway holds the clients of one node.
type Gateway struct {
	auth    *auth.Service
	runner  *walkers.Runner
	notify  *notify.Manager
	publish PublishPolicy
	limits  Limits
	session socket.Options
	log     *slog.Logger

	expiryCloses bool

	// Stats may be read at any time.
	Stats Stats

	base   context.Context // ends the walkers of all clients
	cancel context.CancelFunc

	mu       sync.Mutex
	clients  map[*Client]struct{}
	crowd    crowd
	closing  bool
	hurrying bool
	empty    chan struct{} // closed when closing and no client is left
}

// New makes a gateway. Close it.
func New(options Options) *Gateway {
	if options.Publish == "" {
		options.Publish = PublishAuthenticated
	}
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	base, cancel := context.WithCancel(context.Background())
	return &Gateway{
		auth: options.Auth, runner: options.Runner, notify: options.Notify,
		publish: options.Publish, limits: options.Limits.withDefaults(),
		session: options.Session, log: options.Log, expiryCloses: options.ExpiryCloses,
		base: base, cancel: cancel,
		clients: make(map[*Client]struct{}), crowd: newCrowd(), empty: make(chan struct{}),
	}
}

// open makes a client of a connection and its place.
func (g *Gateway) open(place *Place, conn net.Conn, head []byte) {
	arrival := place.arrival
	channelIDs, refused := chooseChannels(arrival.ChannelIDs)
	c := &Client{
		gateway:   g,
		place:     place,
		id:        newID(time.Now()),
		principal: arrival.Principal,
		refused:   arrival.AuthError != "",
		bucket:    newBucket(g.limits),
	}
	c.mu.Lock() // whoever tells of the end waits until there is a client to end
	c.session = socket.Open(conn, head, c, g.session)
	c.member = g.notify.Add(notify.Joining{
		ClientID: c.id, RootID: c.principal.RootID, ChannelIDs: channelIDs, Conn: c.session,
	})
	closing := g.enter(c)
	c.working = true // until its greeting is written, nobody else may change who it is
	c.mu.Unlock()
	c.startVigil()
	g.log.Debug("client connected",
		slog.String("client_id", c.id), slog.String("root_id", c.principal.RootID),
		slog.String("request_id", arrival.RequestID), slog.String("remote", arrival.Address.String()))
	greeting := c.info()
	greeting.AuthError = arrival.AuthError
	if refused != nil {
		c.session.Send(wire.Failure("", false, refused), nil)
	}
	// Frames come from the Start on, and none may find this goroutine at work:
	// it would have to wait, and there is no room for many. What others tell the
	// client from here on goes out behind the greeting all the same.
	c.rest()
	c.session.Start(wire.ConnectionEvent("", greeting))
	if closing { // it reserved its place before the closing began, and arrived after
		c.session.Close(wire.CloseGoingAway, retryReason())
	}
}

// enter reports whether the gateway is closing.
func (g *Gateway) enter(c *Client) (closing bool) {
	g.Stats.Opened.Add(1)
	g.Stats.Connections.Add(1)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.clients[c] = struct{}{}
	return g.closing
}

func (g *Gateway) leave(c *Client) {
	g.Stats.Connections.Add(-1)
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.clients, c)
	c.place.free()
}

// tellEmpty is called with the lock held.
func (g *Gateway) tellEmpty() {
	if !g.closing || len(g.clients) > 0 || g.crowd.all > 0 && !g.hurrying {
		return
	}
	select {
	case <-g.empty:
	default:
		close(g.empty)
	}
}
