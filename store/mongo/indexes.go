package mongo

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

const (
	// buildTimeout bounds one try to make the indexes. On a database that is
	// full already, a new one takes longer than a call may.
	buildTimeout = time.Minute

	retryFirst = 50 * time.Millisecond
	retryMost  = 2 * time.Second
)

// Each index that a query is sorted by ends in what it is sorted by.
func (s *Store) needed() map[*mongo.Collection][]mongo.IndexModel {
	return map[*mongo.Collection][]mongo.IndexModel{
		s.users: {
			{Keys: keys("email_key"), Options: options.Index().SetUnique(true)},
			{Keys: keys("root_id"), Options: options.Index().SetUnique(true)},
			{Keys: keys("ended_at")},
		},
		s.revocations: {{Keys: keys("at")}},
		s.records: {
			{Keys: keys("root_id", "_id")},
			{Keys: keys("channel_ids", "_id")},
			{Keys: keys("node_id")},
		},
		s.logs: {{Keys: keys("due")}},
		s.messages: {
			{Keys: keys("channel", "epoch", "seq"), Options: options.Index().SetUnique(true)},
			{Keys: keys("channel", "epoch", "id"), Options: options.Index().SetUnique(true)},
			// What it needs to count is in the index. Most messages may have no
			// owner.
			{Keys: keys("owner", "cost"), Options: options.Index().SetSparse(true)},
		},
		s.marks: {{Keys: keys("root", "channel"), Options: options.Index().SetUnique(true)}},
	}
}

// tidying are the indexes by which the server removes what is of no use any
// more. Reads do not rely on them. A user who was not deleted has no forget_at
// and is never touched.
func (s *Store) tidying() map[*mongo.Collection]string {
	return map[*mongo.Collection]string{s.revocations: "ends", s.users: "forget_at"}
}

func keys(names ...string) bson.D {
	var all bson.D
	for _, name := range names {
		all = append(all, bson.E{Key: name, Value: 1})
	}
	return all
}

// indexes says whether they stand.
type indexes struct {
	tried chan struct{} // closed after the first try
	once  sync.Once

	mu   sync.Mutex
	made bool
	last error // why they were not, at the last try
}

// wait gives the first try its time and reports why the indexes do not stand.
// Once a try has failed, whoever comes before the next good one is told at
// once.
func (x *indexes) wait(ctx context.Context) error {
	select {
	case <-x.tried:
	case <-ctx.Done():
		return ctx.Err()
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.made {
		return nil
	}
	return errAbsent.Because(fmt.Errorf("its indexes cannot be made: %w", x.last))
}

// try notes how a try went, and gives how the one before it did.
func (x *indexes) try(err error) (before error) {
	x.mu.Lock()
	before, x.last, x.made = x.last, err, err == nil
	x.mu.Unlock()
	x.once.Do(func() { close(x.tried) })
	return before
}

// makeIndexes tries until they stand or ctx ends. Making one that stands
// already does nothing.
func (s *Store) makeIndexes(ctx context.Context) {
	for wait := retryFirst; ; wait = min(2*wait, retryMost) {
		err := s.tryIndexes(ctx)
		before := s.indexes.try(err)
		if err == nil {
			if before != nil {
				s.log.Info("indexes of the store were made")
			}
			s.makeTidying(ctx)
			return
		}
		if before == nil && ctx.Err() == nil {
			s.log.Warn("indexes of the store cannot be made; it is tried again until they can", slog.Any("error", err))
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

func (s *Store) tryIndexes(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, buildTimeout)
	defer cancel()
	for collection, models := range s.needed() {
		if _, err := collection.Indexes().CreateMany(ctx, models); err != nil {
			return fmt.Errorf("%s: %w", collection.Name(), err)
		}
	}
	return nil
}

func (s *Store) makeTidying(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, buildTimeout)
	defer cancel()
	for collection, field := range s.tidying() {
		model := mongo.IndexModel{Keys: keys(field), Options: options.Index().SetExpireAfterSeconds(0)}
		if _, err := collection.Indexes().CreateOne(ctx, model); err != nil && ctx.Err() == nil {
			s.log.Warn("the store will not remove by itself what has expired",
				slog.String("collection", collection.Name()), slog.Any("error", err))
		}
	}
}
