// Package builtin holds the walkers that come with the gateway: the chat and
// progress walkers that clients of jac-cloud know, and an echo. Each file
// holds one walker, or one family of them.
package builtin

import (
	"context"
	"fmt"

	"github.com/walkergate/walkergate/auth"
	"github.com/walkergate/walkergate/fault"
	"github.com/walkergate/walkergate/notify"
	"github.com/walkergate/walkergate/specs"
	"github.com/walkergate/walkergate/walkers"
)

// Users knows who exists. It may be called concurrently.
type Users interface {
	// UserExists reports whether a user has that root, given as "n::" and 24
	// lower-case hex digits.
	UserExists(ctx context.Context, rootID string) (bool, error)
}

// Register adds the walkers of this package.
func Register(r *walkers.Registry, users Users) {
	registerEcho(r)
	registerSendChatToUser(r, users)
	registerSendChatToGroup(r)
	registerSendChatToClient(r)
	registerSelfProgress(r)
	registerUserProgress(r, users)
	registerChannelProgress(r)
	registerClientProgress(r)
}

// bothDoors are the methods of every walker here.
func bothDoors() []specs.Method { return []specs.Method{specs.WebSocket, specs.Post} }

// existing gives the root of a user in its one spelling. A root that is none
// is a fault of the context; one that nobody has is not found.
func existing(ctx context.Context, users Users, text string) (string, error) {
	rootID, ok := auth.ParseRootID(text)
	if !ok {
		return "", fault.New(fault.InvalidContext, "the context does not fit the walker",
			fault.Detail{Field: "root_id", Reason: "expected a root id"})
	}
	if rootID == auth.PublicRoot {
		return "", fault.New(fault.Forbidden, "nobody may send to the public user")
	}
	exists, err := users.UserExists(ctx, rootID)
	if err != nil {
		return "", fmt.Errorf("look up user: %w", err)
	}
	if !exists {
		return "", fault.New(fault.NotFound, "no user has this root id")
	}
	return rootID, nil
}

// send is one of the ways to notify, its targets already given.
type send func(data any) (notify.Outcome, error)
