package wire

import (
	"encoding/json"

	"github.com/walkergate/walkergate/fault"
)

// Bounds of a frame. They are part of the protocol: a client may rely on them.
const (
	// MaxID is the longest id of a frame, in bytes.
	MaxID = 64
	// MaxTargets is how many targets one frame may name.
	MaxTargets = 100
	// MaxDepth is how deep the JSON of a frame may nest.
	MaxDepth = 64
)

// Frame is one frame of a client. The set is sealed: a switch over the types
// of this file is complete. Raw JSON in a frame is a part of the text it was
// decoded from.
type Frame interface {
	// FrameID is the id the client gave, empty where it gave none.
	FrameID() string
	sealed()
}

// ID is the part that every frame shares.
type ID string

// FrameID gives the id.
func (id ID) FrameID() string { return string(id) }

func (ID) sealed() {}

// Connection asks for the connection event.
type Connection struct{ ID }

// Ping asks for a sign of life; a browser cannot send the protocol's own.
type Ping struct{ ID }

// Walker calls a walker.
type Walker struct {
	ID
	Name     string
	Context  json.RawMessage // an object, or nil where the frame holds none
	Node     string
	HasNode  bool
	Response bool
}

// TargetKind says what the targets of a Publish are.
type TargetKind string

// The kinds of target; each is also the frame's type.
const (
	ToUsers    TargetKind = "user"
	ToChannels TargetKind = "channel"
	ToClients  TargetKind = "client"
)

// Publish sends data, verbatim, to users, channels or clients.
type Publish struct {
	ID
	Kind    TargetKind
	Targets []string        // 1 to MaxTargets
	Data    json.RawMessage // an object of no reserved type
}

// ChangeUser makes the connection another user's; without token the public
// user's.
type ChangeUser struct {
	ID
	Token string
}

// Bad is well-framed text that is no valid frame. It is answered, and the
// connection goes on.
type Bad struct {
	ID
	// OfWalker says that the frame meant to call a walker.
	OfWalker bool
	Fault    *fault.Error
}
