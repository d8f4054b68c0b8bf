package mongo

import (
	"context"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"golang.org/x/sync/errgroup"

	"github.com/walkergate/walkergate/channels"
	"github.com/walkergate/walkergate/store"
)

const (
	// headsAtOnce is how many heads one call reads at the same time.
	headsAtOnce = 16
	// pageTries is how often a page is read whose messages are let go while it
	// is.
	pageTries = 8
)

// Heads meets channels.Store.
func (s *Store) Heads(ctx context.Context, channelIDs []string) ([]channels.Head, error) {
	if err := store.CheckHeads(channelIDs); err != nil {
		return nil, err
	}
	heads := make([]channels.Head, len(channelIDs))
	err := s.call(ctx, func(ctx context.Context) error {
		rows, err := s.findLogs(ctx, channelIDs)
		if err != nil {
			return err
		}
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(headsAtOnce)
		for i := range rows {
			if !rows[i].stored {
				heads[i] = rows[i].head(0)
				continue
			}
			group.Go(func() error {
				seq, err := s.headOf(ctx, &rows[i])
				heads[i] = rows[i].head(seq)
				return err
			})
		}
		return group.Wait()
	})
	if err != nil {
		return nil, err
	}
	return heads, nil
}

func (d *logDocument) head(seq int64) channels.Head {
	return channels.Head{Epoch: d.Epoch, Seq: seq, First: d.First}
}

// findLogs is findLog for many, in their order.
func (s *Store) findLogs(ctx context.Context, channelIDs []string) ([]logDocument, error) {
	if len(channelIDs) == 0 {
		return nil, nil
	}
	cursor, err := s.logs.Find(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: channelIDs}}}})
	if err != nil {
		return nil, err
	}
	var found []logDocument
	if err := cursor.All(ctx, &found); err != nil {
		return nil, err
	}
	byChannel := make(map[string]logDocument, len(found))
	for _, row := range found {
		row.stored = true
		byChannel[row.ChannelID] = row
	}
	base, err := s.findBaseEpoch(ctx)
	if err != nil {
		return nil, err
	}
	rows := make([]logDocument, len(channelIDs))
	for i, channelID := range channelIDs {
		row, stored := byChannel[channelID]
		if !stored {
			row = logDocument{ChannelID: channelID, Epoch: base, Born: base, First: 1}
		}
		rows[i] = row
	}
	return rows, nil
}

// Messages meets channels.Store.
func (s *Store) Messages(ctx context.Context, query channels.LogQuery) (channels.Page, error) {
	if err := store.CheckLogQuery(query); err != nil {
		return channels.Page{}, err
	}
	var page channels.Page
	err := s.call(ctx, func(ctx context.Context) error {
		row, err := s.findLog(ctx, query.ChannelID)
		for range pageTries {
			if err != nil {
				return err
			}
			var whole bool
			if page, whole, err = s.readPage(ctx, &row, query); whole {
				return err
			}
		}
		return errFull
	})
	if err != nil {
		return channels.Page{}, err
	}
	return page, nil
}

// readPage reads a page and brings the row up to date. What is kept by the row
// as it is behind the messages was kept all the while, and so was read without a
// hole. The head comes last, and so is not below any of them. As there is no
// hole, it also says whether there is more. The page is not whole where all that
// was read went meanwhile: other messages may stand in the range.
func (s *Store) readPage(ctx context.Context, row *logDocument, query channels.LogQuery) (page channels.Page, whole bool, err error) {
	if !row.stored {
		return channels.Page{Head: row.head(0)}, true, nil
	}
	before := *row
	documents, err := s.findPage(ctx, row, query)
	if err != nil {
		return page, true, err
	}
	if *row, err = s.findLog(ctx, query.ChannelID); err != nil {
		return page, true, err
	}
	seq, err := s.headOf(ctx, row)
	if err != nil {
		return page, true, err
	}
	if row.Epoch != before.Epoch {
		return page, false, nil
	}
	page.Head = row.head(seq)
	read := len(documents)
	documents = slices.DeleteFunc(documents, func(d messageDocument) bool { return d.Seq < row.First })
	if len(documents) == 0 {
		return page, read == 0, nil
	}
	if query.Newest {
		slices.Reverse(documents)
		page.More = documents[0].Seq > max(row.First, query.After+1)
	} else {
		last := documents[len(documents)-1].Seq
		page.More = last < seq && (query.Before == 0 || last < query.Before-1)
	}
	for i := range documents {
		page.Messages = append(page.Messages, documents[i].message())
	}
	return page, true, nil
}

// findPage reads the messages of a page, in the order that it fills in.
func (s *Store) findPage(ctx context.Context, row *logDocument, query channels.LogQuery) ([]messageDocument, error) {
	from, order := row.First, 1
	if query.After >= from {
		if from = query.After + 1; from < query.After {
			return nil, nil // there is no seq behind the greatest
		}
	}
	if query.Newest {
		order = -1
	}
	found := options.Find().SetSort(bson.D{{Key: "seq", Value: order}}).SetLimit(int64(query.Limit))
	cursor, err := s.messages.Find(ctx, inLog(row.ChannelID, row.Epoch, seqs(from, query.Before)), found)
	if err != nil {
		return nil, err
	}
	var documents []messageDocument
	err = cursor.All(ctx, &documents)
	return documents, err
}
