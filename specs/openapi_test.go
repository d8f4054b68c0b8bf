package specs_test

import (
	"context"
	"encoding/json"
	"reflect"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"

	"github.com/walkergate/walkergate/specs"
)

type hit struct {
	Title string `json:"title"`
	Where where  `json:"where"`
	Next  *hit   `json:"next,omitempty"`
}

func document(t *testing.T, walkers ...specs.Walker) *openapi3.T {
	t.Helper()
	var described []specs.Described
	for _, walker := range walkers {
		d, err := specs.Describe(walker, searchShape())
		if err != nil {
			t.Fatal(err)
		}
		described = append(described, d)
	}
	text, err := specs.OpenAPI(specs.Info{Title: "walkers", Version: "1"}, described)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		t.Fatalf("load: %v\n%s", err, text)
	}
	if err := doc.Validate(context.Background()); err != nil {
		t.Fatalf("validate: %v\n%s", err, text)
	}
	return doc
}

func TestOpenAPIIsValidAndWhole(t *testing.T) {
	doc := document(t,
		specs.Walker{
			Name: "search", Methods: []specs.Method{specs.Get, specs.Post, specs.WebSocket}, Path: "{id}", AsQuery: []string{"q", "limit", "tags"},
			Excluded: []string{"node"}, Tags: []string{"shop"}, StatusCode: 201, Summary: "Finds", Description: "Finds things.", Deprecated: true, Report: hit{},
		},
		specs.Walker{Name: "hidden", HiddenFromDocs: true},
		specs.Walker{Name: "private", Private: true},
		specs.Walker{Name: "socket", Methods: []specs.Method{specs.WebSocket}},
		specs.Walker{Name: "node.search", Methods: []specs.Method{specs.Post}, Auth: specs.NoAuth},
	)
	want := []string{"/walker/node.search", "/walker/node.search/{node}", "/walker/search/{id}", "/walker/search/{id}/{node}"}
	if diff := cmp.Diff(want, doc.Paths.InMatchingOrder(), cmp.Transformer("sorted", sorted)); diff != "" {
		t.Errorf("paths (-want +got):\n%s", diff)
	}
	op := doc.Paths.Value("/walker/search/{id}/{node}").Get
	if op == nil || doc.Paths.Value("/walker/search/{id}").Post == nil {
		t.Fatal("a method is missing")
	}
	if op.Summary != "Finds" || op.Description != "Finds things." || !op.Deprecated || !cmp.Equal(op.Tags, []string{"shop"}) {
		t.Errorf("operation is %+v", op)
	}
	var parameters []string
	for _, p := range op.Parameters {
		text := p.Value.In + " " + p.Value.Name
		if p.Value.Required {
			text += " required"
		}
		parameters = append(parameters, text)
	}
	wantParameters := []string{"path id required", "path node required", "query q required", "query limit", "query tags"}
	if diff := cmp.Diff(wantParameters, parameters); diff != "" {
		t.Errorf("parameters (-want +got):\n%s", diff)
	}
	if limit := op.Parameters.GetByInAndName("query", "limit"); limit.Schema.Value.Default != 10.0 || !limit.Schema.Value.Type.Is("integer") {
		t.Errorf("schema of limit is %+v", limit.Schema.Value)
	}
	body := op.RequestBody.Value.Content["multipart/form-data"].Schema.Value
	if body.Properties["photo"].Value.Format != "binary" || body.Properties["where"].Ref != "#/components/schemas/where" || len(body.Properties) != 2 {
		t.Errorf("body is %+v", body.Properties)
	}
	if diff := cmp.Diff([]string{"photo", "where"}, body.Required); diff != "" {
		t.Errorf("required (-want +got):\n%s", diff)
	}
	if op.Responses.Value("201") == nil || op.Responses.Value("401") == nil || op.Responses.Default() == nil || op.Security == nil {
		t.Error("a response, or the need of a user, is not told")
	}
	reports := op.Responses.Value("201").Value.Content["application/json"].Schema.Value.Properties["reports"].Value
	if reports.Items.Ref != "#/components/schemas/hit" {
		t.Errorf("reports are %+v", reports)
	}
	if open := doc.Paths.Value("/walker/node.search").Post; open.Security != nil || open.Responses.Value("401") != nil {
		t.Error("a walker for everybody asks for a user")
	}
	failure := doc.Components.Schemas["Error"].Value
	if diff := cmp.Diff([]string{"status", "code", "error"}, failure.Required); diff != "" {
		t.Errorf("the error object requires (-want +got):\n%s", diff)
	}
	if _, told := doc.Components.Schemas["search"]; told {
		t.Error("the whole context is told, excluded fields and all")
	}
}

func sorted(list []string) map[string]bool {
	set := make(map[string]bool)
	for _, each := range list {
		set[each] = true
	}
	return set
}

func TestOpenAPIWithoutContent(t *testing.T) {
	d, err := specs.Describe(specs.Walker{Name: "w", StatusCode: 204}, specs.Shape{Type: reflect.TypeFor[struct{}]()})
	if err != nil {
		t.Fatal(err)
	}
	first, err := specs.OpenAPI(specs.Info{Title: "t", Version: "1"}, []specs.Described{d})
	if err != nil {
		t.Fatal(err)
	}
	again, _ := specs.OpenAPI(specs.Info{Title: "t", Version: "1"}, []specs.Described{d})
	if string(first) != string(again) {
		t.Error("the same walkers give other bytes")
	}
	doc, err := openapi3.NewLoader().LoadFromData(first)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(context.Background()); err != nil {
		t.Fatal(err)
	}
	op := doc.Paths.Value("/walker/w").Post
	if op.RequestBody != nil || op.Responses.Value("204").Value.Content != nil {
		t.Error("a body is told where there is none")
	}
}

func TestContextSchemaIsThatOfTheSocket(t *testing.T) {
	d, err := specs.Describe(specs.Walker{Name: "w", Path: "{id}", AsQuery: []string{"q"}, Excluded: []string{"limit"}}, searchShape())
	if err != nil {
		t.Fatal(err)
	}
	schema, err := d.ContextSchema()
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(schema)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Properties map[string]any `json:"properties"`
		Required   []string       `json:"required"`
		Defs       map[string]any `json:"$defs"`
	}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	names := make(map[string]bool)
	for name := range got.Properties {
		names[name] = true
	}
	if diff := cmp.Diff(map[string]bool{"id": true, "q": true, "tags": true, "where": true, "node": true}, names); diff != "" {
		t.Errorf("properties (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"id", "q", "where"}, got.Required); diff != "" {
		t.Errorf("required (-want +got):\n%s", diff)
	}
	if inner, _ := got.Defs["where"].(map[string]any); inner == nil || inner["required"] != nil {
		t.Errorf("definitions are %v: where has no required field", got.Defs)
	}
	if schema, err := d.ReportSchema(); schema != nil || err != nil {
		t.Errorf("ReportSchema() = %v, %v without a report", schema, err)
	}
}

func TestTypesOfOneNameStayApart(t *testing.T) {
	type hit struct {
		Other int `json:"other"`
	}
	doc := document(t,
		specs.Walker{Name: "a", Report: hit{}},
		specs.Walker{Name: "b", Report: outer()},
	)
	if len(doc.Components.Schemas["hit"].Value.Properties) == len(doc.Components.Schemas["hit2"].Value.Properties) {
		t.Errorf("schemas are %v", doc.Components.Schemas)
	}
}

func outer() any { return hit{} }
