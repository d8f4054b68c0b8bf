package walkers

import "reflect"

// Decoder reads the JSON bodies of the gateway's own routes into In by the
// rules of a walker's context: exact names and types, every fault at once. It
// never changes and may be used concurrently.
type Decoder[In any] struct{ plan *contextPlan }

// NewDecoder plans In. It panics where In could not be a walker's context:
// that is a fault of the program's text.
func NewDecoder[In any]() *Decoder[In] {
	goType := reflect.TypeFor[In]()
	fields, planner := planContext("body", goType)
	rules := planner.rules(newValidator(), goType)
	if len(planner.faults) > 0 {
		panic(planner.faults[0])
	}
	return &Decoder[In]{plan: &contextPlan{structPlan: fields, rules: rules}}
}

// Decode reads one body. The error is an invalid_context *fault.Error.
func (d *Decoder[In]) Decode(body []byte) (In, error) {
	var decoded In
	err := d.plan.decode(reflect.ValueOf(&decoded).Elem(), &input{json: body})
	return decoded, err
}
