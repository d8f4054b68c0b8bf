package ci

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// event is one line of go test -json.
type event struct {
	Action      string
	Package     string
	ImportPath  string // in place of Package where Action is about a build
	Test        string
	Elapsed     float64
	Output      string
	FailedBuild string
}

// longestLine bounds one event. A test's output comes a line an event, so this
// is far more than any sane line.
const longestLine = 16 << 20

// ReadGo reads the output of go test -json. A line that is no event is an
// error: what the toolchain itself has to say goes elsewhere.
func ReadGo(r io.Reader) (*Log, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, longestLine)
	run := newGoRun()
	for n := 1; lines.Scan(); n++ {
		if len(lines.Bytes()) == 0 {
			continue
		}
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil || e.Action == "" {
			return nil, fmt.Errorf("line %d is no event of go test -json: %.200s", n, lines.Text())
		}
		run.take(e)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read the events of go test: %w", err)
	}
	return run.log(), nil
}

type testKey struct{ pkg, test string }

// goRun follows the events of one run.
type goRun struct {
	tests    map[testKey]*Result
	output   map[testKey]*strings.Builder
	builds   map[string]*strings.Builder // by import path
	packages map[string]event            // the failed end of each package
	open     map[string]bool             // packages that began and have not ended
}

func newGoRun() *goRun {
	return &goRun{
		tests:    make(map[testKey]*Result),
		output:   make(map[testKey]*strings.Builder),
		builds:   make(map[string]*strings.Builder),
		packages: make(map[string]event),
		open:     make(map[string]bool),
	}
}

func (r *goRun) take(e event) {
	key := testKey{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		builder(r.builds, e.ImportPath).WriteString(e.Output)
	case "start":
		r.open[e.Package] = true
	case "output":
		builder(r.output, key).WriteString(e.Output)
	case "run":
		r.tests[key] = &Result{Package: e.Package, Test: e.Test, Outcome: Unfinished}
	case "pass", "fail", "skip":
		if e.Test == "" {
			r.endPackage(e)
			return
		}
		r.endTest(key, e)
	}
}

func (r *goRun) endPackage(e event) {
	delete(r.open, e.Package)
	if e.Action == "fail" {
		r.packages[e.Package] = e
	}
}

func (r *goRun) endTest(key testKey, e event) {
	result := r.tests[key]
	if result == nil {
		result = &Result{Package: e.Package, Test: e.Test}
		r.tests[key] = result
	}
	result.Seconds = e.Elapsed
	result.Outcome = map[string]Outcome{"pass": Passed, "fail": Failed, "skip": Skipped}[e.Action]
}

func (r *goRun) log() *Log {
	log := &Log{}
	blamed := make(map[string]bool)
	for key, result := range r.tests {
		if result.Outcome != Passed {
			result.Output = seed(text(r.output[testKey{pkg: key.pkg}])) + text(r.output[key])
		}
		if result.Outcome == Failed || result.Outcome == Unfinished {
			blamed[key.pkg] = true
		}
		log.Results = append(log.Results, *result)
	}
	for pkg, end := range r.packages {
		switch {
		case end.FailedBuild != "":
			log.Results = append(log.Results, Result{Package: pkg, Outcome: Unbuilt, Output: text(r.builds[end.FailedBuild])})
		case !blamed[pkg]: // a left goroutine, an exit, a data race after the last test
			log.Results = append(log.Results, Result{Package: pkg, Outcome: Broken, Output: text(r.output[testKey{pkg: pkg}])})
		}
	}
	for pkg := range r.open {
		log.Results = append(log.Results, Result{Package: pkg, Outcome: Broken, Output: "the log ends before the package does\n"})
	}
	log.sort()
	return log
}

// seed is the line that says how a package's tests were shuffled, so that a
// failure can be had again.
func seed(output string) string {
	for line := range strings.Lines(output) {
		if strings.HasPrefix(line, "-test.shuffle ") {
			return line
		}
	}
	return ""
}

func builder[K comparable](of map[K]*strings.Builder, key K) *strings.Builder {
	if of[key] == nil {
		of[key] = &strings.Builder{}
	}
	return of[key]
}

func text(b *strings.Builder) string {
	if b == nil {
		return ""
	}
	return b.String()
}
