package mongo_test

import (
	"flag"
	"fmt"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/walkergate/walkergate/internal/mongoserver"
	"github.com/walkergate/walkergate/store"
	"github.com/walkergate/walkergate/store/mongo"
	"github.com/walkergate/walkergate/store/storetest"
)

// One case takes long on a server that is not a mongod. The embedded engine is
// given as many as anybody likes.
func init() { _ = flag.Set("rapid.checks", "10") }

func TestContractOfNodes(t *testing.T) {
	uri := mongoserver.URI(t)
	storetest.RunNodes(t, func(t *testing.T, nodes int) []store.Store {
		name := mongoserver.Database(t, uri).Name()
		all := make([]store.Store, nodes)
		for i := range all {
			all[i] = open(t, uri, name, mongo.Options{Timeout: generous})
		}
		return all
	})
}

func TestLastMarks(t *testing.T) {
	uri := mongoserver.URI(t)
	db := mongoserver.Database(t, uri)
	storetest.LastMarks(t, open(t, uri, db.Name(), mongo.Options{Timeout: generous}), func(count int) {
		marks := make([]bson.D, count)
		for n := range marks {
			marks[n] = bson.D{
				{Key: "_id", Value: fmt.Sprint(n, ":ann")}, {Key: "root", Value: "ann"},
				{Key: "channel", Value: fmt.Sprint("room ", n)}, {Key: "seq", Value: int64(1)},
			}
		}
		if _, err := db.Collection("marks").InsertMany(t.Context(), marks); err != nil {
			t.Fatal(err)
		}
	})
}
