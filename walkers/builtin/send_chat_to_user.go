package builtin

import (
	"context"

	"github.com/walkergate/walkergate/specs"
	"github.com/walkergate/walkergate/walkers"
)

type userChatContext struct {
	RootID  string `json:"root_id"`
	Message string `json:"message" default:"string"`
}

// send_chat_to_user delivers a chat message to every connection of a user.
func registerSendChatToUser(r *walkers.Registry, users Users) {
	walkers.Register(r, specs.Walker{
		Name: "send_chat_to_user", Methods: bothDoors(),
		Summary: "Sends a chat message to a user", Tags: []string{"built in"},
	}, func(ctx context.Context, call *walkers.Call, in userChatContext) error {
		rootID, err := existing(ctx, users, in.RootID)
		if err != nil {
			return err
		}
		_, err = call.Notify.Users(ctx, []string{rootID}, newChat(in.Message))
		return err
	})
}
