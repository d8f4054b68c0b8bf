package archtest_test

import (
	"testing"

	"github.com/walkergate/walkergate/internal/archtest"
)

// TestHouse holds the whole tree to the rules.
func TestHouse(t *testing.T) {
	t.Parallel()
	root, err := archtest.Root()
	if err != nil {
		t.Fatal(err)
	}
	tree, err := archtest.Load(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(tree.Files) < 10 {
		t.Fatalf("only %d files below %s: this is not the tree", len(tree.Files), root)
	}
	rules := []struct {
		name  string
		check func(*archtest.Tree) []archtest.Violation
	}{
		{"imports", func(tree *archtest.Tree) []archtest.Violation { return archtest.Imports(tree, archtest.House()) }},
		{"lengths", func(tree *archtest.Tree) []archtest.Violation { return archtest.Lengths(tree, 400, 60) }},
		{"names", archtest.Names},
		{"package docs", archtest.PackageDocs},
		{"sleeps", archtest.Sleeps},
		{"words", archtest.Words},
		{"lock files", archtest.LockFiles},
	}
	for _, rule := range rules {
		t.Run(rule.name, func(t *testing.T) {
			t.Parallel()
			for _, violation := range rule.check(tree) {
				t.Error(violation)
			}
		})
	}
}
