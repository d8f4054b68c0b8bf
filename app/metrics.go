package app

import (
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/adaptor"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/walkergate/walkergate/auth"
	"github.com/walkergate/walkergate/specs"
	"github.com/walkergate/walkergate/walkers"
)

// metrics is what /metrics tells. Counts that packages keep themselves are
// read when asked for; only durations are gathered here.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
	walkers  *prometheus.HistogramVec
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "walkergate_http_request_seconds", Help: "Time to answer an HTTP request.",
			Buckets: prometheus.DefBuckets,
		}, []string{"method", "status"}),
		walkers: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "walkergate_walker_seconds", Help: "Time of a walker's run, by door and outcome.",
			Buckets: prometheus.DefBuckets,
		}, []string{"walker", "door", "code"}),
	}
	m.registry.MustRegister(m.requests, m.walkers,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) handler() fiber.Handler {
	return adaptor.HTTPHandler(promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
}

func (m *metrics) observeRequest(method string, status int, took time.Duration) {
	m.requests.WithLabelValues(knownMethod(method), strconv.Itoa(status)).Observe(took.Seconds())
}

// knownMethod keeps a client from growing the set of labels. What it gives is
// no part of the request, whose memory is used again while labels stay.
func knownMethod(method string) string {
	known, err := specs.ParseMethod(method)
	if err != nil || !known.IsHTTP() {
		return "other"
	}
	return known.HTTP()
}

// observeWalker takes the runs of walkers that exist: a client cannot grow the
// set of labels.
func (m *metrics) observeWalker(run walkers.Observation) {
	if run.Walker == "" {
		return
	}
	code := string(run.Code)
	switch {
	case run.Gone:
		code = "gone"
	case code == "":
		code = "ok"
	}
	m.walkers.WithLabelValues(run.Walker, string(run.Door), code).Observe(run.Duration.Seconds())
}

// collect registers the counts that the parts keep.
func (m *metrics) collect(a *App) {
	gauge := func(name, help string, read func() float64) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, read))
	}
	counter := func(name, help string, read func() float64) {
		m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, read))
	}
	clients, session := &a.gateway.Stats, a.session
	gauge("walkergate_connections", "Open sockets.", func() float64 { return float64(clients.Connections.Load()) })
	counter("walkergate_connections_opened_total", "Sockets opened.", func() float64 { return float64(clients.Opened.Load()) })
	counter("walkergate_connections_refused_total", "Upgrades refused for want of room.", func() float64 { return float64(clients.NoRoom.Load()) })
	counter("walkergate_frames_total", "Frames of clients.", func() float64 { return float64(clients.Frames.Load()) })
	counter("walkergate_frames_bad_total", "Frames that were not valid.", func() float64 { return float64(clients.BadFrames.Load()) })
	counter("walkergate_frames_refused_total", "Frames answered busy, rate_limited or forbidden.", func() float64 { return float64(clients.Refused.Load()) })
	counter("walkergate_connections_over_limits_total", "Sockets closed with 4429.", func() float64 { return float64(clients.OverLimits.Load()) })

	counter("walkergate_messages_in_total", "Messages read from sockets.", func() float64 { return float64(session.FramesIn.Load()) })
	counter("walkergate_messages_out_total", "Messages handed to sockets.", func() float64 { return float64(session.FramesOut.Load()) })
	counter("walkergate_bytes_in_total", "Bytes read from sockets.", func() float64 { return float64(session.BytesIn.Load()) })
	counter("walkergate_bytes_out_total", "Bytes written to sockets.", func() float64 { return float64(session.BytesOut.Load()) })
	gauge("walkergate_queued_bytes", "Bytes that wait for slow clients.", func() float64 { return float64(session.QueuedBytes.Load()) })
	counter("walkergate_connections_slow_total", "Sockets closed with 1013.", func() float64 { return float64(session.SlowClosed.Load()) })
	counter("walkergate_connections_silent_total", "Sockets closed with 4408.", func() float64 { return float64(session.HeartbeatClosed.Load()) })

	gauge("walkergate_users", "Users with an open socket.", func() float64 { return float64(a.notify.Stats().Users) })
	gauge("walkergate_channels", "Channels with a member.", func() float64 { return float64(a.notify.Stats().Channels) })
	counter("walkergate_notifies_total", "Notifies sent.", func() float64 { return float64(a.notify.Stats().Notifies) })
	counter("walkergate_deliveries_total", "Messages handed to receivers.", func() float64 { return float64(a.notify.Stats().Deliveries) })
	a.collectIssuers()
	gauge("walkergate_walkers_abandoned", "Runs that went on past their deadline.", func() float64 {
		abandoned := 0
		for _, load := range a.runner.Loads() {
			abandoned += load.Abandoned
		}
		return float64(abandoned)
	})
}

// collectIssuers registers what there is to tell of each issuer that the
// settings name: no client can grow the set of labels.
func (a *App) collectIssuers() {
	for _, issuer := range a.auth.IssuerKeys() {
		gauge := func(name, help string, read func(auth.IssuerKeys) float64) {
			options := prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: prometheus.Labels{"issuer": issuer.Issuer}}
			a.metrics.registry.MustRegister(prometheus.NewGaugeFunc(options, func() float64 {
				for _, now := range a.auth.IssuerKeys() {
					if now.Issuer == issuer.Issuer {
						return read(now)
					}
				}
				return 0
			}))
		}
		gauge("walkergate_issuer_keys", "Keys of an issuer in use.",
			func(keys auth.IssuerKeys) float64 { return float64(keys.Count) })
		gauge("walkergate_issuer_keys_read_timestamp_seconds", "When the keys of an issuer were last read; 0 before they came.",
			func(keys auth.IssuerKeys) float64 {
				if keys.ReadAt.IsZero() {
					return 0
				}
				return float64(keys.ReadAt.Unix())
			})
	}
}
