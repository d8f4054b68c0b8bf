package report_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/walkergate/walkergate/bench/internal/ledger"
	"github.com/walkergate/walkergate/bench/internal/report"
	"github.com/walkergate/walkergate/bench/internal/scenarios"
)

// rounds are results of one server: its rate, with a CPU second each.
func rounds(server string, rates ...float64) []scenarios.Result {
	var results []scenarios.Result
	for i, rate := range rates {
		results = append(results, scenarios.Result{
			Scenario: "s", Server: server, Round: i + 1, Deliveries: uint64(rate), PerSecond: rate, Seconds: 1, SystemCPU: 1,
			Latency: scenarios.Spread{P50: 1.25},
		})
	}
	return results
}

func sample() *report.Report {
	r := &report.Report{
		Date: time.Date(2026, 3, 1, 12, 30, 0, 0, time.UTC), Rounds: 3, Command: "c",
		Machine:   report.Machine{Cores: 2, CPU: "Some(R) CPU @ 3 GHz"},
		Scenarios: []scenarios.Scenario{{Name: "s", Title: "a scenario", Kind: scenarios.Fanout, Window: 1}},
		Servers:   []report.Server{{Name: "walkergate"}, {Name: "floor"}, {Name: "gws"}},
	}
	r.Results = append(r.Results, rounds("walkergate", 100_000, 200_000, 50_000)...)
	r.Results = append(r.Results, rounds("floor", 200_000, 200_000, 200_000)...)
	r.Results = append(r.Results, rounds("gws", 50_000, 400_000, 50_000)...)
	return r
}

// row is the line of a server.
func row(t *testing.T, tables, server string) string {
	t.Helper()
	for line := range strings.Lines(tables) {
		if strings.HasPrefix(line, "| "+server+" |") {
			return strings.TrimSpace(line)
		}
	}
	t.Fatalf("no row of %s in:\n%s", server, tables)
	return ""
}

func TestTablesGiveMediansAndRatiosOfTheSameRound(t *testing.T) {
	tables := sample().Tables()
	for server, want := range map[string][]string{
		"walkergate": {"| 3 | 100k | 10.0 |", "| 0.50x | 2.00x | – | – |"},
		"floor":      {"| 3 | 200k | 5.00 |", "| – | – | 0.50x | 2.00x |"},
		"gws":        {"| 3 | 50k |", "| 1.00x | 1.00x |"}, // 2, 0.5 and 1
	} {
		for _, part := range want {
			if got := row(t, tables, server); !strings.Contains(got, part) {
				t.Errorf("%s: %s has no %s", server, got, part)
			}
		}
	}
}

func TestALossIsReportedInPlaceOfFigures(t *testing.T) {
	r := sample()
	r.Results[4].Failure = "lost 3, duplicated 0, reordered 1" // floor, round 2
	r.Results[4].Wrong = ledger.Counts{Lost: 3, Reordered: 1}
	tables := r.Tables()
	got := row(t, tables, "floor")
	if !strings.Contains(got, "**failed**, round 2: lost 3, duplicated 0, reordered 1") || strings.Contains(got, "200k") {
		t.Error(got)
	}
	if got := row(t, tables, "walkergate"); strings.Contains(got, "0.50x") {
		t.Errorf("compared with what failed: %s", got)
	}
	if !r.Failed("floor") || r.Failed("walkergate") {
		t.Error("who failed is not told")
	}
}

func TestANoisyMachineIsTold(t *testing.T) {
	r := sample()
	if tables := r.Tables(); strings.Contains(tables, "noisy") || !strings.Contains(tables, "Others took 0.0 %") {
		t.Error("noise where there was none")
	}
	for i := range r.Results {
		r.Results[i].Others = 0.25
	}
	if tables := r.Tables(); !strings.Contains(tables, "Others took 25.0 %") || !strings.Contains(tables, "noisy") {
		t.Error("noise is not told")
	}
}

func TestWholeRoundsOfABrokenRunCount(t *testing.T) {
	r := sample()
	r.BreakOff(2)
	tables := r.Tables()
	if !strings.Contains(tables, "broken off") || !strings.Contains(tables, "Medians of 1 rounds") {
		t.Error("it is not told that the run was broken off")
	}
	if got := row(t, tables, "floor"); !strings.Contains(got, "| 1 | 200k |") {
		t.Errorf("more or less than the whole round: %s", got)
	}
}

func TestWriteKeepsEveryFigure(t *testing.T) {
	folder := t.TempDir()
	path, err := sample().Write(folder)
	if err != nil {
		t.Fatal(err)
	}
	if want := folder + "/2026-03-01-1230-some-r-cpu-3-ghz-2cpu.md"; path != want {
		t.Errorf("written to %s, want %s", path, want)
	}
	text, err := os.ReadFile(strings.TrimSuffix(path, ".md") + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var back report.Report
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if len(back.Results) != 9 || back.Results[8].PerSecond != 50_000 {
		t.Errorf("%+v", back.Results)
	}
}

func TestThisMachineIsKnown(t *testing.T) {
	m := report.ThisMachine(t.Context())
	if m.Cores < 1 || m.CPU == "unknown" || m.Memory < 1<<28 || m.Kernel == "unknown" || m.Short() == "" {
		t.Errorf("%+v", m)
	}
	if len(strings.Fields(report.Load())) != 3 {
		t.Errorf("load %q", report.Load())
	}
}
