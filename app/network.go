package app

import (
	"net/netip"
	"net/url"
	"strings"

	"github.com/gofiber/fiber/v2"
)

// proxies are the networks whose forwarding headers are believed.
type proxies []netip.Prefix

func newProxies(networks []string) proxies {
	var trusted proxies
	for _, network := range networks {
		if prefix, err := parseNetwork(network); err == nil { // Validate has told the others
			trusted = append(trusted, prefix)
		}
	}
	return trusted
}

func (p proxies) trust(address netip.Addr) bool {
	for _, network := range p {
		if network.Contains(address.Unmap()) {
			return true
		}
	}
	return false
}

// peer is the address at the other end of the connection.
func peer(c *fiber.Ctx) netip.Addr {
	address, _ := netip.AddrFromSlice(c.Context().RemoteIP())
	return address.Unmap()
}

// client is the address a request came from: the peer's or, behind trusted
// proxies, the last one in X-Forwarded-For that is not itself a trusted
// proxy's. Whatever stands before it was said by the client and counts for
// nothing.
func (p proxies) client(c *fiber.Ctx) netip.Addr {
	address := peer(c)
	if !p.trust(address) {
		return address
	}
	var hops []string // of all lines: some proxies add one instead of appending
	for _, line := range c.Request().Header.PeekAll(fiber.HeaderXForwardedFor) {
		hops = append(hops, strings.Split(string(line), ",")...)
	}
	for i := len(hops) - 1; i >= 0; i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			return address
		}
		address = hop.Unmap()
		if !p.trust(address) {
			return address
		}
	}
	return address
}

// host is the host that the client meant, with its port where it gave one.
func (p proxies) host(c *fiber.Ctx) string {
	if p.trust(peer(c)) {
		// The last is the nearest proxy's; whatever stands before it may be the
		// client's own.
		if lines := c.Request().Header.PeekAll(fiber.HeaderXForwardedHost); len(lines) > 0 {
			hosts := strings.Split(string(lines[len(lines)-1]), ",")
			return strings.TrimSpace(hosts[len(hosts)-1])
		}
	}
	return string(c.Context().Host())
}

// origins judges which pages may connect and call.
type origins struct {
	all    bool
	listed map[string]bool
}

func newOrigins(allowed []string) origins {
	o := origins{listed: make(map[string]bool)}
	for _, origin := range allowed {
		if origin == "*" {
			o.all = true
		}
		o.listed[strings.ToLower(origin)] = true
	}
	return o
}

// allow reports whether a page of that origin may open a socket on that host.
// Who sends no Origin is no browser and passes. The own host passes, and so
// does any port of this machine where the host is on loopback too: that is a
// developer's page server beside the gateway.
func (o origins) allow(origin, host string) bool {
	if origin == "" || o.all || o.listed[strings.ToLower(origin)] {
		return true
	}
	parsed, err := url.Parse(origin)
	if err != nil || parsed.Host == "" || parsed.Scheme != "http" && parsed.Scheme != "https" {
		return false
	}
	own, err := url.Parse("//" + host)
	if err != nil {
		return false
	}
	if loopback(parsed.Hostname()) && loopback(own.Hostname()) {
		return true
	}
	return strings.EqualFold(parsed.Hostname(), own.Hostname()) && port(parsed, parsed.Scheme) == port(own, parsed.Scheme)
}

func port(address *url.URL, scheme string) string {
	switch {
	case address.Port() != "":
		return address.Port()
	case scheme == "https":
		return "443"
	default:
		return "80"
	}
}

func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") || strings.HasSuffix(strings.ToLower(host), ".localhost") {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.IsLoopback()
}
