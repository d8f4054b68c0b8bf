package channels

import (
	"context"
	"encoding/json"
	"strings"
	"time"
)

const (
	// Me is how clients call the stream of their own user.
	Me = "$me"
	// meStream begins the log's own name of such a stream. Clients cannot name
	// it: ids that begin with "$" are the gateway's.
	meStream = "$me:"
)

// StreamOf is the log's name of a user's own stream: one channel a user, in the
// same log as all others. The root is in its normal form (auth.ParseRootID).
func StreamOf(rootID string) string { return meStream + rootID }

// OwnerOf gives the user whose own stream a channel is, if it is one.
func OwnerOf(channelID string) (rootID string, ok bool) {
	return strings.CutPrefix(channelID, meStream)
}

const (
	// MaxPage is the most messages that one page of a log holds.
	MaxPage = 500
	// KeyLife is how long the ID of a message with a key is remembered at least,
	// also where retention has let go of the message itself.
	KeyLife = 10 * time.Minute
	// RetryLife is the same for a message without a key. Nobody but the log
	// itself comes again with its ID, and soon: when the store did not say what
	// became of a write.
	RetryLife = time.Minute
	// MessageCost is what a stored message counts in its owner's quota beyond
	// the bytes of its data.
	MessageCost = 256
	// MaxMarks is how many read marks one user has at most.
	MaxMarks = 1000
)

// Message is one message of a channel's log.
type Message struct {
	// Seq is its place: 1 for the first of an epoch, and one more each. Zero
	// until it is stored.
	Seq int64
	// ID tells the message from all others of its channel; 1 to 64 bytes. Where
	// the publisher gave a key it is made of that, else it is random.
	ID string
	// Keyed says that the publisher gave a key, and may come again with it.
	Keyed bool
	// Digest stands for what the publisher sent, before any hook changed it, so
	// that another message under the same key is told apart from a repetition.
	// Empty where no key was given.
	Digest string
	// From is who sent it; nil for the server itself.
	From *Sender
	// Owner is the root whose quota the message counts in; empty for none.
	Owner string
	// At is when it was taken in, UTC to the millisecond, by the clock of the
	// node that did.
	At time.Time
	// Data is one JSON object, kept byte for byte.
	Data json.RawMessage
}

// Sender is who sent a message.
type Sender struct {
	ClientID string // empty where it came by no connection
	RootID   string
}

// Retention says how much of a channel's log is kept.
type Retention struct {
	// Messages is how many are kept, at least 1: the newest. An engine may let
	// a few more stand for a while.
	Messages int
	// Age is how long a message is kept, at least a second. Sweep lets go of it
	// up to a minute later.
	Age time.Duration
}

// Head is where a channel's log stands.
type Head struct {
	// Epoch names the life of the log: within one, no seq is given twice. A log
	// that was lost begins anew under another.
	Epoch string
	// Seq is the seq of the newest message, 0 before the first. It outlives the
	// message.
	Seq int64
	// First is the seq of the oldest message that is kept; Seq+1 where none is.
	First int64
}

// Place is what became of one message of an Append.
type Place struct {
	// Seq is where the message stands; 0 where it was refused.
	Seq int64
	// Before says that a message of that ID stood there already: nothing was
	// written. Digest is then the one it was stored with, and At its time.
	Before bool
	Digest string
	At     time.Time
	// Refused is why a message was not written though the call went well:
	// ErrQuota alone. The others of the call are not touched by it.
	Refused error
}

// Appending is one write at the end of one channel's log.
type Appending struct {
	ChannelID string
	// Messages are 1 to MaxPage, in their order. They are the caller's again
	// when the call returns, whatever it returns.
	Messages []Message
	// Retention is what holds for the channel from now on.
	Retention Retention
	// Quota bounds the bytes that are stored for an owner, over all channels,
	// each message with MessageCost; 0 is no bound. A message that would pass
	// it is refused by ErrQuota.
	Quota int64
}

// LogQuery asks for a part of one channel's log: After < seq < Before. A Before
// of 0 is no bound.
type LogQuery struct {
	ChannelID     string
	After, Before int64
	// Limit is 1 to MaxPage.
	Limit int
	// Newest takes the last Limit of the range and not the first.
	Newest bool
}

// Page is a part of a log, read at one moment: ascending and without a hole
// between the first and the last of Messages, which lie within [First, Seq] of
// the head. More says that the range holds further ones that are kept: behind
// the page, or in front of it where Newest was asked for.
type Page struct {
	Head     Head
	Messages []Message
	More     bool
}

// Store keeps logs and read marks. All methods may be called concurrently, from
// any number of nodes. Channel ids are 1 to 300 bytes of valid UTF-8 and told
// apart byte by byte. Faults are those of the other stores: fault.Busy where
// there is no room or the engine does not answer.
type Store interface {
	// Append writes messages at the end of a log, in order, each at the head of
	// that moment plus one. A message whose ID the log holds, or held within
	// KeyLife (RetryLife where it has no key), is not written again. Places has
	// one entry a message.
	//
	// When it returns nil, all that Places says was written survives the end of
	// every node. Any other error but fault.Busy leaves open what was written:
	// whoever repeats the call, with the same IDs, learns it, and writes nothing
	// twice. However calls fail or race, on one node or many: a seq is given
	// once, none is left out, and no message is seen before those below it.
	Append(ctx context.Context, appending Appending) (epoch string, places []Place, err error)
	// Heads gives where logs stand, one entry a channel in the order asked, at
	// most MaxPage of them. A channel that nothing was stored in has a head
	// too: its epoch is the one that its first message will bear. Reading
	// creates nothing. An engine may forget a channel that keeps no message and
	// got none for a month: it is then one that nothing was stored in, and from
	// then on these have another epoch, which no message ever bore.
	Heads(ctx context.Context, channelIDs []string) ([]Head, error)
	// Messages reads a part of a log.
	Messages(ctx context.Context, query LogQuery) (Page, error)
	// Sweep lets go of what retention no longer keeps, in steps that are short:
	// it reports whether there is more to do. now is the time of the node.
	Sweep(ctx context.Context, now time.Time) (more bool, err error)

	// Mark notes up to where a user has read a channel. A mark never goes back.
	// fault.Busy, and nothing is written, where the user has MaxMarks of them
	// in other channels.
	Mark(ctx context.Context, rootID, channelID string, seq int64) error
	// Marked gives the mark, 0 where there is none.
	Marked(ctx context.Context, rootID, channelID string) (seq int64, err error)
	// Forget removes a user's own stream, marks and quota. What the user said
	// in channels stays: it is those channels'.
	Forget(ctx context.Context, rootID string) error
}
