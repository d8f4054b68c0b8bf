package specs

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/walkergate/walkergate/auth"
)

// Channel is the policy of all channels whose id matches a pattern. It is
// declared beside walkers and holds at every door. Only Pattern is required.
// Hooks run in goroutines of their own and may run concurrently, each bound by
// five seconds; they should end when their context does, since nothing can stop
// them. A hook that returns a *fault.Error has its code and words told to the
// client; any other error refuses as forbidden and is logged; a panic and the
// end of the time refuse too.
type Channel struct {
	// Pattern is the id, in which {name} stands for one or more characters
	// other than ":", and {name...}, at its end, for one or more of any; all
	// else stands for itself. Between two variables something must stand. Of
	// several patterns that match, the one with more literal bytes in front of
	// its first variable wins; Pattern.Compare has the whole order. No id that
	// begins with "$" matches any.
	Pattern string
	// Auth says whether a user is needed to join, to read and to publish; the
	// zero value needs one.
	Auth AuthMode
	// Store says which messages are written to the channel's log.
	Store StoreMode
	// Messages, at most 1,000,000, and Age, a second to ten years, say how much
	// of the log is kept; zero fields are the gateway's defaults.
	Messages int
	Age      time.Duration

	// Subscribe decides whether a principal may join and read. Nil lets in
	// whoever Auth does. It is asked again at each change of identity.
	Subscribe func(ctx context.Context, join Join) error
	// Receive sees each message of a client before it is stored or sent. What
	// it gives is sent: the same data, or another object in its place. ErrStop
	// stops the message and tells nobody; any other error tells its sender.
	// What it gives in place of the data must be valid JSON, without a doubled
	// name, and no message that a client could take for the gateway's own; else
	// the message is refused as internal. Nil takes messages as they are: of
	// whoever stands in the channel, and of others where Subscribe lets them
	// in. The gateway's PublishPolicy comes first.
	Receive func(ctx context.Context, incoming Incoming) (json.RawMessage, error)
	// Leave hears once of the end of each join that Subscribe allowed, for
	// whatever reason, soon after it: nobody waits for it, several may run at
	// once, and one may run after the same connection has joined again. Its
	// error is logged.
	Leave func(ctx context.Context, left Join) error
}

// ErrStop is what a Receive hook gives to stop a message without a word.
var ErrStop = errors.New("specs: the message is stopped")

// StoreMode says which messages of a channel are stored.
type StoreMode uint8

const (
	// StoreAsked stores what a walker or a user asks to have stored.
	StoreAsked StoreMode = iota
	// StoreAlways stores every message.
	StoreAlways
	// StoreNever refuses to store.
	StoreNever
)

// Join is one connection that joins a channel, asks for its messages, or has
// left it.
type Join struct {
	ChannelID string
	// Variables holds what the pattern's variables stand for.
	Variables map[string]string
	Principal auth.Principal
	// ClientID is the connection; empty where history is asked for over HTTP.
	ClientID string
	// Params is the object that came with the subscription; nil where none did.
	Params json.RawMessage
}

// Incoming is one message of a client. Its Join is the one that the connection
// stands in the channel by, where it does: Joined says so.
type Incoming struct {
	Join
	Joined bool
	// Data is the message: one JSON object, and the hook's own copy of it.
	Data json.RawMessage
	// Store says that the message is to be stored.
	Store bool
}
