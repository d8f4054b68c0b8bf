package specs

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/invopop/jsonschema"
)

// ContextSchema is the JSON Schema of the context that the walker takes over
// the socket: every field that is not excluded and is no file. It stands
// alone, with the schemas it refers to under $defs.
func (d Described) ContextSchema() (*jsonschema.Schema, error) {
	book := newSchemaBook("#/$defs/")
	context, err := book.contextOf(d)
	if err != nil {
		return nil, err
	}
	var fields []Field
	for _, field := range d.Fields {
		if field.Source != FromNowhere && !field.IsFile() {
			fields = append(fields, field)
		}
	}
	schema := context.object(fields)
	schema.Version = jsonschema.Version
	schema.Definitions = book.reached(schema)
	return schema, nil
}

// ReportSchema is the JSON Schema of one report, nil where the spec tells no
// type.
func (d Described) ReportSchema() (*jsonschema.Schema, error) {
	if d.Report == nil {
		return nil, nil
	}
	book := newSchemaBook("#/$defs/")
	schema, err := book.of(reflect.TypeOf(d.Report))
	if err != nil {
		return nil, err
	}
	schema.Version = jsonschema.Version
	schema.Definitions = book.reached(schema)
	return schema, nil
}

// reportable reports why no schema can be made of a report.
func reportable(report any) error {
	if report == nil {
		return nil
	}
	_, err := newSchemaBook("#/$defs/").of(reflect.TypeOf(report))
	return err
}

// schemaBook makes schemas that share their definitions, each Go type under
// one name. It serves one document and one goroutine.
type schemaBook struct {
	// prefix stands before the name of a definition in a reference.
	prefix      string
	reflector   jsonschema.Reflector
	names       map[reflect.Type]string
	types       map[string]reflect.Type
	definitions jsonschema.Definitions
	// structs tells which fields of a context's structs are required: the rule
	// is that of the decoder, not that of the schema library.
	structs map[reflect.Type][]Field
}

func newSchemaBook(prefix string) *schemaBook {
	b := &schemaBook{
		prefix:      prefix,
		names:       make(map[reflect.Type]string),
		types:       make(map[string]reflect.Type),
		definitions: make(jsonschema.Definitions),
		structs:     make(map[reflect.Type][]Field),
	}
	b.names[reflect.TypeFor[failure]()], b.types["Error"] = "Error", reflect.TypeFor[failure]()
	b.reflector = jsonschema.Reflector{
		Anonymous:                 true,
		AllowAdditionalProperties: true,
		Namer:                     b.name,
		Mapper:                    mapped,
	}
	return b
}

// of makes the schema of a type; its definitions join those of the book.
func (b *schemaBook) of(t reflect.Type) (schema *jsonschema.Schema, err error) {
	defer func() {
		// The library panics on what JSON cannot hold: channels, functions.
		if r := recover(); r != nil {
			schema, err = nil, fmt.Errorf("no schema of %v: %v", t, r)
		}
	}()
	root := b.reflector.ReflectFromType(t)
	found := root.Definitions
	root.Version, root.Definitions = "", nil
	b.relink(root)
	for name, definition := range found {
		if _, known := b.definitions[name]; known {
			continue
		}
		b.relink(definition)
		if fields, known := b.structs[b.types[name]]; known {
			require(definition, fields)
		}
		b.definitions[name] = definition
	}
	return root, nil
}

// contextSchema is the schema of a walker's context, not yet cut to the fields
// of one source.
type contextSchema struct{ whole *jsonschema.Schema }

func (b *schemaBook) contextOf(d Described) (contextSchema, error) {
	for t, fields := range d.Structs {
		b.structs[t] = fields
	}
	whole, err := b.of(d.Type)
	if err != nil {
		return contextSchema{}, err
	}
	if name := strings.TrimPrefix(whole.Ref, b.prefix); whole.Ref != "" {
		whole = b.definitions[name]
	}
	return contextSchema{whole: whole}, nil
}

// object is the schema of an object with those fields alone.
func (c contextSchema) object(fields []Field) *jsonschema.Schema {
	schema := &jsonschema.Schema{Type: "object", Properties: jsonschema.NewProperties()}
	for _, field := range fields {
		schema.Properties.Set(field.Name, c.field(field))
	}
	require(schema, fields)
	return schema
}

// field is the schema of one field.
func (c contextSchema) field(field Field) *jsonschema.Schema {
	file := &jsonschema.Schema{Type: "string", Format: "binary"}
	switch {
	case field.Kind == File:
		return file
	case field.IsFile():
		return &jsonschema.Schema{Type: "array", Items: file}
	}
	if c.whole.Properties != nil {
		if schema, known := c.whole.Properties.Get(field.Name); known {
			copied := *schema
			if field.Default != nil {
				copied.Default = field.Default
			}
			return &copied
		}
	}
	return &jsonschema.Schema{}
}

// require sets what is required, and the defaults, by the decoder's rule.
func require(schema *jsonschema.Schema, fields []Field) {
	schema.Required = nil
	for _, field := range fields {
		if field.Required {
			schema.Required = append(schema.Required, field.Name)
		}
		if schema.Properties == nil {
			continue
		}
		if property, known := schema.Properties.Get(field.Name); known && field.Default != nil {
			property.Default = field.Default
		}
	}
}

// reached gives the definitions that the schemas refer to, over any number of
// steps.
func (b *schemaBook) reached(schemas ...*jsonschema.Schema) jsonschema.Definitions {
	found := make(jsonschema.Definitions)
	var follow func(*jsonschema.Schema)
	follow = func(s *jsonschema.Schema) {
		name, refers := strings.CutPrefix(s.Ref, b.prefix)
		if !refers || s.Ref == "" {
			return
		}
		definition, known := b.definitions[name]
		if _, again := found[name]; again || !known {
			return
		}
		found[name] = definition
		walk(definition, follow)
	}
	for _, schema := range schemas {
		walk(schema, follow)
	}
	return found
}

// relink turns the library's references into those of the book.
func (b *schemaBook) relink(schema *jsonschema.Schema) {
	walk(schema, func(s *jsonschema.Schema) {
		if name, refers := strings.CutPrefix(s.Ref, "#/$defs/"); refers {
			s.Ref = b.prefix + name
		}
	})
}

// name gives each named type a name of its own that is fit for a component:
// its Go name, numbered where another package's type has that name already.
func (b *schemaBook) name(t reflect.Type) string {
	if t.Name() == "" {
		return ""
	}
	if name, known := b.names[t]; known {
		return name
	}
	base := strings.Map(func(r rune) rune {
		if isAlphanumeric(r) || r == '_' || r == '-' || r == '.' {
			return r
		}
		return '_'
	}, t.Name())
	name := base
	for n := 2; b.types[name] != nil; n++ {
		name = base + strconv.Itoa(n)
	}
	b.names[t], b.types[name] = name, t
	return name
}

var (
	jsonUnmarshaler = reflect.TypeFor[json.Unmarshaler]()
	jsonMarshaler   = reflect.TypeFor[json.Marshaler]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
	textMarshaler   = reflect.TypeFor[encoding.TextMarshaler]()
)

// mapped gives the schemas of types that write their JSON themselves, which
// the library would describe by their fields.
func mapped(t reflect.Type) *jsonschema.Schema {
	pointer := reflect.PointerTo(t)
	_, describesItself := pointer.MethodByName("JSONSchema")
	switch {
	case describesItself || t == reflect.TypeFor[time.Time]():
		return nil
	case t == reflect.TypeFor[json.Number]():
		return &jsonschema.Schema{Type: "number"}
	case pointer.Implements(jsonUnmarshaler) || pointer.Implements(jsonMarshaler):
		return &jsonschema.Schema{}
	case pointer.Implements(textUnmarshaler) || pointer.Implements(textMarshaler):
		return &jsonschema.Schema{Type: "string"}
	}
	return nil
}

// walk visits the schema and every schema within it. References are not
// followed.
func walk(schema *jsonschema.Schema, visit func(*jsonschema.Schema)) {
	if schema == nil {
		return
	}
	visit(schema)
	for _, list := range [][]*jsonschema.Schema{schema.AllOf, schema.AnyOf, schema.OneOf, schema.PrefixItems} {
		for _, each := range list {
			walk(each, visit)
		}
	}
	for _, named := range []map[string]*jsonschema.Schema{schema.DependentSchemas, schema.PatternProperties} {
		for _, each := range named {
			walk(each, visit)
		}
	}
	for _, each := range []*jsonschema.Schema{
		schema.Not, schema.If, schema.Then, schema.Else, schema.Items, schema.Contains,
		schema.AdditionalProperties, schema.PropertyNames, schema.ContentSchema,
	} {
		walk(each, visit)
	}
	if schema.Properties == nil {
		return
	}
	for pair := schema.Properties.Oldest(); pair != nil; pair = pair.Next() {
		walk(pair.Value, visit)
	}
}
