package archtest_test

import (
	"strings"
	"testing"

	"github.com/walkergate/walkergate/internal/archtest"
)

// importing is a Go file of the package that imports the names, each on a line
// of its own from the third on.
func importing(name string, imports ...string) string {
	return "package " + name + "\nimport (\n\"" + strings.Join(imports, "\"\n\"") + "\"\n)"
}

func TestImportsHoldsOurPackagesToTheirRows(t *testing.T) {
	t.Parallel()
	table := archtest.Table{
		Module: "example.test/m",
		Rows: map[string]archtest.Row{
			".":     {},
			"low":   {Tests: []string{"other"}},
			"other": {},
			"top":   {Any: true},
			"kit":   {Any: true},
			"gone":  {},
		},
		TestOnly: []string{"kit"},
	}
	tree := planted(t,
		"root.go", importing("m", "example.test/m/low"),
		"low/low.go", importing("low", "fmt", "example.test/m/other", "example.test/m/kit", "example.test/m"),
		"low/low_test.go", importing("low_test", "example.test/m/low", "example.test/m/other", "example.test/m/kit", "example.test/m/top"),
		"low/testdata/src/x.go", importing("x", "example.test/m/top"),
		"other/other.go", "package other",
		"top/top.go", importing("top", "example.test/m/low", "example.test/mm/low"),
		"kit/kit.go", importing("kit", "example.test/m/top"),
		"stranger/s.go", "package stranger",
		"module/go.mod", "module example.test/m/module",
		"module/deep/x.go", importing("x", "example.test/m/low", "parts.test/any"),
	)
	want(t, archtest.Imports(tree, table),
		"gone",
		"low/low.go:4", "low/low.go:5", "low/low.go:6",
		"low/low_test.go:6",
		"root.go:3",
		"stranger",
		"top/top.go:4",
	)
}

func TestImportsHoldsPartsToTheirPlaces(t *testing.T) {
	t.Parallel()
	table := archtest.Table{
		Module: "example.test/m",
		Rows:   map[string]archtest.Row{"a": {}, "a/deep": {}, "b": {}},
		Parts: map[string]archtest.Part{
			"parts.test/wide":        {Code: []string{"*"}},
			"parts.test/wide/narrow": {Code: []string{"b"}},
			"parts.test/deep":        {Code: []string{"a/..."}},
			"parts.test/tests":       {Tests: []string{"a"}},
		},
	}
	tree := planted(t,
		"a/a.go", importing("a", "net/http", "parts.test/wide/x", "parts.test/wide/narrow/x", "parts.test/deep", "parts.test/tests", "parts.test/new"),
		"a/a_test.go", importing("a_test", "parts.test/tests/x"),
		"a/deep/d.go", importing("deep", "parts.test/deep/x"),
		"b/b.go", importing("b", "parts.test/wide/narrow", "parts.test/deep"),
	)
	want(t, archtest.Imports(tree, table), "a/a.go:5", "a/a.go:7", "a/a.go:8", "b/b.go:4")
}

// TestHouseKeepsPartsWhereTheyBelong plants what the table is there to stop.
func TestHouseKeepsPartsWhereTheyBelong(t *testing.T) {
	t.Parallel()
	ours := func(name string) string { return archtest.House().Module + "/" + name }
	tests := []struct {
		path, imports string
	}{
		{"gateway/x.go", "github.com/gofiber/fiber/v2"},
		{"gateway/x_test.go", "github.com/gofiber/contrib/websocket"},
		{"socket/x.go", "github.com/valyala/fasthttp"},
		{"socket/x.go", "github.com/fasthttp/websocket"},
		{"app/x.go", "modernc.org/sqlite"},
		{"store/x.go", "go.mongodb.org/mongo-driver/v2/mongo"},
		{"notify/x.go", "github.com/nats-io/nats.go"},
		{"gateway/x.go", "github.com/gobwas/ws"},
		{"cmd/walkergate/x.go", ours("internal/testkit")},
		{"app/x.go", ours("store/storetest")},
		{"fault/x.go", ours("wire")},
		{"wire/x.go", ours("auth")},
		{"auth/x.go", ours("specs")},
		{"socket/x.go", ours("gateway")},
		{"notify/x.go", ours("auth")},
		{"walkers/x.go", ours("wire")},
		{"walkers/x.go", ours("walkers/builtin")},
		{"gateway/x.go", ours("app")},
		{"gateway/x_test.go", ours("store/sqlite")},
		{"cmd/walkergate/x.go", ours("gateway")},
		{"examples/chat/x.go", ours("gateway")},
	}
	for _, test := range tests {
		t.Run(test.path+" "+test.imports, func(t *testing.T) {
			t.Parallel()
			tree := planted(t, test.path, importing("p", test.imports))
			for _, violation := range archtest.Imports(tree, archtest.House()) {
				if violation.Line > 0 {
					return
				}
			}
			t.Error("the table allows it")
		})
	}
}
