package mongo

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/walkergate/walkergate/notify"
)

type leaseDocument struct {
	NodeID    string `bson:"_id"`
	Beat      int64  `bson:"beat"`
	Bus       bool   `bson:"bus"`
	Serving   bool   `bson:"serving"`
	Condemned bool   `bson:"condemned"`
}

// HoldLease meets notify.LeaseStore.
func (s *Store) HoldLease(ctx context.Context, lease notify.Lease) (held bool, err error) {
	document := leaseDocument{NodeID: lease.NodeID, Beat: lease.Beat, Bus: lease.Bus, Serving: lease.Serving}
	err = s.write(ctx, func(ctx context.Context) error {
		filter := byID(lease.NodeID)
		first := lease.Beat == 0
		if !first {
			filter = append(filter, bson.E{Key: "condemned", Value: false})
		}
		result, err := s.leases.ReplaceOne(ctx, filter, document, options.Replace().SetUpsert(first))
		if err == nil {
			held = first || result.MatchedCount > 0
		}
		return err
	})
	return held, err
}

// Leases meets notify.LeaseStore.
func (s *Store) Leases(ctx context.Context) ([]notify.Lease, error) {
	var found []leaseDocument
	err := s.call(ctx, func(ctx context.Context) error {
		cursor, err := s.leases.Find(ctx, bson.D{}, options.Find().SetSort(keys("_id")))
		if err != nil {
			return err
		}
		return cursor.All(ctx, &found)
	})
	if err != nil {
		return nil, err
	}
	leases := make([]notify.Lease, len(found))
	for i, document := range found {
		leases[i] = notify.Lease(document)
	}
	return leases, nil
}

// CondemnLease meets notify.LeaseStore.
func (s *Store) CondemnLease(ctx context.Context, nodeID string, beat int64) (condemned bool, err error) {
	err = s.write(ctx, func(ctx context.Context) error {
		result, err := s.leases.UpdateOne(ctx, append(byID(nodeID), bson.E{Key: "beat", Value: beat}),
			bson.D{set(bson.D{{Key: "condemned", Value: true}})})
		if err == nil {
			condemned = result.MatchedCount > 0
		}
		return err
	})
	return condemned, err
}

// ForgetLease meets notify.LeaseStore.
func (s *Store) ForgetLease(ctx context.Context, nodeID string) error {
	return s.write(ctx, func(ctx context.Context) error {
		_, err := s.leases.DeleteOne(ctx, byID(nodeID))
		return err
	})
}
