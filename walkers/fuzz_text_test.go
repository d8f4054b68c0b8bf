package walkers_test

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/walkergate/walkergate/fault"
	"github.com/walkergate/walkergate/specs"
	"github.com/walkergate/walkergate/walkers"
)

// fuzzedFields are the fields of fuzzed.
var fuzzedFields = []string{
	"text", "int", "small", "uint", "float", "single", "flag", "list", "lists", "pair", "map", "nested", "any", "blob", "at",
}

// FuzzText: no text of a query makes the decoder panic; what is wrong is told of
// its field; and what is taken is what JSON would have given, written plainly or
// as a string. So nothing comes in by a path, a query or a form that could not
// come in by a body.
func FuzzText(f *testing.F) {
	for _, seed := range []string{
		"é", "-0", "127", "4294967295", "1e-3", "0.1", "true", "a", "[1]", "[true,false]", `{"k":{"name":"n"}}`, `{"name":"a"}`, "null", "aGk=",
		"2026-01-02T03:04:05+01:00", "", " ", "+1", "01", "1 ", "\xff", "\x00", "128", "1e400", `"quoted"`, "[", strings.Repeat("[", 65), "1,2", "NaN", "0x10", "１",
	} {
		f.Add([]byte(seed))
	}
	r, taken := taker[fuzzed](f, specs.Walker{AsQuery: []string{specs.All}})
	f.Fuzz(func(t *testing.T, sent []byte) {
		for _, field := range fuzzedFields {
			text := string(sent)
			inv := overREST("")
			inv.Query = url.Values{field: {text}}
			if _, err := r.Run(context.Background(), inv); err != nil {
				toldOf(t, field, expect(t, err, fault.InvalidContext, ""))
				continue
			}
			got := taken()
			if !utf8.ValidString(text) || !givenByJSON(r, taken, field, text, got) {
				t.Fatalf("%s=%q was taken as %+v, which no JSON gives", field, text, got)
			}
		}
	})
}

// toldOf demands that a fault tells of that field, in text.
func toldOf(t *testing.T, field string, told *fault.Error) {
	t.Helper()
	for _, detail := range told.Details {
		if !strings.HasPrefix(detail.Field, field) || !utf8.ValidString(detail.Field+detail.Reason) {
			t.Fatalf("what is wrong with %s is told as %+v", field, detail)
		}
	}
}

// givenByJSON reports whether a text in a body gives the same, as it is or as a
// string, alone or as the one item of a list.
func givenByJSON(r *walkers.Runner, taken func() fuzzed, field, text string, want fuzzed) bool {
	quoted, _ := json.Marshal(text) // a text always can be
	for _, written := range []string{text, string(quoted), "[" + text + "]", "[" + string(quoted) + "]"} {
		_, err := r.Run(context.Background(), overSocket(`{"`+field+`":`+written+`}`))
		if err == nil && same(want, taken()) {
			return true
		}
	}
	return false
}
