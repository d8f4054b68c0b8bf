package notify

import (
	"context"
	"time"
)

// Record is what the store keeps of one open connection, so that other nodes
// and other programs can ask who is connected. On its own node the index is
// the truth; the record follows it within RecordLag.
type Record struct {
	ClientID   string
	RootID     string
	ChannelIDs []string
	// NodeID is the id of the lease that the node held when it wrote the
	// record; without that lease the record means nothing. It is set where the
	// record is written.
	NodeID string
	// ConnectedAt is when the connection opened, ChangedAt when the record
	// last changed; both UTC, to the millisecond.
	ConnectedAt time.Time
	ChangedAt   time.Time
}

// RecordLag bounds how far the records may be behind the index.
const RecordLag = 100 * time.Millisecond

// RecordStore keeps the records. All methods may be called concurrently.
type RecordStore interface {
	// WriteRecords stores each put, replacing an earlier record of the same
	// client, and forgets each removed client. Removing an unknown client is
	// no error. A client stands in one of the two at most.
	//
	// When it returns nil, all is written. Otherwise any part of it may be,
	// and the caller writes again: the same, or what came after it. Nothing
	// more is promised, because nothing more is needed: each record is whole
	// in itself, writing one twice is writing it once, and one that is late
	// is what RecordLag allows for. All or nothing would ask for
	// transactions, which not every engine has.
	WriteRecords(ctx context.Context, puts []Record, removed []string) error
	// ClearRecords forgets every record of one node.
	ClearRecords(ctx context.Context, nodeID string) error
	// Records gives the records that match, ordered by ClientID, at most
	// limit of them, beginning behind the client id in query.After.
	Records(ctx context.Context, query RecordQuery, limit int) ([]Record, error)
}

// RecordQuery selects records. At most one of ClientID, RootID and ChannelID
// is set; none selects all.
type RecordQuery struct {
	ClientID  string
	RootID    string
	ChannelID string
	After     string
}
