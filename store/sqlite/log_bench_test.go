package sqlite_test

import (
	"testing"

	"github.com/walkergate/walkergate/store"
	"github.com/walkergate/walkergate/store/storetest"
)

func BenchmarkLog(b *testing.B) {
	storetest.BenchmarkLog(b, func(b *testing.B) store.Store { return open(b, newDir(b)) })
}
