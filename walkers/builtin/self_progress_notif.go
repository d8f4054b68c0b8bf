package builtin

import (
	"context"

	"github.com/walkergate/walkergate/notify"
	"github.com/walkergate/walkergate/specs"
	"github.com/walkergate/walkergate/walkers"
)

// self_progress_notif tells its progress to the connection it runs for. Over
// HTTP, where there is none, it only reports.
func registerSelfProgress(r *walkers.Registry) {
	walkers.Register(r, specs.Walker{
		Name: "self_progress_notif", Methods: bothDoors(),
		Summary: "Tells its progress to the caller's connection", Tags: []string{"built in"},
	}, func(ctx context.Context, call *walkers.Call, _ struct{}) error {
		return run(call, func(data any) (notify.Outcome, error) { return call.Notify.Self(ctx, data) })
	})
}
