package mongo_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/walkergate/walkergate/channels"
	"github.com/walkergate/walkergate/fault"
	"github.com/walkergate/walkergate/internal/mongoserver"
	"github.com/walkergate/walkergate/store"
	"github.com/walkergate/walkergate/store/mongo"
)

// withDatabase is a store, and its database to be looked at beside it.
func withDatabase(t *testing.T) (*mongo.Store, *driver.Database) {
	t.Helper()
	uri := mongoserver.URI(t)
	db := mongoserver.Database(t, uri)
	return open(t, uri, db.Name(), mongo.Options{Timeout: generous}), db
}

func TestIndexesOfTheLog(t *testing.T) {
	s, db := withDatabase(t)
	if err := s.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]string{
		"logs":     {"_id", "due"},
		"messages": {"_id", "channel,epoch,id unique", "channel,epoch,seq unique", "owner,cost"},
		"marks":    {"_id", "root,channel unique"},
	} {
		if got := indexes(t, db.Collection(name)); !cmp.Equal(got, want) {
			t.Errorf("%s has the indexes %q, want %q", name, got, want)
		}
	}
}

func TestReadingALogCreatesNothing(t *testing.T) {
	s, db := withDatabase(t)
	if _, err := s.Heads(t.Context(), []string{"room", "hall"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Messages(t.Context(), channels.LogQuery{ChannelID: "room", Limit: 10}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"logs", "messages", "quotas", "marks"} {
		if count, err := db.Collection(name).CountDocuments(t.Context(), bson.D{}); err != nil || count != 0 {
			t.Errorf("%s holds %d documents (%v)", name, count, err)
		}
	}
}

// update changes documents beside the store.
func update(t *testing.T, in *driver.Collection, filter, fields bson.D) {
	t.Helper()
	result, err := in.UpdateMany(t.Context(), filter, bson.D{{Key: "$set", Value: fields}})
	if err != nil || result.MatchedCount == 0 {
		t.Fatalf("%+v changed (%v)", result, err)
	}
}

func sweep(t *testing.T, s store.Store, now time.Time) {
	t.Helper()
	for more := true; more; {
		var err error
		if more, err = s.Sweep(t.Context(), now); err != nil {
			t.Fatal(err)
		}
	}
}

// A node may end between the two steps in which messages are let go.
func TestWhatAKilledNodeLeftHalfDoneIsFinished(t *testing.T) {
	s, db := withDatabase(t)
	asked := appending("a", "b", "c", "d")
	epoch, _, err := s.Append(t.Context(), asked)
	if err != nil {
		t.Fatal(err)
	}
	update(t, db.Collection("logs"), bson.D{{Key: "_id", Value: "room"}}, bson.D{{Key: "first", Value: int64(4)}})
	want := channels.Head{Epoch: epoch, Seq: 4, First: 4}
	for _, newest := range []bool{false, true} {
		page, err := s.Messages(t.Context(), channels.LogQuery{ChannelID: "room", Limit: 10, Newest: newest})
		if err != nil || page.Head != want || len(page.Messages) != 1 || page.Messages[0].Seq != 4 || page.More {
			t.Errorf("the page is %+v (%v)", page, err)
		}
	}
	full := bson.D{{Key: "data", Value: bson.D{{Key: "$exists", Value: true}}}}
	now := asked.Messages[0].At.Add(keep.Age - time.Second)
	sweep(t, s, now) // not yet due
	sweep(t, s, now.Add(time.Minute))
	for what, filter := range map[string]bson.D{"messages": {}, "messages with data": full} {
		if count, err := db.Collection("messages").CountDocuments(t.Context(), filter); err != nil || count != 0 {
			t.Errorf("%d %s are left (%v)", count, what, err)
		}
	}
	if heads, err := s.Heads(t.Context(), []string{"room"}); err != nil || heads[0] != (channels.Head{Epoch: epoch, Seq: 4, First: 5}) {
		t.Errorf("the head is %+v (%v)", heads, err)
	}
}

// A writer that read the epoch before Forget may insert after it.
func TestALateMessageOfAForgottenStreamIsRemoved(t *testing.T) {
	s, db := withDatabase(t)
	stream := channels.StreamOf("ann")
	asked := appending("a")
	asked.ChannelID = stream
	old, _, err := s.Append(t.Context(), asked)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Forget(t.Context(), "ann"); err != nil {
		t.Fatal(err)
	}
	late := bson.D{
		{Key: "channel", Value: stream}, {Key: "epoch", Value: old}, {Key: "seq", Value: int64(2)}, {Key: "id", Value: "late"},
		{Key: "at", Value: time.Now()}, {Key: "known_until", Value: time.Now()}, {Key: "data", Value: []byte("{}")},
	}
	if _, err := db.Collection("messages").InsertOne(t.Context(), late); err != nil {
		t.Fatal(err)
	}
	if ids := logOf(t, s, stream); ids != nil {
		t.Errorf("the stream holds %q", ids)
	}
	sweep(t, s, time.Now())
	if count, err := db.Collection("messages").CountDocuments(t.Context(), bson.D{}); err != nil || count != 0 {
		t.Errorf("%d messages are left (%v)", count, err)
	}
}

// What a quota counts goes wrong by nodes that end, and by what is let go.
func TestAQuotaIsCountedAgainBeforeItRefuses(t *testing.T) {
	s, db := withDatabase(t)
	quotas := db.Collection("quotas")
	now := time.Now()
	try := func(id string, later time.Duration) channels.Place {
		t.Helper()
		asked := appending(id)
		asked.Quota = 3 * (channels.MessageCost + 2)
		asked.Messages[0].Owner, asked.Messages[0].At = "ann", now.Add(later)
		_, places, err := s.Append(t.Context(), asked)
		if err != nil {
			t.Fatal(err)
		}
		return places[0]
	}
	for n := range 2 {
		if place := try(fmt.Sprint(n), 0); place.Seq != int64(n+1) {
			t.Errorf("the place is %+v", place)
		}
	}
	// Too much is found out about once in a while.
	update(t, quotas, bson.D{}, bson.D{{Key: "bytes", Value: int64(1 << 40)}, {Key: "counted", Value: now}})
	if place := try("refused", 9*time.Second); place.Refused == nil {
		t.Errorf("the place is %+v", place)
	}
	if place := try("2", 10*time.Second); place.Seq != 3 {
		t.Errorf("the place is %+v", place)
	}
	// So is too little, where it comes near the quota.
	update(t, quotas, bson.D{}, bson.D{{Key: "bytes", Value: int64(2 * (channels.MessageCost + 2))}})
	if place := try("3", time.Hour); place.Seq != 4 {
		t.Errorf("the place is %+v", place)
	}
	for _, later := range []time.Duration{time.Hour, 2 * time.Hour} {
		if place := try("refused", later); place.Refused == nil {
			t.Errorf("the place is %+v", place)
		}
	}
}

// A log is swept by one node at a time, and by the next one where that ended on
// the way.
func TestALogThatANodeDidNotFinishIsSweptByAnother(t *testing.T) {
	s, db := withDatabase(t)
	asked := appending("a")
	if _, _, err := s.Append(t.Context(), asked); err != nil {
		t.Fatal(err)
	}
	now := asked.Messages[0].At.Add(keep.Age).Truncate(time.Millisecond)
	// As if another had taken it.
	update(t, db.Collection("logs"), bson.D{}, bson.D{{Key: "due", Value: now.Add(time.Minute)}})
	sweep(t, s, now.Add(time.Minute-time.Millisecond))
	if heads, err := s.Heads(t.Context(), []string{"room"}); err != nil || heads[0].First != 1 {
		t.Errorf("the head is %+v (%v)", heads, err)
	}
	sweep(t, s, now.Add(time.Minute))
	if heads, err := s.Heads(t.Context(), []string{"room"}); err != nil || heads[0].First != 2 {
		t.Errorf("the head is %+v (%v)", heads, err)
	}
}

// A row says now and then that it is used, and is not removed for a day's
// difference.
func TestALogThatIsUsedIsNotForgotten(t *testing.T) {
	s, db := withDatabase(t)
	used := func() time.Time {
		t.Helper()
		var row struct{ Used time.Time }
		if err := db.Collection("logs").FindOne(t.Context(), bson.D{}).Decode(&row); err != nil {
			t.Fatal(err)
		}
		return row.Used.UTC()
	}
	begun := time.Now().UTC().Truncate(time.Millisecond)
	var want time.Time
	for n, later := range []time.Duration{0, time.Hour, 23 * time.Hour, 24 * time.Hour, 47 * time.Hour, 49 * time.Hour} {
		asked := appending(fmt.Sprint(n))
		asked.Messages[0].At = begun.Add(later)
		if _, _, err := s.Append(t.Context(), asked); err != nil {
			t.Fatal(err)
		}
		if slices.Contains([]time.Duration{0, 24 * time.Hour, 49 * time.Hour}, later) {
			want = begun.Add(later)
		}
		if got := used(); !got.Equal(want) {
			t.Errorf("after %s the row was used at %s, want %s", later, got, want)
		}
	}
}

func TestABrokenMessageIsNotBusy(t *testing.T) {
	s, db := withDatabase(t)
	if _, _, err := s.Append(t.Context(), appending("a")); err != nil {
		t.Fatal(err)
	}
	update(t, db.Collection("messages"), bson.D{}, bson.D{{Key: "at", Value: "noon"}})
	_, err := s.Messages(t.Context(), channels.LogQuery{ChannelID: "room", Limit: 1})
	if err == nil || fault.From(err).Code != fault.Internal {
		t.Errorf("Messages ended with %v", err)
	}
}
