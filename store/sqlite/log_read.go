package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"math"
	"slices"

	"github.com/walkergate/walkergate/channels"
	"github.com/walkergate/walkergate/store"
)

const (
	selectBaseEpoch = `SELECT epoch FROM base_epoch LIMIT 1`
	selectHead      = `SELECT epoch, head, first FROM logs WHERE channel_id = ?`

	// A page and its head are one statement, and so of one moment.
	selectPage = `SELECT l.epoch, l.head, l.first,
			m.seq, m.id, m.keyed, m.digest, m.client_id, m.root_id, m.owner, m.at, m.data
		FROM logs AS l LEFT JOIN messages AS m
			ON m.log = l.number AND m.seq > max(?, l.first - 1) AND m.seq < ?
		WHERE l.channel_id = ?`
	selectPageUp   = selectPage + ` ORDER BY m.seq LIMIT ?`
	selectPageDown = selectPage + ` ORDER BY m.seq DESC LIMIT ?`
)

// Heads meets channels.Store.
func (s *Store) Heads(ctx context.Context, channelIDs []string) ([]channels.Head, error) {
	if err := s.readable(); err != nil {
		return nil, err
	}
	if err := store.CheckHeads(channelIDs); err != nil {
		return nil, err
	}
	heads := make([]channels.Head, len(channelIDs))
	for i, channelID := range channelIDs {
		head := &heads[i]
		err := s.readers.head.QueryRowContext(ctx, channelID).Scan(&head.Epoch, &head.Seq, &head.First)
		if errors.Is(err, sql.ErrNoRows) {
			*head, err = s.unborn(ctx)
		}
		if err != nil {
			return nil, readError(ctx, err)
		}
	}
	return heads, nil
}

// unborn is the head of a channel without a row.
func (s *Store) unborn(ctx context.Context) (channels.Head, error) {
	head := channels.Head{First: 1}
	return head, s.readers.baseEpoch.QueryRowContext(ctx).Scan(&head.Epoch)
}

// Messages meets channels.Store.
func (s *Store) Messages(ctx context.Context, query channels.LogQuery) (channels.Page, error) {
	if err := s.readable(); err != nil {
		return channels.Page{}, err
	}
	if err := store.CheckLogQuery(query); err != nil {
		return channels.Page{}, err
	}
	statement, before := s.readers.pageUp, query.Before
	if query.Newest {
		statement = s.readers.pageDown
	}
	if before == 0 {
		before = math.MaxInt64
	}
	// One more than asked for says whether there is more.
	rows, err := statement.QueryContext(ctx, query.After, before, query.ChannelID, query.Limit+1)
	if err != nil {
		return channels.Page{}, readError(ctx, err)
	}
	defer rows.Close()
	page, err := scanPage(rows)
	if err == nil && page.Head.Epoch == "" {
		page.Head, err = s.unborn(ctx)
	}
	if err != nil {
		return channels.Page{}, readError(ctx, err)
	}
	if len(page.Messages) > query.Limit {
		page.Messages, page.More = page.Messages[:query.Limit], true
	}
	if query.Newest {
		slices.Reverse(page.Messages)
	}
	return page, nil
}

// scanPage reads what selectPage gives: nothing where the channel has no row,
// and a row without a message where no message is in the range.
func scanPage(rows *sql.Rows) (page channels.Page, err error) {
	for rows.Next() {
		var seq, keyed, at sql.NullInt64
		var id, digest, clientID, rootID, owner sql.NullString
		var data []byte
		head := &page.Head
		if err := rows.Scan(&head.Epoch, &head.Seq, &head.First,
			&seq, &id, &keyed, &digest, &clientID, &rootID, &owner, &at, &data); err != nil {
			return page, err
		}
		if !seq.Valid {
			break
		}
		message := channels.Message{
			Seq: seq.Int64, ID: id.String, Keyed: keyed.Int64 != 0, Digest: digest.String,
			Owner: owner.String, At: timeOf(at.Int64), Data: data,
		}
		if rootID.Valid {
			message.From = &channels.Sender{ClientID: clientID.String, RootID: rootID.String}
		}
		page.Messages = append(page.Messages, message)
	}
	return page, rows.Err()
}
