package walkers_test

import (
	"bytes"
	"context"
	"io"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/walkergate/walkergate/fault"
	"github.com/walkergate/walkergate/specs"
	"github.com/walkergate/walkergate/walkers"
)

type lookup struct {
	ID    int64          `json:"id"`
	Q     string         `json:"q"`
	Page  *int           `json:"page"`
	Deep  bool           `json:"deep" default:"true"`
	Score []float64      `json:"score,omitempty"`
	Since time.Time      `json:"since,omitzero"`
	Where map[string]any `json:"where,omitempty"`
	Any   any            `json:"any,omitempty"`
	Note  string         `json:"note" default:"-"`
	Kind  string         `json:"kind" default:"fixed"`
}

func lookupSpec() specs.Walker {
	return specs.Walker{
		Path: "{id}", AsQuery: []string{"q", "page", "deep", "score", "since", "where", "any"}, Excluded: []string{"kind"},
	}
}

func TestEachFieldComesFromItsSource(t *testing.T) {
	r, taken := taker[lookup](t, lookupSpec())
	inv := overREST(`{"id":99,"q":"from body","page":99,"note":"from body","kind":"from body","deep":"not even a bool"}`)
	inv.Path = map[string]string{"id": "7", "q": "from path", "kind": "from path"}
	inv.Query = url.Values{
		"id": {"98"}, "q": {"a b"}, "page": {"3"}, "deep": {"false"}, "score": {"1", "2.5"}, "since": {"2026-01-02T03:04:05Z"},
		"where": {`{"city":"x"}`}, "any": {"plain"}, "note": {"from query"}, "kind": {"from query"},
	}
	if _, err := r.Run(context.Background(), inv); err != nil {
		t.Fatalf("%v %v", err, told(t, err).Details)
	}
	three := 3
	want := lookup{
		ID: 7, Q: "a b", Page: &three, Score: []float64{1, 2.5}, Since: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Where: map[string]any{"city": "x"}, Any: "plain", Note: "from body", Kind: "fixed",
	}
	if diff := cmp.Diff(want, taken()); diff != "" {
		t.Errorf("context (-want +got):\n%s", diff)
	}
}

func TestOverTheSocketAllComesFromTheContext(t *testing.T) {
	r, taken := taker[lookup](t, lookupSpec())
	inv := overSocket(`{"id":7,"q":"q","score":[1],"kind":"from context"}`)
	inv.Path, inv.Query = map[string]string{"id": "1"}, url.Values{"q": {"other"}}
	if _, err := r.Run(context.Background(), inv); err != nil {
		t.Fatalf("%v %v", err, told(t, err).Details)
	}
	if diff := cmp.Diff(lookup{ID: 7, Q: "q", Score: []float64{1}, Deep: true, Note: "-", Kind: "fixed"}, taken()); diff != "" {
		t.Errorf("context (-want +got):\n%s", diff)
	}
}

func TestTextThatDoesNotFitIsAWrongValue(t *testing.T) {
	tests := []struct {
		name  string
		query url.Values
		id    string
		want  []fault.Detail
	}{
		{"path", url.Values{"q": {""}}, "seven", []fault.Detail{{Field: "id", Reason: "expected integer"}}},
		{"fraction", url.Values{"q": {""}}, "7.0", []fault.Detail{{Field: "id", Reason: "expected integer"}}},
		{"space", url.Values{"q": {""}}, " 7", []fault.Detail{{Field: "id", Reason: "expected integer"}}},
		{"plus", url.Values{"q": {""}}, "+7", []fault.Detail{{Field: "id", Reason: "expected integer"}}},
		{"zeros", url.Values{"q": {""}}, "007", []fault.Detail{{Field: "id", Reason: "expected integer"}}},
		{"overflow", url.Values{"q": {""}}, "9223372036854775808", []fault.Detail{{Field: "id", Reason: "out of range"}}},
		{"nothing sent", nil, "", []fault.Detail{{Field: "id", Reason: "required"}, {Field: "q", Reason: "required"}}},
		{"empty number", url.Values{"q": {""}, "page": {""}}, "7", []fault.Detail{{Field: "page", Reason: "expected integer"}}},
		{"null", url.Values{"q": {"null"}, "page": {"null"}}, "7", []fault.Detail{{Field: "page", Reason: "expected integer"}}},
		{"boolean", url.Values{"q": {""}, "deep": {"1"}}, "7", []fault.Detail{{Field: "deep", Reason: "expected boolean"}}},
		{"twice", url.Values{"q": {"a", "b"}}, "7", []fault.Detail{{Field: "q", Reason: "expected one value"}}},
		{"item", url.Values{"q": {""}, "score": {"1", "x"}}, "7", []fault.Detail{{Field: "score[1]", Reason: "expected number"}}},
		{"time", url.Values{"q": {""}, "since": {"now"}}, "7", []fault.Detail{{Field: "since", Reason: "expected RFC 3339 time"}}},
		{"object", url.Values{"q": {""}, "where": {"{"}}, "7", []fault.Detail{{Field: "where", Reason: "expected object"}}},
		{"UTF-8", url.Values{"q": {"\xff"}}, "7", []fault.Detail{{Field: "q", Reason: "expected UTF-8"}}},
		{"all", url.Values{"page": {"x"}, "deep": {"y"}}, "z", []fault.Detail{
			{Field: "id", Reason: "expected integer"}, {Field: "page", Reason: "expected integer"},
			{Field: "deep", Reason: "expected boolean"}, {Field: "q", Reason: "required"},
		}},
	}
	r, _ := taker[lookup](t, lookupSpec())
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			inv := overREST("")
			inv.Query = test.query
			if test.id != "" {
				inv.Path = map[string]string{"id": test.id}
			}
			_, err := r.Run(context.Background(), inv)
			f := expect(t, err, fault.InvalidContext, "")
			if diff := cmp.Diff(test.want, f.Details); diff != "" {
				t.Errorf("details (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDeepTextIsRefused(t *testing.T) {
	r, _ := taker[lookup](t, lookupSpec())
	inv := overREST("")
	deep := bytes.Repeat([]byte("["), 65)
	inv.Path = map[string]string{"id": "7"}
	inv.Query = url.Values{"q": {""}, "any": {string(deep) + string(bytes.Repeat([]byte("]"), 65))}}
	_, err := r.Run(context.Background(), inv)
	if diff := cmp.Diff([]fault.Detail{{Field: "any", Reason: "nested too deep"}}, told(t, err).Details); diff != "" {
		t.Errorf("details (-want +got):\n%s", diff)
	}
}

type upload struct {
	Main   walkers.File   `json:"main"`
	Second *walkers.File  `json:"second"`
	More   []walkers.File `json:"more,omitempty"`
	Note   string         `json:"note"`
	Count  int            `json:"count" default:"1"`
}

func file(name, content string) walkers.File {
	return walkers.NewFile(name, "text/plain", int64(len(content)), func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewBufferString(content)), nil
	})
}

func TestFilesComeOverREST(t *testing.T) {
	r, taken := taker[upload](t, specs.Walker{})
	inv := overREST("")
	inv.Form = url.Values{"note": {"n"}, "count": {"3"}}
	inv.Files = map[string][]walkers.File{"main": {file("a", "content a")}, "second": {file("b", "")}, "more": {file("c", ""), file("d", "")}, "unknown": {file("e", "")}}
	if _, err := r.Run(context.Background(), inv); err != nil {
		t.Fatalf("%v %v", err, told(t, err).Details)
	}
	got := taken()
	if got.Main.Name != "a" || got.Main.ContentType != "text/plain" || got.Main.Size != 9 || got.Second.Name != "b" || len(got.More) != 2 || got.More[1].Name != "d" {
		t.Errorf("files are %+v", got)
	}
	if got.Note != "n" || got.Count != 3 {
		t.Errorf("fields are %q, %d", got.Note, got.Count)
	}
	content, err := got.Main.Open()
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(content); string(text) != "content a" || err != nil {
		t.Errorf("content is %q, %v", text, err)
	}
	if _, err := (walkers.File{}).Open(); err == nil {
		t.Error("no file could be opened")
	}
}

func TestTheJSONPartGoesBeforeTheTextParts(t *testing.T) {
	r, taken := taker[upload](t, specs.Walker{})
	inv := overREST(`{"note":"json"}`)
	inv.Form = url.Values{"note": {"form"}, "count": {"3"}}
	inv.Files = map[string][]walkers.File{"main": {file("a", "")}}
	if _, err := r.Run(context.Background(), inv); err != nil {
		t.Fatalf("%v %v", err, told(t, err).Details)
	}
	if got := taken(); got.Note != "json" || got.Count != 3 {
		t.Errorf("fields are %q, %d", got.Note, got.Count)
	}
}

func TestFilesThatDoNotFit(t *testing.T) {
	tests := []struct {
		name string
		inv  walkers.Invocation
		want []fault.Detail
	}{
		{"over the socket", overSocket(`{"note":"n"}`), []fault.Detail{{Field: "main", Reason: "files are not taken over the socket"}}},
		{"as JSON over the socket", overSocket(`{"note":"n","main":"base64","second":{}}`), []fault.Detail{
			{Field: "main", Reason: "files are not taken over the socket"}, {Field: "second", Reason: "files are not taken over the socket"},
		}},
		{"as JSON over REST", overREST(`{"note":"n","main":"base64","second":null}`), []fault.Detail{{Field: "main", Reason: "expected file"}}},
		{"missing", overREST(`{"note":"n"}`), []fault.Detail{{Field: "main", Reason: "required"}}},
		{"several", func() walkers.Invocation {
			inv := overREST(`{"note":"n"}`)
			inv.Files = map[string][]walkers.File{"main": {file("a", ""), file("b", "")}}
			return inv
		}(), []fault.Detail{{Field: "main", Reason: "expected one file"}}},
	}
	r, _ := taker[upload](t, specs.Walker{})
	for _, test := range tests {
		_, err := r.Run(context.Background(), test.inv)
		if diff := cmp.Diff(test.want, expect(t, err, fault.InvalidContext, "").Details); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
	optional, _ := taker[struct {
		Photo *walkers.File `json:"photo"`
	}](t, specs.Walker{})
	if _, err := optional.Run(context.Background(), overSocket(`{"photo":null}`)); err != nil {
		t.Errorf("a walker whose file may be left out: %v", err)
	}
}
