// Command bench measures walkergate beside a floor and its peers, on this
// machine, and writes what it found to results/. docs/PERFORMANCE.md tells what
// is measured and how to read it. Run it in the folder of its module:
//
//	go run ./cmd/bench          all, five rounds, about half an hour
//	go run ./cmd/bench -quick   a smoke run
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/walkergate/walkergate/bench/internal/report"
)

// options are the command line.
type options struct {
	quick     bool
	rounds    int
	servers   string
	scenarios string
	out       string
	perf      string
	patience  time.Duration
}

func main() {
	var o options
	flag.BoolVar(&o.quick, "quick", false, "a smoke run: one short round with fewer connections; writes nothing unless -out is given")
	flag.IntVar(&o.rounds, "rounds", 0, "rounds, 1 to 50 (default 5, or 1 with -quick)")
	flag.StringVar(&o.servers, "servers", "", "only these servers, comma separated")
	flag.StringVar(&o.scenarios, "scenarios", "", "only these scenarios, comma separated")
	flag.StringVar(&o.out, "out", "", "folder of the results (default results)")
	flag.StringVar(&o.perf, "perf", "", "folder to keep a perf record of each run in; the figures then count for nothing")
	flag.DurationVar(&o.patience, "patience", 15*time.Minute, "how long in all to wait for others to leave the machine alone; noisy runs are made again meanwhile")
	flag.Parse()
	if o.quick {
		o.patience = 0
	}
	os.Exit(run(o))
}

// run is the program; what it returns is the exit code: 0 where walkergate
// failed in nothing, 1 otherwise, 2 where the options make no sense.
func run(o options) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	campaign, err := newCampaign(o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 2
	}
	found, err := campaign.run(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 1
	}
	found.Command = strings.Join(append([]string{"go run ./cmd/bench"}, os.Args[1:]...), " ")
	fmt.Print("\n", found.Tables())
	if folder := campaign.out; folder != "" {
		path, err := found.Write(folder)
		if err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			return 1
		}
		fmt.Fprintln(os.Stderr, "written to", path)
	}
	if found.Failed(report.Subject) {
		fmt.Fprintln(os.Stderr, "bench: walkergate failed in a scenario")
		return 1
	}
	return 0
}

// module is the folder of this module, which the servers are built from.
func module() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil || !strings.HasPrefix(string(text), "module github.com/walkergate/walkergate/bench\n") {
		return "", errors.New("this is to be run in the folder of the benchmark module")
	}
	return dir, nil
}
