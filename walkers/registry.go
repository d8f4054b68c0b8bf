// Package walkers runs walkers: typed Go functions with a spec. A Registry
// gathers them at start; the Runner made of it has one way to run each, Run,
// whatever the door: a socket frame or an HTTP request.
//
// A walker's context is a plain struct with json and validate tags. A field is
// required unless it has a default tag (JSON, or bare text for a string), is a
// pointer, or has omitempty or omitzero. Names are matched exactly, unknown
// names are passed over, types are exact, and a caller is told of every field
// that is wrong at once.
package walkers

import (
	"context"
	"errors"
	"reflect"

	"github.com/go-playground/validator/v10"

	"github.com/walkergate/walkergate/specs"
)

// Registry gathers walkers before the gateway starts. It is not for concurrent
// use. What is wrong with a walker is told by Runner, for all walkers at once.
type Registry struct {
	registered []*registered
	channels   []specs.Channel
	faults     []error
	validator  *validator.Validate
}

// registered is a walker with its types erased.
type registered struct {
	described specs.Described
	prepare   prepare
}

// prepare decodes one context and binds it to the handler.
type prepare func(in *input) (func(context.Context, *Call) error, error)

// NewRegistry makes an empty registry.
func NewRegistry() *Registry { return &Registry{validator: newValidator()} }

// Register adds a walker. handle gets a context of its own for each run, and
// may run concurrently. An error it returns that is, or wraps, a *fault.Error
// is what the caller sees; any other is told as an internal one and logged. It
// should end when its context does: it cannot be stopped.
func Register[In any](r *Registry, spec specs.Walker, handle func(ctx context.Context, call *Call, in In) error) {
	goType := reflect.TypeFor[In]()
	fields, planner := planContext(spec.Name, goType)
	rules := planner.rules(r.validator, goType)
	if handle == nil {
		planner.fault("handler", "is nil")
	}
	described, err := specs.Describe(spec, specs.Shape{
		Type: goType, Fields: fields.described(), Structs: planner.structs(),
	})
	r.faults = append(r.faults, planner.faults...)
	if err != nil {
		r.faults = append(r.faults, err)
	}
	for i := range fields.fields {
		fields.fields[i].Source = described.Fields[i].Source
	}
	plan := &contextPlan{structPlan: fields, rules: rules}
	r.registered = append(r.registered, &registered{
		described: described,
		prepare: func(in *input) (func(context.Context, *Call) error, error) {
			decoded := new(In)
			if err := plan.decode(reflect.ValueOf(decoded).Elem(), in); err != nil {
				return nil, err
			}
			return func(ctx context.Context, call *Call) error { return handle(ctx, call, *decoded) }, nil
		},
	})
}

// Check reports every fault of every spec registered so far: of a walker each a
// *specs.Fault that names it and the field, of a channel a *specs.ChannelFault.
func (r *Registry) Check() error {
	return errors.Join(append(r.faults[:len(r.faults):len(r.faults)],
		specs.Collisions(r.described()), specs.CheckChannels(r.channels))...)
}

func (r *Registry) described() []specs.Described {
	described := make([]specs.Described, len(r.registered))
	for i, each := range r.registered {
		described[i] = each.described
	}
	return described
}

// Runner makes the runner of all that was registered, where Check finds
// nothing.
func (r *Registry) Runner(options Options) (*Runner, error) {
	if err := r.Check(); err != nil {
		return nil, err
	}
	return newRunner(r.registered, options), nil
}
