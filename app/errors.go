package app

import (
	"errors"
	"log/slog"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/walkergate/walkergate/fault"
	"github.com/walkergate/walkergate/wire"
)

// fail answers a request with the error object. Faults that nobody has logged
// yet are logged here, under the reference that the client sees.
func (a *App) fail(c *fiber.Ctx, err error) error {
	failure := toFault(err)
	if requestID(c) == "" {
		name(c) // it was refused before the middleware
	}
	if c.Method() == fiber.MethodOptions && failure.Code == fault.MethodNotAllowed {
		return c.SendStatus(fiber.StatusNoContent) // the answer is the list in Allow
	}
	if failure.Code == fault.Internal && !errors.As(err, new(*fault.Error)) {
		a.log.Error("request failed", slog.String("ref", failure.Ref),
			slog.String("request_id", requestID(c)), slog.Any("error", err))
	}
	switch failure.Code {
	case fault.Unauthenticated:
		c.Set(fiber.HeaderWWWAuthenticate, `Bearer`)
	case fault.TokenInvalid:
		c.Set(fiber.HeaderWWWAuthenticate, `Bearer error="invalid_token"`)
	}
	return writeJSON(c, failure.Code.Status(), wire.ErrorBody(failure))
}

// toFault also knows the errors of Fiber and fasthttp themselves.
func toFault(err error) *fault.Error {
	var ofFiber *fiber.Error
	switch {
	case errors.As(err, new(*fault.Error)):
		return fault.From(err)
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		return fault.New(fault.TooLarge, "the body is too large").Because(err)
	case errors.As(err, &ofFiber):
		return ofStatus(ofFiber)
	}
	return fault.From(err)
}

func ofStatus(err *fiber.Error) *fault.Error {
	switch err.Code {
	case fiber.StatusNotFound:
		return fault.New(fault.NotFound, "there is nothing here").Because(err)
	case fiber.StatusMethodNotAllowed:
		return fault.New(fault.MethodNotAllowed, "this method is not allowed here").Because(err)
	case fiber.StatusRequestEntityTooLarge:
		return fault.New(fault.TooLarge, "the body is too large").Because(err)
	case fiber.StatusRequestHeaderFieldsTooLarge:
		return fault.New(fault.TooLarge, "the headers are too large").Because(err)
	case fiber.StatusRequestTimeout:
		// The client's own doing. Fiber also takes any malformed header for this
		// that holds the word.
		return fault.New(fault.BadFrame, "the request is not valid, or did not arrive in time").Because(err)
	case fiber.StatusBadRequest, fiber.StatusUpgradeRequired, fiber.StatusBadGateway: // the last: the connection broke
		return fault.New(fault.BadFrame, "the request is not valid").Because(err)
	}
	return fault.From(error(err))
}

func writeJSON(c *fiber.Ctx, status int, body []byte) error {
	c.Set(fiber.HeaderContentType, fiber.MIMEApplicationJSON)
	return c.Status(status).Send(body)
}
