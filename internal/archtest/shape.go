package archtest

import (
	"bytes"
	"fmt"
	"go/ast"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Lengths finds files of more than maxFile lines and functions of more than
// maxFunc, counted from the word func to the closing brace. Tests are free:
// a table of cases may be as long as its subject.
func Lengths(tree *Tree, maxFile, maxFunc int) []Violation {
	var found []Violation
	for _, file := range tree.gofiles() {
		if file.IsTest() {
			continue
		}
		if lines := bytes.Count(file.Text, []byte("\n")); lines > maxFile {
			found = append(found, Violation{file.Path, 0, fmt.Sprintf("%d lines, at most %d", lines, maxFile)})
		}
		ast.Inspect(file.AST, func(node ast.Node) bool {
			name := "a function literal"
			switch node := node.(type) {
			case *ast.FuncDecl:
				name = node.Name.Name
			case *ast.FuncLit:
			default:
				return true
			}
			from := tree.line(node.Pos())
			if lines := tree.line(node.End()) - from + 1; lines > maxFunc {
				found = append(found, Violation{file.Path, from, fmt.Sprintf("%s has %d lines, at most %d", name, lines, maxFunc)})
			}
			return true
		})
	}
	return ordered(found)
}

// empty are names that say nothing of what they hold.
var empty = []string{
	"util", "utils", "utility", "utilities", "common", "helper", "helpers",
	"type", "types", "misc", "base", "shared",
}

// Names finds packages, folders and Go files with a name that says nothing.
func Names(tree *Tree) []Violation {
	var found []Violation
	dirs, files := tree.packages()
	for _, dir := range dirs {
		name := files[dir][0].AST.Name.Name
		if slices.Contains(empty, path.Base(dir)) || slices.Contains(empty, strings.TrimSuffix(name, "_test")) {
			found = append(found, Violation{dir, 0, "a package is named for what it holds"})
		}
		for _, file := range files[dir] {
			stem := strings.TrimSuffix(strings.TrimSuffix(path.Base(file.Path), ".go"), "_test")
			if slices.Contains(empty, stem) {
				found = append(found, Violation{file.Path, 0, "a file is named for its noun"})
			}
		}
	}
	return ordered(found)
}

// PackageDocs finds packages without a comment that says what they are. One
// that does not begin as godoc expects does not count.
func PackageDocs(tree *Tree) []Violation {
	var found []Violation
	dirs, files := tree.packages()
	for _, dir := range dirs {
		if !slices.ContainsFunc(files[dir], documented) {
			found = append(found, Violation{dir, 0, "the package has no doc comment"})
		}
	}
	return ordered(found)
}

func documented(file *File) bool {
	if file.AST.Doc == nil {
		return false
	}
	text, name := file.AST.Doc.Text(), strings.TrimSuffix(file.AST.Name.Name, "_test")
	if name == "main" {
		return strings.TrimSpace(text) != ""
	}
	return strings.HasPrefix(text, "Package "+name+" ")
}

// Sleeps finds calls and mentions of time.Sleep in tests. A test waits for what
// it is waiting for.
func Sleeps(tree *Tree) []Violation {
	var found []Violation
	for _, file := range tree.gofiles() {
		clock := importedAs(file.AST, "time")
		if !file.IsTest() || clock == "" {
			continue
		}
		ast.Inspect(file.AST, func(node ast.Node) bool {
			var name *ast.Ident
			switch node := node.(type) {
			case *ast.SelectorExpr:
				if of, ok := node.X.(*ast.Ident); ok && of.Name == clock {
					name = node.Sel
				}
			case *ast.Ident:
				if clock == "." {
					name = node
				}
			}
			if name != nil && name.Name == "Sleep" {
				found = append(found, Violation{file.Path, tree.line(name.Pos()), "a test that sleeps: wait for the event; where the clock is fake, receive from time.After"})
				return false
			}
			return true
		})
	}
	return ordered(found)
}

// importedAs is the name under which a file knows a package of the standard
// library, empty where it does not import it.
func importedAs(file *ast.File, want string) string {
	for _, spec := range file.Imports {
		if name, err := strconv.Unquote(spec.Path.Value); err != nil || name != want {
			continue
		}
		if spec.Name != nil {
			return spec.Name.Name
		}
		return path.Base(want)
	}
	return ""
}
