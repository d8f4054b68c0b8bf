package notify_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/walkergate/walkergate/notify"
)

// faultyStore keeps records and leases in maps and fails when told to: a fault
// that no real store produces at a wish. The real ones are judged by their own
// suite.
type faultyStore struct {
	mu      sync.Mutex
	records map[string]notify.Record
	leases  map[string]notify.Lease
	failing bool
	writes  int
	largest int
	each    time.Duration // what one record takes to be written
}

func newStore() *faultyStore {
	return &faultyStore{records: make(map[string]notify.Record), leases: make(map[string]notify.Lease)}
}

var errDown = errors.New("down")

func (s *faultyStore) fail(failing bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failing = failing
}

func (s *faultyStore) WriteRecords(ctx context.Context, puts []notify.Record, removed []string) error {
	if err := s.work(ctx, len(puts)+len(removed)); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failing {
		return errDown
	}
	s.writes++
	s.largest = max(s.largest, len(puts)+len(removed))
	for _, record := range puts {
		s.records[record.ClientID] = record
	}
	for _, id := range removed {
		delete(s.records, id)
	}
	return nil
}

// work takes the time of so many records.
func (s *faultyStore) work(ctx context.Context, records int) error {
	s.mu.Lock()
	each := s.each
	s.mu.Unlock()
	select {
	case <-time.After(time.Duration(records) * each):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// takes sets how long each record takes from now on.
func (s *faultyStore) takes(each time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.each = each
}

func (s *faultyStore) ClearRecords(_ context.Context, nodeID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failing {
		return errDown
	}
	for id, record := range s.records {
		if record.NodeID == nodeID {
			delete(s.records, id)
		}
	}
	return nil
}

func (s *faultyStore) Records(context.Context, notify.RecordQuery, int) ([]notify.Record, error) {
	return nil, errors.New("not asked for here")
}

func (s *faultyStore) get(id string) (notify.Record, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	record, ok := s.records[id]
	return record, ok
}

func (s *faultyStore) size() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.records)
}

// running runs a manager in a bubble of fake time until the test ends.
func running(t *testing.T, test func(t *testing.T, m *notify.Manager, store *faultyStore)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		store := newStore()
		m := notify.New(notify.Options{NodeID: "node", Store: store})
		ctx, cancel := context.WithCancel(t.Context())
		if err := m.Enter(ctx); err != nil {
			t.Fatalf("enter: %v", err)
		}
		ended := make(chan error)
		go func() { ended <- m.Run(ctx) }()
		test(t, m, store)
		store.fail(false)
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run ended with %v", err)
		}
		if left := store.size(); left != 0 {
			t.Errorf("%d records of this node are left after its end", left)
		}
		if len(store.leases) != 0 {
			t.Errorf("the leases %v are left after the end", store.leases)
		}
	})
}

// lag waits, in fake time, for as long as the records may be behind.
func lag() {
	<-time.After(notify.RecordLag)
	synctest.Wait()
}

func TestRecordsFollowWithinTheLag(t *testing.T) {
	running(t, func(t *testing.T, m *notify.Manager, store *faultyStore) {
		_, member := add(m, "c", "ann", "lobby", "work", "lobby")
		lag()
		record, ok := store.get("c")
		if !ok || record.RootID != "ann" || fmt.Sprint(record.ChannelIDs) != "[lobby work]" || record.NodeID != "node" || record.ConnectedAt.IsZero() {
			t.Fatalf("record %+v, %v", record, ok)
		}
		member.ChangeUser("bob")
		lag()
		if record, _ := store.get("c"); record.RootID != "bob" || record.ChangedAt.Equal(record.ConnectedAt) {
			t.Errorf("after the change of user: %+v", record)
		}
		member.Remove()
		lag()
		if _, ok := store.get("c"); ok {
			t.Error("the record is there after the connection has left")
		}
	})
}

func TestRecordsOfABurstAreFewWrites(t *testing.T) {
	running(t, func(t *testing.T, m *notify.Manager, store *faultyStore) {
		for i := range 5000 {
			add(m, fmt.Sprint(i), "ann")
		}
		lag()
		if store.size() != 5000 || store.writes > 6 || store.largest > 1000 {
			t.Errorf("%d records in %d writes, the largest of %d", store.size(), store.writes, store.largest)
		}
	})
}

// A store that takes longer for a full batch than a write may is given less,
// and all again when it has recovered.
func TestRecordsOfABurstReachASlowStore(t *testing.T) {
	running(t, func(t *testing.T, m *notify.Manager, store *faultyStore) {
		const each, count = 19 * time.Millisecond, 3000 // a full batch would take 19 s
		store.takes(each)
		for i := range count {
			add(m, fmt.Sprint(i), "ann")
		}
		<-time.After(2 * count * each)
		synctest.Wait()
		if err := m.Ready(); err != nil || store.size() != count {
			t.Errorf("%d of %d records are written, ready: %v", store.size(), count, err)
		}
		store.takes(0)
		for i := range count {
			add(m, fmt.Sprint("more", i), "ann")
		}
		lag()
		if store.size() != 2*count || store.largest != 1000 {
			t.Errorf("with the store as fast as ever %d of %d records are written, the most at once %d", store.size(), 2*count, store.largest)
		}
	})
}

func TestRecordsCatchUpAfterTheStoreFailed(t *testing.T) {
	running(t, func(t *testing.T, m *notify.Manager, store *faultyStore) {
		_, early := add(m, "early", "ann")
		lag()
		store.fail(true)
		early.Remove()
		_, late := add(m, "late", "bob")
		lag()
		if m.Ready() == nil {
			t.Error("ready while the store fails")
		}
		late.ChangeUser("carol") // the newer state wins over the one that failed
		store.fail(false)
		<-time.After(5 * time.Second)
		synctest.Wait()
		if err := m.Ready(); err != nil {
			t.Errorf("not ready: %v", err)
		}
		if _, ok := store.get("early"); ok {
			t.Error("the removal was lost")
		}
		if record, _ := store.get("late"); record.RootID != "carol" {
			t.Errorf("late is %+v", record)
		}
	})
}

// What waits for a failing store is bounded; beyond it all is written anew.
func TestRecordsAreWrittenAnewWhenTooManyWait(t *testing.T) {
	running(t, func(t *testing.T, m *notify.Manager, store *faultyStore) {
		_, gone := add(m, "gone", "ann")
		lag()
		store.fail(true)
		gone.Remove()
		_, stays := add(m, "stays", "ann")
		for i := range 100_001 {
			_, member := add(m, fmt.Sprint(i), "ann")
			member.Remove()
		}
		store.fail(false)
		stays.ChangeUser("bob")
		<-time.After(5 * time.Second)
		synctest.Wait()
		if store.size() != 1 {
			t.Errorf("%d records, want 1", store.size())
		}
		if record, ok := store.get("stays"); !ok || record.RootID != "bob" {
			t.Errorf("stays is %+v, %v", record, ok)
		}
	})
}
