//go:build mutants

package mutants_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/walkergate/walkergate/internal/mutants"
)

// small is a module of one function and its tests, one of which is no good.
var small = map[string]string{
	"go.mod": "module small\n\ngo 1.26\n",
	"sum/sum.go": `package sum

// Add adds.
func Add(a, b int) int {
	return a + b
}

// Twice doubles.
func Twice(a int) int {
	return 2 * a
}
`,
	"sum/sum_test.go": `package sum_test

import (
	"os"
	"testing"

	"small/sum"
)

func TestAdd(t *testing.T) {
	if got := sum.Add(1, 2); got != 3 {
		t.Error(got)
	}
}

func TestAddDies(t *testing.T) {
	if sum.Add(1, 2) != 3 {
		os.Exit(3)
	}
}

func TestBlind(t *testing.T) { sum.Add(1, 2) }

func TestAlwaysFails(t *testing.T) { t.Fail() }
`,
}

func TestKillTellsHowAMutantFares(t *testing.T) {
	root := t.TempDir()
	for name, text := range small {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		name, before, after, run string
		want                     error
	}{
		{"seen", "a + b", "a - b", "^TestAdd$", nil},
		{"seen by a test that dies", "a + b", "a - b", "^TestAddDies$", nil},
		{"survived", "a + b", "a - b", "^TestBlind$", mutants.ErrSurvived},
		{"elsewhere", "2 * a", "3 * a", "^TestAdd$", mutants.ErrSurvived},
		{"not there", "a * b", "a - b", "^TestAdd$", mutants.ErrMisplaced},
		{"there twice", "return", "return 1 +", "^TestAdd$", mutants.ErrMisplaced},
		{"no change", "a + b", "a + b", "^TestAdd$", mutants.ErrMisplaced},
		{"does not build", "a + b", "a + c", "^TestAdd$", mutants.ErrUnbuilt},
		{"fails anyway", "a + b", "a - b", "^TestAlwaysFails$", mutants.ErrUnsound},
		{"no such test", "a + b", "a - b", "^TestGone$", mutants.ErrNoTest},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			mutant := mutants.Mutant{File: "sum/sum.go", Old: test.before, New: test.after, Package: "./sum", Run: test.run}
			if err := mutant.Kill(t.Context(), root); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
	text, err := os.ReadFile(filepath.Join(root, "sum", "sum.go"))
	if err != nil {
		t.Fatal(err)
	}
	if string(text) != small["sum/sum.go"] {
		t.Error("the original was touched")
	}
}

func TestKillRefusesWhatCannotRun(t *testing.T) {
	for _, mutant := range []mutants.Mutant{
		{File: "gone.go", Old: "a", New: "b", Package: ".", Run: "x"},
		{File: "go.mod", Old: "module small", New: "module tiny", Package: "./gone", Run: "x"},
	} {
		root := t.TempDir()
		if err := os.WriteFile(filepath.Join(root, "go.mod"), []byte(small["go.mod"]), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := mutant.Kill(t.Context(), root); err == nil {
			t.Errorf("%+v counts as seen", mutant)
		}
	}
}
