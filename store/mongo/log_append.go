package mongo

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/walkergate/walkergate/channels"
	"github.com/walkergate/walkergate/store"
)

// insertTimeout bounds an insert from the moment on that the head was read, far
// below the time that a stub stands: see log.go.
const insertTimeout = channels.RetryLife / 4

// unsureTries is how often one call inserts without an answer before it leaves
// it to its caller to come again.
const unsureTries = 3

// logAppend is one Append under way.
type logAppend struct {
	store  *Store
	asked  *channels.Appending
	now    time.Time
	row    logDocument
	places []channels.Place
	// documents are the messages; the _id of each says whether what stands in
	// the log was written here.
	documents []messageDocument
	rest      []int // of the messages, those without a place, in their order
	last      int64 // the last seq that was written here

	// unsure says that something was written, or may have been.
	unsure bool
	tries  int
	// reserved is what was reserved of quotas and is not used, or not yet.
	reserved map[string]int64
}

// Append meets channels.Store. Its quotas are off by what log_quota.go says.
func (s *Store) Append(ctx context.Context, appending channels.Appending) (epoch string, places []channels.Place, err error) {
	if err := store.CheckAppending(&appending); err != nil {
		return "", nil, err
	}
	a := logAppend{store: s, asked: &appending, reserved: make(map[string]int64)}
	err = s.write(ctx, func(ctx context.Context) error {
		err := a.run(ctx)
		if err == nil || !a.unsure {
			a.giveBack(ctx)
		} else if isAbsence(err) || ctx.Err() != nil {
			return errUnknown.Because(err)
		}
		return err
	})
	if err != nil {
		return "", nil, err
	}
	return a.row.Epoch, a.places, nil
}

func (a *logAppend) run(ctx context.Context) error {
	first, now := store.Moments(a.asked.Messages)
	a.now = now
	a.places = make([]channels.Place, len(a.asked.Messages))
	repeated := a.sortOut()
	var err error
	if a.row, err = a.store.findLog(ctx, a.asked.ChannelID); err != nil {
		return err
	}
	if err := a.reserve(ctx); err != nil {
		return err
	}
	if len(a.rest) > 0 {
		if err := a.holdRow(ctx, first); err != nil {
			return err
		}
	}
	a.encode()
	for len(a.rest) > 0 {
		if err := a.insert(ctx); err != nil {
			return err
		}
	}
	for again, original := range repeated {
		a.repeat(again, original)
	}
	if a.last > 0 {
		a.store.settle(ctx, &a.row, a.last, now)
	}
	return nil
}

// sortOut puts each message into the rest that is the first under its id, and
// gives the others with the ones before them.
func (a *logAppend) sortOut() (repeated map[int]int) {
	originals := make(map[string]int, len(a.asked.Messages))
	for i := range a.asked.Messages {
		id := a.asked.Messages[i].ID
		if original, known := originals[id]; known {
			if repeated == nil {
				repeated = make(map[int]int)
			}
			repeated[i] = original
			continue
		}
		originals[id] = i
		a.rest = append(a.rest, i)
	}
	return repeated
}

// repeat gives a message the place of the one before it under its id.
func (a *logAppend) repeat(again, original int) {
	a.places[again] = a.places[original]
	if place := &a.places[again]; place.Refused == nil && !place.Before {
		message := &a.asked.Messages[original]
		place.Before, place.Digest, place.At = true, message.Digest, timeOf(dateOf(message.At))
	}
}

// holdRow sees to a row that knows the retention and will not be removed while
// the messages are inserted.
func (a *logAppend) holdRow(ctx context.Context, first time.Time) error {
	s, keep := a.store, a.asked.Retention
	age := keep.Age.Milliseconds()
	due := dateOf(first.Add(keep.Age))
	for {
		row := &a.row
		if !row.stored {
			row.Messages, row.Age, row.Used, row.Due = keep.Messages, age, dateOf(a.now), due
			made := bson.D{{Key: "$setOnInsert", Value: bson.D{
				{Key: "epoch", Value: row.Epoch}, {Key: "born", Value: row.Born}, {Key: "first", Value: row.First},
				{Key: "head", Value: row.Head}, {Key: "messages", Value: row.Messages}, {Key: "age", Value: row.Age},
				{Key: "used", Value: row.Used}, {Key: "due", Value: row.Due},
			}}}
			_, err := s.logs.UpdateOne(ctx, byID(row.ChannelID), made, options.UpdateOne().SetUpsert(true))
			if err != nil && !mongo.IsDuplicateKeyError(err) {
				return err
			}
		} else if held, err := a.touchRow(ctx, age, due); err != nil || held {
			return err
		}
		var err error
		if *row, err = s.findLog(ctx, a.asked.ChannelID); err != nil {
			return err
		}
	}
}

// touchRow writes what is not as it should be in the row, and reports whether
// that is held then.
func (a *logAppend) touchRow(ctx context.Context, age int64, due bson.DateTime) (held bool, err error) {
	row, keep := &a.row, a.asked.Retention
	if age < row.Age {
		due = dateOf(a.now)
	}
	late := due < row.Due
	if row.Messages == keep.Messages && row.Age == age && !late && a.now.Sub(timeOf(row.Used)) < touchEvery {
		return true, nil
	}
	row.Messages, row.Age, row.Used = keep.Messages, age, max(row.Used, dateOf(a.now))
	update := bson.D{set(bson.D{{Key: "messages", Value: row.Messages}, {Key: "age", Value: row.Age}, {Key: "used", Value: row.Used}})}
	if late {
		update = append(update, bson.E{Key: "$min", Value: bson.D{{Key: "due", Value: due}}})
	}
	result, err := a.store.logs.UpdateOne(ctx, append(byID(row.ChannelID), bson.E{Key: "epoch", Value: row.Epoch}), update)
	return err == nil && result.MatchedCount > 0, err
}

func (a *logAppend) encode() {
	a.documents = make([]messageDocument, len(a.asked.Messages))
	for _, i := range a.rest {
		a.documents[i] = encodeMessage(a.asked.ChannelID, a.row.Epoch, &a.asked.Messages[i])
	}
}

// insert puts the rest behind the head, or finds out what became of it.
func (a *logAppend) insert(ctx context.Context) error {
	epoch := a.row.Epoch
	inTime, cancel := context.WithTimeout(ctx, insertTimeout)
	defer cancel()
	head, err := a.store.headOf(inTime, &a.row)
	if err != nil {
		return err
	}
	if a.row.Epoch != epoch {
		return errAnew
	}
	batch := make([]any, len(a.rest))
	for n, i := range a.rest {
		a.documents[i].Seq = head + int64(n) + 1
		batch[n] = &a.documents[i]
	}
	sure := !a.unsure
	a.unsure = true
	_, err = a.store.messages.InsertMany(inTime, batch)
	if err == nil {
		for _, i := range a.rest {
			a.written(i, a.documents[i].Seq)
		}
		a.rest = nil
		return nil
	}
	if !mongo.IsDuplicateKeyError(err) {
		if a.tries++; !isAbsence(err) || ctx.Err() != nil || a.tries == unsureTries {
			return err
		}
		sure = false
	}
	// Something of it is written, or all, or nothing. It is read before
	// anything is tried again.
	if err := a.readBack(ctx); err != nil {
		return err
	}
	a.unsure = !sure || a.last > 0
	return nil
}

// readBack gives each of the rest its place that stands in the log by now.
func (a *logAppend) readBack(ctx context.Context) error {
	found, err := a.store.findPlaces(ctx, a.asked, &a.row, a.rest)
	if err != nil {
		return err
	}
	rest := a.rest[:0]
	for _, i := range a.rest {
		document, known := found[a.asked.Messages[i].ID]
		switch {
		case !known:
			rest = append(rest, i)
		case document.ID == a.documents[i].ID:
			a.written(i, document.Seq)
		default:
			a.places[i] = document.before()
		}
	}
	a.rest = rest
	return nil
}

func (a *logAppend) written(i int, seq int64) {
	a.places[i] = channels.Place{Seq: seq}
	a.last = max(a.last, seq)
	message := &a.asked.Messages[i]
	a.reserved[message.Owner] -= store.Cost(message)
}

// before is the place of a message that stood there already.
func (d *messageDocument) before() channels.Place {
	return channels.Place{Seq: d.Seq, Before: true, Digest: d.Digest, At: timeOf(d.At)}
}

// findPlaces reads which of some messages stand in a log, by their ids.
func (s *Store) findPlaces(ctx context.Context, asked *channels.Appending, row *logDocument, some []int) (map[string]messageDocument, error) {
	found := make(map[string]messageDocument)
	if !row.stored {
		return found, nil
	}
	ids := make([]string, len(some))
	for n, i := range some {
		ids[n] = asked.Messages[i].ID
	}
	only := bson.D{{Key: "seq", Value: 1}, {Key: "id", Value: 1}, {Key: "digest", Value: 1}, {Key: "at", Value: 1}}
	among := bson.E{Key: "id", Value: bson.D{{Key: "$in", Value: ids}}}
	cursor, err := s.messages.Find(ctx, inLog(row.ChannelID, row.Epoch, among), options.Find().SetProjection(only))
	if err != nil {
		return nil, err
	}
	var documents []messageDocument
	if err := cursor.All(ctx, &documents); err != nil {
		return nil, err
	}
	for _, document := range documents {
		found[document.MessageID] = document
	}
	return found, nil
}

// settle does what follows from a new head: it lets go of what is too much, and
// now and then tells the row where the head is. The messages are written
// without it, so its failure is not theirs; who comes next makes up for it.
func (s *Store) settle(ctx context.Context, row *logDocument, head int64, now time.Time) {
	first := store.TrimTo(row.First, head, channels.Retention{Messages: row.Messages, Age: row.age()})
	if first == row.First && head-row.Head < headStep {
		return
	}
	if err := s.raise(ctx, row, first, head, now); err != nil {
		s.log.Warn("a log could not be held to its retention", slog.Any("error", err))
	}
}

// raise notes where a log stands, and lets go of what is below first. The row
// says so before any message is touched: whoever reads takes nothing for kept
// that may be half gone, and the head does not fall with the messages.
func (s *Store) raise(ctx context.Context, row *logDocument, first, head int64, now time.Time) error {
	update := bson.D{{Key: "$max", Value: bson.D{{Key: "first", Value: first}, {Key: "head", Value: head}}}}
	if first > row.First {
		soon := dateOf(now.Add(channels.RetryLife))
		update = append(update, bson.E{Key: "$min", Value: bson.D{{Key: "due", Value: soon}}})
	}
	result, err := s.logs.UpdateOne(ctx, append(byID(row.ChannelID), bson.E{Key: "epoch", Value: row.Epoch}), update)
	if err != nil || result.MatchedCount == 0 || first == row.First {
		return err
	}
	return s.letGo(ctx, row.ChannelID, row.Epoch, first, now)
}

// letGo empties the messages below first, and removes those whose ids need not
// be known any longer.
func (s *Store) letGo(ctx context.Context, channelID, epoch string, first int64, now time.Time) error {
	below := bson.E{Key: "seq", Value: bson.D{{Key: "$lt", Value: first}}}
	forgotten := bson.E{Key: "known_until", Value: bson.D{{Key: "$lte", Value: dateOf(now)}}}
	full := bson.E{Key: "data", Value: bson.D{{Key: "$exists", Value: true}}}
	empty := bson.D{{Key: "$unset", Value: bson.D{
		{Key: "data", Value: ""}, {Key: "from", Value: ""}, {Key: "owner", Value: ""}, {Key: "cost", Value: ""},
	}}}
	_, err := s.messages.BulkWrite(ctx, []mongo.WriteModel{
		mongo.NewDeleteManyModel().SetFilter(inLog(channelID, epoch, below, forgotten)),
		mongo.NewUpdateManyModel().SetFilter(inLog(channelID, epoch, below, full)).SetUpdate(empty),
	})
	if err != nil {
		return fmt.Errorf("let messages go: %w", err)
	}
	return nil
}
