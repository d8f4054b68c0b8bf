package specs

import (
	"encoding/json"
	"reflect"
)

// Kind is what a field holds, in the words of JSON. It stands in the reasons
// that clients read ("expected integer").
type Kind string

// The kinds of fields.
const (
	String  Kind = "string"
	Integer Kind = "integer"
	Number  Kind = "number"
	Boolean Kind = "boolean"
	List    Kind = "list"
	Object  Kind = "object"
	Any     Kind = "any"
	File    Kind = "file"
)

// IsScalar reports whether a path variable can hold the kind.
func (k Kind) IsScalar() bool {
	switch k {
	case String, Integer, Number, Boolean:
		return true
	}
	return false
}

// Source is where a field's value comes from over HTTP. Over the socket every
// field that is not excluded and is no file comes from the context.
type Source uint8

// The sources, in the order in which they are tried.
const (
	FromBody Source = iota
	FromQuery
	FromPath
	FromFile
	// FromNowhere marks an excluded field: nobody can set it.
	FromNowhere
)

// Field is one field of a walker's context, or of a struct below it.
type Field struct {
	// Name is the key in JSON.
	Name string
	Kind Kind
	// Item is the kind of a List's items.
	Item Kind
	// Required fields must be sent. A field that is not required has a default:
	// Default where that is set, else its zero value.
	Required bool
	// Default is JSON, nil where the field declares none.
	Default json.RawMessage
	// Source is filled by Describe.
	Source Source
}

// IsFile reports whether the field holds one or several files.
func (f Field) IsFile() bool { return f.Kind == File || f.Kind == List && f.Item == File }

// Shape is the Go type of a walker's context, read once.
type Shape struct {
	// Type is the struct itself.
	Type reflect.Type
	// Fields are its fields, embedded structs flattened.
	Fields []Field
	// Structs holds the fields of every struct below Type.
	Structs map[reflect.Type][]Field
}

// Described is a checked spec with its defaults filled in, and the shape of
// its context with the source of each field. It must not be changed.
type Described struct {
	Walker
	Shape
}

// Field gives the field of that name.
func (d Described) Field(name string) (Field, bool) {
	for _, field := range d.Fields {
		if field.Name == name {
			return field, true
		}
	}
	return Field{}, false
}

// from gives the fields that HTTP takes from that source.
func (d Described) from(source Source) []Field {
	var fields []Field
	for _, field := range d.Fields {
		if field.Source == source {
			fields = append(fields, field)
		}
	}
	return fields
}
