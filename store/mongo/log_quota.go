package mongo

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/walkergate/walkergate/channels"
	"github.com/walkergate/walkergate/store"
)

// An owner's quota is a document beside the messages. Bytes are reserved there
// before messages are inserted; a reservation that would pass the quota is not
// made. What turns out not to be written is given back.
//
// Nothing is taken off for messages that are let go, and a node that ends on
// the way gives nothing back: so the document counts too much with time. Before
// an owner is refused their messages are counted again, once in countEvery at
// most: a refusal is wrong by no more than what was let go since then.
//
// It counts too little by what was reserved when messages were counted and not
// inserted until then, which is what was under way for that owner at that
// moment. The next count mends it.

const (
	countEvery   = 10 * time.Second
	reserveTries = 8
)

type quotaDocument struct {
	Owner   string        `bson:"_id"`
	Bytes   int64         `bson:"bytes"`
	Counted bson.DateTime `bson:"counted"`
}

// reserve makes room for the rest. Messages there is no room for leave it: they
// are refused, unless they stand in the log already.
func (a *logAppend) reserve(ctx context.Context) error {
	var owners []string
	byOwner := make(map[string][]int)
	for _, i := range a.rest {
		owner := a.asked.Messages[i].Owner
		if byOwner[owner] == nil {
			owners = append(owners, owner)
		}
		byOwner[owner] = append(byOwner[owner], i)
	}
	var refused []int
	for _, owner := range owners {
		if owner == "" {
			continue
		}
		without, err := a.reserveFor(ctx, owner, byOwner[owner])
		if err != nil {
			return err
		}
		refused = append(refused, without...)
	}
	if refused == nil {
		return nil
	}
	found, err := a.store.findPlaces(ctx, a.asked, &a.row, refused)
	if err != nil {
		return err
	}
	left := make(map[int]bool, len(refused))
	for _, i := range refused {
		left[i] = true
		if document, known := found[a.asked.Messages[i].ID]; known {
			a.places[i] = document.before()
		} else {
			a.places[i].Refused = channels.ErrQuota
		}
	}
	rest := a.rest[:0]
	for _, i := range a.rest {
		if !left[i] {
			rest = append(rest, i)
		}
	}
	a.rest = rest
	return nil
}

// reserveFor reserves for messages of one owner, in their order, and gives
// those it does not fit.
func (a *logAppend) reserveFor(ctx context.Context, owner string, wanted []int) (without []int, err error) {
	s, quota := a.store, a.asked.Quota
	if taken, err := a.take(ctx, owner, wanted); err != nil || taken {
		return nil, err
	}
	if err := s.openQuota(ctx, owner, a.now); err != nil {
		return nil, err
	}
	for range reserveTries {
		var has quotaDocument
		if err := s.quotas.FindOne(ctx, byID(owner)).Decode(&has); err != nil && !errors.Is(err, mongo.ErrNoDocuments) {
			return nil, err
		}
		fit, without := a.fit(wanted, quota-has.Bytes)
		if len(fit) == 0 {
			return without, nil
		}
		if taken, err := a.take(ctx, owner, fit); err != nil || taken {
			return without, err
		}
	}
	return wanted, nil
}

// take reserves what messages of an owner count, if the quota holds them all.
func (a *logAppend) take(ctx context.Context, owner string, messages []int) (taken bool, err error) {
	var bytes int64
	for _, i := range messages {
		bytes += store.Cost(&a.asked.Messages[i])
	}
	taken, err = a.store.takeQuota(ctx, owner, bytes, a.asked.Quota)
	if taken {
		a.reserved[owner] += bytes
	}
	return taken, err
}

// fit takes messages as they come, where there is still room for each.
func (a *logAppend) fit(wanted []int, room int64) (fit, without []int) {
	for _, i := range wanted {
		if cost := store.Cost(&a.asked.Messages[i]); cost <= room {
			room -= cost
			fit = append(fit, i)
		} else {
			without = append(without, i)
		}
	}
	return fit, without
}

// takeQuota reserves bytes where the quota holds them; 0 is no quota.
func (s *Store) takeQuota(ctx context.Context, owner string, bytes, quota int64) (bool, error) {
	add := bson.E{Key: "$inc", Value: bson.D{{Key: "bytes", Value: bytes}}}
	if quota > 0 {
		room := bson.E{Key: "bytes", Value: bson.D{{Key: "$lte", Value: quota - bytes}}}
		result, err := s.quotas.UpdateOne(ctx, append(byID(owner), room), bson.D{add})
		return err == nil && result.MatchedCount > 0, err
	}
	never := bson.E{Key: "$setOnInsert", Value: bson.D{{Key: "counted", Value: bson.DateTime(0)}}}
	_, err := s.quotas.UpdateOne(ctx, byID(owner), bson.D{add, never}, options.UpdateOne().SetUpsert(true))
	if mongo.IsDuplicateKeyError(err) { // of two who were the first: now it is there
		_, err = s.quotas.UpdateOne(ctx, byID(owner), bson.D{add})
	}
	return err == nil, err
}

// openQuota makes the document of an owner who has none, and counts anew for
// one whose last count is some time ago. A count is added as what it differs by
// from what was there before it: what is reserved meanwhile stays reserved.
func (s *Store) openQuota(ctx context.Context, owner string, now time.Time) error {
	first := bson.D{{Key: "$setOnInsert", Value: bson.D{{Key: "bytes", Value: int64(0)}, {Key: "counted", Value: dateOf(now)}}}}
	result, err := s.quotas.UpdateOne(ctx, byID(owner), first, options.UpdateOne().SetUpsert(true))
	if mongo.IsDuplicateKeyError(err) || err == nil && result.UpsertedCount > 0 {
		return nil
	}
	if err != nil {
		return err
	}
	long := bson.E{Key: "counted", Value: bson.D{{Key: "$lte", Value: dateOf(now.Add(-countEvery))}}}
	var before quotaDocument
	err = s.quotas.FindOneAndUpdate(ctx, append(byID(owner), long), bson.D{set(bson.D{{Key: "counted", Value: dateOf(now)}})}).Decode(&before)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return nil
	}
	if err != nil {
		return err
	}
	bytes, err := s.count(ctx, owner)
	if err != nil {
		return err
	}
	_, err = s.quotas.UpdateOne(ctx, byID(owner), bson.D{{Key: "$inc", Value: bson.D{{Key: "bytes", Value: bytes - before.Bytes}}}})
	return err
}

// count adds up what the messages of an owner count.
func (s *Store) count(ctx context.Context, owner string) (int64, error) {
	cursor, err := s.messages.Aggregate(ctx, mongo.Pipeline{
		{{Key: "$match", Value: bson.D{{Key: "owner", Value: owner}}}},
		{{Key: "$group", Value: bson.D{{Key: "_id", Value: nil}, {Key: "bytes", Value: bson.D{{Key: "$sum", Value: "$cost"}}}}}},
	})
	if err != nil {
		return 0, err
	}
	var sums []struct {
		Bytes int64 `bson:"bytes"`
	}
	if err := cursor.All(ctx, &sums); err != nil || len(sums) == 0 {
		return 0, err
	}
	return sums[0].Bytes, nil
}

// giveBack returns what was reserved and not used. A loss of it is made good
// when the owner is counted again.
func (a *logAppend) giveBack(ctx context.Context) {
	for owner, bytes := range a.reserved {
		if owner == "" || bytes == 0 {
			continue
		}
		less := bson.D{{Key: "$inc", Value: bson.D{{Key: "bytes", Value: -bytes}}}}
		if _, err := a.store.quotas.UpdateOne(ctx, byID(owner), less); err != nil {
			a.store.log.Debug("bytes of a quota were not given back", slog.Any("error", err))
		}
	}
}
