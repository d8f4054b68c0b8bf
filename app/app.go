// Package app wires the parts into one program: Fiber's routes and middleware,
// the REST door, the WebSocket handshake, health and metrics, and the order in
// which all of it starts and stops. No file of it decides anything that could
// be decided without HTTP.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/walkergate/walkergate/auth"
	"github.com/walkergate/walkergate/gateway"
	"github.com/walkergate/walkergate/notify"
	"github.com/walkergate/walkergate/socket"
	"github.com/walkergate/walkergate/store"
	"github.com/walkergate/walkergate/walkers"
	"github.com/walkergate/walkergate/walkers/builtin"
)

// App is one gateway process. New builds it, Run serves until its context
// ends; an App that is never run is closed by Close.
type App struct {
	config Config
	log    *slog.Logger
	among  company

	store   store.Store
	auth    *auth.Service
	notify  *notify.Manager
	runner  *walkers.Runner
	gateway *gateway.Gateway
	heart   *socket.Heart
	session *socket.Stats
	origins origins
	proxies proxies
	tries   passwordTries
	metrics *metrics

	base        context.Context // of requests; ends when the time to stop is over
	endRequests context.CancelFunc

	server    *fiber.App
	listeners []net.Listener
	upgrading sync.Map    // of net.Conn to *gateway.Place: answered and not yet taken over
	entered   atomic.Bool // let in among the nodes; before it no client is
	stopping  atomic.Bool
}

// New opens the store, checks every setting and every walker's spec, and binds
// the addresses: what can be wrong is wrong here. The registry belongs to the
// App from now on. A nil log discards.
func New(config Config, registry *walkers.Registry, log *slog.Logger) (*App, error) {
	return newAmong(company{}, config, registry, log)
}

// company is who an App shares its store with. The zero value is nobody: the
// App opens the store that the settings name.
type company struct {
	store store.Store
	bus   notify.Bus // to the others; nil where there are none
}

func newAmong(among company, config Config, registry *walkers.Registry, log *slog.Logger) (*App, error) {
	config = config.withDefaults()
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("settings: %w", err)
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if registry == nil {
		registry = walkers.NewRegistry()
	}
	if len(registry.Channels()) > 0 {
		return nil, errors.New("channels: a policy is declared, and no door asks it yet")
	}
	a := &App{config: config, log: log, among: among, session: &socket.Stats{}, origins: newOrigins(config.AllowOrigins)}
	a.base, a.endRequests = context.WithCancel(context.Background())
	a.proxies, a.tries = newProxies(config.TrustedProxies), newPasswordTries(config)
	if err := a.build(registry); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

// build makes all parts. What can be found wrong without touching the disk is
// looked for first.
func (a *App) build(registry *walkers.Registry) error {
	err := registry.Check()
	if err != nil {
		return fmt.Errorf("walkers: %w", err)
	}
	if a.listeners, err = listen(a.config, a.log); err != nil {
		return err
	}
	opened, err := a.openStore()
	if err != nil {
		return fmt.Errorf("open store: %w", err)
	}
	a.store = opened
	secret, err := a.secret()
	if err != nil {
		return fmt.Errorf("token secret: %w", err)
	}
	issuers, _ := auth.ParseIssuers(a.config.AuthIssuers) // Validate has told what is wrong with them
	a.auth, err = auth.New(a.base, a.store, auth.Options{
		Secret: secret, TokenTTL: a.config.TokenTTL, Issuers: issuers, ArgonParallel: a.config.ArgonAtOnce, Log: a.log,
	})
	if err != nil {
		return fmt.Errorf("auth: %w", err)
	}
	a.notify = notify.New(notify.Options{NodeID: gateway.NewNodeID(), Store: a.store, Lease: a.config.NodeLease, Bus: a.among.bus, Log: a.log})
	a.metrics = newMetrics()
	if a.config.BuiltinWalkers {
		builtin.Register(registry, a.auth)
	}
	a.runner, err = registry.Runner(walkers.Options{
		Notifier: a.notify, UsersReady: a.auth.Ready, AtOnce: a.config.MaxWalkers, Timeout: a.config.WalkerTimeout, Log: a.log, Observe: a.metrics.observeWalker,
	})
	if err != nil {
		return fmt.Errorf("walkers: %w", err)
	}
	a.heart = socket.NewHeart(a.config.PingInterval, a.config.DeadAfter)
	a.gateway = gateway.New(gateway.Options{
		ExpiryCloses: a.config.AuthExpiry == expiryCloses,
		Auth:         a.auth, Runner: a.runner, Notify: a.notify, Publish: a.config.PublishPolicy, Log: a.log,
		Limits: gateway.Limits{
			Connections: a.config.MaxConnections, ConnectionsPerUser: a.config.MaxConnectionsPerUser,
			ConnectionsPerAddress: a.config.MaxConnectionsPerAddress, WaitingFrames: a.config.WaitingFrames,
			FramesPerSecond: float64(a.config.FrameRate), FrameBurst: a.config.FrameBurst,
		},
		Session: socket.Options{
			MaxMessage: a.config.MaxFrameBytes, QueueBytes: a.config.QueueBytes, WriteTimeout: a.config.WriteTimeout,
			Heart: a.heart, Stats: a.session, Log: a.log,
		},
	})
	a.metrics.collect(a)
	a.server = a.routes()
	return nil
}

// secret is the configured one or, without, the one kept beside the data.
func (a *App) secret() ([]byte, error) {
	if a.config.TokenSecret != "" {
		return []byte(a.config.TokenSecret), nil
	}
	secret, created, err := auth.LoadOrCreateSecret(a.config.DataDir)
	if created {
		a.log.Warn("TOKEN_SECRET is not set: a secret was made and is kept beside the data",
			slog.String("data_dir", a.config.DataDir))
	}
	return secret, err
}

// Addresses are where the App listens.
func (a *App) Addresses() []net.Addr {
	addresses := make([]net.Addr, len(a.listeners))
	for i, listener := range a.listeners {
		addresses[i] = listener.Addr()
	}
	return addresses
}

// URL is where a browser on this machine finds the App.
func (a *App) URL() string {
	scheme := "http://"
	if a.config.TLSCert != "" {
		scheme = "https://"
	}
	address := a.listeners[0].Addr().(*net.TCPAddr)
	host := address.IP.String()
	if a.config.Host == "localhost" || address.IP.IsUnspecified() {
		host = "localhost"
	}
	return scheme + net.JoinHostPort(host, fmt.Sprint(address.Port))
}

// Registry gives the metrics of this App, for programs that add their own.
func (a *App) Registry() *prometheus.Registry { return a.metrics.registry }

// Run serves until ctx ends, then stops in order and within ShutdownTimeout:
// no new work is let in, clients are sent away with "come back" once their
// walkers have ended, records are cleared, the store is closed. It returns nil
// after such a stop. Before it serves it enters the node among those that use
// the same store, which takes NODE_LEASE where one of them has died, and is
// notify.ErrNotAlone where one lives that this one cannot reach. It is called
// once.
func (a *App) Run(ctx context.Context) error {
	working, stopWorking := context.WithCancel(context.Background())
	defer stopWorking()
	var background sync.WaitGroup
	failed := make(chan error, 1+len(a.listeners))
	entered := make(chan struct{})
	background.Go(func() { a.auth.Run(working) })
	background.Go(func() { a.takePart(working, entered, failed) })
	// Most stores let a node in at once, and then no client finds a node that
	// is not ready. Where it takes long, probes want an answer meanwhile.
	select {
	case <-entered:
	case <-time.After(entryPatience):
	case <-ctx.Done():
	}
	handler := a.server.Handler() // also starts Fiber's routing
	a.server.Server().Handler = a.knownMethods(handler)
	for _, listener := range a.listeners {
		background.Go(func() {
			if err := a.server.Server().Serve(listener); err != nil {
				failed <- fmt.Errorf("serve: %w", err)
			}
		})
	}
	a.log.Info("listening", slog.String("url", a.URL()))

	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	err = errors.Join(err, a.stop())
	stopWorking()
	background.Wait()
	return errors.Join(err, a.Close())
}

// entryPatience is how long Run waits to be let in before it serves as a node
// that is not ready.
const entryPatience = 250 * time.Millisecond

// takePart enters the node among those that share the store, before the first
// client is let in, since messages between nodes that do not know of each
// other would be lost in silence; then it keeps the records until ctx ends.
func (a *App) takePart(ctx context.Context, entered chan<- struct{}, failed chan<- error) {
	if err := a.notify.Enter(ctx); err != nil {
		if ctx.Err() == nil {
			failed <- err
		}
		return
	}
	a.entered.Store(true)
	close(entered)
	err := a.notify.Run(ctx)
	switch {
	case errors.Is(err, notify.ErrNotAlone):
		failed <- err
	case err != nil:
		a.log.Warn("records of connections were not cleared", slog.Any("error", err))
	}
}

// stop ends the work of clients and walkers. A deadline that passes is told in
// the log and is no failure: the stop was carried out.
func (a *App) stop() error {
	a.stopping.Store(true)
	a.log.Info("stopping")
	ctx, cancel := context.WithTimeout(context.Background(), a.config.ShutdownTimeout)
	defer cancel()
	var stopping sync.WaitGroup
	stopping.Go(func() {
		if err := a.gateway.Close(ctx); err != nil {
			a.log.Warn("clients were cut off", slog.Any("error", err))
		}
	})
	var err error
	if err = a.server.Server().ShutdownWithContext(ctx); errors.Is(err, context.DeadlineExceeded) {
		a.log.Warn("requests were cut off")
		err = nil
	}
	stopping.Wait()
	a.endRequests()
	if runErr := a.runner.Close(ctx); runErr != nil {
		a.log.Warn("walkers were abandoned", slog.Any("error", runErr))
	}
	return err
}

// Close lets go of what New took. After Run it has been done already; again
// does nothing.
func (a *App) Close() error {
	a.endRequests()
	closeAll(a.listeners)
	a.listeners = nil
	if a.heart != nil {
		a.heart.Close()
		a.heart = nil
	}
	if a.store == nil {
		return nil
	}
	err := a.store.Close()
	a.store = nil
	return err
}
