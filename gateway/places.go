package gateway

import (
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/walkergate/walkergate/auth"
	"github.com/walkergate/walkergate/fault"
)

// handshakeTimeout bounds the time from the answer to an upgrade to its Open.
// Should nobody come back with the place, it is free again after this.
const handshakeTimeout = 10 * time.Second

// Arrival is what is known of a connection before it opens.
type Arrival struct {
	Principal auth.Principal
	// AuthError is why an offered token was refused, empty otherwise.
	AuthError string
	// ChannelIDs are those asked for in the URL, in order, not yet judged.
	ChannelIDs []string
	RequestID  string
	// Address is the client's own, behind whatever proxies.
	Address netip.Addr
}

// Place is the room of one connection, from before its upgrade is answered to
// its end. It counts three times: among all, for the user that the connection
// is of at the moment, and for the address that it came from. It is taken by
// Open, or given back by Release, or comes free by itself after ten seconds;
// whichever is first. Its methods may be called concurrently.
type Place struct {
	gateway *Gateway
	arrival Arrival
	network netip.Prefix

	// These belong to the gateway's lock.
	state   placeState
	rootID  string // the user it counts for; the public one counts for nobody
	expires *time.Timer
}

// placeState only goes forward.
type placeState int

const (
	placeReserved placeState = iota
	placeTaken
	placeFree
)

// crowd counts the places that are not free. What has none has no entry.
type crowd struct {
	all      int
	users    map[string]int
	networks map[netip.Prefix]int
}

func newCrowd() crowd {
	return crowd{users: make(map[string]int), networks: make(map[netip.Prefix]int)}
}

// Network is what counts as one address: an address of IPv4, and of IPv6 the
// 64 bits that name a network, since a single host has all the others.
func Network(address netip.Addr) netip.Prefix {
	bits := 64
	if address = address.Unmap(); address.Is4() {
		bits = 32
	}
	network, err := address.Prefix(bits)
	if err != nil {
		return netip.Prefix{} // no address: those all count as one
	}
	return network
}

// Reserve takes a place for one connection, before its upgrade is answered.
// The fault is busy, where there is no room in all, for the user or for the
// address, or the gateway is closing.
func (g *Gateway) Reserve(arrival Arrival) (*Place, error) {
	p := &Place{
		gateway: g, arrival: arrival,
		network: Network(arrival.Address), rootID: arrival.Principal.RootID,
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if refusal := g.noRoom(p); refusal != "" {
		g.Stats.NoRoom.Add(1)
		return nil, fault.New(fault.Busy, refusal)
	}
	g.crowd.all++
	g.crowd.networks[p.network]++
	g.crowd.addUser(p.rootID)
	p.expires = time.AfterFunc(handshakeTimeout, p.expire)
	return p, nil
}

// noRoom says why there is no place, if so. It is called with the lock held.
func (g *Gateway) noRoom(p *Place) string {
	switch {
	case g.closing:
		return "the gateway is going away"
	case g.crowd.all >= g.limits.Connections:
		return "there is no room for another connection"
	case g.crowd.networks[p.network] >= g.limits.ConnectionsPerAddress:
		return "this address has too many connections"
	case g.crowdedBy(p.rootID):
		return errCrowdedUser.Message
	}
	return ""
}

var errCrowdedUser = fault.New(fault.Busy, "this user has too many connections")

// crowdedBy reports whether a user has all the connections that one may have.
// It is called with the lock held.
func (g *Gateway) crowdedBy(rootID string) bool {
	return g.crowd.users[rootID] >= g.limits.ConnectionsPerUser
}

// Release gives the place back where no connection came of it. Once it was
// taken, or was given back already, it does nothing.
func (p *Place) Release() { p.release() }

// release reports whether the place was still reserved.
func (p *Place) release() bool {
	p.gateway.mu.Lock()
	defer p.gateway.mu.Unlock()
	if p.state != placeReserved {
		return false
	}
	p.free()
	return true
}

// expire gives the place back for somebody who forgot to.
func (p *Place) expire() {
	if p.release() {
		p.gateway.log.Warn("no connection came of an upgrade that was answered",
			slog.String("request_id", p.arrival.RequestID))
	}
}

// Open takes over an upgraded connection; head is what was already read behind
// the handshake. The connection event goes out before anything else can. It
// reports false where the place had come free already: the connection is then
// still the caller's.
func (p *Place) Open(conn net.Conn, head []byte) bool {
	if !p.take() {
		return false
	}
	p.gateway.open(p, conn, head)
	return true
}

func (p *Place) take() bool {
	p.gateway.mu.Lock()
	defer p.gateway.mu.Unlock()
	if p.state != placeReserved {
		return false
	}
	p.state = placeTaken
	p.expires.Stop()
	return true
}

// free is called once, with the lock held.
func (p *Place) free() {
	p.state = placeFree
	p.expires.Stop()
	g := p.gateway
	g.crowd.all--
	g.crowd.removeUser(p.rootID)
	if g.crowd.networks[p.network]--; g.crowd.networks[p.network] == 0 {
		delete(g.crowd.networks, p.network)
	}
	g.tellEmpty()
}

// become counts the place for another user. Where that user has no room it
// reports false and changes nothing. The public user always has room.
func (p *Place) become(principal auth.Principal) bool {
	g := p.gateway
	g.mu.Lock()
	defer g.mu.Unlock()
	if p.rootID == principal.RootID {
		return true
	}
	if g.crowdedBy(principal.RootID) {
		return false
	}
	g.crowd.removeUser(p.rootID)
	g.crowd.addUser(principal.RootID)
	p.rootID = principal.RootID
	return true
}

// addUser counts one more connection of a user. The public user is nobody in
// particular: what bounds strangers is their address.
func (c *crowd) addUser(rootID string) {
	if rootID != auth.PublicRoot {
		c.users[rootID]++
	}
}

func (c *crowd) removeUser(rootID string) {
	if rootID == auth.PublicRoot {
		return
	}
	if c.users[rootID]--; c.users[rootID] == 0 {
		delete(c.users, rootID)
	}
}
