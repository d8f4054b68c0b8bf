//go:build race

package app_test

const (
	// revokedOnEach is how many sockets a revoked user has on each of two
	// gateways: fewer here, as the race detector makes all that is measured many
	// times slower.
	revokedOnEach = 100
	// revokedIsTimed says whether it is judged how soon they hear of it.
	revokedIsTimed = false
)
