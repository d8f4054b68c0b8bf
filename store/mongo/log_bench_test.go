package mongo_test

import (
	"testing"

	"github.com/walkergate/walkergate/store"
	"github.com/walkergate/walkergate/store/storetest"
)

// BenchmarkLog, as all benchmarks here, tells of the server more than of
// anything else.
func BenchmarkLog(b *testing.B) {
	storetest.BenchmarkLog(b, func(b *testing.B) store.Store { return openForBenchmark(b) })
}
