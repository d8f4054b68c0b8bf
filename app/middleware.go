package app

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/cors"
	"github.com/valyala/fasthttp"

	"github.com/walkergate/walkergate/fault"
)

const (
	headerRequestID   = "X-Request-Id"
	maxRequestID      = 64
	localRequestID    = "request_id"
	preflightLifetime = 10 * time.Minute
)

// identify gives each request an id.
func identify(c *fiber.Ctx) error {
	name(c)
	return c.Next()
}

// name gives a request its id: its own where it brought a plain one.
func name(c *fiber.Ctx) {
	id := strings.Clone(c.Get(headerRequestID))
	if !plainID(id) {
		var random [12]byte
		_, _ = rand.Read(random[:]) // never fails: crypto/rand ends the process instead
		id = hex.EncodeToString(random[:])
	}
	c.Locals(localRequestID, id)
	c.Set(headerRequestID, id)
}

func plainID(id string) bool {
	if id == "" || len(id) > maxRequestID {
		return false
	}
	for _, r := range id {
		plain := r == '-' || r == '_' || r == '.' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
		if !plain {
			return false
		}
	}
	return true
}

func requestID(c *fiber.Ctx) string {
	id, _ := c.Locals(localRequestID).(string)
	return id
}

// observe logs and counts each request once it is answered.
func (a *App) observe(c *fiber.Ctx) error {
	begun := time.Now()
	err := a.recovering(c)
	if err != nil {
		err = a.fail(c, err)
	}
	status := c.Response().StatusCode()
	a.metrics.observeRequest(c.Method(), status, time.Since(begun))
	if a.log.Enabled(c.Context(), slog.LevelDebug) {
		a.log.Debug("request", slog.String("request_id", requestID(c)), slog.String("method", c.Method()),
			slog.String("route", a.routeOf(c)), slog.Int("status", status), slog.Duration("took", time.Since(begun)),
			slog.String("remote", a.proxies.client(c).String()))
	}
	return err
}

// routeOf is where a request arrived, by the name that the house has for it.
// What the client wrote there is not for the log: a query may hold a token, and
// a path a node or a field of a context.
func (a *App) routeOf(c *fiber.Ctx) string {
	route := c.Route().Path
	if below, byName := strings.CutPrefix(route, "/walker/:name"); byName {
		if described, known := a.runner.Walker(c.Params("name")); known {
			return "/walker/" + described.Name + below
		}
	}
	return route
}

// recovering turns a panic of a handler into an error that is logged with its
// stack and tells the client nothing.
func (a *App) recovering(c *fiber.Ctx) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = fmt.Errorf("panic: %v\n%s", value, debug.Stack())
		}
	}()
	return c.Next()
}

// crossOrigin lets the pages of allowed origins call. Credentials in the sense
// of CORS are cookies, which nothing here rides on.
func (a *App) crossOrigin() fiber.Handler {
	return cors.New(cors.Config{
		AllowOriginsFunc: func(origin string) bool { return a.origins.all || a.origins.listed[strings.ToLower(origin)] },
		AllowMethods:     "GET,POST,PUT,PATCH,DELETE,HEAD,OPTIONS",
		AllowHeaders:     "Authorization,Content-Type,X-Request-Id",
		ExposeHeaders:    headerRequestID + ",Retry-After",
		MaxAge:           int(preflightLifetime / time.Second),
	})
}

// plainFraming refuses requests whose end, or whose headers, a proxy in front
// may see elsewhere: with two lengths of one body, with folded lines, and with
// spaces within a header's name. What follows on such a connection cannot be
// trusted to be a request.
func plainFraming(c *fiber.Ctx) error {
	var length, coding, torn bool
	for line := range bytes.Lines(c.Request().Header.RawHeaders()) {
		name, _, _ := bytes.Cut(line, []byte{':'})
		length = length || bytes.EqualFold(name, []byte(fiber.HeaderContentLength))
		coding = coding || bytes.EqualFold(name, []byte(fiber.HeaderTransferEncoding))
		torn = torn || bytes.ContainsAny(name, " \t")
	}
	if torn || length && coding {
		return unread(c, fault.New(fault.BadFrame, "the request is not valid"))
	}
	return c.Next()
}

// knownMethods answers requests of methods that HTTP does not know, which
// Fiber would do in its own words.
func (a *App) knownMethods(next fasthttp.RequestHandler) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		if slices.Contains(fiber.DefaultMethods, string(ctx.Method())) {
			next(ctx)
			return
		}
		a.refuse(ctx, fault.New(fault.BadFrame, "there is no such method"))
	}
}

// plainBody refuses bodies that would have to be unpacked: the limits hold for
// what arrives, and nothing may grow behind them.
func plainBody(c *fiber.Ctx) error {
	if encoding := c.Get(fiber.HeaderContentEncoding); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return fault.New(fault.InvalidContext, "compressed bodies are not taken")
	}
	return c.Next()
}
