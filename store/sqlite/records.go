package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/walkergate/walkergate/notify"
	"github.com/walkergate/walkergate/store"
)

const (
	recordColumns = `client_id, root_id, node_id, channel_ids, connected_at, changed_at`

	upsertRecord = `INSERT INTO records (` + recordColumns + `) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET root_id = excluded.root_id, node_id = excluded.node_id,
			channel_ids = excluded.channel_ids, connected_at = excluded.connected_at, changed_at = excluded.changed_at`
	deleteRecord = `DELETE FROM records WHERE client_id = ? RETURNING channel_ids`

	selectChannels = `SELECT channel_ids FROM records WHERE client_id = ?`
	insertChannel  = `INSERT INTO record_channels (channel_id, client_id) VALUES (?, ?) ON CONFLICT DO NOTHING`
	deleteChannel  = `DELETE FROM record_channels WHERE channel_id = ? AND client_id = ?`

	deleteChannelsOfNode = `DELETE FROM record_channels
		WHERE client_id IN (SELECT client_id FROM records WHERE node_id = ?)`
	deleteRecordsOfNode = `DELETE FROM records WHERE node_id = ?`

	// Each is one range of an index that is in the order asked for.
	selectRecords = `SELECT ` + recordColumns + ` FROM records
		WHERE client_id > ? ORDER BY client_id LIMIT ?`
	selectRecordOfClient = `SELECT ` + recordColumns + ` FROM records
		WHERE client_id = ? AND client_id > ? LIMIT ?`
	selectRecordsOfRoot = `SELECT ` + recordColumns + ` FROM records
		WHERE root_id = ? AND client_id > ? ORDER BY client_id LIMIT ?`
	selectRecordsOfChannel = `SELECT ` + recordColumns + ` FROM record_channels JOIN records USING (client_id)
		WHERE channel_id = ? AND client_id > ? ORDER BY client_id LIMIT ?`
)

// WriteRecords meets notify.RecordStore.
func (s *Store) WriteRecords(ctx context.Context, puts []notify.Record, removed []string) error {
	return s.writer.submit(ctx, func(c *conn) error {
		for i := range puts {
			if err := putRecord(c, &puts[i]); err != nil {
				return fmt.Errorf("put the record of a connection: %w", err)
			}
		}
		for _, clientID := range removed {
			if err := removeRecord(c, clientID); err != nil {
				return fmt.Errorf("remove the record of a connection: %w", err)
			}
		}
		return nil
	})
}

// ClearRecords meets notify.RecordStore. It looks at every record, which only
// the start and the end of a node ask for.
func (s *Store) ClearRecords(ctx context.Context, nodeID string) error {
	return s.writer.submit(ctx, func(c *conn) error {
		if _, err := c.exec(deleteChannelsOfNode, nodeID); err != nil {
			return err
		}
		_, err := c.exec(deleteRecordsOfNode, nodeID)
		return err
	})
}

// Records meets notify.RecordStore; limit is 1 to store.MaxRecords.
func (s *Store) Records(ctx context.Context, query notify.RecordQuery, limit int) ([]notify.Record, error) {
	if err := s.readable(); err != nil {
		return nil, err
	}
	if limit < 1 || limit > store.MaxRecords {
		return nil, fmt.Errorf("a page of records holds 1 to %d, not %d", store.MaxRecords, limit)
	}
	rows, err := s.queryRecords(ctx, query, limit)
	if err != nil {
		return nil, readError(ctx, err)
	}
	defer rows.Close()
	var found []notify.Record
	for rows.Next() {
		record, err := scanRecord(rows)
		if err != nil {
			return nil, err
		}
		found = append(found, record)
	}
	return found, readError(ctx, rows.Err())
}

func (s *Store) queryRecords(ctx context.Context, query notify.RecordQuery, limit int) (*sql.Rows, error) {
	after := query.After
	query.After = ""
	switch query {
	case notify.RecordQuery{}:
		return s.readers.allRecords.QueryContext(ctx, after, limit)
	case notify.RecordQuery{ClientID: query.ClientID}:
		return s.readers.clientRecord.QueryContext(ctx, query.ClientID, after, limit)
	case notify.RecordQuery{RootID: query.RootID}:
		return s.readers.recordsOfRoot.QueryContext(ctx, query.RootID, after, limit)
	case notify.RecordQuery{ChannelID: query.ChannelID}:
		return s.readers.recordsOfChannel.QueryContext(ctx, query.ChannelID, after, limit)
	}
	return nil, errors.New("records are selected by one field at most")
}

func scanRecord(row scanner) (notify.Record, error) {
	var record notify.Record
	var channels string
	var connectedAt, changedAt int64
	err := row.Scan(&record.ClientID, &record.RootID, &record.NodeID, &channels, &connectedAt, &changedAt)
	if err != nil {
		return record, err
	}
	if record.ChannelIDs, err = decodeChannels(channels); err != nil {
		return record, err
	}
	record.ConnectedAt, record.ChangedAt = timeOf(connectedAt), timeOf(changedAt)
	return record, nil
}

func putRecord(c *conn, record *notify.Record) error {
	channels, err := json.Marshal(record.ChannelIDs)
	if err != nil {
		return err
	}
	before, err := channelsOf(c.row(selectChannels, record.ClientID))
	if err != nil {
		return err
	}
	if _, err := c.exec(upsertRecord, record.ClientID, record.RootID, record.NodeID, string(channels),
		milliseconds(record.ConnectedAt), milliseconds(record.ChangedAt)); err != nil {
		return err
	}
	return moveChannels(c, record.ClientID, before, record.ChannelIDs)
}

func removeRecord(c *conn, clientID string) error {
	before, err := channelsOf(c.row(deleteRecord, clientID))
	if err != nil {
		return err
	}
	return moveChannels(c, clientID, before, nil)
}

// moveChannels makes record_channels follow the list of one client.
func moveChannels(c *conn, clientID string, before, after []string) error {
	if slices.Equal(before, after) {
		return nil
	}
	had, has := setOf(before), setOf(after)
	for channelID := range had {
		if !has[channelID] {
			if _, err := c.exec(deleteChannel, channelID, clientID); err != nil {
				return err
			}
		}
	}
	for channelID := range has {
		if !had[channelID] {
			if _, err := c.exec(insertChannel, channelID, clientID); err != nil {
				return err
			}
		}
	}
	return nil
}

func setOf(channelIDs []string) map[string]bool {
	set := make(map[string]bool, len(channelIDs))
	for _, channelID := range channelIDs {
		set[channelID] = true
	}
	return set
}

// channelsOf reads a list; no row is an empty one.
func channelsOf(row scanner) ([]string, error) {
	var text string
	err := row.Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return decodeChannels(text)
}

func decodeChannels(text string) ([]string, error) {
	var channels []string
	if err := json.Unmarshal([]byte(text), &channels); err != nil {
		return nil, fmt.Errorf("decode the channels of a connection: %w", err)
	}
	return channels, nil
}
