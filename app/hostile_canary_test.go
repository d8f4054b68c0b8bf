//go:build linux

package app_test

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/walkergate/walkergate/internal/testkit"
)

const (
	canaryPace = time.Millisecond
	// canaryRest and canaryLongRest are how many echoes make a quiet time between
	// two attacks, and before a long one.
	canaryRest     = 60
	canaryLongRest = 1000
)

// canary is a client that does nothing wrong: it calls echo a thousand times a
// second and waits for each answer. What it has to wait longer than it should
// counts against the echoes that it could not send meanwhile as well.
type canary struct {
	t    *testing.T
	s    *testkit.Socket
	stop chan struct{}
	done sync.WaitGroup

	mu      sync.Mutex
	phase   string // what is under way: an attack, quietTime, or nothing that counts
	echoes  int
	resting chan struct{} // closed when echoes reaches restEnds
	ends    int
	samples map[string][]time.Duration
	failure error
}

const quietTime = "quiet"

func releaseCanary(t *testing.T, g *testkit.Gateway) *canary {
	t.Helper()
	c := &canary{t: t, s: g.Dial(t, "", ""), stop: make(chan struct{}), samples: make(map[string][]time.Duration)}
	c.done.Go(c.sing)
	return c
}

func (c *canary) sing() {
	wake := time.NewTimer(0)
	defer wake.Stop()
	due := time.Now()
	for n := 0; ; n++ {
		begun := due
		if wait := time.Until(due); wait > 0 {
			wake.Reset(wait)
			select {
			case <-wake.C:
			case <-c.stop:
				return
			}
			begun = time.Now() // that a timer is late is not the gateway's doing
		} else {
			select {
			case <-c.stop:
				return
			default:
			}
		}
		phase := c.at()
		err := c.echo(n)
		if !c.heard(phase, time.Since(begun), err) {
			return
		}
		due = due.Add(canaryPace)
		if phase != c.at() {
			due = time.Now().Add(canaryPace) // what was late is not counted into another phase
		}
	}
}

func (c *canary) echo(n int) error {
	ask := fmt.Sprintf(`{"type":"walker","id":"%d","walker":"echo","context":{"value":%d}}`, n, n)
	if err := c.s.SendText([]byte(ask)); err != nil {
		return fmt.Errorf("echo %d: %w", n, err)
	}
	text, err := c.s.Read(time.Now().Add(testkit.Patience))
	if err != nil {
		return fmt.Errorf("echo %d: %w", n, err)
	}
	if want := fmt.Sprintf(`{"type":"reply","id":"%d","ok":true,"status":200,"reports":[%d]}`, n, n); string(text) != want {
		return fmt.Errorf("echo %d was answered %s", n, text)
	}
	return nil
}

func (c *canary) at() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.phase
}

// heard notes an echo and reports whether to go on.
func (c *canary) heard(phase string, took time.Duration, err error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.failure = err
	} else {
		c.echoes++
		if phase != "" {
			c.samples[phase] = append(c.samples[phase], took)
		}
	}
	if c.resting != nil && (err != nil || c.echoes >= c.ends) {
		close(c.resting)
		c.resting = nil
	}
	return err == nil
}

// quiet lets the canary echo so many times with nothing beside it.
func (c *canary) quiet(echoes int) {
	if c == nil {
		return
	}
	rested := make(chan struct{})
	c.mu.Lock()
	if c.failure != nil {
		c.mu.Unlock()
		return
	}
	c.phase, c.ends, c.resting = quietTime, c.echoes+echoes, rested
	c.mu.Unlock()
	testkit.Soon(c.t, "the canary to rest", rested)
	c.leave()
}

func (c *canary) enter(phase string) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.phase = phase
}

func (c *canary) leave() { c.enter("") }

// of tells how the canary fared.
func (c *canary) of(phase string) string {
	if c == nil {
		return ""
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	samples := c.samples[phase]
	if len(samples) == 0 {
		return ", no echo"
	}
	return fmt.Sprintf(", %d echoes, p50 %s, p99 %s, worst %s", len(samples), quantile(samples, 50), quantile(samples, 99), slices.Max(samples))
}

// catch ends the canary and demands that no echo was lost.
func (c *canary) catch() {
	c.t.Helper()
	close(c.stop)
	c.done.Wait()
	if c.failure != nil {
		c.t.Errorf("the canary: %v", c.failure)
		return
	}
	c.s.Hang()
}

// harried gives the canary's p99 under attack since it was last asked, and what
// is allowed after that of the quiet between.
func (c *canary) harried() (p99, bound time.Duration) {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	quiet := c.samples[quietTime]
	delete(c.samples, quietTime)
	attacked := slices.Concat(slices.Collect(maps.Values(c.samples))...)
	clear(c.samples)
	if len(quiet) == 0 || len(attacked) == 0 {
		c.t.Errorf("the canary echoed %d times in quiet, %d times under attack", len(quiet), len(attacked))
		return 0, 0
	}
	calm, p99 := quantile(quiet, 99), quantile(attacked, 99)
	c.t.Logf("the canary: %d echoes in quiet, p50 %s, p99 %s; %d under attack, p50 %s, p99 %s, worst %s",
		len(quiet), quantile(quiet, 50), calm, len(attacked), quantile(attacked, 50), p99, slices.Max(attacked))
	return p99, max(2*calm, hostileFloor)
}

// quantile is the sample that so many in a hundred do not pass.
func quantile(samples []time.Duration, percent int) time.Duration {
	sorted := slices.Sorted(slices.Values(samples))
	return sorted[min(len(sorted)-1, len(sorted)*percent/100)].Round(time.Microsecond)
}
