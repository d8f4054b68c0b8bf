package walkers

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/go-playground/validator/v10"

	"github.com/walkergate/walkergate/fault"
)

// rules checks a decoded context by its validate tags.
type rules struct {
	validator *validator.Validate
	// name is what the validator puts before each path.
	name string
	// idle says that no field has a rule.
	idle bool
}

// embeddedMark stands for an embedded struct in the validator's paths, from which
// it is taken out again: JSON knows nothing of it. No name holds it.
const embeddedMark = "\x00"

func newValidator() *validator.Validate {
	v := validator.New(validator.WithRequiredStructEnabled())
	v.RegisterTagNameFunc(func(sf reflect.StructField) string {
		name, _, _ := strings.Cut(sf.Tag.Get("json"), ",")
		if name == "" && sf.Anonymous {
			return embeddedMark
		}
		return name
	})
	return v
}

// check gives an error that lists every rule that is broken.
func (r *rules) check(into reflect.Value) error {
	if r.idle {
		return nil
	}
	err := r.validator.Struct(into.Addr().Interface())
	if err == nil {
		return nil
	}
	var broken validator.ValidationErrors
	if !errors.As(err, &broken) {
		return fmt.Errorf("validate context: %w", err)
	}
	details := make([]fault.Detail, 0, min(len(broken), maxDetails))
	for _, b := range broken[:cap(details)] {
		path := strings.TrimPrefix(strings.TrimPrefix(b.Namespace(), r.name), ".")
		details = append(details, fault.Detail{
			Field:  cut(strings.ReplaceAll(path, embeddedMark+".", "")),
			Reason: strings.TrimSuffix(b.Tag()+" "+b.Param(), " "),
		})
	}
	return invalid(details)
}

// rules makes the rules of a context. The validator panics on a rule it does
// not know, or that does not fit its field, when it first meets it: here is
// where that happens, on an empty context and on a filled one.
func (p *planner) rules(v *validator.Validate, t reflect.Type) *rules {
	r := &rules{validator: v, name: t.Name(), idle: !p.validated}
	if r.idle {
		return r
	}
	unknown, told := false, make(map[string]bool)
	for _, plan := range slices.Backward(p.plans) { // the inner ones first: theirs is the place at fault
		unknown = p.unknownRules(v, plan) || unknown
		if unknown {
			continue // the validator stops at the first, there and in what holds it
		}
		filled := reflect.New(plan.goType)
		fill(filled.Elem(), 0)
		for _, sample := range []reflect.Value{reflect.New(plan.goType), filled} {
			if problem := tryRules(v, sample); problem != "" && !told[problem] {
				told[problem] = true
				p.fault(plan.place, "a validate tag is wrong: %s", problem)
			}
		}
	}
	return r
}

// unknownRules finds each tag of a struct that the validator cannot read, and
// reports whether there is one.
func (p *planner) unknownRules(v *validator.Validate, plan *structPlan) (found bool) {
	for i := range plan.goType.NumField() {
		sf := plan.goType.Field(i)
		tag := sf.Tag.Get("validate")
		if tag == "" || tag == "-" || !sf.IsExported() {
			continue
		}
		problem := try(func() { _ = v.Var(reflect.Zero(sf.Type).Interface(), tag) })
		if unknown := strings.HasPrefix(problem, "Undefined validation") || strings.HasPrefix(problem, "Invalid validation"); !unknown {
			continue // a rule that does not fit its field is told of the whole
		}
		name, _, _ := strings.Cut(sf.Tag.Get("json"), ",")
		p.fault(join(plan.place, cmp.Or(name, sf.Name)), "its validate tag %q names a rule that does not exist", tag)
		found = true
	}
	return found
}

// tryRules gives what the validator panics with. What the sample breaks is of
// no interest.
func tryRules(v *validator.Validate, sample reflect.Value) (problem string) {
	return try(func() { _ = v.Struct(sample.Interface()) })
}

// try gives what do panics with.
func try(do func()) (problem string) {
	defer func() {
		if r := recover(); r != nil {
			problem = fmt.Sprint(r)
		}
	}()
	do()
	return ""
}

// fill puts something into every field, so that no rule is passed over.
func fill(v reflect.Value, depth int) {
	const deepEnough = 4
	if depth > deepEnough || !v.CanSet() {
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.String:
		v.SetString("x")
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(1)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		v.SetUint(1)
	case reflect.Float32, reflect.Float64:
		v.SetFloat(1)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), depth+1)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), depth+1)
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i), depth+1)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		value := reflect.New(v.Type().Elem()).Elem()
		fill(value, depth+1)
		key := reflect.New(v.Type().Key()).Elem()
		fill(key, depth+1)
		v.SetMapIndex(key, value)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), depth+1)
		}
	}
}
