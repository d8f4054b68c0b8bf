package mongo_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/walkergate/walkergate/auth"
	"github.com/walkergate/walkergate/fault"
	"github.com/walkergate/walkergate/internal/mongoserver"
	"github.com/walkergate/walkergate/store/mongo"
)

func TestIndexes(t *testing.T) {
	uri := mongoserver.URI(t)
	db := mongoserver.Database(t, uri)
	want := map[string][]string{
		"users":       {"_id", "email_key unique", "root_id unique", "ended_at", "forget_at ttl"},
		"revocations": {"_id", "at", "ends ttl"},
		"records":     {"_id", "root_id,_id", "channel_ids,_id", "node_id"},
	}
	for range 2 { // made again, they are the same
		s := open(t, uri, db.Name(), mongo.Options{Timeout: generous})
		if err := s.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
		for name, wanted := range want {
			slices.Sort(wanted)
			until(t, "the indexes of "+name, func() bool { return cmp.Equal(indexes(t, db.Collection(name)), wanted) })
		}
		shut(t, s)
	}
}

// indexes are those of a collection: their keys and what is special about them.
func indexes(t *testing.T, collection *driver.Collection) []string {
	t.Helper()
	cursor, err := collection.Indexes().List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var found []struct {
		Key    bson.D
		Unique bool
		After  *int32 `bson:"expireAfterSeconds"`
	}
	if err := cursor.All(t.Context(), &found); err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, index := range found {
		var names []string
		for _, key := range index.Key {
			names = append(names, key.Key)
		}
		text := strings.Join(names, ",")
		if index.Unique && text != "_id" {
			text += " unique"
		}
		if index.After != nil {
			text += " ttl"
		}
		all = append(all, text)
	}
	slices.Sort(all)
	return all
}

func TestNoUserIsCreatedWhileAddressesMayNotBeUnique(t *testing.T) {
	uri := mongoserver.URI(t)
	db := mongoserver.Database(t, uri)
	users := db.Collection("users")
	for _, id := range []string{"a", "b"} {
		if _, err := users.InsertOne(t.Context(), bson.D{{Key: "_id", Value: id}, {Key: "root_id", Value: id}, {Key: "email_key", Value: "same"}}); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, uri, db.Name(), mongo.Options{Timeout: generous})
	for name, err := range map[string]error{"Ping": s.Ping(t.Context()), "CreateUser": s.CreateUser(t.Context(), user(1))} {
		if !fault.Is(err, fault.Busy) || !strings.Contains(err.Error(), "users") {
			t.Errorf("%s ended with %v", name, err)
		}
	}
	if _, err := users.DeleteOne(t.Context(), bson.D{{Key: "_id", Value: "b"}}); err != nil {
		t.Fatal(err)
	}
	until(t, "the index", func() bool { return s.Ping(t.Context()) == nil })
	if err := s.CreateUser(t.Context(), user(1)); err != nil {
		t.Error(err)
	}
}

// An index that only tidies up may fail: reads leave out by themselves what has
// expired.
func TestExpiryDoesNotRelyOnTheServer(t *testing.T) {
	uri := mongoserver.URI(t)
	db := mongoserver.Database(t, uri)
	inTheWay := driver.IndexModel{Keys: bson.D{{Key: "ends", Value: 1}}, Options: options.Index().SetUnique(true)}
	if _, err := db.Collection("revocations").Indexes().CreateOne(t.Context(), inTheWay); err != nil {
		t.Fatal(err)
	}
	log := make(logged, 64)
	s := open(t, uri, db.Name(), mongo.Options{Timeout: generous, Log: newLog(log)})
	if err := s.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	for line := range log {
		if strings.Contains(line, "will not remove by itself") && strings.Contains(line, "revocations") {
			break
		}
	}
	now := time.Now().UTC().Truncate(time.Millisecond)
	over := auth.Revocation{UserID: "u", TokenID: "over", At: now.Add(-time.Hour), Ends: now.Add(-time.Second)}
	lasting := auth.Revocation{UserID: "u", TokenID: "lasting", At: now.Add(-time.Hour), Ends: now.Add(time.Hour)}
	for _, revocation := range []auth.Revocation{over, lasting} {
		if err := s.RevokeToken(t.Context(), revocation); err != nil {
			t.Fatal(err)
		}
	}
	for n, ends := range map[int]time.Time{1: over.Ends, 2: lasting.Ends} {
		if err := s.CreateUser(t.Context(), user(n)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.ChangeUser(t.Context(), auth.UserChange{UserID: user(n).ID, End: &auth.EndTokens{At: now, Ends: ends}}); err != nil {
			t.Fatal(err)
		}
	}
	want := []auth.Revocation{lasting, {UserID: user(2).ID, Generation: 1, At: now, Ends: lasting.Ends}}
	if got, err := s.RevocationsSince(t.Context(), time.Time{}); err != nil || !cmp.Equal(got, want) {
		t.Errorf("the revocations are %v (%v), want %v", got, err, want)
	}
}

func TestADeletedUserLeavesNothingPersonal(t *testing.T) {
	uri := mongoserver.URI(t)
	db := mongoserver.Database(t, uri)
	s := open(t, uri, db.Name(), mongo.Options{Timeout: generous})
	ann := user(1)
	ann.Email, ann.EmailKey, ann.PasswordHash = "Ann@secret", "ann@secret", "secret hash"
	ann.Profile = map[string]json.RawMessage{"name": json.RawMessage(`"secret"`)}
	if err := s.CreateUser(t.Context(), ann); err != nil {
		t.Fatal(err)
	}
	ends := time.Now().Add(time.Hour).UTC().Truncate(time.Millisecond)
	if err := s.DeleteUser(t.Context(), ann.ID, auth.EndTokens{At: time.Now(), Ends: ends}); err != nil {
		t.Fatal(err)
	}
	var left bson.Raw
	if err := db.Collection("users").FindOne(t.Context(), bson.D{{Key: "_id", Value: ann.ID}}).Decode(&left); err != nil {
		t.Fatal(err)
	}
	if text := left.String(); strings.Contains(text, "secret") || strings.Contains(text, "created_at") || strings.Contains(text, ann.RootID) {
		t.Errorf("left is %s", text)
	}
	if forget := left.Lookup("forget_at").Time().UTC(); !forget.Equal(ends) {
		t.Errorf("it is to be forgotten at %s, want %s", forget, ends)
	}
	// A user who lives has nothing that the server would remove them by.
	if err := s.CreateUser(t.Context(), user(2)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ChangeUser(t.Context(), auth.UserChange{UserID: user(2).ID, End: &auth.EndTokens{At: time.Now(), Ends: ends}}); err != nil {
		t.Fatal(err)
	}
	if err := db.Collection("users").FindOne(t.Context(), bson.D{{Key: "_id", Value: user(2).ID}}).Decode(&left); err != nil {
		t.Fatal(err)
	}
	if _, err := left.LookupErr("forget_at"); err == nil {
		t.Errorf("a living user has forget_at: %s", left)
	}
}

// What a server says, and what cannot be read, is no absence: nobody is told to
// come again for it.
func TestABrokenDocumentIsNotBusy(t *testing.T) {
	uri := mongoserver.URI(t)
	db := mongoserver.Database(t, uri)
	s := open(t, uri, db.Name(), mongo.Options{Timeout: generous})
	for field, value := range map[string]any{"profile": "{", "email": 7, "generation": "many"} {
		if err := s.CreateUser(t.Context(), user(1)); err != nil {
			t.Fatal(err)
		}
		users := db.Collection("users")
		if _, err := users.UpdateOne(t.Context(), bson.D{}, bson.D{{Key: "$set", Value: bson.D{{Key: field, Value: value}}}}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.FindUser(t.Context(), auth.UserKey{ID: user(1).ID}); err == nil || fault.From(err).Code != fault.Internal {
			t.Errorf("%s: FindUser ended with %v", field, err)
		}
		if _, err := users.DeleteMany(t.Context(), bson.D{}); err != nil {
			t.Fatal(err)
		}
	}
}
