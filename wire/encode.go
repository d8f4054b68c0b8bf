package wire

import (
	"encoding/json"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/walkergate/walkergate/fault"
)

// ConnectionInfo is the data of a connection event.
type ConnectionInfo struct {
	ClientID  string `json:"client_id"`
	RootID    string `json:"root_id"`
	ChannelID string `json:"channel_id"`
	// ChannelIDs lists all channels where the connection has more than one.
	ChannelIDs []string `json:"channel_ids,omitempty"`
	// AuthError is "expired", "invalid" or "revoked" where a token was offered
	// at connect and refused.
	AuthError string `json:"auth_error,omitempty"`
	// TokenExpiresIn is in how many seconds the token ends, where that is soon.
	TokenExpiresIn int `json:"token_expires_in,omitempty"`
}

// ConnectionEvent tells a client who and where it is; id is empty but in
// answer to a frame that bore one.
func ConnectionEvent(id string, info ConnectionInfo) *Message {
	return marshal(struct {
		Type string         `json:"type"`
		ID   string         `json:"id,omitempty"`
		Data ConnectionInfo `json:"data"`
	}{"connection", id, info})
}

var pong = Text([]byte(`{"type":"pong"}`))

// Pong answers a ping: with a reply where the ping bore an id.
func Pong(id string) *Message {
	if id == "" {
		return pong
	}
	return seal(append(openReply(id, true, 0), '}'))
}

// Reached acknowledges a publish.
func Reached(id string, reached int) *Message {
	b := append(openReply(id, true, 0), `,"reached":`...)
	b = strconv.AppendInt(b, int64(reached), 10)
	return seal(append(b, '}'))
}

// WalkerReply is the result of a walker for a frame with an id. Reports is an
// encoded JSON array.
func WalkerReply(id string, status int, reports json.RawMessage) *Message {
	return result(id, status, `,"reports":`, reports)
}

// WalkerBody is the result of a walker that answered with a body of its own,
// for a frame with an id. Body is encoded JSON.
func WalkerBody(id string, status int, body json.RawMessage) *Message {
	return result(id, status, `,"body":`, body)
}

func result(id string, status int, name string, value json.RawMessage) *Message {
	b := append(openReply(id, true, len(value)), `,"status":`...)
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(b, name...)
	b = append(b, value...)
	return seal(append(b, '}'))
}

// Failure answers a frame that could not be carried out: a reply where it bore
// an id, else a frame of type "walker" or "error".
func Failure(id string, ofWalker bool, f *fault.Error) *Message {
	var b []byte
	switch {
	case id != "":
		b = append(openReply(id, false, faultSize(f)), ',')
	case ofWalker:
		b = append(open(smallSize+faultSize(f)), `{"type":"walker",`...)
	default:
		b = append(open(smallSize+faultSize(f)), `{"type":"error",`...)
	}
	return seal(append(appendFault(b, f), '}'))
}

// ErrorBody is the error object of the REST doors.
func ErrorBody(f *fault.Error) []byte {
	return append(appendFault([]byte{'{'}, f), '}')
}

// smallSize holds all of a message but what can be long.
const smallSize = 96

// openReply begins a reply that will hold size bytes beyond a small one.
func openReply(id string, ok bool, size int) []byte {
	b := open(smallSize + len(id) + size)
	b = append(b, `{"type":"reply","id":`...)
	b = appendString(b, id)
	b = append(b, `,"ok":`...)
	return strconv.AppendBool(b, ok)
}

// faultSize is about what appendFault writes beyond a small message.
func faultSize(f *fault.Error) int {
	size := len(f.Message)
	for _, detail := range f.Details {
		size += len(`,{"field":"","reason":""}`) + len(detail.Field) + len(detail.Reason)
	}
	return size
}

func appendFault(b []byte, f *fault.Error) []byte {
	b = append(b, `"status":`...)
	b = strconv.AppendInt(b, int64(f.Code.Status()), 10)
	b = append(b, `,"code":`...)
	b = appendString(b, string(f.Code))
	b = append(b, `,"error":`...)
	b = appendString(b, f.Message)
	for i, detail := range f.Details {
		if i == 0 {
			b = append(b, `,"details":[`...)
		} else {
			b = append(b, ',')
		}
		b = append(b, `{"field":`...)
		b = appendString(b, detail.Field)
		b = append(b, `,"reason":`...)
		b = appendString(b, detail.Reason)
		b = append(b, '}')
	}
	if len(f.Details) > 0 {
		b = append(b, ']')
	}
	if f.Ref != "" {
		b = append(b, `,"ref":`...)
		b = appendString(b, f.Ref)
	}
	return b
}

// appendString never fails: what is not UTF-8 becomes U+FFFD, since an error
// about an error would reach nobody.
func appendString(b []byte, text string) []byte {
	b, _ = jsontext.AppendQuote(b, text) // the error tells of the mending alone
	return b
}

// marshal encodes structs of this package alone, which cannot fail.
func marshal(v any) *Message {
	payload, err := json.Marshal(v)
	if err != nil {
		panic("wire: " + err.Error())
	}
	return Text(payload)
}
