package wire

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/walkergate/walkergate/fault"
)

// Sender is who sent a message, as receivers are told.
type Sender struct {
	ClientID string // empty where it came by no connection
	RootID   string
}

// ChannelMessage is one message of a channel, as a subscription delivers it.
type ChannelMessage struct {
	ChannelID string
	// Epoch and Seq are its place in the channel's log; Epoch is empty where the
	// message is not stored.
	Epoch string
	Seq   int64
	From  *Sender // nil for the server itself
	At    time.Time
	Data  json.RawMessage // one JSON object, sent verbatim
}

// Envelope is a message of a channel to those who subscribed it.
func Envelope(m ChannelMessage) *Message {
	size := len(m.ChannelID) + len(m.Epoch) + len(m.Data) + 2*smallSize
	if m.From != nil {
		size += len(m.From.ClientID) + len(m.From.RootID)
	}
	b := append(open(size), `{"type":"channel","event":"message","channel_id":`...)
	b = appendString(b, m.ChannelID)
	if m.Epoch != "" {
		b = append(b, `,"epoch":`...)
		b = appendString(b, m.Epoch)
		b = append(b, `,"seq":`...)
		b = strconv.AppendInt(b, m.Seq, 10)
	}
	b = appendOrigin(append(b, ','), m.From, m.At)
	b = append(b, `,"data":`...)
	b = append(b, m.Data...)
	return seal(append(b, '}'))
}

// Ended tells that a subscription has ended against the client's will, and why.
func Ended(channelID string, f *fault.Error) *Message {
	b := append(open(2*smallSize+len(channelID)+len(f.Message)), `{"type":"channel","event":"ended","channel_id":`...)
	b = appendString(b, channelID)
	b = append(b, `,"code":`...)
	b = appendString(b, string(f.Code))
	b = append(b, `,"error":`...)
	b = appendString(b, f.Message)
	return seal(append(b, '}'))
}

// appendOrigin writes who sent a message, and when.
func appendOrigin(b []byte, from *Sender, at time.Time) []byte {
	b = append(b, `"from":`...)
	switch {
	case from == nil:
		b = append(b, `null`...)
	case from.ClientID == "":
		b = append(b, `{"root_id":`...)
		b = append(appendString(b, from.RootID), '}')
	default:
		b = append(b, `{"client_id":`...)
		b = appendString(b, from.ClientID)
		b = append(b, `,"root_id":`...)
		b = append(appendString(b, from.RootID), '}')
	}
	b = append(b, `,"at":"`...)
	b = at.UTC().AppendFormat(b, timeFormat)
	return append(b, '"')
}

// timeFormat is how times are told: UTC, to the millisecond.
const timeFormat = "2006-01-02T15:04:05.000Z"
