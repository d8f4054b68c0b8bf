package walkers_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/walkergate/walkergate/fault"
	"github.com/walkergate/walkergate/specs"
)

type base struct {
	Tenant string `json:"tenant" default:"main"`
}

type tag struct {
	Name   string `json:"name"`
	Weight int    `json:"weight" default:"1"`
}

type user struct {
	Email string          `json:"email"`
	Tags  []tag           `json:"tags,omitempty"`
	Notes map[string]tag  `json:"notes,omitempty"`
	Boss  *user           `json:"boss"`
	Pair  [2]int          `json:"pair,omitzero"`
	Raw   json.RawMessage `json:"raw,omitempty"`
	Blob  []byte          `json:"blob,omitempty"`
	Born  time.Time       `json:"born,omitzero"`
	Sum   json.Number     `json:"sum,omitempty"`
}

type everything struct {
	base
	Text   string   `json:"text"`
	Int    int8     `json:"int"`
	Uint   uint16   `json:"uint"`
	Float  float32  `json:"float"`
	Flag   bool     `json:"flag"`
	User   user     `json:"user"`
	List   []string `json:"list" default:"[\"a\"]"`
	Any    any      `json:"any,omitempty"`
	Go     *int
	hidden string //nolint:unused // that it is left alone is the test
	Never  string `json:"-"`
}

const whole = `{"text":"t","int":-1,"uint":2,"float":1.5,"flag":true,"user":{"email":"e","boss":{"email":"b","tags":[{"name":"x"}]},` +
	`"notes":{"k.1":{"name":"n","weight":7}},"pair":[3,4],"raw":[1, 2],"blob":"aGk=","born":"2026-01-02T03:04:05Z","sum":1e3},` +
	`"any":{"a":[1,"x",null,true]},"Go":9}`

func TestAContextIsDecodedWhole(t *testing.T) {
	r, taken := taker[everything](t, specs.Walker{})
	if _, err := r.Run(context.Background(), overSocket(whole)); err != nil {
		t.Fatalf("%v %v", err, told(t, err).Details)
	}
	nine := 9
	want := everything{
		base: base{Tenant: "main"}, Text: "t", Int: -1, Uint: 2, Float: 1.5, Flag: true, List: []string{"a"}, Go: &nine,
		Any: map[string]any{"a": []any{1.0, "x", nil, true}},
		User: user{
			Email: "e", Boss: &user{Email: "b", Tags: []tag{{Name: "x", Weight: 1}}}, Notes: map[string]tag{"k.1": {Name: "n", Weight: 7}},
			Pair: [2]int{3, 4}, Raw: json.RawMessage(`[1, 2]`), Blob: []byte("hi"), Born: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Sum: "1e3",
		},
	}
	if diff := cmp.Diff(want, taken(), cmp.AllowUnexported(everything{})); diff != "" {
		t.Errorf("context (-want +got):\n%s", diff)
	}
}

// with changes one member of the whole context, by its JSON text.
func with(t *testing.T, path string, value string) string {
	t.Helper()
	var object map[string]any
	if err := json.Unmarshal([]byte(whole), &object); err != nil {
		t.Fatal(err)
	}
	at := object
	keys := strings.Split(path, "/")
	for _, key := range keys[:len(keys)-1] {
		at = at[key].(map[string]any)
	}
	last := keys[len(keys)-1]
	if value == "" {
		delete(at, last)
	} else {
		at[last] = json.RawMessage(value)
	}
	text, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestEachWrongValueIsTold(t *testing.T) {
	tests := []struct{ path, value, field, reason string }{
		{"text", "", "text", "required"},
		{"user/email", "", "user.email", "required"},
		{"text", "3", "text", "expected string"},
		{"text", "null", "text", "expected string"},
		{"text", "{}", "text", "expected string"},
		{"int", `"3"`, "int", "expected integer"},
		{"int", "3.0", "int", "expected integer"},
		{"int", "1e2", "int", "expected integer"},
		{"int", "true", "int", "expected integer"},
		{"int", "null", "int", "expected integer"},
		{"int", "128", "int", "out of range"},
		{"int", "-129", "int", "out of range"},
		{"int", "99999999999999999999999999", "int", "out of range"},
		{"uint", "-1", "uint", "out of range"},
		{"uint", "65536", "uint", "out of range"},
		{"uint", "1.5", "uint", "expected integer"},
		{"float", `"1"`, "float", "expected number"},
		{"float", "1e39", "float", "out of range"},
		{"flag", "1", "flag", "expected boolean"},
		{"flag", `"true"`, "flag", "expected boolean"},
		{"flag", "null", "flag", "expected boolean"},
		{"user", "[]", "user", "expected object"},
		{"user", "null", "user", "expected object"},
		{"list", "null", "list", "expected list"},
		{"list", `"a"`, "list", "expected list"},
		{"list", `["a","b",3]`, "list[2]", "expected string"},
		{"user/tags", `[{"name":"a"},{"name":"b","weight":"x"}]`, "user.tags[1].weight", "expected integer"},
		{"user/tags", `[{"name":"a"},{},{"name":"c"}]`, "user.tags[1].name", "required"},
		{"user/tags", `[null]`, "user.tags[0]", "expected object"},
		{"user/notes", `{"k":{"name":1}}`, "user.notes.k.name", "expected string"},
		{"user/notes", `[]`, "user.notes", "expected object"},
		{"user/boss", `{"email":2}`, "user.boss.email", "expected string"},
		{"user/boss", `3`, "user.boss", "expected object"},
		{"user/boss", `{"email":"x","boss":{"email":"y","boss":{}}}`, "user.boss.boss.boss.email", "required"},
		{"user/pair", `[1]`, "user.pair", "expected 2 items"},
		{"user/pair", `[1,2,3]`, "user.pair", "expected 2 items"},
		{"user/pair", `[1,"2"]`, "user.pair[1]", "expected integer"},
		{"user/blob", `"%"`, "user.blob", "expected base64"},
		{"user/blob", `[1]`, "user.blob", "expected string"},
		{"user/born", `"yesterday"`, "user.born", "expected RFC 3339 time"},
		{"user/born", `"2026-01-02T3:04:05Z"`, "user.born", "expected RFC 3339 time"},
		{"user/born", `17`, "user.born", "expected string"},
		{"user/sum", `"17"`, "user.sum", "expected number"},
		{"any", `{"a":1e999}`, "any", "out of range"},
		{"Go", `"9"`, "Go", "expected integer"},
	}
	r, _ := taker[everything](t, specs.Walker{})
	for _, test := range tests {
		_, err := r.Run(context.Background(), overSocket(with(t, test.path, test.value)))
		f := expect(t, err, fault.InvalidContext, "the context does not fit the walker")
		want := []fault.Detail{{Field: test.field, Reason: test.reason}}
		if diff := cmp.Diff(want, f.Details); diff != "" {
			t.Errorf("%s = %s (-want +got):\n%s", test.path, test.value, diff)
		}
	}
}

func TestAllFaultsAreToldAtOnce(t *testing.T) {
	r, _ := taker[everything](t, specs.Walker{})
	_, err := r.Run(context.Background(), overSocket(`{"Text":"t","int":"secret","list":[1,"b",{}],"user":{"tags":[{"weight":1}]},"flag":true}`))
	want := []fault.Detail{
		{Field: "int", Reason: "expected integer"},
		{Field: "list[0]", Reason: "expected string"},
		{Field: "list[2]", Reason: "expected string"},
		{Field: "user.tags[0].name", Reason: "required"},
		{Field: "user.email", Reason: "required"},
		{Field: "text", Reason: "required"}, // names are matched exactly
		{Field: "uint", Reason: "required"},
		{Field: "float", Reason: "required"},
	}
	f := expect(t, err, fault.InvalidContext, "")
	if diff := cmp.Diff(want, f.Details); diff != "" {
		t.Errorf("details (-want +got):\n%s", diff)
	}
	if strings.Contains(f.Error(), "secret") {
		t.Errorf("%q tells the value", f.Error())
	}
}

func TestFaultsAndTheirPathsAreBounded(t *testing.T) {
	r, _ := taker[everything](t, specs.Walker{})
	_, err := r.Run(context.Background(), overSocket(`{"list":[`+strings.Repeat("1,", 5000)+`1]}`))
	if f := expect(t, err, fault.InvalidContext, ""); len(f.Details) != 100 {
		t.Errorf("%d details, want 100", len(f.Details))
	}
	_, err = r.Run(context.Background(), overSocket(with(t, "user/notes", `{"`+strings.Repeat("é", 4000)+`":1}`)))
	if f := expect(t, err, fault.InvalidContext, ""); len(f.Details) != 1 || len(f.Details[0].Field) > 256 || !strings.HasPrefix(f.Details[0].Field, "user.notes.éé") {
		t.Errorf("details are %v", f.Details)
	}
}

func TestBrokenContexts(t *testing.T) {
	type empty struct {
		N *int `json:"n"`
	}
	deep := func(n int) string { return `{"x":` + strings.Repeat("[", n-1) + strings.Repeat("]", n-1) + `}` }
	tests := map[string]struct {
		context, message string
		details          []fault.Detail
	}{
		"nothing":           {"", "", nil},
		"space":             {" \n", "", nil},
		"null":              {" null ", "", nil},
		"empty":             {"{}", "", nil},
		"null for pointer":  {`{"n":null}`, "", nil},
		"unknown names":     {`{"x":{"y":[1,{}]},"N":3}`, "", nil},
		"as deep as may be": {deep(64), "", nil},
		"too deep":          {deep(65), "the context nests deeper than 64", nil},
		"brackets in text":  {`{"x":"` + strings.Repeat(`[\"{`, 100) + `"}`, "", nil},
		"list":              {"[]", "the context must be an object", nil},
		"text":              {`"x"`, "the context must be an object", nil},
		"number":            {"5", "the context must be an object", nil},
		"no JSON":           {"{", "malformed JSON", nil},
		"no JSON at all":    {"hello", "malformed JSON", nil},
		"two values":        {"{} {}", "malformed JSON", nil},
		"list, then more":   {"[] x", "malformed JSON", nil},
		"comma at the end":  {`{"n":1,}`, "malformed JSON", nil},
		"name without text": {`{1:2}`, "malformed JSON", nil},
		"broken below":      {`{"x":[1,}`, "malformed JSON", nil},
		"invalid UTF-8":     {"{\"x\":\"\xff\"}", "malformed JSON", nil},
		"lone surrogate":    {`{"x":"\ud800"}`, "malformed JSON", nil},
		"leading zero":      {`{"n":01}`, "malformed JSON", nil},
		"name twice":        {`{"n":1,"n":2}`, "malformed JSON", []fault.Detail{{Field: "n", Reason: "duplicate name"}}},
		"escaped twice":     {`{"n":1,"\u006e":2}`, "malformed JSON", []fault.Detail{{Field: "n", Reason: "duplicate name"}}},
		"unknown twice":     {`{"x":[{"a":1,"a":2}]}`, "malformed JSON", []fault.Detail{{Field: "x[0].a", Reason: "duplicate name"}}},
	}
	r, _ := taker[empty](t, specs.Walker{})
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := r.Run(context.Background(), overSocket(test.context))
			if test.message == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			f := expect(t, err, fault.InvalidContext, test.message)
			if diff := cmp.Diff(test.details, f.Details); diff != "" {
				t.Errorf("details (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNamesMayBeEscaped(t *testing.T) {
	type in struct {
		Name string `json:"na/me"`
	}
	r, taken := taker[in](t, specs.Walker{})
	if _, err := r.Run(context.Background(), overSocket(`{"n\u0061\/me":"x\ty"}`)); err != nil {
		t.Fatal(err)
	}
	if taken().Name != "x\ty" {
		t.Errorf("got %q", taken().Name)
	}
}

func TestNothingOfTheSentBytesIsKept(t *testing.T) {
	type in struct {
		Raw  json.RawMessage `json:"raw"`
		Text string          `json:"text"`
	}
	r, taken := taker[in](t, specs.Walker{})
	inv := overSocket(`{"raw":[1,2],"text":"t"}`)
	if _, err := r.Run(context.Background(), inv); err != nil {
		t.Fatal(err)
	}
	clear(inv.Context) // the door's buffer is used again
	if diff := cmp.Diff(in{Raw: json.RawMessage(`[1,2]`), Text: "t"}, taken()); diff != "" {
		t.Errorf("context (-want +got):\n%s", diff)
	}
}

func TestValuesOfAMapKeepApart(t *testing.T) {
	type value struct {
		N    *int  `json:"n"`
		List []int `json:"list,omitempty"`
	}
	type in struct {
		Map map[string]value `json:"map"`
	}
	r, taken := taker[in](t, specs.Walker{})
	if _, err := r.Run(context.Background(), overSocket(`{"map":{"a":{"n":1,"list":[1]},"b":{},"c":{"list":[2]}}}`)); err != nil {
		t.Fatal(err)
	}
	one := 1
	want := map[string]value{"a": {N: &one, List: []int{1}}, "b": {}, "c": {List: []int{2}}}
	if diff := cmp.Diff(want, taken().Map); diff != "" {
		t.Errorf("map (-want +got):\n%s", diff)
	}
}

type (
	byName struct{ Title string }
	byTag  struct {
		Other string `json:"Title"`
	}
)

func TestAmongEqualsTheTaggedFieldWins(t *testing.T) {
	type in struct {
		byName
		byTag
	}
	r, taken := taker[in](t, specs.Walker{})
	if _, err := r.Run(context.Background(), overSocket(`{"Title":"x"}`)); err != nil {
		t.Fatal(err)
	}
	if got := taken(); got.Other != "x" || got.Title != "" {
		t.Errorf("got %+v", got)
	}
}
