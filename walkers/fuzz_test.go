package walkers_test

import (
	"bytes"
	"context"
	"encoding/json"
	"reflect"
	"testing"
	"time"

	jsonv2 "github.com/go-json-experiment/json"

	"github.com/walkergate/walkergate/fault"
	"github.com/walkergate/walkergate/specs"
)

type fuzzed struct {
	Text   string            `json:"text,omitempty"`
	Int    int               `json:"int,omitempty"`
	Small  int8              `json:"small,omitempty"`
	Uint   uint32            `json:"uint,omitempty"`
	Float  float64           `json:"float,omitempty"`
	Single float32           `json:"single,omitempty"`
	Flag   bool              `json:"flag,omitempty"`
	List   []string          `json:"list,omitempty"`
	Lists  [][]int           `json:"lists,omitempty"`
	Pair   [2]bool           `json:"pair,omitzero"`
	Map    map[string]nested `json:"map,omitempty"`
	Nested *nested           `json:"nested"`
	Any    any               `json:"any,omitempty"`
	Blob   []byte            `json:"blob,omitempty"`
	At     time.Time         `json:"at,omitzero"`
}

type nested struct {
	Name  string   `json:"name"`
	Below []nested `json:"below,omitempty"`
	N     *int     `json:"n"`
}

// FuzzContext: no text makes the decoder panic; what is wrong is told as a
// fault of the context; and what it takes, it takes as others do. The other is
// the strict decoder of go-json-experiment. encoding/json is no measure: it
// matches names in any case, takes null everywhere, and lets the last of two
// equal names win.
func FuzzContext(f *testing.F) {
	for _, seed := range []string{
		``, `null`, `{}`, `[]`, `{"text":"a\u00e9","int":-0,"small":127,"uint":1,"float":1e-3,"single":0.1,"flag":true}`,
		`{"list":["a"],"lists":[[1],[]],"pair":[true,false],"map":{"k":{"name":"n"}},"nested":{"name":"a","below":[{"name":"b","n":1}]}}`,
		`{"any":{"a":[1,null,"x"]},"blob":"aGk=","at":"2026-01-02T03:04:05+01:00"}`,
		`{"nested":null,"small":128}`, `{"TEXT":1,"x":{}}`, `{"a":1,"a":2}`, `{"any":1e400}`, `{"at":"2026-13-01"}`, `{"blob":"="}`, whole,
	} {
		f.Add([]byte(seed))
	}
	r, taken := taker[fuzzed](f, specs.Walker{})
	f.Fuzz(func(t *testing.T, text []byte) {
		inv := overSocket("")
		inv.Context = text
		_, err := r.Run(context.Background(), inv)
		if err != nil {
			if told := expect(t, err, fault.InvalidContext, ""); len(told.Details) > 100 {
				t.Fatalf("%d details", len(told.Details))
			}
			return
		}
		got := taken()
		var other fuzzed
		if len(bytes.TrimSpace(text)) > 0 {
			if err := jsonv2.Unmarshal(text, &other); err != nil {
				t.Fatalf("took %+v, another takes it not: %v", got, err)
			}
		}
		if !reflect.DeepEqual(got, other) {
			t.Fatalf("took %+v, another takes %+v", got, other)
		}
		again, err := json.Marshal(got)
		if err != nil {
			t.Fatalf("what was taken cannot be encoded: %v", err)
		}
		inv.Context = again
		if _, err := r.Run(context.Background(), inv); err != nil {
			t.Fatalf("%s is refused: %v %v", again, err, told(t, err).Details)
		}
		if !same(got, taken()) {
			t.Fatalf("took %+v, then %+v", got, taken())
		}
	})
}

// same compares but for what omitempty takes away: an empty list comes back as
// none.
func same(a, b fuzzed) bool {
	first, err1 := json.Marshal(a)
	second, err2 := json.Marshal(b)
	return err1 == nil && err2 == nil && string(first) == string(second)
}
