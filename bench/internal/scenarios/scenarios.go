// Package scenarios are the situations in which servers are measured, and how
// one is played with one server.
package scenarios

import (
	"time"

	"github.com/walkergate/walkergate/bench/internal/ledger"
	"github.com/walkergate/walkergate/bench/internal/servers"
)

// Kind is what a scenario does.
type Kind string

// The kinds.
const (
	Fanout Kind = "fan-out" // publishes to channels; a delivery is one message at one member
	Echo   Kind = "echo"    // requests over the socket; a delivery is one answer
	REST   Kind = "rest"    // requests over HTTP; a delivery is one answer
	Idle   Kind = "idle"    // connects and then does nothing
)

// Scenario is one situation.
type Scenario struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	Kind  Kind   `json:"kind"`

	Channels   int `json:"channels"`
	Members    int `json:"members"`    // of each channel; each is one connection
	Publishers int `json:"publishers"` // of each channel, who are members of it

	// Window is how many messages are on their way at any time: the next is
	// published when the last member got one. Rate is messages a second on a
	// fixed schedule, whatever the server does. One of them is set, but for Idle.
	Window int     `json:"window,omitempty"`
	Rate   float64 `json:"rate,omitempty"`

	Bytes int `json:"bytes"` // of a message
}

// Connections is how many it opens.
func (s Scenario) Connections() int { return s.Channels * s.Members }

// Suits reports whether a server can play it.
func (s Scenario) Suits(server servers.Server) bool {
	switch s.Kind {
	case REST:
		return server.REST != ""
	case Echo:
		return server.Dialect != nil && !server.NoEcho
	default:
		return server.Dialect != nil
	}
}

// All are the scenarios of a whole run.
func All() []Scenario {
	return []Scenario{
		fanout("fanout-1000-w1", "1 channel x 1000 members, window 1", 1, 1000, 1, 1),
		fanout("fanout-1000-w16", "1 channel x 1000 members, window 16 (4 publishers with 4 each)", 1, 1000, 4, 16),
		fanout("fanout-5000-w4", "1 channel x 5000 members, window 4 (4 publishers with 1 each)", 1, 5000, 4, 4),
		{
			Name: "rate-1000", Title: "1 channel x 1000 members, 20 messages a second on schedule", Kind: Fanout,
			Channels: 1, Members: 1000, Publishers: 1, Rate: 20, Bytes: 128,
		},
		fanout("channels-1000x5", "1000 channels x 5 members, 64 messages on their way", 1000, 5, 1, 64),
		requests("echo-64", "echo over the socket, 64 connections, one request each at a time", Echo),
		requests("rest-64", "echo by REST, 64 connections, one request each at a time", REST),
		{
			Name: "idle-10000", Title: "10,000 connections, 10 a channel, that then do nothing", Kind: Idle,
			Channels: 1000, Members: 10, Bytes: 128,
		},
	}
}

// Quick are the same with fewer connections, for a smoke run: they show that
// all works, and no figures to be compared.
func Quick() []Scenario {
	all := All()
	for i := range all {
		switch s := &all[i]; {
		case s.Kind == Idle:
			s.Name, s.Title, s.Channels = "idle-2000", "2,000 connections, 10 a channel, that then do nothing", 200
		case s.Members == 5000:
			s.Name, s.Title, s.Members = "fanout-2000-w4", "1 channel x 2000 members, window 4 (4 publishers with 1 each)", 2000
		case s.Channels == 1000:
			s.Name, s.Title, s.Channels = "channels-200x5", "200 channels x 5 members, 64 messages on their way", 200
		}
	}
	return all
}

func fanout(name, title string, channels, members, publishers, window int) Scenario {
	return Scenario{
		Name: name, Title: title, Kind: Fanout,
		Channels: channels, Members: members, Publishers: publishers, Window: window, Bytes: 128,
	}
}

func requests(name, title string, kind Kind) Scenario {
	return Scenario{Name: name, Title: title, Kind: kind, Channels: 64, Members: 1, Publishers: 1, Window: 64, Bytes: 128}
}

// Timing is how long the parts of a run take.
type Timing struct {
	Settle  time.Duration `json:"settle"`  // between the last join and the first message
	Warm    time.Duration `json:"warm"`    // traffic before the measurement
	Measure time.Duration `json:"measure"` // by windows
	Rate    time.Duration `json:"rate"`    // the same by schedule
	Drain   time.Duration `json:"drain"`   // at most, for what is still on its way
	Rest    time.Duration `json:"rest"`    // between the last idle connection and the look at memory
	Connect time.Duration `json:"connect"` // at most, for all to join
}

// Full is the timing of a whole run.
func Full() Timing {
	return Timing{
		Settle: 300 * time.Millisecond, Warm: 500 * time.Millisecond,
		Measure: 2500 * time.Millisecond, Rate: 4 * time.Second,
		Drain: 5 * time.Second, Rest: 3 * time.Second, Connect: 30 * time.Second,
	}
}

// Brief is that of a smoke run.
func Brief() Timing {
	t := Full()
	t.Warm, t.Measure, t.Rate, t.Rest = 100*time.Millisecond, 400*time.Millisecond, 500*time.Millisecond, 500*time.Millisecond
	return t
}

// Spread is what a histogram is told by, in milliseconds.
type Spread struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// Result is one scenario played with one server, once.
type Result struct {
	Scenario string `json:"scenario"`
	Server   string `json:"server"`
	Round    int    `json:"round"`

	// Failure is why the figures do not count, empty where they do.
	Failure string        `json:"failure,omitempty"`
	Wrong   ledger.Counts `json:"wrong"`

	Seconds       float64 `json:"seconds"` // of the measurement
	Publishes     uint64  `json:"publishes"`
	Deliveries    uint64  `json:"deliveries"`
	PerSecond     float64 `json:"per_second"` // deliveries; connects where Idle
	UserCPU       float64 `json:"user_cpu"`   // seconds of the server
	SystemCPU     float64 `json:"system_cpu"`
	GeneratorCPU  float64 `json:"generator_cpu"`  // seconds of this process meanwhile
	Others        float64 `json:"others"`         // the share of the machine that neither of both had meanwhile
	Latency       Spread  `json:"latency"`        // publish to each delivery
	Last          Spread  `json:"last"`           // publish to the last delivery
	LatestPublish float64 `json:"latest_publish"` // ms behind its schedule, counted in the latency

	Resident           int64   `json:"resident"` // bytes, at the end
	Peak               int64   `json:"peak"`
	BytesPerConnection float64 `json:"bytes_per_connection,omitempty"`
}

// Noisy is the share of the machine in others' hands above which a result is
// called noisy.
const Noisy = 0.05

// Units is what CPU seconds are divided by: million deliveries, or ten thousand
// connects.
func (r Result) Units(kind Kind) float64 {
	if kind == Idle {
		return float64(r.Deliveries) / 1e4
	}
	return float64(r.Deliveries) / 1e6
}
