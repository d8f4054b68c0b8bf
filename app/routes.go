package app

import (
	"log/slog"
	"net/http"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/filesystem"

	"github.com/walkergate/walkergate/app/console"
	"github.com/walkergate/walkergate/specs"
)

// routes is the map of the house: every path that the gateway answers.
func (a *App) routes() *fiber.App {
	server := fiber.New(fiber.Config{
		DisableStartupMessage: true,
		CaseSensitive:         true,
		BodyLimit:             a.config.MaxBodyBytes,
		StreamRequestBody:     true, // readBody reads it
		ReadBufferSize:        a.config.MaxHeaderBytes,
		ReadTimeout:           a.config.ReadTimeout,
		WriteTimeout:          a.config.ReadTimeout,
		IdleTimeout:           2 * a.config.ReadTimeout,
		ErrorHandler:          a.fail,
		// Multipart bodies are read where a walker asks for files, not before
		// it is known who asks.
		DisablePreParseMultipartForm: true,
	})
	// The session takes connections over and closes them itself.
	server.Server().KeepHijackedConns = true
	server.Server().ConnState = a.connState
	server.Server().Logger = serverLog{a.log}
	a.refuseLongBodies(server.Server())

	server.Use(identify, a.observe, plainFraming, a.readBody, a.crossOrigin(), plainBody)

	server.Get("/healthz", a.healthz)
	server.Get("/readyz", a.readyz)
	server.Get("/metrics", a.metrics.handler())
	server.Get("/openapi.json", a.openAPI())
	server.Get("/websocket", a.upgrade)

	server.Post("/user/register", a.register)
	server.Post("/user/login", a.login)
	server.Post("/user/refresh", a.refresh)
	server.Post("/user/logout", a.logout)
	server.Post("/user/change_password", a.changePassword)
	server.Get("/user/me", a.me)
	server.Delete("/user/me", a.deleteMe)

	a.mountWalkers(server)
	a.mountConsole(server)

	return server
}

// mountConsole serves the embedded page. Its policy lets it load and call
// nothing but this gateway.
func (a *App) mountConsole(server *fiber.App) {
	// Each place has a handler of its own: the library keeps the prefix of the
	// first place that it serves.
	files := func() fiber.Handler {
		return filesystem.New(filesystem.Config{Root: http.FS(console.Files()), Index: "index.html", ContentTypeCharset: "utf-8"})
	}
	guard := func(c *fiber.Ctx) error {
		c.Set(fiber.HeaderContentSecurityPolicy, "default-src 'self'; connect-src 'self' ws: wss:; frame-ancestors 'none'; base-uri 'none'")
		c.Set(fiber.HeaderXContentTypeOptions, "nosniff")
		c.Set(fiber.HeaderReferrerPolicy, "no-referrer")
		c.Set(fiber.HeaderCacheControl, "no-cache")
		return c.Next()
	}
	server.Get("/", guard, files())
	server.Use("/console", guard, files())
}

// openAPI writes the document once: walkers do not change after the start.
func (a *App) openAPI() fiber.Handler {
	document, err := specs.OpenAPI(specs.Info{Title: "walkergate", Version: "1"}, a.runner.Walkers())
	return func(c *fiber.Ctx) error {
		if err != nil {
			return err
		}
		return writeJSON(c, fiber.StatusOK, document)
	}
}

// serverLog is where the HTTP server tells of broken connections: a client's
// business, so debug.
type serverLog struct{ log *slog.Logger }

// Printf is what fasthttp calls. Its text may hold parts of a request, so only
// the fact is logged.
func (l serverLog) Printf(string, ...any) { l.log.Debug("http connection failed") }
