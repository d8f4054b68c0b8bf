package mongo

import (
	"context"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/walkergate/walkergate/channels"
	"github.com/walkergate/walkergate/store"
)

const (
	// sweepLogs and sweepMessages bound one step of Sweep.
	sweepLogs     = 16
	sweepMessages = channels.MaxPage
	// sweepLease is how long a log is the one node's that sweeps it. Who ends on
	// the way leaves it to whoever comes after that.
	sweepLease = time.Minute
)

// Sweep meets channels.Store. Nodes share the work; where two do the same, no
// harm is done.
func (s *Store) Sweep(ctx context.Context, now time.Time) (more bool, err error) {
	err = s.write(ctx, func(ctx context.Context) error {
		for range sweepLogs {
			row, known, err := s.takeDueLog(ctx, now)
			if err != nil || !known {
				more = false
				return err
			}
			more = true
			if busy, err := s.sweepLog(ctx, &row, now); err != nil || busy {
				return err
			}
		}
		return nil
	})
	return more && err == nil, err
}

// takeDueLog gives the log that has waited longest to be looked at, and keeps
// others from it for a while.
func (s *Store) takeDueLog(ctx context.Context, now time.Time) (row logDocument, known bool, err error) {
	row.stored = true
	due := bson.D{{Key: "due", Value: bson.D{{Key: "$lte", Value: dateOf(now)}}}}
	taken := bson.D{set(bson.D{{Key: "due", Value: dateOf(now.Add(sweepLease))}})}
	err = s.logs.FindOneAndUpdate(ctx, due, taken,
		options.FindOneAndUpdate().SetSort(keys("due")).SetReturnDocument(options.After)).Decode(&row)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return row, false, nil
	}
	return row, err == nil, err
}

// sweepLog brings one log in order, or a step closer to it, and reports whether
// that was the work of a whole step.
func (s *Store) sweepLog(ctx context.Context, row *logDocument, now time.Time) (busy bool, err error) {
	next := store.NextLook(now, row.age())
	kept, first, err := s.firstKept(ctx, row, now.Add(-row.age()))
	if err != nil {
		return false, err
	}
	if first > row.First {
		if err := s.raise(ctx, row, first, first-1, now); err != nil {
			return false, err
		}
		busy, row.First = first-row.First >= sweepMessages, first
	} else if err := s.letGo(ctx, row.ChannelID, row.Epoch, first, now); err != nil {
		return false, err
	}
	if err := s.buryEpochs(ctx, row); err != nil {
		return false, err
	}
	var stub messageDocument
	below := bson.E{Key: "seq", Value: bson.D{{Key: "$lt", Value: first}}}
	err = s.messages.FindOne(ctx, inLog(row.ChannelID, row.Epoch, below), options.FindOne().SetSort(keys("seq"))).Decode(&stub)
	switch {
	case err == nil:
		next = earliest(next, timeOf(stub.KnownUntil))
	case !errors.Is(err, mongo.ErrNoDocuments):
		return false, err
	case kept == nil && !busy && !timeOf(row.Used).After(now.Add(-store.ChannelLife)):
		return false, s.forgetLog(ctx, row)
	}
	if kept != nil {
		next = earliest(next, timeOf(kept.At).Add(row.age()))
	}
	if busy {
		next = now
	}
	// Only where nobody has meant to look earlier meanwhile.
	unchanged := append(byID(row.ChannelID), bson.E{Key: "epoch", Value: row.Epoch}, bson.E{Key: "due", Value: row.Due})
	_, err = s.logs.UpdateOne(ctx, unchanged, bson.D{set(bson.D{{Key: "due", Value: dateOf(next)}})})
	return busy, err
}

// firstKept gives the first message that came after a time, and its seq. It
// looks at so many and no more: where all of them are older, it gives none and
// the seq behind them.
func (s *Store) firstKept(ctx context.Context, row *logDocument, after time.Time) (kept *messageDocument, first int64, err error) {
	some := options.Find().SetSort(keys("seq")).SetLimit(sweepMessages).
		SetProjection(bson.D{{Key: "seq", Value: 1}, {Key: "at", Value: 1}})
	cursor, err := s.messages.Find(ctx, inLog(row.ChannelID, row.Epoch, seqs(row.First, 0)), some)
	if err != nil {
		return nil, 0, err
	}
	var documents []messageDocument
	if err := cursor.All(ctx, &documents); err != nil {
		return nil, 0, err
	}
	first = row.First
	for i := range documents {
		if timeOf(documents[i].At).After(after) {
			return &documents[i], documents[i].Seq, nil
		}
		first = documents[i].Seq + 1
	}
	return nil, first, nil
}

// buryEpochs removes what stands under epochs that were ended: who had read one
// before may have written under it after.
func (s *Store) buryEpochs(ctx context.Context, row *logDocument) error {
	for _, epoch := range row.Dead {
		if _, err := s.messages.DeleteMany(ctx, inLog(row.ChannelID, epoch)); err != nil {
			return err
		}
	}
	return nil
}

// forgetLog removes the row of a log that keeps nothing. From then on its head
// is that of every channel without a row, under an epoch that none of its
// messages ever bore: where that is not so yet, it is made anew. A writer would
// have touched the row within a day; if one does so now, the row stays.
func (s *Store) forgetLog(ctx context.Context, row *logDocument) error {
	born := append(byID(baseEpoch), bson.E{Key: "epoch", Value: row.Born})
	if _, err := s.epochs.UpdateOne(ctx, born, bson.D{set(bson.D{{Key: "epoch", Value: store.NewEpoch()}})}); err != nil {
		return err
	}
	unchanged := append(byID(row.ChannelID), bson.E{Key: "epoch", Value: row.Epoch},
		bson.E{Key: "first", Value: row.First}, bson.E{Key: "used", Value: row.Used})
	_, err := s.logs.DeleteOne(ctx, unchanged)
	return err
}

func earliest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
