//go:build !race

package app_test

import "time"

const (
	// revokedOnEach is how many sockets a revoked user has on each of two
	// gateways.
	revokedOnEach = 500
	// revokedWithin is how long the last of them may stay theirs.
	revokedWithin = time.Second
)
