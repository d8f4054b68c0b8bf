package builtin

import (
	"context"

	"github.com/walkergate/walkergate/notify"
	"github.com/walkergate/walkergate/specs"
	"github.com/walkergate/walkergate/walkers"
)

type userProgressContext struct {
	RootID string `json:"root_id"`
}

// user_progress_notif tells its progress to every connection of a user.
func registerUserProgress(r *walkers.Registry, users Users) {
	walkers.Register(r, specs.Walker{
		Name: "user_progress_notif", Methods: bothDoors(),
		Summary: "Tells its progress to a user", Tags: []string{"built in"},
	}, func(ctx context.Context, call *walkers.Call, in userProgressContext) error {
		rootID, err := existing(ctx, users, in.RootID)
		if err != nil {
			return err
		}
		return run(call, func(data any) (notify.Outcome, error) {
			return call.Notify.Users(ctx, []string{rootID}, data)
		})
	})
}
