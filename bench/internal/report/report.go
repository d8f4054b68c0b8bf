// Package report makes what is kept of a run: a JSON file with every figure,
// and tables of medians to read.
package report

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/walkergate/walkergate/bench/internal/scenarios"
	"github.com/walkergate/walkergate/bench/internal/stats"
)

// Subject is the server that the others are compared with, Floor the yardstick.
const (
	Subject = "walkergate"
	Floor   = "floor"
)

// Report is one run of the benchmark.
type Report struct {
	Date      time.Time            `json:"date"`
	Took      string               `json:"took"`
	Command   string               `json:"command"`
	Commit    string               `json:"commit"`
	Quick     bool                 `json:"quick,omitempty"`
	Rounds    int                  `json:"rounds"`
	BrokenOff bool                 `json:"broken_off,omitempty"` // before all rounds were played
	Machine   Machine              `json:"machine"`
	Repeated  int                  `json:"repeated,omitempty"` // runs that were made again, for the noise beside them
	LoadFrom  string               `json:"load_before"`        // /proc/loadavg
	LoadTo    string               `json:"load_after"`
	Timing    scenarios.Timing     `json:"timing"`
	Scenarios []scenarios.Scenario `json:"scenarios"`
	Servers   []Server             `json:"servers"`
	Skipped   []string             `json:"skipped,omitempty"` // servers that are not on the machine
	Results   []scenarios.Result   `json:"results"`
}

// Server is one that was measured.
type Server struct {
	Name  string `json:"name"`
	About string `json:"about"`
}

// BreakOff ends the report before this round, of which nothing counts.
func (r *Report) BreakOff(round int) {
	r.BrokenOff, r.Rounds = true, round-1
	r.Results = slices.DeleteFunc(r.Results, func(result scenarios.Result) bool { return result.Round >= round })
}

// Failed reports whether the server failed in any scenario.
func (r *Report) Failed(server string) bool {
	for _, result := range r.Results {
		if result.Server == server && result.Failure != "" {
			return true
		}
	}
	return false
}

// Write writes the JSON and the tables into a folder and gives the path of the
// tables.
func (r *Report) Write(folder string) (string, error) {
	if err := os.MkdirAll(folder, 0o755); err != nil { //nolint:gosec // results are for everybody
		return "", err
	}
	text, err := json.Marshal(r)
	if err != nil {
		return "", err
	}
	stem := filepath.Join(folder, r.Date.UTC().Format("2006-01-02-1504")+"-"+r.Machine.Short())
	if err := os.WriteFile(stem+".json", append(text, '\n'), 0o644); err != nil { //nolint:gosec // as above
		return "", err
	}
	return stem + ".md", os.WriteFile(stem+".md", []byte(r.Tables()), 0o644) //nolint:gosec // as above
}

// Tables are the figures as Markdown.
func (r *Report) Tables() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Benchmark of %s\n\n", r.Date.UTC().Format("2 January 2006, 15:04 UTC"))
	m := r.Machine
	fmt.Fprintf(&b, "%d cores, %s, %s, Linux %s, %s; node %s. Commit %s. `%s`, took %s.\n", m.Cores, m.CPU, memory(m.Memory), m.Kernel, m.Go, m.Node, r.Commit, r.Command, r.Took)
	fmt.Fprintf(&b, "The generator shares the cores with the server. Load before and after: %s / %s. %s\n\n", r.LoadFrom, r.LoadTo, r.quiet())
	if r.Quick {
		b.WriteString("**A smoke run: it shows that all works; its figures are not to be compared.**\n\n")
	}
	if r.BrokenOff {
		b.WriteString("The run was broken off; the rounds that were whole are told. ")
	}
	fmt.Fprintf(&b, "Medians of %d rounds, servers in turn within each round; ratios are medians of the ratios of each round.\n", r.Rounds)
	b.WriteString("CPU is the server's alone. \"walkergate ÷\" is walkergate's figure divided by this server's: rate above 1 and CPU below 1 are in its favour.\n")
	for _, scenario := range r.Scenarios {
		r.table(&b, scenario)
	}
	b.WriteString("\n## Servers\n\n")
	for _, server := range r.Servers {
		fmt.Fprintf(&b, "- **%s**: %s\n", server.Name, server.About)
	}
	for _, skipped := range r.Skipped {
		fmt.Fprintf(&b, "- skipped: %s\n", skipped)
	}
	return b.String()
}

// quiet says how much of the machine was used by others than the server and the
// generator.
func (r *Report) quiet() string {
	var shares []float64
	for _, result := range r.Results {
		if result.Failure == "" {
			shares = append(shares, result.Others)
		}
	}
	share := stats.Median(shares)
	text := fmt.Sprintf("Others took %.1f %% of the machine while it was measured (median), at most %.0f %%.", 100*share, 100*largest(shares))
	if r.Repeated > 0 {
		text += fmt.Sprintf(" %d runs beside which they took more than %.0f %% were made again.", r.Repeated, 100*scenarios.Noisy)
	}
	if share > scenarios.Noisy {
		text += " **That is noisy: read the ratios alone.**"
	}
	return text
}

func largest(values []float64) float64 {
	most := 0.0
	for _, value := range values {
		most = max(most, value)
	}
	return most
}

func memory(bytes int64) string { return fmt.Sprintf("%.0f GiB", float64(bytes)/(1<<30)) }
