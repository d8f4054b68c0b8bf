package builtin

import (
	"context"
	"encoding/json"

	"github.com/walkergate/walkergate/specs"
	"github.com/walkergate/walkergate/walkers"
)

// echoContext is what echo takes: any JSON value, kept as it was written, so
// that large numbers come back whole.
type echoContext struct {
	Value json.RawMessage `json:"value"`
}

// echo reports the value it was sent. It needs no user, which makes it the
// walker to try a door with.
func registerEcho(r *walkers.Registry) {
	walkers.Register(r, specs.Walker{
		Name: "echo", Methods: bothDoors(), Auth: specs.NoAuth,
		Summary: "Reports the value it was sent", Tags: []string{"built in"},
	}, func(_ context.Context, call *walkers.Call, in echoContext) error {
		call.Report(in.Value)
		return nil
	})
}
