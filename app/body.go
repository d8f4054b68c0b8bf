package app

import (
	"bytes"
	"io"
	"log/slog"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/walkergate/walkergate/fault"
)

// ahead is how much of an announced body is set aside before it arrives.
const ahead = 8 << 10

// refuseLongBodies makes the server answer for a body that is announced too
// long at once, and not wait for the beginning of it. What the server does for
// those who ask before they send (Expect: 100-continue) it does here for those
// who should have asked.
func (a *App) refuseLongBodies(server *fasthttp.Server) {
	const expect = "100-continue"
	server.HeaderReceived = func(header *fasthttp.RequestHeader) fasthttp.RequestConfig {
		if header.ContentLength() > a.config.MaxBodyBytes {
			header.Set(fiber.HeaderExpect, expect)
		}
		return fasthttp.RequestConfig{} // the server's own settings
	}
	server.ExpectHandler = func(ctx *fasthttp.RequestCtx) int {
		if ctx.Request.Header.ContentLength() <= a.config.MaxBodyBytes {
			return fiber.StatusContinue
		}
		a.refuse(ctx, errLongBody)
		return errLongBody.Code.Status()
	}
}

// refuse answers a request that Fiber does not get to see.
func (a *App) refuse(ctx *fasthttp.RequestCtx, failure *fault.Error) {
	c := a.server.AcquireCtx(ctx)
	defer a.server.ReleaseCtx(c)
	if err := a.fail(c, unread(c, failure)); err != nil {
		a.log.Error("request was not answered", slog.Any("error", err))
	}
}

// unread closes the connection behind the answer: where a body was not read to
// its end nobody knows where the next request begins.
func unread(c *fiber.Ctx, failure *fault.Error) error {
	c.Response().SetConnectionClose()
	return failure
}

var errLongBody = fault.New(fault.TooLarge, "the body is too large")

// readBody reads the body as it arrives, up to MAX_BODY_BYTES. The server
// itself would set aside all that a client announces: sixty bytes of a request
// would take 4 MiB for as long as its READ_TIMEOUT.
func (a *App) readBody(c *fiber.Ctx) error {
	if !c.Request().IsBodyStream() {
		return c.Next()
	}
	limit, announced := int64(a.config.MaxBodyBytes), c.Request().Header.ContentLength() // negative for chunks
	var body bytes.Buffer
	body.Grow(min(max(announced, 0), ahead) + bytes.MinRead)
	n, err := body.ReadFrom(io.LimitReader(c.Context().RequestBodyStream(), limit+1))
	switch {
	case err != nil:
		return unread(c, fault.New(fault.BadFrame, "the request is not valid, or did not arrive in time").Because(err))
	case n > limit:
		return unread(c, errLongBody)
	case n < int64(announced):
		return unread(c, fault.New(fault.BadFrame, "the body ended early"))
	}
	c.Request().SetBodyRaw(body.Bytes())
	return c.Next()
}
