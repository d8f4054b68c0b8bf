//go:build !race

package app_test

const (
	// revokedOnEach is how many sockets a revoked user has on each of two
	// gateways.
	revokedOnEach = 500
	// revokedIsTimed says whether it is judged how soon they hear of it.
	revokedIsTimed = true
)
