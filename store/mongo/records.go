package mongo

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/walkergate/walkergate/notify"
	"github.com/walkergate/walkergate/store"
)

type recordDocument struct {
	ClientID    string        `bson:"_id"`
	RootID      string        `bson:"root_id"`
	NodeID      string        `bson:"node_id"`
	ChannelIDs  []string      `bson:"channel_ids"` // in the order of joining
	ConnectedAt bson.DateTime `bson:"connected_at"`
	ChangedAt   bson.DateTime `bson:"changed_at"`
}

// WriteRecords meets notify.RecordStore. A call that ran out of time is
// cancelled on the server by about then as well, which is told the time that
// it has: what a caller writes next is not overtaken by what it gave up on.
func (s *Store) WriteRecords(ctx context.Context, puts []notify.Record, removed []string) error {
	models := make([]mongo.WriteModel, 0, len(puts)+1)
	for i := range puts {
		if puts[i].ClientID == "" {
			return errors.New("put the record of a connection: it has no client id")
		}
		models = append(models, mongo.NewReplaceOneModel().SetUpsert(true).
			SetFilter(byID(puts[i].ClientID)).SetReplacement(encodeRecord(&puts[i])))
	}
	if len(removed) > 0 {
		gone := bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: removed}}}}
		models = append(models, mongo.NewDeleteManyModel().SetFilter(gone))
	}
	if len(models) == 0 {
		return ctx.Err()
	}
	return s.write(ctx, func(ctx context.Context) error {
		// Unordered: no put of one call concerns the client of another.
		_, err := s.records.BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false))
		if mongo.IsDuplicateKeyError(err) {
			// Two upserts of one client that is not there yet, one of them
			// given up on by a caller before. Not told as a conflict: the
			// caller writes again, and then it is there.
			return errAbsent.Because(err)
		}
		return err
	})
}

// ClearRecords meets notify.RecordStore.
func (s *Store) ClearRecords(ctx context.Context, nodeID string) error {
	return s.write(ctx, func(ctx context.Context) error {
		_, err := s.records.DeleteMany(ctx, bson.D{{Key: "node_id", Value: nodeID}})
		return err
	})
}

// Records meets notify.RecordStore; limit is 1 to store.MaxRecords.
func (s *Store) Records(ctx context.Context, query notify.RecordQuery, limit int) ([]notify.Record, error) {
	if limit < 1 || limit > store.MaxRecords {
		return nil, fmt.Errorf("a page of records holds 1 to %d, not %d", store.MaxRecords, limit)
	}
	filter, err := selectRecords(query)
	if err != nil {
		return nil, err
	}
	var found []recordDocument
	err = s.call(ctx, func(ctx context.Context) error {
		page := options.Find().SetSort(keys("_id")).SetLimit(int64(limit))
		cursor, err := s.records.Find(ctx, filter, page)
		if err != nil {
			return err
		}
		return cursor.All(ctx, &found)
	})
	if err != nil {
		return nil, err
	}
	records := make([]notify.Record, len(found))
	for i := range found {
		records[i] = found[i].record()
	}
	return records, nil
}

func selectRecords(query notify.RecordQuery) (bson.D, error) {
	behind := bson.D{{Key: "_id", Value: bson.D{{Key: "$gt", Value: query.After}}}}
	query.After = ""
	switch query {
	case notify.RecordQuery{}:
		return behind, nil
	case notify.RecordQuery{ClientID: query.ClientID}:
		return bson.D{{Key: "_id", Value: bson.D{
			{Key: "$in", Value: []string{query.ClientID}}, behind[0].Value.(bson.D)[0],
		}}}, nil
	case notify.RecordQuery{RootID: query.RootID}:
		return append(behind, bson.E{Key: "root_id", Value: query.RootID}), nil
	case notify.RecordQuery{ChannelID: query.ChannelID}:
		return append(behind, bson.E{Key: "channel_ids", Value: query.ChannelID}), nil
	}
	return nil, errors.New("records are selected by one field at most")
}

func encodeRecord(record *notify.Record) recordDocument {
	channelIDs := record.ChannelIDs
	if channelIDs == nil {
		channelIDs = []string{}
	}
	return recordDocument{
		ClientID: record.ClientID, RootID: record.RootID, NodeID: record.NodeID, ChannelIDs: channelIDs,
		ConnectedAt: dateOf(record.ConnectedAt), ChangedAt: dateOf(record.ChangedAt),
	}
}

func (d *recordDocument) record() notify.Record {
	return notify.Record{
		ClientID: d.ClientID, RootID: d.RootID, NodeID: d.NodeID, ChannelIDs: d.ChannelIDs,
		ConnectedAt: timeOf(d.ConnectedAt), ChangedAt: timeOf(d.ChangedAt),
	}
}

func byID(id string) bson.D { return bson.D{{Key: "_id", Value: id}} }
