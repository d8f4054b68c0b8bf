//go:build race

package app_test

// tenThousand is how many connections TestTenThousandConnections opens: fewer
// here, as the race detector dies of 8,128 goroutines and each has one.
const tenThousand = 2_000
