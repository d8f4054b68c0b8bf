package gateway

import (
	"time"

	"github.com/walkergate/walkergate/auth"
	"github.com/walkergate/walkergate/fault"
	"github.com/walkergate/walkergate/wire"
)

// notices are what auth has to tell a client. They wait for no frame: whoever
// works next heeds them first.
type notices struct {
	// soon is how long the token still lives, where that is to be told.
	soon time.Duration
	// ended says that the identity may have ended.
	ended bool
}

func (n notices) any() bool { return n.soon > 0 || n.ended }

// vigil watches one identity of a client. A client that has become another
// user has another vigil, and what the old one still hears concerns nobody.
type vigil struct {
	client *Client
	stop   func()
}

// TokenEndsSoon is called by auth.
func (v *vigil) TokenEndsSoon(left time.Duration) { v.client.notice(v, notices{soon: left}, false) }

// TokenEnded is called by auth. A revoked user's walkers are not waited for.
func (v *vigil) TokenEnded(why error) {
	v.client.notice(v, notices{ended: true}, auth.RefusalOf(why) == "revoked")
}

func (c *Client) notice(from *vigil, news notices, cancelCalls bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.vigil != from || c.gone {
		return
	}
	c.notices.soon = max(c.notices.soon, news.soon)
	c.notices.ended = c.notices.ended || news.ended
	if cancelCalls && c.cancelCalls != nil {
		c.cancelCalls()
		c.calls, c.cancelCalls = nil, nil // the next walker is of somebody else
	}
	c.startWork()
}

// heed does what notices ask for.
func (c *Client) heed(due notices) {
	if err := c.expired(); err != nil {
		c.endIdentity(err)
		return
	}
	if due.soon > 0 {
		info := c.info()
		// Less than half a second is one as well: zero would not be told.
		info.TokenExpiresIn = max(1, int(due.soon.Round(time.Second)/time.Second))
		c.session.Send(wire.ConnectionEvent("", info), nil)
	}
}

// expired reports why the principal no longer holds, nil while it does.
func (c *Client) expired() error {
	if c.principal.IsPublic() {
		return nil
	}
	return c.gateway.auth.Valid(c.principal)
}

// endIdentity ends an identity that no longer holds: the client becomes the
// public user, or is closed where the settings ask for it.
func (c *Client) endIdentity(why error) {
	if c.gateway.expiryCloses {
		c.become(auth.Public())
		c.session.Close(wire.CloseAuthEnded, "authentication ended")
		return
	}
	c.becomePublic(why, "")
}

// become changes who the client is. What follows on the connection, beginning
// with the next Send, is of the new user alone. It reports false, and changes
// nothing, where that user has no room for another connection; the public user
// always has.
func (c *Client) become(principal auth.Principal) bool {
	if !c.place.become(principal) {
		return false
	}
	c.principal, c.refused = principal, false
	c.member.ChangeUser(principal.RootID)
	c.startVigil()
	return true
}

// becomePublic tells why, and then who the client is now.
func (c *Client) becomePublic(why error, id string) {
	c.become(auth.Public())
	c.refused = true
	c.session.Send(wire.Failure("", false, fault.From(why)), nil)
	c.session.Send(wire.ConnectionEvent(id, c.info()), nil)
}

// startVigil watches the present identity instead of the former one.
func (c *Client) startVigil() {
	c.stopVigil()
	if c.principal.IsPublic() {
		return
	}
	v := &vigil{client: c}
	c.mu.Lock()
	c.vigil = v
	c.mu.Unlock()
	v.stop = c.gateway.auth.Watch(c.principal, v)
}

func (c *Client) stopVigil() {
	c.mu.Lock()
	v := c.vigil
	c.vigil, c.notices = nil, notices{}
	c.mu.Unlock()
	if v != nil {
		v.stop()
	}
}
