package mongo

import (
	"context"
	"slices"
	"strconv"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/walkergate/walkergate/auth"
)

// tokenDocument is the end of a single token. That of all tokens of a user is
// in userDocument's own collection, as endDocument.
type tokenDocument struct {
	ID      string        `bson:"_id"`
	UserID  string        `bson:"user_id"`
	TokenID string        `bson:"token_id"`
	At      bson.DateTime `bson:"at"`
	Ends    bson.DateTime `bson:"ends"`
}

// endDocument is what a user's document says of their ended tokens.
type endDocument struct {
	ID         string        `bson:"_id"`
	Generation int64         `bson:"generation"`
	At         bson.DateTime `bson:"ended_at"`
	Ends       bson.DateTime `bson:"ended_until"`
}

// ended is the part of an update that ends tokens. Of racing ends the later one
// counts, whichever comes first.
func ended(end auth.EndTokens) bson.E {
	return bson.E{Key: "$max", Value: bson.D{
		{Key: "ended_at", Value: dateOf(end.At)}, {Key: "ended_until", Value: dateOf(end.Ends)},
	}}
}

// RevokeToken meets auth.RevocationStore. At is the time of insertion, by the
// clock of the node that inserts; RevocationsSince says what follows of that.
func (s *Store) RevokeToken(ctx context.Context, revocation auth.Revocation) error {
	return s.write(ctx, func(ctx context.Context) error {
		_, err := s.revocations.InsertOne(ctx, tokenDocument{
			ID:     strconv.Itoa(len(revocation.UserID)) + ":" + revocation.UserID + revocation.TokenID,
			UserID: revocation.UserID, TokenID: revocation.TokenID,
			At: dateOf(revocation.At), Ends: dateOf(revocation.Ends),
		})
		if mongo.IsDuplicateKeyError(err) {
			return nil // a token ends once
		}
		return err
	})
}

// RevocationsSince meets auth.RevocationStore. Those that have expired are left
// out, whether the server has removed them yet or not.
//
// A poller must ask with an overlap: At is by the clock of the node that
// revoked, which may be behind the poller's, and a write may become visible
// after one with a later At, by as long as a write may take. The poller's last
// At less the clocks' difference and the time of a write is a safe since;
// learning a revocation again does no harm.
func (s *Store) RevocationsSince(ctx context.Context, since time.Time) ([]auth.Revocation, error) {
	var found []auth.Revocation
	err := s.call(ctx, func(ctx context.Context) error {
		now := dateOf(time.Now())
		var tokens []tokenDocument
		if err := findSince(ctx, s.revocations, "at", "ends", since, now, &tokens); err != nil {
			return err
		}
		var users []endDocument
		if err := findSince(ctx, s.users, "ended_at", "ended_until", since, now, &users); err != nil {
			return err
		}
		found = make([]auth.Revocation, 0, len(tokens)+len(users))
		for _, token := range tokens {
			found = append(found, auth.Revocation{
				UserID: token.UserID, TokenID: token.TokenID, At: timeOf(token.At), Ends: timeOf(token.Ends),
			})
		}
		for _, user := range users {
			found = append(found, auth.Revocation{
				UserID: user.ID, Generation: user.Generation, At: timeOf(user.At), Ends: timeOf(user.Ends),
			})
		}
		slices.SortStableFunc(found, func(a, b auth.Revocation) int { return a.At.Compare(b.At) })
		return nil
	})
	return found, err
}

// findSince reads what has at since a time and has not ended.
func findSince(ctx context.Context, from *mongo.Collection, at, ends string, since time.Time, now bson.DateTime, into any) error {
	filter := bson.D{
		{Key: at, Value: bson.D{{Key: "$gte", Value: dateOf(since)}}},
		{Key: ends, Value: bson.D{{Key: "$gt", Value: now}}},
	}
	cursor, err := from.Find(ctx, filter, options.Find().SetSort(bson.D{{Key: at, Value: 1}}))
	if err != nil {
		return err
	}
	return cursor.All(ctx, into)
}
