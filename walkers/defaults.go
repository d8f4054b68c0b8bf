package walkers

import (
	"reflect"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/walkergate/walkergate/specs"
)

// defaults reads the default tags of a struct: JSON, or bare text where the
// field is a string.
func (p *planner) defaults(plan *structPlan) {
	for i := range plan.fields {
		f := &plan.fields[i]
		text, declared := f.tag.Lookup("default")
		if !declared {
			continue
		}
		place := join(plan.place, f.Name)
		if f.IsFile() {
			p.fault(place, "a file can have no default")
			continue
		}
		value := jsontext.Value(text)
		if isString := value.Kind() == '"' && value.IsValid(); f.Kind == specs.String && !isString {
			value, _ = jsontext.AppendQuote(nil, text) // invalid UTF-8 becomes a replacement character
		}
		if !value.IsValid() {
			p.fault(place, "its default is not JSON")
			continue
		}
		goType := fieldType(plan.goType, f.index)
		decoded := reflect.New(goType).Elem()
		if err := f.shape.value(value, decoded); err != nil {
			p.fault(place, "its default does not fit: %v", err)
			continue
		}
		f.Default = []byte(value)
		if copies(goType) {
			f.fixed = decoded
		}
	}
}

// fieldType is reflect.Type.FieldByIndex, which panics on embedded pointers.
func fieldType(t reflect.Type, index []int) reflect.Type {
	for _, at := range index {
		if t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		t = t.Field(at).Type
	}
	return t
}

// copies reports whether a copy of a value shares nothing with it.
func copies(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Bool, reflect.String, reflect.Float32, reflect.Float64,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return true
	}
	return false
}

// setDefault gives a field that was not sent its default. Without one it keeps
// its zero value.
func (f *field) setDefault(into reflect.Value) error {
	switch {
	case f.fixed.IsValid():
		f.in(into).Set(f.fixed)
	case f.Default != nil:
		return f.shape.value(f.Default, f.in(into)) // was decoded at registration: does not fail
	}
	return nil
}
