package ci_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/walkergate/walkergate/internal/ci"
)

// The streams of go test -json below are cut from real ones.
const (
	passing = `{"Action":"start","Package":"m/a"}
{"Action":"output","Package":"m/a","Output":"-test.shuffle 17\n"}
{"Action":"run","Package":"m/a","Test":"TestSum"}
{"Action":"run","Package":"m/a","Test":"TestSum/of_two"}
{"Action":"output","Package":"m/a","Test":"TestSum/of_two","Output":"a quiet line\n"}
{"Action":"pass","Package":"m/a","Test":"TestSum/of_two","Elapsed":0.25}
{"Action":"pass","Package":"m/a","Test":"TestSum","Elapsed":0.25}
{"Action":"run","Package":"m/a","Test":"FuzzSum"}
{"Action":"pass","Package":"m/a","Test":"FuzzSum","Elapsed":0}
{"Action":"pass","Package":"m/a","Elapsed":0.3}
{"Action":"start","Package":"m/empty"}
{"Action":"output","Package":"m/empty","Output":"?   \tm/empty\t[no test files]\n"}
{"Action":"skip","Package":"m/empty","Elapsed":0}
`
	failing = `{"Action":"start","Package":"m/b"}
{"Action":"output","Package":"m/b","Output":"-test.shuffle 18\n"}
{"Action":"run","Package":"m/b","Test":"TestBad"}
{"Action":"output","Package":"m/b","Test":"TestBad","Output":"    b_test.go:4: got 1, want 2\n"}
{"Action":"fail","Package":"m/b","Test":"TestBad","Elapsed":0}
{"Action":"fail","Package":"m/b","Elapsed":0.1}
`
	skipping = `{"Action":"start","Package":"m/c"}
{"Action":"run","Package":"m/c","Test":"TestLater"}
{"Action":"output","Package":"m/c","Test":"TestLater","Output":"    c_test.go:4: no browser here\n"}
{"Action":"skip","Package":"m/c","Test":"TestLater","Elapsed":0}
{"Action":"pass","Package":"m/c","Elapsed":0.1}
`
	unbuilt = `{"ImportPath":"m/d [m/d.test]","Action":"build-output","Output":"d/d.go:2:5: undefined: x\n"}
{"ImportPath":"m/d [m/d.test]","Action":"build-fail"}
{"Action":"start","Package":"m/d"}
{"Action":"output","Package":"m/d","Output":"FAIL\tm/d [build failed]\n"}
{"Action":"fail","Package":"m/d","Elapsed":0,"FailedBuild":"m/d [m/d.test]"}
`
	died = `{"Action":"start","Package":"m/e"}
{"Action":"run","Package":"m/e","Test":"TestExit"}
{"Action":"output","Package":"m/e","Output":"FAIL\tm/e\t0.002s\n"}
{"Action":"fail","Package":"m/e","Elapsed":0.003}
`
	leaking = `{"Action":"start","Package":"m/f"}
{"Action":"run","Package":"m/f","Test":"TestFine"}
{"Action":"pass","Package":"m/f","Test":"TestFine","Elapsed":0}
{"Action":"output","Package":"m/f","Output":"goleak: found a goroutine\n"}
{"Action":"fail","Package":"m/f","Elapsed":0.003}
`
	cutOff = `{"Action":"start","Package":"m/g"}
{"Action":"run","Package":"m/g","Test":"TestFine"}
{"Action":"pass","Package":"m/g","Test":"TestFine","Elapsed":0}
`
	tap = `TAP version 13
# Subtest: outer
    # Subtest: inner
    ok 1 - inner
      ---
      duration_ms: 0.4
      ...
    1..1
ok 1 - outer
  ---
  duration_ms: 1.0
  type: 'suite'
  ...
# tests 1
`
	tapBad = `TAP version 13
not ok 1 - wrong
  ---
  error: 'ok 7 - says the error'
  ...
ok 2 - later # SKIP no time
1..2
# tests 2
`
)

func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReportJudgesRuns(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, file, text string
		good             bool
		tells            []string
	}{
		{"passing", "a.json", passing, true, []string{"suite: 3 of 3 tests passed in 1 packages", "3 passed, 0 failed"}},
		{"failing", "b.json", passing + failing, false, []string{
			"--- FAILED: m/b TestBad (0.00s)", "    -test.shuffle 18", "        b_test.go:4: got 1, want 2", "3 passed, 1 failed"}},
		{"skipping", "c.json", passing + skipping, false, []string{"--- SKIPPED: m/c TestLater", "no browser here", "3 passed, 1 failed"}},
		{"unbuilt", "d.json", passing + unbuilt, false, []string{"--- UNBUILT: m/d", "undefined: x", "3 passed, 1 failed"}},
		{"died", "e.json", died, false, []string{"--- UNFINISHED: m/e TestExit", "0 passed, 1 failed"}},
		{"leaking", "f.json", leaking, false, []string{"--- BROKEN: m/f", "goleak: found", "1 passed, 1 failed"}},
		{"cut off", "g.json", cutOff, false, []string{"--- BROKEN: m/g", "1 passed, 1 failed"}},
		{"no test", "h.json", "", false, []string{"0 passed, 0 failed"}},
		{"not json", "i.json", passing + "panic: no event\n", false, nil},
		{"json of another kind", "j.json", "{}\n", false, nil},
		{"node", "k.tap", tap, true, []string{"suite: 1 of 1 tests passed", "1 passed, 0 failed"}},
		{"node failing", "l.tap", tapBad, false, []string{"--- FAILED: l wrong", "--- SKIPPED: l later", "0 passed, 2 failed"}},
		{"node cut off", "m.tap", "TAP version 13\nok 1 - fine\n", false, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			err := ci.Report([]string{"-close", "suite", file(t, test.file, test.text)}, &out)
			if good := err == nil; good != test.good {
				t.Errorf("good is %t, want %t (%v)", good, test.good, err)
			}
			for _, line := range test.tells {
				if !strings.Contains(out.String(), line) {
					t.Errorf("%q is not told in:\n%s", line, &out)
				}
			}
			if strings.Contains(out.String(), "quiet") {
				t.Errorf("a test that passed is told at length:\n%s", &out)
			}
		})
	}
}

func TestReportCountsOverAllFiles(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	err := ci.Report([]string{"-close", "all", file(t, "a.json", passing), file(t, "b.tap", tap)}, &out)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(out.String(), "\n4 passed, 0 failed\n") {
		t.Errorf("the closing line is not alone at the end of:\n%s", &out)
	}
}

func TestReportIsBriefWhenAsked(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := ci.Report([]string{"-brief", "all", file(t, "b.json", failing)}, &out); err == nil {
		t.Error("a failed run is called good")
	}
	if !strings.Contains(out.String(), "m/b TestBad") || strings.Contains(out.String(), "got 1") {
		t.Errorf("expected the test's name without its output:\n%s", &out)
	}
}

func TestReportAddsOtherFailures(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := ci.Report([]string{"-close", "-failed", "2", "all", file(t, "a.json", passing)}, &out); err == nil {
		t.Error("a run with a failed step is called good")
	}
	if !strings.HasSuffix(out.String(), "\n3 passed, 2 failed\n") {
		t.Errorf("the failed steps are not counted in:\n%s", &out)
	}
}

func TestReportHoldsFeaturesToTheirTests(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, features string
		good           bool
		tells          string
	}{
		{"all passed", "| adds | `TestSum`, `TestSum/of_two` |\n| holds | FuzzSum. |\n", true, ""},
		{"never written", "| adds | `TestSum` |\n| divides | `TestQuotient` |\n", false, "names TestQuotient, which"},
		{"subtest gone", "`TestSum/of_three`", false, "names TestSum/of_three, which"},
		{"failed", "`TestSum` `TestBad`", false, "names TestBad, which"},
		{"skipped", "`TestSum` `TestLater`", false, "names TestLater, which"},
		{"names none", "It adds. Tested.", false, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			log := passing
			switch test.name {
			case "failed":
				log += failing
			case "skipped":
				log += skipping
			}
			var out strings.Builder
			err := ci.Report([]string{"-features", file(t, "FEATURES.md", test.features), "all", file(t, "a.json", log)}, &out)
			if good := err == nil; good != test.good {
				t.Errorf("good is %t, want %t (%v)", good, test.good, err)
			}
			if !strings.Contains(out.String(), test.tells) {
				t.Errorf("%q is not told in:\n%s", test.tells, &out)
			}
		})
	}
}

func TestReportRefusesBadArguments(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"alone"}, {"-nonsense", "a", "b"}, {"a", filepath.Join(t.TempDir(), "gone.json")}} {
		if err := ci.Report(args, &strings.Builder{}); err == nil {
			t.Errorf("%q was taken", args)
		}
	}
}

func TestReadGoKeepsOutputOfTheBadAlone(t *testing.T) {
	t.Parallel()
	log, err := ci.ReadGo(strings.NewReader(passing + failing))
	if err != nil {
		t.Fatal(err)
	}
	want := []ci.Result{
		{Package: "m/a", Test: "FuzzSum", Outcome: ci.Passed},
		{Package: "m/a", Test: "TestSum", Outcome: ci.Passed, Seconds: 0.25},
		{Package: "m/a", Test: "TestSum/of_two", Outcome: ci.Passed, Seconds: 0.25},
		{Package: "m/b", Test: "TestBad", Outcome: ci.Failed, Output: "-test.shuffle 18\n    b_test.go:4: got 1, want 2\n"},
	}
	if diff := cmp.Diff(want, log.Results); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
}

func TestCommandReadsTheMarkedBlock(t *testing.T) {
	t.Parallel()
	const fence = "```"
	tests := []struct {
		name, text, want string
	}{
		{"plain", "Test:\n\n<!-- test -->\n" + fence + "sh\ngo test ./...\n" + fence + "\nmore\n", "go test ./..."},
		{"two lines after a blank", "<!-- test -->\n\n" + fence + "bash\na\nb\n" + fence + "\n", "a\nb"},
		{"absent", fence + "sh\ngo test ./...\n" + fence + "\n", ""},
		{"other mark", "<!-- run -->\n" + fence + "sh\ngo test ./...\n" + fence + "\n", ""},
		{"twice", strings.Repeat("<!-- test -->\n"+fence+"sh\na\n"+fence+"\n", 2), ""},
		{"text between", "<!-- test -->\nRun\n" + fence + "sh\na\n" + fence + "\n", ""},
		{"other language", "<!-- test -->\n" + fence + "json\na\n" + fence + "\n", ""},
		{"empty", "<!-- test -->\n" + fence + "sh\n\n" + fence + "\n", ""},
		{"open", "<!-- test -->\n" + fence + "sh\na\n", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := ci.Command(test.text, "test")
			if got != test.want {
				t.Errorf("got %q, want %q (%v)", got, test.want, err)
			}
			if refused := err != nil; refused != (test.want == "") {
				t.Errorf("error %v", err)
			}
		})
	}
}
