package builtin

import (
	"context"

	"github.com/walkergate/walkergate/specs"
	"github.com/walkergate/walkergate/walkers"
)

type groupChatContext struct {
	ChannelID string `json:"channel_id" validate:"min=1,max=256"`
	Message   string `json:"message" default:"string"`
}

// send_chat_to_group delivers a chat message to everybody in a channel.
func registerSendChatToGroup(r *walkers.Registry) {
	walkers.Register(r, specs.Walker{
		Name: "send_chat_to_group", Methods: bothDoors(),
		Summary: "Sends a chat message to a channel", Tags: []string{"built in"},
	}, func(ctx context.Context, call *walkers.Call, in groupChatContext) error {
		_, err := call.Notify.Channels(ctx, []string{in.ChannelID}, newChat(in.Message))
		return err
	})
}
