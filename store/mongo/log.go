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

// How a log is kept without transactions.
//
// A message is a document under two unique indexes, by its seq and by its id.
// The log has a row, in another collection, with its epoch and with first: the
// messages from there on are kept, without a hole up to the head. The head is
// written down nowhere. It is the seq of the newest message, or first-1 where
// none is kept.
//
// A writer reads the head and inserts behind it, in order; the server stops at
// the first insert that fails.
//
//   - Of writers that race for a seq one gets it: the index sees to that. The
//     others are told that it is taken, read the head again and go on.
//   - No seq is left out, and none is seen before those below it: what a writer
//     read as the head stood there, and what it inserts behind that it inserts
//     one by one.
//   - No seq is given again once its message was let go. first is raised before
//     any message below it is touched, so the head never falls. And a message
//     that is let go leaves its seq and id behind, as a stub, for RetryLife at
//     least from when it came: a writer that read the head before, and inserts
//     behind it within insertTimeout, still finds the seq taken. The difference
//     of the two is room for messages that waited and for clocks that differ.
//   - An insert that was given up on may still arrive, at any time. Behind the
//     head it finds its ids taken where its caller came again, and otherwise is
//     a write like any other. Below the head it finds the seq taken. Where even
//     the stub is gone it comes to lie below first, where nobody reads, and the
//     first message that is kept stops it.
//
// What is read of logs is what a majority has, so that no head is told that a
// change of the primary could take back.

const (
	// baseEpoch is the id of the document that holds the epoch of every channel
	// without a row.
	baseEpoch = "base"
	// headStep is how far the head may go from what the row knows of it.
	headStep = 64
	// touchEvery is how often a row that is used says so.
	touchEvery = 24 * time.Hour
)

// logDocument is the row of a log. It is made for the first message, and stays
// for some time after the last.
type logDocument struct {
	ChannelID string `bson:"_id"`
	Epoch     string `bson:"epoch"`
	// Born is the base epoch of when the row was made.
	Born string `bson:"born"`
	// Dead are epochs that Forget has ended. Messages may stand under them
	// still.
	Dead []string `bson:"dead,omitempty"`
	// First is the seq of the first message that is kept.
	First int64 `bson:"first"`
	// Head is no more than the head, and not much less. It says where to look
	// for that.
	Head     int64         `bson:"head"`
	Messages int           `bson:"messages"` // the retention
	Age      int64         `bson:"age"`      // in milliseconds, as well
	Used     bson.DateTime `bson:"used"`     // by touchEvery
	Due      bson.DateTime `bson:"due"`      // when Sweep has to look at it

	// stored says that there is such a row, and not only what it would be.
	stored bool
}

func (d *logDocument) age() time.Duration { return time.Duration(d.Age) * time.Millisecond }

// messageDocument is a message. Where it was let go it keeps its names and
// times alone, until it is forgotten.
type messageDocument struct {
	// ID is of the call that inserts it, so that a writer tells its own
	// message from another's of the same id.
	ID         bson.ObjectID   `bson:"_id"`
	ChannelID  string          `bson:"channel"`
	Epoch      string          `bson:"epoch"`
	Seq        int64           `bson:"seq"`
	MessageID  string          `bson:"id"`
	Keyed      bool            `bson:"keyed"`
	Digest     string          `bson:"digest"`
	From       *senderDocument `bson:"from,omitempty"`
	Owner      string          `bson:"owner,omitempty"`
	Cost       int64           `bson:"cost,omitempty"` // where there is an owner
	At         bson.DateTime   `bson:"at"`
	KnownUntil bson.DateTime   `bson:"known_until"`
	Data       []byte          `bson:"data,omitempty"` // as it came, and not as a document
}

type senderDocument struct {
	ClientID string `bson:"client"`
	RootID   string `bson:"root"`
}

func encodeMessage(channelID, epoch string, message *channels.Message) messageDocument {
	document := messageDocument{
		ID: bson.NewObjectID(), ChannelID: channelID, Epoch: epoch, MessageID: message.ID, Keyed: message.Keyed,
		Digest: message.Digest, Owner: message.Owner, At: dateOf(message.At),
		KnownUntil: dateOf(store.KnownUntil(message)), Data: message.Data,
	}
	if message.Owner != "" {
		document.Cost = store.Cost(message)
	}
	if from := message.From; from != nil {
		document.From = &senderDocument{ClientID: from.ClientID, RootID: from.RootID}
	}
	return document
}

func (d *messageDocument) message() channels.Message {
	message := channels.Message{
		Seq: d.Seq, ID: d.MessageID, Keyed: d.Keyed, Digest: d.Digest, Owner: d.Owner, At: timeOf(d.At), Data: d.Data,
	}
	if d.From != nil {
		message.From = &channels.Sender{ClientID: d.From.ClientID, RootID: d.From.RootID}
	}
	return message
}

// inLog selects among the messages of a log, under one of its epochs.
func inLog(channelID, epoch string, more ...bson.E) bson.D {
	return append(bson.D{{Key: "channel", Value: channelID}, {Key: "epoch", Value: epoch}}, more...)
}

// seqs selects by seq: at least from, and below to, where that is not 0.
func seqs(from, to int64) bson.E {
	bounds := bson.D{{Key: "$gte", Value: from}}
	if to != 0 {
		bounds = append(bounds, bson.E{Key: "$lt", Value: to})
	}
	return bson.E{Key: "seq", Value: bounds}
}

// findLog reads the row of a log, or says what it would be. The row comes
// before the base epoch: that is made anew before a row is removed, so who
// finds a row removed finds the new one.
func (s *Store) findLog(ctx context.Context, channelID string) (logDocument, error) {
	row := logDocument{stored: true}
	err := s.logs.FindOne(ctx, byID(channelID)).Decode(&row)
	if !errors.Is(err, mongo.ErrNoDocuments) {
		return row, err
	}
	base, err := s.findBaseEpoch(ctx)
	return logDocument{ChannelID: channelID, Epoch: base, Born: base, First: 1}, err
}

// findBaseEpoch reads the epoch of the channels without a row. The first who
// asks makes it.
func (s *Store) findBaseEpoch(ctx context.Context) (string, error) {
	var base struct {
		Epoch string `bson:"epoch"`
	}
	err := s.epochs.FindOne(ctx, byID(baseEpoch)).Decode(&base)
	for try := 0; try < 2 && (errors.Is(err, mongo.ErrNoDocuments) || mongo.IsDuplicateKeyError(err)); try++ {
		made := bson.D{{Key: "$setOnInsert", Value: bson.D{{Key: "epoch", Value: store.NewEpoch()}}}}
		err = s.epochs.FindOneAndUpdate(ctx, byID(baseEpoch), made,
			options.FindOneAndUpdate().SetUpsert(true).SetReturnDocument(options.After)).Decode(&base)
	}
	return base.Epoch, err
}

// headOf gives the head of a log. Where it has to look at the row again, it
// brings that up to date.
func (s *Store) headOf(ctx context.Context, row *logDocument) (int64, error) {
	for row.stored {
		var newest messageDocument
		err := s.messages.FindOne(ctx, inLog(row.ChannelID, row.Epoch, seqs(max(row.First, row.Head), 0)),
			options.FindOne().SetSort(bson.D{{Key: "seq", Value: -1}}).SetProjection(bson.D{{Key: "seq", Value: 1}})).Decode(&newest)
		if err == nil || !errors.Is(err, mongo.ErrNoDocuments) {
			return newest.Seq, err
		}
		// None is kept, or the row is out of date.
		again, err := s.findLog(ctx, row.ChannelID)
		if err != nil {
			return 0, err
		}
		settled := again.Epoch == row.Epoch && again.First == row.First
		*row = again
		if settled {
			break
		}
	}
	return max(row.First-1, row.Head), nil
}
