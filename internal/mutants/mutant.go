package mutants

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/walkergate/walkergate/internal/ci"
)

// A Mutant is one fault, and the tests that must see it.
type Mutant struct {
	File    string // slash-separated, relative to the module's root
	Old     string // exact text that stands once in File
	New     string // what stands there instead
	Why     string // what the fault would mean to a user
	Package string // package pattern of the tests, such as ./app
	Run     string // the -run expression that picks them
	Tags    string // build tags, separated by commas; often none
}

// How a mutant can fail to prove anything. Survived is the one that speaks of
// the tests; the others say that the mutant itself is no longer one.
var (
	ErrSurvived  = errors.New("the tests pass with the fault planted")
	ErrMisplaced = errors.New("the text to replace does not stand exactly once")
	ErrUnsound   = errors.New("the tests do not pass without the fault")
	ErrNoTest    = errors.New("no test runs under that name")
	ErrUnbuilt   = errors.New("the mutated package does not build")
)

// Kill plants the fault in the module at root and runs the tests. It returns nil
// when they pass without the fault and a test of theirs fails with it, else one
// of the errors above, wrapped with what was printed. Calls may run
// concurrently, though each keeps the machine busy.
func (m Mutant) Kill(ctx context.Context, root string) error {
	original := filepath.Join(root, filepath.FromSlash(m.File))
	mutated, err := m.plant(original)
	if err != nil {
		return err
	}
	if err := m.sound(ctx, root); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "mutant-")
	if err != nil {
		return fmt.Errorf("make room for the mutant: %w", err)
	}
	err = m.killIn(ctx, root, dir, original, mutated)
	return errors.Join(err, os.RemoveAll(dir))
}

// plant is the text of the file with the fault in it.
func (m Mutant) plant(original string) ([]byte, error) {
	text, err := os.ReadFile(original)
	if err != nil {
		return nil, fmt.Errorf("read the original: %w", err)
	}
	if n := bytes.Count(text, []byte(m.Old)); n != 1 || m.Old == m.New {
		return nil, fmt.Errorf("%w: %d times in %s", ErrMisplaced, n, m.File)
	}
	return bytes.Replace(text, []byte(m.Old), []byte(m.New), 1), nil
}

// sound runs the tests as they are: a test that fails anyway proves nothing.
func (m Mutant) sound(ctx context.Context, root string) error {
	log, printed, err := m.test(ctx, root, os.Environ())
	switch {
	case err != nil:
		return err
	case len(log.Bad()) > 0:
		return fmt.Errorf("%w:\n%s", ErrUnsound, printed)
	case log.Count(ci.Passed) == 0:
		return fmt.Errorf("%w: %s in %s", ErrNoTest, m.Run, m.Package)
	}
	return nil
}

func (m Mutant) killIn(ctx context.Context, root, dir, original string, mutated []byte) error {
	overlay, err := lay(dir, original, mutated)
	if err != nil {
		return err
	}
	// vet builds the package and its tests as go test does, but runs nothing.
	vet := exec.CommandContext(ctx, "go", "vet", "-tags="+m.Tags, m.Package) //nolint:gosec // the arguments stand in this project's own tests
	vet.Dir, vet.Env = root, under(overlay)
	if printed, err := vet.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %w\n%s", ErrUnbuilt, err, printed)
	}
	log, printed, err := m.test(ctx, root, under(overlay), "-count=1", "-vet=off")
	switch {
	case err != nil:
		return err
	case log.Count(ci.Unbuilt) > 0:
		return fmt.Errorf("%w:\n%s", ErrUnbuilt, printed)
	case log.Count(ci.Failed)+log.Count(ci.Unfinished) == 0:
		return fmt.Errorf("%w: %s in %s", ErrSurvived, m.Run, m.Package)
	}
	return nil
}

// lay writes the mutated copy and the overlay that puts it over the original.
func lay(dir, original string, mutated []byte) (overlay string, err error) {
	replaced := filepath.Join(dir, filepath.Base(original))
	content, err := json.Marshal(map[string]any{"Replace": map[string]string{original: replaced}})
	if err != nil {
		return "", fmt.Errorf("encode the overlay: %w", err)
	}
	overlay = filepath.Join(dir, "overlay.json")
	err = errors.Join(os.WriteFile(replaced, mutated, 0o600), os.WriteFile(overlay, content, 0o600))
	if err != nil {
		return "", fmt.Errorf("write the mutant: %w", err)
	}
	return overlay, nil
}

// under is an environment in which go builds what the overlay says: the tests,
// and also the programs that they build and start.
func under(overlay string) []string {
	return append(os.Environ(), "GOFLAGS="+os.Getenv("GOFLAGS")+" '-overlay="+overlay+"'")
}

// test runs the mutant's tests. That they fail is in the log and no error.
func (m Mutant) test(ctx context.Context, root string, environ []string, flags ...string) (log *ci.Log, printed string, err error) {
	args := append([]string{"test", "-json", "-timeout=3m", "-tags=" + m.Tags, "-run=" + m.Run}, flags...)
	cmd := exec.CommandContext(ctx, "go", append(args, m.Package)...) //nolint:gosec // as above
	cmd.Dir, cmd.Env = root, environ
	var out, complaints strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &complaints
	var failed *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &failed) {
		return nil, "", fmt.Errorf("go test: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return nil, "", fmt.Errorf("go test: %w", err)
	}
	log, err = ci.ReadGo(strings.NewReader(out.String()))
	if err != nil {
		return nil, "", fmt.Errorf("go test: %w\n%s", err, &complaints)
	}
	if failed != nil && len(log.Bad()) == 0 { // a package that does not exist, a bad flag
		return nil, "", fmt.Errorf("go test: %w\n%s", failed, &complaints)
	}
	var summary strings.Builder
	if err := ci.WriteSummary(&summary, m.Package, log, false); err != nil {
		return nil, "", err
	}
	return log, summary.String(), nil
}
