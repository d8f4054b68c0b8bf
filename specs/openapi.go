package specs

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"

	"github.com/invopop/jsonschema"

	"github.com/walkergate/walkergate/fault"
)

const (
	componentPrefix = "#/components/schemas/"
	bearerScheme    = "bearer"
	jsonContent     = "application/json"
	multipart       = "multipart/form-data"
)

// Info heads an OpenAPI document.
type Info struct {
	Title       string `json:"title"`
	Version     string `json:"version"`
	Description string `json:"description,omitempty"`
}

// OpenAPI writes the OpenAPI 3.1 document, in JSON, of every walker that HTTP
// reaches and that is neither private nor hidden. The same walkers give the
// same bytes.
func OpenAPI(info Info, walkers []Described) ([]byte, error) {
	w := &openAPI{book: newSchemaBook(componentPrefix), paths: make(map[string]map[string]*operation)}
	failure, err := w.book.of(reflect.TypeFor[failure]())
	if err != nil {
		return nil, err
	}
	w.failure = failure
	w.use(failure)
	for _, d := range walkers {
		if d.HiddenFromDocs {
			continue
		}
		if err := w.add(d); err != nil {
			return nil, fmt.Errorf("describe walker %s: %w", d.Name, err)
		}
	}
	return json.Marshal(document{
		OpenAPI: "3.1.0",
		Info:    info,
		Paths:   w.paths,
		Components: components{
			Schemas:         w.book.reached(w.used...),
			SecuritySchemes: map[string]securityScheme{bearerScheme: {Type: "http", Scheme: "bearer", BearerFormat: "JWT"}},
		},
	})
}

// failure is the error object of docs/PROTOCOL.md.
type failure struct {
	Status  int            `json:"status" jsonschema:"description=The HTTP status."`
	Code    string         `json:"code" jsonschema:"description=For machines; it never changes its meaning."`
	Error   string         `json:"error" jsonschema:"description=For people."`
	Details []fault.Detail `json:"details,omitempty" jsonschema:"description=What is wrong with which field."`
	Ref     string         `json:"ref,omitempty" jsonschema:"description=The name of an internal error in the log."`
}

type (
	document struct {
		OpenAPI    string                           `json:"openapi"`
		Info       Info                             `json:"info"`
		Paths      map[string]map[string]*operation `json:"paths"`
		Components components                       `json:"components"`
	}
	components struct {
		Schemas         jsonschema.Definitions    `json:"schemas,omitempty"`
		SecuritySchemes map[string]securityScheme `json:"securitySchemes"`
	}
	securityScheme struct {
		Type         string `json:"type"`
		Scheme       string `json:"scheme"`
		BearerFormat string `json:"bearerFormat"`
	}
	operation struct {
		OperationID string                `json:"operationId"`
		Tags        []string              `json:"tags,omitempty"`
		Summary     string                `json:"summary,omitempty"`
		Description string                `json:"description,omitempty"`
		Deprecated  bool                  `json:"deprecated,omitempty"`
		Parameters  []parameter           `json:"parameters,omitempty"`
		RequestBody *requestBody          `json:"requestBody,omitempty"`
		Responses   map[string]response   `json:"responses"`
		Security    []map[string][]string `json:"security,omitempty"`
	}
	parameter struct {
		Name        string             `json:"name"`
		In          string             `json:"in"`
		Description string             `json:"description,omitempty"`
		Required    bool               `json:"required,omitempty"`
		Schema      *jsonschema.Schema `json:"schema"`
	}
	requestBody struct {
		Description string               `json:"description,omitempty"`
		Required    bool                 `json:"required,omitempty"`
		Content     map[string]mediaType `json:"content"`
	}
	response struct {
		Description string               `json:"description"`
		Content     map[string]mediaType `json:"content,omitempty"`
	}
	mediaType struct {
		Schema *jsonschema.Schema `json:"schema"`
	}
)

// openAPI gathers the operations of one document and the schemas they use.
type openAPI struct {
	book    *schemaBook
	paths   map[string]map[string]*operation
	used    []*jsonschema.Schema
	failure *jsonschema.Schema
}

// use notes a schema, so that what it refers to becomes a component.
func (w *openAPI) use(schema *jsonschema.Schema) *jsonschema.Schema {
	w.used = append(w.used, schema)
	return schema
}

func (w *openAPI) add(d Described) error {
	context, err := w.book.contextOf(d)
	if err != nil {
		return err
	}
	report := &jsonschema.Schema{}
	if d.Report != nil {
		if report, err = w.book.of(reflect.TypeOf(d.Report)); err != nil {
			return err
		}
	}
	w.use(report)
	for _, route := range d.Routes() {
		methods := w.paths[route.Path]
		if methods == nil {
			methods = make(map[string]*operation)
			w.paths[route.Path] = methods
		}
		methods[string(route.Method)] = w.operation(d, context, report, route)
	}
	return nil
}

func (w *openAPI) operation(d Described, context contextSchema, report *jsonschema.Schema, route Route) *operation {
	op := &operation{
		OperationID: d.Name + ":" + string(route.Method),
		Tags:        d.Tags,
		Summary:     d.Summary,
		Description: d.Description,
		Deprecated:  d.Deprecated,
		Parameters:  w.parameters(d, context, route),
		RequestBody: w.requestBody(d, context),
		Responses:   w.responses(d, report),
	}
	if route.Node {
		op.OperationID = d.Name + ":node:" + string(route.Method) // no name holds a colon: ids stay apart
	}
	if d.Auth == AuthRequired {
		op.Security = []map[string][]string{{bearerScheme: {}}}
	}
	return op
}

func (w *openAPI) parameters(d Described, context contextSchema, route Route) []parameter {
	var parameters []parameter
	for _, field := range d.from(FromPath) {
		parameters = append(parameters, parameter{
			Name: field.Name, In: "path", Required: true, Schema: w.use(context.field(field)),
		})
	}
	if route.Node {
		parameters = append(parameters, parameter{
			Name: nodeVariable, In: "path", Required: true, Description: "The node to enter.",
			Schema: &jsonschema.Schema{Type: "string"},
		})
	}
	for _, field := range d.from(FromQuery) {
		parameters = append(parameters, parameter{
			Name: field.Name, In: "query", Required: field.Required, Schema: w.use(context.field(field)),
		})
	}
	return parameters
}

func (w *openAPI) requestBody(d Described, context contextSchema) *requestBody {
	files, fields := d.from(FromFile), d.from(FromBody)
	if len(files)+len(fields) == 0 {
		return nil
	}
	body := &requestBody{Content: make(map[string]mediaType)}
	required := func(field Field) bool { return field.Required }
	body.Required = slices.ContainsFunc(files, required) || slices.ContainsFunc(fields, required)
	if len(files) == 0 {
		body.Content[jsonContent] = mediaType{Schema: w.use(context.object(fields))}
		return body
	}
	body.Description = "Each field is a part of its own; those that are no files may instead come together, as one JSON object, in a part named body."
	body.Content[multipart] = mediaType{Schema: w.use(context.object(slices.Concat(files, fields)))}
	return body
}

func (w *openAPI) responses(d Described, report *jsonschema.Schema) map[string]response {
	success := response{Description: "The walker's status and its reports, in order."}
	if d.StatusCode != http.StatusNoContent && d.StatusCode != http.StatusResetContent {
		envelope := &jsonschema.Schema{Type: "object", Properties: jsonschema.NewProperties(), Required: []string{"status", "reports"}}
		envelope.Properties.Set("status", &jsonschema.Schema{Type: "integer"})
		envelope.Properties.Set("reports", &jsonschema.Schema{Type: "array", Items: report})
		success.Content = map[string]mediaType{jsonContent: {Schema: envelope}}
	}
	problem := map[string]mediaType{jsonContent: {Schema: w.failure}}
	responses := map[string]response{
		strconv.Itoa(d.StatusCode): success,
		"default":                  {Description: "Any other failure.", Content: problem},
	}
	if d.Auth == AuthRequired {
		responses["401"] = response{Description: "A user is needed, or the token was refused.", Content: problem}
	}
	if len(d.Fields) > 0 {
		responses["422"] = response{Description: "A field is missing or wrong; details name each.", Content: problem}
	}
	return responses
}
