//go:build !race

package app_test

// tenThousand is how many connections TestTenThousandConnections opens.
const tenThousand = 10_000
