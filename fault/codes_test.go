package fault_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/walkergate/walkergate/fault"
)

// published is what clients rely on. An entry may be added, and never changed.
var published = map[fault.Code]int{
	"bad_frame":          400,
	"bad_credentials":    400,
	"unknown_type":       400,
	"reserved_type":      400,
	"unauthenticated":    401,
	"token_invalid":      401,
	"forbidden":          403,
	"unknown_walker":     404,
	"not_found":          404,
	"method_not_allowed": 405,
	"conflict":           409,
	"too_large":          413,
	"invalid_context":    422,
	"rate_limited":       429,
	"internal":           500,
	"busy":               503,
	"timeout":            504,
}

func TestCodesAreAsPublished(t *testing.T) {
	got := make(map[fault.Code]int)
	for _, code := range declaredCodes(t) {
		got[code] = code.Status()
	}
	if diff := cmp.Diff(published, got); diff != "" {
		t.Errorf("published -, declared +:\n%s", diff)
	}
}

// declaredCodes reads the constants of type Code from the source, so that one
// without a status or without a line above is found.
func declaredCodes(t *testing.T) []fault.Code {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "codes.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var codes []fault.Code
	ast.Inspect(file, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); !ok || kind.Name != "Code" {
			return true
		}
		for _, value := range spec.Values {
			text, err := strconv.Unquote(value.(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			codes = append(codes, fault.Code(text))
		}
		return true
	})
	return codes
}
