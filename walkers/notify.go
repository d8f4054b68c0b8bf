package walkers

import (
	"context"
	"encoding/json"

	"github.com/walkergate/walkergate/notify"
)

// Notifier delivers messages. Unknown targets are no error but stand in
// Outcome.Offline. All methods may be called concurrently, and do not wait for
// receivers.
type Notifier interface {
	Users(ctx context.Context, rootIDs []string, message notify.Message) (notify.Outcome, error)
	Channels(ctx context.Context, channelIDs []string, message notify.Message) (notify.Outcome, error)
	Clients(ctx context.Context, clientIDs []string, message notify.Message) (notify.Outcome, error)
}

// Notify sends from within a walker. data is anything that encodes to a JSON
// object, which receivers get as it is; anything else is an error. The methods
// work from any goroutine, also after the walker returned, given a context
// that lives on (context.WithoutCancel). Once the run was ended before the
// walker returned they answer ErrOver; a notify under way at that moment may
// still arrive.
type Notify struct {
	call     *Call
	notifier Notifier
}

// Self sends to the connection that the call belongs to. Where there is none
// it does nothing, and that is no error.
func (n Notify) Self(ctx context.Context, data any) (notify.Outcome, error) {
	id, ok := n.call.ClientID()
	if !ok {
		return notify.Outcome{}, nil
	}
	return n.Clients(ctx, []string{id}, data)
}

// Users sends to every connection of the users with those roots.
func (n Notify) Users(ctx context.Context, rootIDs []string, data any) (notify.Outcome, error) {
	object, err := n.object(data)
	if err != nil {
		return notify.Outcome{}, err
	}
	return n.notifier.Users(ctx, rootIDs, notify.Message{Data: object})
}

// Channels sends to every connection in those channels.
func (n Notify) Channels(ctx context.Context, channelIDs []string, data any) (notify.Outcome, error) {
	object, err := n.object(data)
	if err != nil {
		return notify.Outcome{}, err
	}
	return n.notifier.Channels(ctx, channelIDs, notify.Message{Data: object})
}

// Clients sends to those connections.
func (n Notify) Clients(ctx context.Context, clientIDs []string, data any) (notify.Outcome, error) {
	object, err := n.object(data)
	if err != nil {
		return notify.Outcome{}, err
	}
	return n.notifier.Clients(ctx, clientIDs, notify.Message{Data: object})
}

func (n Notify) object(data any) (json.RawMessage, error) {
	object, err := encodeObject(data)
	if err != nil {
		return nil, err
	}
	if n.call.isExpired() { // looked at last: encoding may take its time
		return nil, ErrOver
	}
	return object, nil
}

// nobody stands in where no Notifier was given: everybody is offline.
type nobody struct{}

func (nobody) Users(_ context.Context, rootIDs []string, _ notify.Message) (notify.Outcome, error) {
	return notify.Outcome{Offline: rootIDs}, nil
}

func (nobody) Channels(_ context.Context, channelIDs []string, _ notify.Message) (notify.Outcome, error) {
	return notify.Outcome{Offline: channelIDs}, nil
}

func (nobody) Clients(_ context.Context, clientIDs []string, _ notify.Message) (notify.Outcome, error) {
	return notify.Outcome{Offline: clientIDs}, nil
}
