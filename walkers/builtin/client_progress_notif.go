package builtin

import (
	"context"

	"github.com/walkergate/walkergate/notify"
	"github.com/walkergate/walkergate/specs"
	"github.com/walkergate/walkergate/walkers"
)

type clientProgressContext struct {
	ClientID string `json:"client_id" validate:"min=1,max=256"`
}

// client_progress_notif tells its progress to one connection.
func registerClientProgress(r *walkers.Registry) {
	walkers.Register(r, specs.Walker{
		Name: "client_progress_notif", Methods: bothDoors(),
		Summary: "Tells its progress to one connection", Tags: []string{"built in"},
	}, func(ctx context.Context, call *walkers.Call, in clientProgressContext) error {
		return run(call, func(data any) (notify.Outcome, error) {
			return call.Notify.Clients(ctx, []string{in.ClientID}, data)
		})
	})
}
