package scenarios

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"os"
	"runtime"
	"time"

	"github.com/walkergate/walkergate/bench/internal/load"
	"github.com/walkergate/walkergate/bench/internal/proc"
	"github.com/walkergate/walkergate/bench/internal/servers"
	"github.com/walkergate/walkergate/bench/internal/stats"
)

const (
	atOnce  = 64  // connections on their way at a time
	warmups = 100 // connections before the idle ones are counted
)

// Conditions are how scenarios are played.
type Conditions struct {
	Places  servers.Places
	Timing  Timing
	Profile string // a file for perf, empty for none
}

// Target is a server that runs.
type Target struct {
	Address netip.AddrPort
	PID     int
}

// Play starts the server, plays the scenario with it and stops it. What goes
// wrong with the server is told in the result; the error is of this side.
func Play(ctx context.Context, scenario Scenario, server servers.Server, how Conditions) (result Result, err error) {
	result = Result{Scenario: scenario.Name, Server: server.Name}
	process, err := server.Start(ctx, how.Places)
	if err != nil {
		if ctx.Err() != nil {
			return result, err
		}
		result.Failure = err.Error()
		return result, nil
	}
	stop := func() error { return nil }
	if how.Profile != "" {
		if stop, err = process.Profile(ctx, how.Profile); err != nil {
			return result, errors.Join(err, process.Stop())
		}
	}
	playErr := Against(scenario, server, Target{process.Address, process.PID}, how.Timing, &result)
	if err := stop(); err != nil {
		return result, errors.Join(err, process.Stop())
	}
	said, ended := process.Ended()
	if err := process.Stop(); err != nil {
		return result, err
	}
	switch {
	case ended:
		result.Failure = fmt.Sprintf("the server ended: %s", said)
	case playErr != nil:
		result.Failure = playErr.Error()
	case !result.Wrong.Clean():
		result.Failure = fmt.Sprintf("lost %d, duplicated %d, reordered %d, stray %d, damaged %d",
			result.Wrong.Lost, result.Wrong.Duplicated, result.Wrong.Reordered, result.Wrong.Stray, result.Wrong.Damaged)
	}
	return result, ctx.Err()
}

// Against plays the scenario with a server that runs, and fills the result.
func Against(scenario Scenario, server servers.Server, target Target, timing Timing, result *Result) error {
	t, err := newTraffic(scenario, server, target.Address)
	if err != nil {
		return err
	}
	loop, err := load.NewLoop(t)
	if err != nil {
		return err
	}
	t.now = loop.Now
	play := &play{traffic: t, loop: loop, pid: target.PID, timing: timing, result: result}
	if scenario.Kind == Idle {
		err = play.idle()
	} else {
		err = play.exchange()
	}
	return errors.Join(err, loop.Close())
}

// play is one scenario under way.
type play struct {
	*traffic
	loop   *load.Loop
	pid    int
	timing Timing
	result *Result

	start, end mark
}

// mark is the state of things at one moment.
type mark struct {
	at                   time.Duration
	published, delivered uint64
	server, generator    proc.CPU
	machine              proc.Machine
}

func (p *play) mark() (mark, error) {
	server, err := proc.ReadCPU(p.pid)
	if err != nil {
		return mark{}, err
	}
	generator, err := proc.ReadCPU(os.Getpid())
	if err != nil {
		return mark{}, err
	}
	machine, err := proc.ReadMachine()
	return mark{p.loop.Now(), p.published, p.delivered, server, generator, machine}, err
}

// connect opens connections, each in its channel.
func (p *play) connect(count int) ([]*load.Conn, time.Duration, error) {
	return p.loop.Connect(load.Connecting{
		To: p.to, Dialect: p.dialect(), Count: count, AtOnce: atOnce, Channel: p.channel, Within: p.timing.Connect,
	})
}

func (p *play) dialect() load.Dialect {
	if p.scenario.Kind == REST {
		return nil
	}
	return p.server.Dialect
}

// idle connects, rests, and looks at what that took.
func (p *play) idle() error {
	if _, _, err := p.connect(warmups); err != nil {
		return err
	}
	if err := p.loop.For(p.timing.Settle); err != nil {
		return err
	}
	before, err := proc.ReadMemory(p.pid)
	if err != nil {
		return err
	}
	if p.start, err = p.mark(); err != nil {
		return err
	}
	count := p.scenario.Connections()
	_, took, err := p.connect(count)
	if err != nil {
		return err
	}
	if err := p.loop.For(p.timing.Rest); err != nil {
		return err
	}
	if p.end, err = p.mark(); err != nil {
		return err
	}
	p.delivered = uint64(count)
	p.end.delivered = uint64(count)
	if err := p.tell(took); err != nil {
		return err
	}
	p.result.BytesPerConnection = float64(p.result.Resident-before.Resident) / float64(count)
	return nil
}

// exchange connects, publishes, measures for a while and waits for the rest.
func (p *play) exchange() error {
	conns, _, err := p.connect(p.scenario.Connections())
	if err != nil {
		return err
	}
	p.conns = conns
	if err := p.loop.For(p.timing.Settle); err != nil {
		return err
	}
	if err := p.begin(); err != nil {
		return err
	}
	if err := p.loop.Run(p.schedule()); err != nil {
		return err
	}
	p.result.Wrong = p.ledger.Counts()
	return p.tell(p.end.at - p.start.at)
}

// schedule is the step function of a loop: warm up, measure, drain; and where
// there is a rate, publish when it is time.
func (p *play) schedule() func(time.Duration) (time.Duration, bool, error) {
	began := p.loop.Now()
	measure := p.timing.Measure
	every := time.Duration(0)
	if p.scenario.Rate > 0 {
		measure, every = p.timing.Rate, time.Duration(float64(time.Second)/p.scenario.Rate)
	}
	warm := began + p.timing.Warm
	p.from, p.until = math.MaxInt64, math.MaxInt64 // until it is marked: a starved loop may come late
	tick := 0
	return func(now time.Duration) (next time.Duration, done bool, err error) {
		if p.start.at == 0 && now >= warm {
			p.start, err = p.mark()
			p.from, p.until = p.start.at, p.start.at+measure
		}
		if err == nil && !p.stopped && now >= p.until {
			p.stopped = true
			p.end, err = p.mark()
		}
		if err != nil {
			return 0, false, err
		}
		if p.stopped {
			end := p.until + p.timing.Drain
			return end, p.onTheWay == 0 || now >= end, nil
		}
		next = p.until
		if now < warm {
			next = warm
		}
		for every > 0 {
			due := began + time.Duration(tick)*every
			if due > now {
				return min(due, next), false, nil
			}
			p.behind = max(p.behind, now-due)
			if err := p.publish(tick%len(p.publishers), due); err != nil {
				return 0, false, err
			}
			tick++
		}
		return next, false, nil
	}
}

// tell fills the result with what lies between the marks.
func (p *play) tell(took time.Duration) error {
	r := p.result
	memory, err := proc.ReadMemory(p.pid)
	if err != nil {
		return err
	}
	r.Resident, r.Peak = memory.Resident, memory.Peak
	r.Seconds = took.Seconds()
	r.Publishes = p.end.published - p.start.published
	r.Deliveries = p.end.delivered - p.start.delivered
	if r.Deliveries == 0 {
		return errors.New("nothing was delivered while it was measured")
	}
	r.PerSecond = float64(r.Deliveries) / r.Seconds
	used := p.end.server.Since(p.start.server)
	r.UserCPU, r.SystemCPU = used.User.Seconds(), used.System.Seconds()
	r.GeneratorCPU = p.end.generator.Since(p.start.generator).Total().Seconds()
	gone := p.end.machine.Busy - p.start.machine.Busy + p.end.machine.Stolen - p.start.machine.Stolen
	whole := (p.end.at - p.start.at).Seconds() * float64(runtime.NumCPU())
	r.Others = max((gone-used.Total()).Seconds()-r.GeneratorCPU, 0) / whole
	r.Latency, r.Last = spread(&p.each), spread(&p.last)
	r.LatestPublish = milliseconds(int64(p.behind))
	return nil
}

func spread(h *stats.Histogram) Spread {
	return Spread{P50: milliseconds(h.Quantile(0.5)), P99: milliseconds(h.Quantile(0.99)), Max: milliseconds(h.Max())}
}

func milliseconds(nanoseconds int64) float64 { return float64(nanoseconds) / 1e6 }
