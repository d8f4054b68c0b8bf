package report

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/walkergate/walkergate/bench/internal/scenarios"
	"github.com/walkergate/walkergate/bench/internal/stats"
)

// cell is one server in one scenario, over all rounds.
type cell struct {
	server  string
	results []scenarios.Result
	failure string // of the first round that failed
}

// cells are those of a scenario, in the order of the servers.
func (r *Report) cells(scenario scenarios.Scenario) []cell {
	var cells []cell
	for _, server := range r.Servers {
		c := cell{server: server.Name}
		for _, result := range r.Results {
			if result.Scenario != scenario.Name || result.Server != server.Name {
				continue
			}
			c.results = append(c.results, result)
			if result.Failure != "" && c.failure == "" {
				c.failure = fmt.Sprintf("round %d: %s", result.Round, result.Failure)
			}
		}
		if len(c.results) > 0 {
			cells = append(cells, c)
		}
	}
	return cells
}

// figure takes one figure of a result.
type figure func(scenarios.Result) float64

func (c cell) median(of figure) float64 {
	values := make([]float64, 0, len(c.results))
	for _, result := range c.results {
		values = append(values, of(result))
	}
	return stats.Median(values)
}

// ratio is the median over the rounds of c's figure by other's.
func (c cell) ratio(other cell, of figure) (float64, bool) {
	var ratios []float64
	for _, mine := range c.results {
		for _, theirs := range other.results {
			if mine.Round == theirs.Round && of(theirs) > 0 {
				ratios = append(ratios, of(mine)/of(theirs))
			}
		}
	}
	return stats.Median(ratios), len(ratios) > 0
}

func rate(r scenarios.Result) float64 { return r.PerSecond }

// cost is CPU seconds a unit of work.
func cost(kind scenarios.Kind) figure {
	return func(r scenarios.Result) float64 { return (r.UserCPU + r.SystemCPU) / r.Units(kind) }
}

func userCost(kind scenarios.Kind) figure {
	return func(r scenarios.Result) float64 { return r.UserCPU / r.Units(kind) }
}

func (r *Report) table(b *strings.Builder, scenario scenarios.Scenario) {
	cells := r.cells(scenario)
	if len(cells) == 0 {
		return
	}
	fmt.Fprintf(b, "\n## %s: %s\n\n", scenario.Name, scenario.Title)
	columns := columns(scenario)
	names := make([]string, 0, len(columns))
	for _, column := range columns {
		names = append(names, column.name)
	}
	fmt.Fprintf(b, "| server | n | %s |\n|---|%s\n", strings.Join(names, " | "), strings.Repeat("---|", len(names)+1))
	for _, c := range cells {
		if c.failure != "" {
			fmt.Fprintf(b, "| %s | %d | **failed**, %s |%s\n", c.server, len(c.results), oneLine(c.failure), strings.Repeat(" |", len(names)-1))
			continue
		}
		fmt.Fprintf(b, "| %s | %d |", c.server, len(c.results))
		for _, column := range columns {
			fmt.Fprintf(b, " %s |", column.text(c, cells))
		}
		b.WriteByte('\n')
	}
}

type column struct {
	name string
	text func(c cell, all []cell) string
}

func columns(s scenarios.Scenario) []column {
	memory := []column{
		plain("RSS MiB", func(r scenarios.Result) float64 { return float64(r.Resident) / (1 << 20) }),
		plain("peak MiB", func(r scenarios.Result) float64 { return float64(r.Peak) / (1 << 20) }),
	}
	ratios := []column{
		against("rate ÷ floor", Floor, rate), against("CPU ÷ floor", Floor, cost(s.Kind)),
		subject("walkergate ÷: rate", rate), subject("CPU", cost(s.Kind)),
	}
	var all []column
	if s.Kind == scenarios.Idle {
		all = append(all, plain("connects/s", rate), plain("CPU-s/10k", cost(s.Kind)), plain("user", userCost(s.Kind)),
			plain("KiB/conn", kibEach))
		all = append(append(all, memory...), ratios...)
		return append(all, subject("KiB/conn", kibEach))
	}
	all = append(all, plain(unit(s.Kind), rate), plain("CPU-s/M", cost(s.Kind)), plain("user", userCost(s.Kind)),
		plain("p50 ms", func(r scenarios.Result) float64 { return r.Latency.P50 }),
		plain("p99 ms", func(r scenarios.Result) float64 { return r.Latency.P99 }))
	if s.Kind == scenarios.Fanout {
		all = append(all, plain("last p50", lastHalf), plain("last p99", func(r scenarios.Result) float64 { return r.Last.P99 }))
	}
	all = append(append(all, memory...), ratios...)
	if s.Rate > 0 {
		all = append(all, subject("last p50", lastHalf))
	}
	return all
}

func unit(kind scenarios.Kind) string {
	if kind == scenarios.Fanout {
		return "deliveries/s"
	}
	return "requests/s"
}

func kibEach(r scenarios.Result) float64 { return r.BytesPerConnection / (1 << 10) }

func lastHalf(r scenarios.Result) float64 { return r.Last.P50 }

func plain(name string, of figure) column {
	return column{name, func(c cell, _ []cell) string { return number(c.median(of)) }}
}

// against compares each server with one.
func against(name, with string, of figure) column {
	return column{name, func(c cell, all []cell) string {
		other, ok := find(all, with)
		if !ok || c.server == with {
			return "–"
		}
		return quotient(c.ratio(other, of))
	}}
}

// subject compares walkergate with each server.
func subject(name string, of figure) column {
	return column{name, func(c cell, all []cell) string {
		own, ok := find(all, Subject)
		if !ok || c.server == Subject {
			return "–"
		}
		return quotient(own.ratio(c, of))
	}}
}

// find gives a cell that did not fail.
func find(cells []cell, server string) (cell, bool) {
	for _, c := range cells {
		if c.server == server && c.failure == "" {
			return c, true
		}
	}
	return cell{}, false
}

func quotient(value float64, known bool) string {
	if !known {
		return "–"
	}
	return strconv.FormatFloat(value, 'f', 2, 64) + "x"
}

// number writes a figure with three digits or so.
func number(value float64) string {
	switch {
	case value >= 1e6:
		return strconv.FormatFloat(value/1e6, 'f', 2, 64) + "M"
	case value >= 1e4:
		return strconv.FormatFloat(value/1e3, 'f', 0, 64) + "k"
	case value >= 100:
		return strconv.FormatFloat(value, 'f', 0, 64)
	case value >= 10:
		return strconv.FormatFloat(value, 'f', 1, 64)
	default:
		return strconv.FormatFloat(value, 'f', 2, 64)
	}
}

func oneLine(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	return strings.ReplaceAll(text[:min(len(text), 300)], "|", "/")
}
