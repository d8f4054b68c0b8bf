package builtin

import (
	"context"

	"github.com/walkergate/walkergate/notify"
	"github.com/walkergate/walkergate/specs"
	"github.com/walkergate/walkergate/walkers"
)

type channelProgressContext struct {
	ChannelID string `json:"channel_id" validate:"min=1,max=256"`
}

// channel_progress_notif tells its progress to everybody in a channel.
func registerChannelProgress(r *walkers.Registry) {
	walkers.Register(r, specs.Walker{
		Name: "channel_progress_notif", Methods: bothDoors(),
		Summary: "Tells its progress to a channel", Tags: []string{"built in"},
	}, func(ctx context.Context, call *walkers.Call, in channelProgressContext) error {
		return run(call, func(data any) (notify.Outcome, error) {
			return call.Notify.Channels(ctx, []string{in.ChannelID}, data)
		})
	})
}
