package mongo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/walkergate/walkergate/auth"
	"github.com/walkergate/walkergate/store"
)

// userDocument is a user. The end of their tokens stands in the same document,
// since one document is what changes at once; see revocations.go.
type userDocument struct {
	ID           string        `bson:"_id"`
	RootID       string        `bson:"root_id"`
	EmailKey     string        `bson:"email_key"`
	Email        string        `bson:"email"`
	Profile      string        `bson:"profile"` // a JSON object
	PasswordHash string        `bson:"password_hash"`
	Generation   int64         `bson:"generation"`
	CreatedAt    bson.DateTime `bson:"created_at"`
	Gone         bool          `bson:"gone"`
}

// CreateUser meets auth.UserStore.
func (s *Store) CreateUser(ctx context.Context, user auth.User) error {
	profile, err := store.EncodeProfile(user.Profile)
	if err != nil {
		return fmt.Errorf("encode the profile of a user: %w", err)
	}
	return s.write(ctx, func(ctx context.Context) error {
		_, err := s.users.InsertOne(ctx, userDocument{
			ID: user.ID, RootID: user.RootID, EmailKey: user.EmailKey, Email: user.Email, Profile: profile,
			PasswordHash: user.PasswordHash, Generation: user.Generation, CreatedAt: dateOf(user.CreatedAt),
		})
		if mongo.IsDuplicateKeyError(err) {
			return errConflict.Because(err)
		}
		return err
	})
}

// FindUser meets auth.UserStore.
func (s *Store) FindUser(ctx context.Context, key auth.UserKey) (auth.User, error) {
	var field bson.E
	switch key {
	case auth.UserKey{ID: key.ID}:
		field = bson.E{Key: "_id", Value: key.ID}
	case auth.UserKey{EmailKey: key.EmailKey}:
		field = bson.E{Key: "email_key", Value: key.EmailKey}
	case auth.UserKey{RootID: key.RootID}:
		field = bson.E{Key: "root_id", Value: key.RootID}
	default:
		return auth.User{}, errors.New("a user is looked up by exactly one field")
	}
	var user auth.User
	err := s.call(ctx, func(ctx context.Context) (err error) {
		user, err = decodeUser(s.users.FindOne(ctx, living(field)))
		return err
	})
	return user, err
}

// ChangeUser meets auth.UserStore.
func (s *Store) ChangeUser(ctx context.Context, change auth.UserChange) (auth.User, error) {
	filter := living(bson.E{Key: "_id", Value: change.UserID})
	if change.WasHash != "" {
		filter = append(filter, bson.E{Key: "password_hash", Value: change.WasHash})
	}
	var update bson.D
	if change.NewHash != "" {
		update = append(update, set(bson.D{{Key: "password_hash", Value: change.NewHash}}))
	}
	if change.End != nil {
		update = append(update, bson.E{Key: "$inc", Value: bson.D{{Key: "generation", Value: int64(1)}}}, ended(*change.End))
	}
	var user auth.User
	err := s.write(ctx, func(ctx context.Context) (err error) {
		if update == nil {
			user, err = decodeUser(s.users.FindOne(ctx, filter))
		} else {
			after := options.FindOneAndUpdate().SetReturnDocument(options.After)
			user, err = decodeUser(s.users.FindOneAndUpdate(ctx, filter, update, after))
		}
		if change.WasHash == "" || !errors.Is(err, errNotFound) {
			return err
		}
		// Not there, or there with another hash?
		if _, err := decodeUser(s.users.FindOne(ctx, filter[:2])); err != nil {
			return err
		}
		return errConflict
	})
	if err != nil {
		return auth.User{}, err
	}
	return user, nil
}

// DeleteUser meets auth.UserStore. What stays says that the tokens of that id
// ended, and holds nothing personal. Its unique fields get the id as binary: of
// a type that no address and no root has, so they are free again.
func (s *Store) DeleteUser(ctx context.Context, userID string, end auth.EndTokens) error {
	nobody := bson.Binary{Data: []byte(userID)}
	update := bson.D{
		set(bson.D{
			{Key: "gone", Value: true}, {Key: "generation", Value: auth.EveryGeneration},
			{Key: "email_key", Value: nobody}, {Key: "root_id", Value: nobody},
			{Key: "forget_at", Value: dateOf(end.Ends)},
		}),
		ended(end),
		{Key: "$unset", Value: bson.D{
			{Key: "email", Value: ""}, {Key: "profile", Value: ""},
			{Key: "password_hash", Value: ""}, {Key: "created_at", Value: ""},
		}},
	}
	return s.write(ctx, func(ctx context.Context) error {
		result, err := s.users.UpdateOne(ctx, living(bson.E{Key: "_id", Value: userID}), update)
		if err != nil {
			return err
		}
		if result.MatchedCount == 0 {
			return errNotFound
		}
		return nil
	})
}

// living selects by one field among the users who were not deleted.
func living(field bson.E) bson.D {
	return bson.D{field, {Key: "gone", Value: false}}
}

func set(fields bson.D) bson.E { return bson.E{Key: "$set", Value: fields} }

func decodeUser(found *mongo.SingleResult) (auth.User, error) {
	var document userDocument
	err := found.Decode(&document)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return auth.User{}, errNotFound
	}
	if err != nil {
		return auth.User{}, err
	}
	profile, err := store.DecodeProfile(document.Profile)
	if err != nil {
		return auth.User{}, fmt.Errorf("%w: the profile of user %s: %w", errBroken, document.ID, err)
	}
	return auth.User{
		ID: document.ID, RootID: document.RootID, EmailKey: document.EmailKey, Email: document.Email, Profile: profile,
		PasswordHash: document.PasswordHash, Generation: document.Generation, CreatedAt: timeOf(document.CreatedAt),
	}, nil
}

func dateOf(t time.Time) bson.DateTime { return bson.DateTime(t.UnixMilli()) }

func timeOf(date bson.DateTime) time.Time { return time.UnixMilli(int64(date)).UTC() }
