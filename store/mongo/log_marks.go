package mongo

import (
	"context"
	"errors"
	"strconv"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/walkergate/walkergate/channels"
	"github.com/walkergate/walkergate/store"
)

// markDocument is one of a user's marks. Its id is one of as many as a user may
// have: so there can be no more, however calls race.
type markDocument struct {
	ID        string `bson:"_id"`
	RootID    string `bson:"root"`
	ChannelID string `bson:"channel"`
	Seq       int64  `bson:"seq"`
}

func markID(rootID string, number int64) string {
	return strconv.FormatInt(number, 10) + ":" + rootID
}

func ofUser(rootID string) bson.D { return bson.D{{Key: "root", Value: rootID}} }

func inChannel(rootID, channelID string) bson.D {
	return append(ofUser(rootID), bson.E{Key: "channel", Value: channelID})
}

// Mark meets channels.Store.
func (s *Store) Mark(ctx context.Context, rootID, channelID string, seq int64) error {
	forward := bson.D{{Key: "$max", Value: bson.D{{Key: "seq", Value: seq}}}}
	return s.write(ctx, func(ctx context.Context) error {
		for {
			result, err := s.marks.UpdateOne(ctx, inChannel(rootID, channelID), forward)
			if err != nil || result.MatchedCount > 0 {
				return err
			}
			count, err := s.marks.CountDocuments(ctx, ofUser(rootID))
			if err != nil {
				return err
			}
			if count >= channels.MaxMarks {
				return errMarks
			}
			_, err = s.marks.InsertOne(ctx, markDocument{ID: markID(rootID, count), RootID: rootID, ChannelID: channelID, Seq: seq})
			// Another was there first, with this channel or with the number.
			if !mongo.IsDuplicateKeyError(err) {
				return err
			}
		}
	})
}

// Marked meets channels.Store.
func (s *Store) Marked(ctx context.Context, rootID, channelID string) (seq int64, err error) {
	err = s.call(ctx, func(ctx context.Context) error {
		var mark markDocument
		err := s.marks.FindOne(ctx, inChannel(rootID, channelID)).Decode(&mark)
		if errors.Is(err, mongo.ErrNoDocuments) {
			return nil
		}
		seq = mark.Seq
		return err
	})
	return seq, err
}

// Forget meets channels.Store. The stream's row stays under a new epoch, until
// Sweep removes it as it does every row that nobody uses; that also removes what
// was written under the old one while this ran.
func (s *Store) Forget(ctx context.Context, rootID string) error {
	return s.write(ctx, func(ctx context.Context) error {
		if err := s.endStream(ctx, channels.StreamOf(rootID)); err != nil {
			return err
		}
		if _, err := s.marks.DeleteMany(ctx, ofUser(rootID)); err != nil {
			return err
		}
		_, err := s.quotas.DeleteOne(ctx, byID(rootID))
		return err
	})
}

func (s *Store) endStream(ctx context.Context, channelID string) error {
	for {
		row, err := s.findLog(ctx, channelID)
		if err != nil || !row.stored {
			return err
		}
		anew := bson.D{
			set(bson.D{
				{Key: "epoch", Value: store.NewEpoch()}, {Key: "first", Value: int64(1)}, {Key: "head", Value: int64(0)},
				{Key: "due", Value: bson.DateTime(0)},
			}),
			{Key: "$addToSet", Value: bson.D{{Key: "dead", Value: row.Epoch}}},
		}
		result, err := s.logs.UpdateOne(ctx, append(byID(channelID), bson.E{Key: "epoch", Value: row.Epoch}), anew)
		if err != nil {
			return err
		}
		if result.MatchedCount > 0 {
			row.Dead = append(row.Dead, row.Epoch)
			return s.buryEpochs(ctx, &row)
		}
	}
}
