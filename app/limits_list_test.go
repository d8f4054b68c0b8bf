package app_test

import (
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/walkergate/walkergate/app"
)

// bound is one row of the table in docs/LIMITS.md.
type bound struct {
	line     string
	fallback string
	settings []string // environment variables and constants that set it
	proofs   []string
}

var (
	quoted      = regexp.MustCompile("`([^`]+)`")
	environment = regexp.MustCompile(`^[A-Z][A-Z0-9_]+$`)
)

func boundsListed(t *testing.T) []bound {
	t.Helper()
	text, err := os.ReadFile("../docs/LIMITS.md")
	if err != nil {
		t.Fatal(err)
	}
	var all []bound
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if !strings.HasPrefix(line, "|") || len(cells) != 5 || strings.TrimSpace(cells[4]) == "" || strings.Contains(line, "---") || cells[4] == " proof " {
			continue
		}
		names := func(cell string) (names []string) {
			for _, match := range quoted.FindAllStringSubmatch(cell, -1) {
				names = append(names, match[1])
			}
			return names
		}
		row := bound{line: strings.TrimSpace(line), settings: names(cells[2]), proofs: names(cells[4])}
		if fallback := names(cells[1]); len(fallback) == 1 {
			row.fallback = fallback[0]
		}
		all = append(all, row)
	}
	return all
}

func TestLimitsAreAsListed(t *testing.T) {
	t.Parallel()
	tests, constants := tree(t)
	defaults := make(map[string]string)
	for _, s := range settings() {
		defaults[s.env] = s.fallback
	}
	listed := make(map[string]bool)
	for _, row := range boundsListed(t) {
		if len(row.proofs) == 0 {
			t.Errorf("nothing proves %s", row.line)
		}
		for _, proof := range row.proofs {
			if name, _, _ := strings.Cut(proof, "/"); !tests[name] {
				t.Errorf("there is no test %s, which %s names", proof, row.line)
			}
		}
		for _, name := range row.settings {
			listed[name] = true
			got, known := constants[name]
			if environment.MatchString(name) {
				got, known = defaults[name]
			}
			switch {
			case !known:
				t.Errorf("there is no %s, which %s names", name, row.line)
			case plain(got) != plain(row.fallback):
				t.Errorf("%s is %s by default, and not as %s says", name, got, row.line)
			}
		}
	}
	// Every setting that is a number or a time bounds something.
	config := reflect.TypeFor[app.Config]()
	for i := range config.NumField() {
		kind, name := config.Field(i).Type.Kind(), config.Field(i).Tag.Get("env")
		if (kind == reflect.Int || kind == reflect.Int64) && name != "PORT" && !listed[name] {
			t.Errorf("docs/LIMITS.md does not list %s", name)
		}
	}
}

// plain gives a time one form: 60s and 1m are the same.
func plain(value string) string {
	if duration, err := time.ParseDuration(value); err == nil {
		return duration.String()
	}
	return value
}

// tree reads which tests there are, and the constants of each package as
// package.name.
func tree(t *testing.T) (tests map[string]bool, constants map[string]string) {
	t.Helper()
	tests, constants = make(map[string]bool), make(map[string]string)
	err := filepath.WalkDir("..", func(file string, entry fs.DirEntry, err error) error {
		switch name := entry.Name(); {
		case err != nil:
			return err
		case entry.IsDir() && (name == "bench" || name == "testdata" || name == "node_modules" || len(name) > 2 && name[0] == '.'):
			return fs.SkipDir
		case entry.IsDir() || !strings.HasSuffix(name, ".go"):
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		isTest := strings.HasSuffix(file, "_test.go")
		for _, declared := range parsed.Decls {
			switch d := declared.(type) {
			case *ast.FuncDecl:
				if isTest && d.Recv == nil && strings.HasPrefix(d.Name.Name, "Test") {
					tests[d.Name.Name] = true
				}
			case *ast.GenDecl:
				if !isTest && d.Tok == token.CONST {
					addConstants(constants, path.Base(filepath.ToSlash(filepath.Dir(file))), d)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return tests, constants
}

func addConstants(constants map[string]string, pkg string, declared *ast.GenDecl) {
	for _, spec := range declared.Specs {
		values := spec.(*ast.ValueSpec)
		for i, name := range values.Names {
			if i < len(values.Values) {
				constants[pkg+"."+name.Name] = valueOf(values.Values[i])
			}
		}
	}
}

// valueOf computes a constant of numbers and units of time; of others it gives
// the text.
func valueOf(expression ast.Expr) string {
	units := map[string]time.Duration{"Second": time.Second, "Millisecond": time.Millisecond, "Minute": time.Minute, "Hour": time.Hour}
	text, ofTime := types.ExprString(expression), false
	for unit, duration := range units {
		if changed := strings.ReplaceAll(text, "time."+unit, constant.MakeInt64(int64(duration)).ExactString()); changed != text {
			text, ofTime = changed, true
		}
	}
	value, err := types.Eval(token.NewFileSet(), nil, token.NoPos, text)
	if err != nil || value.Value == nil {
		return text
	}
	if number, exact := constant.Int64Val(constant.ToInt(value.Value)); exact && ofTime {
		return time.Duration(number).String()
	}
	return value.Value.ExactString()
}
