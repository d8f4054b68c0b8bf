package gateway

// Crowd tells how many places are not free, and of how many users and
// addresses something is kept.
func (g *Gateway) Crowd() (all, users, networks int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.crowd.all, len(g.crowd.users), len(g.crowd.networks)
}

// Fullest gives the most places that one user, and one address, have.
func (g *Gateway) Fullest() (user, network int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, n := range g.crowd.users {
		user = max(user, n)
	}
	for _, n := range g.crowd.networks {
		network = max(network, n)
	}
	return user, network
}
