package archtest_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/walkergate/walkergate/internal/archtest"
)

// planted is a tree of the sources given as path, text, path, text.
func planted(t *testing.T, sources ...string) *archtest.Tree {
	t.Helper()
	byPath := make(map[string]string)
	for i := 0; i < len(sources); i += 2 {
		byPath[sources[i]] = sources[i+1]
	}
	tree, err := archtest.Plant(byPath)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// places are the violations as "path:line", or "path" for the whole of it.
func places(found []archtest.Violation) []string {
	var places []string
	for _, violation := range found {
		place, _, _ := strings.Cut(violation.String(), ": ")
		places = append(places, place)
	}
	return places
}

func want(t *testing.T, found []archtest.Violation, expected ...string) {
	t.Helper()
	if diff := cmp.Diff(expected, places(found)); diff != "" {
		t.Errorf("violations (-want +got):\n%s\n%v", diff, found)
	}
}

func TestLengthsSeesLongFilesAndFunctions(t *testing.T) {
	t.Parallel()
	long := "package p\n\nfunc f() {" + strings.Repeat("\n", 9) + "}\n"
	tree := planted(t,
		"p/fits.go", "package p\n\nfunc g() {"+strings.Repeat("\n", 8)+"}\n",
		"p/function.go", long,
		"p/literal.go", "package p\n\nvar f = func() {"+strings.Repeat("\n", 9)+"}\n",
		"p/file.go", "package p\n"+strings.Repeat("\n", 20),
		"p/free_test.go", long+strings.Repeat("\n", 20),
	)
	want(t, archtest.Lengths(tree, 20, 9), "p/file.go", "p/function.go:3", "p/literal.go:3")
}

func TestNamesSeesNamesThatSayNothing(t *testing.T) {
	t.Parallel()
	tree := planted(t,
		"p/fine.go", "package p",
		"p/helpers_test.go", "package p_test",
		"p/types.go", "package p",
		"q/fine.go", "package common",
		"util/fine.go", "package strange",
	)
	want(t, archtest.Names(tree), "p/helpers_test.go", "p/types.go", "q", "util")
}

func TestPackageDocsSeesSilentPackages(t *testing.T) {
	t.Parallel()
	tree := planted(t,
		"told/doc.go", "// Package told tells.\npackage told",
		"told/more.go", "package told",
		"tests/only_test.go", "// Package tests holds tests alone.\npackage tests_test",
		"cmd/run.go", "// Run runs.\npackage main",
		"silent/a.go", "package silent",
		"detached/a.go", "// Package detached stands too far off.\n\npackage detached",
		"odd/a.go", "// odd is told oddly.\npackage odd",
		"bare/main.go", "package main",
	)
	want(t, archtest.PackageDocs(tree), "bare", "detached", "odd", "silent")
}

func TestSleepsSeesSleepingTests(t *testing.T) {
	t.Parallel()
	const nap = "Sleep(1)"
	tree := planted(t,
		"p/plain_test.go", "package p\n\nimport \"time\"\n\nfunc f() { time."+nap+" }",
		"p/alias_test.go", "package p\n\nimport clock \"time\"\n\nfunc g() { clock."+nap+" }",
		"p/dot_test.go", "package p\n\nimport . \"time\"\n\nfunc h() { "+nap+" }",
		"p/value_test.go", "package p\n\nimport \"time\"\n\nvar wait = time."+strings.TrimSuffix(nap, "(1)"),
		"p/other_test.go", "package p\n\nimport \"time\"\n\nfunc i(bed interface{ Sleep(int) }) { bed."+nap+"; time.Now() }",
		"p/code.go", "package p\n\nimport \"time\"\n\nfunc k() { time."+nap+" }",
	)
	want(t, archtest.Sleeps(tree), "p/alias_test.go:5", "p/dot_test.go:5", "p/plain_test.go:5", "p/value_test.go:5")
}

func TestWordsSeesForbiddenText(t *testing.T) {
	t.Parallel()
	tree := planted(t,
		"a.md", "fine\nTO"+"DO: more\n",
		"b.sh", "mktemp -d name.XX"+"XXXX\n# FIX"+"ME\n",
		"c.go", "// Package c says not"+" implemented.\npackage c",
		"d.yaml", "path: /wo"+"rk/x\nother: ../sha"+"red/x\nhome: /ro"+"ot/x\n",
		"e.json", `{"registry": "https://registry.`+`npmjs.org/"}`,
	)
	want(t, archtest.Words(tree), "a.md:2", "b.sh:2", "c.go:1", "d.yaml:1", "d.yaml:2", "d.yaml:3", "e.json:1")
}

func TestLockFilesSeesAddresses(t *testing.T) {
	t.Parallel()
	tree := planted(t,
		"good/package-lock.json", `{"packages": {"a": {"version": "1.0.0", "integrity": "sha512-a"}}}`,
		"bad/package-lock.json", "{\n\"resolved\": \"https://example.test/a.tgz\"}",
		"bad/notes.json", `{"resolved": "https://example.test/a.tgz"}`,
	)
	want(t, archtest.LockFiles(tree), "bad/package-lock.json:2")
}

func TestPlantRefusesGoThatDoesNotParse(t *testing.T) {
	t.Parallel()
	if _, err := archtest.Plant(map[string]string{"p/a.go": "package"}); err == nil {
		t.Error("broken Go was taken in")
	}
}

func TestLoadReadsWhatIsOurs(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for name, text := range map[string]string{
		"a.go":                 "package a",
		".ci/run":              "true",
		".env":                 "SECRET=x",
		".env.example":         "SECRET=",
		".git/config":          "x",
		"bin/tool":             "x",
		"data.db":              "x",
		"image.bin":            "a\x00b",
		"js/node_modules/x.go": "package",
		"testdata/x.txt":       "x",
	} {
		full := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(full), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tree, err := archtest.Load(root)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, file := range tree.Files {
		names = append(names, file.Path)
	}
	if diff := cmp.Diff([]string{".ci/run", ".env.example", "a.go", "testdata/x.txt"}, names); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}
