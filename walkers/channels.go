package walkers

import (
	"slices"

	"github.com/walkergate/walkergate/specs"
)

// Channel declares the policy of all channels whose ids match spec.Pattern. What
// is wrong with it is told by Runner, together with what is wrong with walkers.
func (r *Registry) Channel(spec specs.Channel) { r.channels = append(r.channels, spec) }

// Channels gives the policies declared so far, in the order in which they were.
func (r *Registry) Channels() []specs.Channel { return slices.Clone(r.channels) }
