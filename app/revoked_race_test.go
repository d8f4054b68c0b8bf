//go:build race

package app_test

import "time"

const (
	// revokedOnEach is how many sockets a revoked user has on each of two
	// gateways: fewer here, as the race detector makes all that is measured many
	// times slower.
	revokedOnEach = 100
	// revokedWithin is no measure here: that each socket hears of it is.
	revokedWithin = 20 * time.Second
)
