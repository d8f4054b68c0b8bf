package archtest

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
)

// A Table says who may import whom. Packages are named relative to Module, the
// root package is ".".
type Table struct {
	Module string

	// Rows lists for each of our packages which others of ours it may import.
	// A package without a row, and a row without a package, are violations.
	Rows map[string]Row

	// TestOnly are packages of ours that only test files may import. They may
	// do so from anywhere, and the packages among themselves.
	TestOnly []string

	// Parts lists for each third-party module, or a part of one, the packages
	// that may import it: a name, a name with /... for all below it as well, or
	// "*" for all. The longest name that fits decides. One that is not listed
	// may be imported by nobody.
	Parts map[string]Part
}

// A Row is what one package may import of ours.
type Row struct {
	Any   bool     // everything; then Code and Tests are empty
	Code  []string // in all its files
	Tests []string // in its test files as well
}

// A Part is where a third-party part may stand.
type Part struct {
	Code  []string // in all files of these packages
	Tests []string // in the test files of these packages as well
}

// Imports finds what the table does not allow.
func Imports(tree *Tree, table Table) []Violation {
	var found []Violation
	dirs, files := tree.packages()
	for _, dir := range dirs {
		if tree.ofAnotherModule(dir) {
			continue // its own go.mod says what it may use
		}
		row, known := table.Rows[dir]
		if !known {
			found = append(found, Violation{dir, 0, "the package has no row in the import table"})
		}
		for _, file := range files[dir] {
			for _, spec := range file.AST.Imports {
				name, err := strconv.Unquote(spec.Path.Value)
				if err != nil {
					continue // the parser accepts quoted strings only
				}
				var text string
				if own, ours := table.own(name); ours {
					text = table.judgeOwn(file, dir, row, own)
				} else {
					text = table.judgePart(file, dir, name)
				}
				if text != "" {
					found = append(found, Violation{file.Path, tree.line(spec.Pos()), text})
				}
			}
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(table.Rows)) {
		if files[dir] == nil {
			found = append(found, Violation{dir, 0, "the import table has a row for a package that does not exist"})
		}
	}
	return ordered(found)
}

// own is the name of one of our packages, as the table spells it.
func (t Table) own(name string) (string, bool) {
	if name == t.Module {
		return ".", true
	}
	return strings.CutPrefix(name, t.Module+"/")
}

func (t Table) judgeOwn(file *File, dir string, row Row, own string) string {
	if own == dir { // a black-box test of the package itself
		return ""
	}
	if slices.Contains(t.TestOnly, own) {
		if file.IsTest() || slices.Contains(t.TestOnly, dir) {
			return ""
		}
		return fmt.Sprintf("%s is for tests only", own)
	}
	if row.Any || slices.Contains(row.Code, own) || file.IsTest() && slices.Contains(row.Tests, own) {
		return ""
	}
	return fmt.Sprintf("%s may not import %s", dir, own)
}

func (t Table) judgePart(file *File, dir, name string) string {
	first, _, _ := strings.Cut(name, "/")
	if !strings.Contains(first, ".") {
		return "" // the standard library
	}
	part, known := t.part(name)
	switch {
	case !known:
		return fmt.Sprintf("%s is a part that the table does not know", name)
	case stands(part.Code, dir), file.IsTest() && stands(part.Tests, dir):
		return ""
	}
	return fmt.Sprintf("%s may not import %s", dir, name)
}

func (t Table) part(name string) (Part, bool) {
	for ; name != "."; name = path.Dir(name) {
		if part, ok := t.Parts[name]; ok {
			return part, true
		}
	}
	return Part{}, false
}

func stands(places []string, dir string) bool {
	return slices.ContainsFunc(places, func(place string) bool {
		if above, deep := strings.CutSuffix(place, "/..."); deep {
			return dir == above || strings.HasPrefix(dir, above+"/")
		}
		return place == "*" || place == dir
	})
}
