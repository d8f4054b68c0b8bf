package builtin

import (
	"context"

	"github.com/walkergate/walkergate/specs"
	"github.com/walkergate/walkergate/walkers"
)

type clientChatContext struct {
	ClientID string `json:"client_id" validate:"min=1,max=256"`
	Message  string `json:"message" default:"string"`
}

// send_chat_to_client delivers a chat message to one connection.
func registerSendChatToClient(r *walkers.Registry) {
	walkers.Register(r, specs.Walker{
		Name: "send_chat_to_client", Methods: bothDoors(),
		Summary: "Sends a chat message to one connection", Tags: []string{"built in"},
	}, func(ctx context.Context, call *walkers.Call, in clientChatContext) error {
		_, err := call.Notify.Clients(ctx, []string{in.ClientID}, newChat(in.Message))
		return err
	})
}
