package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/walkergate/walkergate/bench/internal/report"
	"github.com/walkergate/walkergate/bench/internal/scenarios"
	"github.com/walkergate/walkergate/bench/internal/servers"
)

const mostRounds = 50

// campaign is all runs: each round plays each scenario with each server.
type campaign struct {
	quick     bool
	rounds    int
	servers   []servers.Server
	scenarios []scenarios.Scenario
	timing    scenarios.Timing
	places    servers.Places
	out       string // empty: write nothing
	perf      string // empty: no profiles
	patience  *patience
}

func newCampaign(o options) (*campaign, error) {
	dir, err := module()
	if err != nil {
		return nil, err
	}
	c := &campaign{
		quick: o.quick, rounds: o.rounds, perf: o.perf, out: o.out, timing: scenarios.Full(), scenarios: scenarios.All(),
		places: servers.Places{Module: dir}, patience: &patience{left: o.patience},
	}
	if o.quick {
		c.timing, c.scenarios = scenarios.Brief(), scenarios.Quick()
	}
	switch {
	case c.rounds == 0 && o.quick:
		c.rounds = 1
	case c.rounds == 0:
		c.rounds = 5
	case c.rounds < 0 || c.rounds > mostRounds:
		return nil, fmt.Errorf("%d rounds: 1 to %d", c.rounds, mostRounds)
	}
	if c.out == "" && !o.quick && o.perf == "" {
		c.out = filepath.Join(dir, "results")
	}
	c.servers, err = chosen(servers.All(), o.servers, func(s servers.Server) string { return s.Name })
	if err != nil {
		return nil, err
	}
	c.scenarios, err = chosen(c.scenarios, o.scenarios, func(s scenarios.Scenario) string { return s.Name })
	return c, err
}

// chosen are those of a list that were named, or all where none was.
func chosen[T any](all []T, names string, name func(T) string) ([]T, error) {
	if names == "" {
		return all, nil
	}
	var found []T
	for want := range strings.SplitSeq(names, ",") {
		at := slices.IndexFunc(all, func(one T) bool { return name(one) == want })
		if at < 0 {
			var known []string
			for _, one := range all {
				known = append(known, name(one))
			}
			return nil, fmt.Errorf("%q is not one of %s", want, strings.Join(known, ", "))
		}
		found = append(found, all[at])
	}
	return found, nil
}

// run builds the servers, plays all rounds and gives the report.
func (c *campaign) run(ctx context.Context) (found *report.Report, err error) {
	began := time.Now()
	found = &report.Report{
		Date: began, Quick: c.quick, Rounds: c.rounds, Machine: report.ThisMachine(ctx), Commit: report.Commit(ctx),
		Timing: c.timing, Scenarios: c.scenarios, LoadFrom: report.Load(),
	}
	if c.places.Binaries, err = os.MkdirTemp("", "walkergate-bench-programs-"); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(c.places.Binaries)) }()
	if err := c.prepare(ctx, found); err != nil {
		return nil, err
	}
	for round := 1; round <= c.rounds; round++ {
		err := c.round(ctx, round, found)
		if ctx.Err() != nil && round > 1 { // what is whole counts
			found.BreakOff(round)
			break
		}
		if err != nil {
			return nil, err
		}
	}
	found.LoadTo = report.Load()
	found.Took = time.Since(began).Round(time.Second).String()
	return found, nil
}

// round plays every scenario once with every server.
func (c *campaign) round(ctx context.Context, round int, found *report.Report) error {
	for i, scenario := range c.scenarios {
		if err := c.play(ctx, scenario, round, i, found); err != nil {
			return err
		}
	}
	return nil
}

// prepare builds the servers, and leaves out those that the machine lacks.
func (c *campaign) prepare(ctx context.Context, found *report.Report) error {
	var there []servers.Server
	for _, server := range c.servers {
		err := server.Prepare(ctx, c.places)
		switch {
		case errors.Is(err, servers.ErrMissing):
			found.Skipped = append(found.Skipped, err.Error())
			fmt.Fprintln(os.Stderr, "skipped:", err)
			continue
		case err != nil:
			return err
		}
		there = append(there, server)
		found.Servers = append(found.Servers, report.Server{Name: server.Name, About: server.About})
	}
	c.servers = there
	return nil
}

// play plays one scenario with all servers. Who is first changes with the
// round, so that no server always follows the same other.
func (c *campaign) play(ctx context.Context, scenario scenarios.Scenario, round, number int, found *report.Report) error {
	for i := range c.servers {
		server := c.servers[(i+round-1)%len(c.servers)]
		if !scenario.Suits(server) {
			continue
		}
		debug.FreeOSMemory() // the run before is not to be collected in this one
		profile := ""
		if c.perf != "" {
			profile = filepath.Join(c.perf, scenario.Name+"-"+server.Name+".perf")
		}
		result, repeated, err := c.quietly(ctx, func() (scenarios.Result, error) {
			return scenarios.Play(ctx, scenario, server, scenarios.Conditions{Places: c.places, Timing: c.timing, Profile: profile})
		})
		if err != nil {
			return err
		}
		found.Repeated += repeated
		result.Round = round
		found.Results = append(found.Results, result)
		c.tell(result, number)
	}
	return nil
}

// tell says how it is going.
func (c *campaign) tell(r scenarios.Result, number int) {
	fmt.Fprintf(os.Stderr, "round %d/%d, %d/%d %-16s %-11s ", r.Round, c.rounds, number+1, len(c.scenarios), r.Scenario, r.Server)
	if r.Failure != "" {
		fmt.Fprintln(os.Stderr, "FAILED:", r.Failure)
		return
	}
	fmt.Fprintf(os.Stderr, "%9.0f/s  CPU %.2f+%.2f s  generator %.2f of %.2f s  p50 %.2f p99 %.2f  last %.2f %.2f ms  RSS %d KiB  %.0f B/conn  late %.1f  others %.0f %%\n",
		r.PerSecond, r.UserCPU, r.SystemCPU, r.GeneratorCPU, r.Seconds, r.Latency.P50, r.Latency.P99, r.Last.P50, r.Last.P99, r.Resident>>10, r.BytesPerConnection, r.LatestPublish, 100*r.Others)
}
