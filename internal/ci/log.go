package ci

import (
	"cmp"
	"slices"
	"strings"
)

// An Outcome is how one test, or the build of one package, ended.
type Outcome string

// The outcomes. A test that began and never ended is Unfinished: its process
// died or was killed.
const (
	Passed     Outcome = "passed"
	Failed     Outcome = "failed"
	Skipped    Outcome = "skipped"
	Unfinished Outcome = "unfinished"
	Unbuilt    Outcome = "unbuilt" // Test is empty: the package did not build
	Broken     Outcome = "broken"  // Test is empty: the package failed outside its tests
)

// A Result is one test of one package, subtests being tests of their own.
type Result struct {
	Package string
	Test    string
	Outcome Outcome
	Seconds float64
	Output  string // what it printed, kept unless it passed
}

// A Log is what one run of a runner wrote.
type Log struct {
	Results []Result
}

// Count is the number of results with the outcome.
func (l *Log) Count(outcome Outcome) int {
	n := 0
	for _, result := range l.Results {
		if result.Outcome == outcome {
			n++
		}
	}
	return n
}

// Bad are the results that did not pass, in order of package and test. A test
// whose subtest failed is among them.
func (l *Log) Bad() []Result {
	var bad []Result
	for _, result := range l.Results {
		if result.Outcome != Passed {
			bad = append(bad, result)
		}
	}
	return bad
}

func (l *Log) sort() {
	slices.SortStableFunc(l.Results, func(a, b Result) int {
		return cmp.Or(cmp.Compare(a.Package, b.Package), cmp.Compare(a.Test, b.Test))
	})
}

// Merge is all results of the logs. Nothing is made one: a test that ran in two
// runs counts twice.
func Merge(logs ...*Log) *Log {
	all := &Log{}
	for _, log := range logs {
		all.Results = append(all.Results, log.Results...)
	}
	return all
}

// passed holds the names of the tests that passed somewhere. Names of go tests
// are TestName or TestName/subtest.
func (l *Log) passed() map[string]bool {
	names := make(map[string]bool)
	for _, result := range l.Results {
		if result.Outcome == Passed {
			names[strings.TrimSpace(result.Test)] = true
		}
	}
	return names
}
