package archtest

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// A Tree is the text files of a source tree, in the order of their paths.
type Tree struct {
	Files []*File
	fset  *token.FileSet
}

// A File is one text file.
type File struct {
	Path string    // slash-separated, relative to the root
	Text []byte    // the whole of it
	AST  *ast.File // nil unless it is Go
}

// A Violation is a place and what is wrong with it.
type Violation struct {
	Path string
	Line int // 0 where the file or the folder as a whole is meant
	Text string
}

func (v Violation) String() string {
	if v.Line == 0 {
		return v.Path + ": " + v.Text
	}
	return fmt.Sprintf("%s:%d: %s", v.Path, v.Line, v.Text)
}

// ordered sorts violations by place.
func ordered(found []Violation) []Violation {
	slices.SortStableFunc(found, func(a, b Violation) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line))
	})
	return found
}

// Plant makes a Tree of sources given by path. Go that does not parse is an
// error.
func Plant(sources map[string]string) (*Tree, error) {
	tree := &Tree{fset: token.NewFileSet()}
	for name, text := range sources {
		if err := tree.add(name, []byte(text)); err != nil {
			return nil, err
		}
	}
	tree.sort()
	return tree, nil
}

// Load reads the tree below root, less what is not ours to judge: version
// control, installed packages, what .gitignore leaves out, and binary files.
func Load(root string) (*Tree, error) {
	tree := &Tree{fset: token.NewFileSet()}
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if foreign(name) {
				return fs.SkipDir
			}
			return nil
		}
		if !entry.Type().IsRegular() || private(path.Base(name)) {
			return nil
		}
		text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
		if err != nil {
			return err
		}
		if bytes.IndexByte(text, 0) >= 0 {
			return nil
		}
		return tree.add(name, text)
	})
	if err != nil {
		return nil, fmt.Errorf("read the tree: %w", err)
	}
	tree.sort()
	return tree, nil
}

// Root is the folder of the nearest go.mod at or above the working directory.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		_, err := os.Stat(filepath.Join(dir, "go.mod"))
		if err == nil {
			return dir, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no go.mod here or above")
		}
		dir = parent
	}
}

// foreign folders hold nothing that is ours. A folder with a dot belongs to a
// tool, but for the two that hold our own CI.
func foreign(dir string) bool {
	base := path.Base(dir)
	switch base {
	case ".", ".ci", ".github":
		return false
	case "node_modules", "bin":
		return true
	}
	return strings.HasPrefix(base, ".")
}

// private files are somebody's own settings and data, never tracked.
func private(base string) bool {
	return base == ".env" || strings.Contains(base, ".db")
}

func (t *Tree) add(name string, text []byte) error {
	file := &File{Path: name, Text: text}
	if path.Ext(name) == ".go" {
		parsed, err := parser.ParseFile(t.fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		file.AST = parsed
	}
	t.Files = append(t.Files, file)
	return nil
}

func (t *Tree) sort() {
	slices.SortFunc(t.Files, func(a, b *File) int { return cmp.Compare(a.Path, b.Path) })
}

// gofiles are the Go files that the toolchain sees: none below testdata.
func (t *Tree) gofiles() []*File {
	var files []*File
	for _, file := range t.Files {
		if file.AST != nil && !slices.Contains(strings.Split(file.Dir(), "/"), "testdata") {
			files = append(files, file)
		}
	}
	return files
}

// ofAnotherModule reports whether a folder belongs to a module below the root.
func (t *Tree) ofAnotherModule(dir string) bool {
	for ; dir != "."; dir = path.Dir(dir) {
		if slices.ContainsFunc(t.Files, func(file *File) bool { return file.Path == dir+"/go.mod" }) {
			return true
		}
	}
	return false
}

// packages are the folders that hold Go, sorted, each with its files.
func (t *Tree) packages() (dirs []string, files map[string][]*File) {
	files = make(map[string][]*File)
	for _, file := range t.gofiles() {
		dir := file.Dir()
		if files[dir] == nil {
			dirs = append(dirs, dir)
		}
		files[dir] = append(files[dir], file)
	}
	slices.Sort(dirs)
	return dirs, files
}

func (t *Tree) line(at token.Pos) int { return t.fset.Position(at).Line }

// Dir is the file's folder, "." at the root.
func (f *File) Dir() string { return path.Dir(f.Path) }

// IsTest says whether the file belongs to a test binary only.
func (f *File) IsTest() bool { return strings.HasSuffix(f.Path, "_test.go") }
