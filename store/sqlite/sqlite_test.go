package sqlite_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/walkergate/walkergate/store"
	"github.com/walkergate/walkergate/store/sqlite"
	"github.com/walkergate/walkergate/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return open(t, newDir(t)) })
}

// newDir is a directory below one of the test's, so that Open makes it.
func newDir(t testing.TB) string { return t.TempDir() + "/data" }

// open opens a store and closes it when the test ends.
func open(t testing.TB, dir string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), dir, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shut(t, s) })
	return s
}

func shut(t testing.TB, s *sqlite.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Errorf("close the store: %v", err)
	}
}
