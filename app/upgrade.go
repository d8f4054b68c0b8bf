package app

import (
	"encoding/base64"
	"errors"
	"log/slog"
	"net"
	"os"
	"strings"
	"time"

	"github.com/gofiber/contrib/websocket"
	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/walkergate/walkergate/auth"
	"github.com/walkergate/walkergate/fault"
	"github.com/walkergate/walkergate/gateway"
)

// upgrade answers GET /websocket. Whatever can be refused is refused before
// the upgrade; whatever is needed of the request is copied before it, since
// Fiber uses its memory again.
func (a *App) upgrade(c *fiber.Ctx) error {
	if err := checkHandshake(c); err != nil {
		return err
	}
	if !a.origins.allow(c.Get(fiber.HeaderOrigin), a.proxies.host(c)) {
		return fault.New(fault.Forbidden, "pages of this origin may not connect")
	}
	arrival, err := a.arrival(c)
	if err != nil {
		return err
	}
	if !a.entered.Load() {
		return errNotEntered
	}
	if a.stopping.Load() {
		return fault.New(fault.Busy, "the gateway is going away")
	}
	place, err := a.gateway.Reserve(arrival)
	if err != nil {
		return err
	}
	// Where the answer cannot be written the library never calls back; then the
	// server tells of the connection's end.
	raw := c.Context().Conn()
	a.upgrading.Store(raw, place)
	err = websocket.New(func(conn *websocket.Conn) {
		a.upgrading.Delete(raw)
		a.takeOver(conn, place, arrival.RequestID)
	}, websocket.Config{RecoverHandler: a.recoverUpgrade})(c)
	if err != nil {
		a.upgrading.Delete(raw)
		place.Release()
	}
	return err
}

// connState is told by the HTTP server what becomes of its connections.
func (a *App) connState(conn net.Conn, state fasthttp.ConnState) {
	if state != fasthttp.StateClosed {
		return
	}
	if place, upgrading := a.upgrading.LoadAndDelete(conn); upgrading {
		place.(*gateway.Place).Release()
	}
}

// checkHandshake is RFC 6455, 4.2.1, which the library leaves to us in part.
func checkHandshake(c *fiber.Ctx) error {
	if !headerHas(c, fiber.HeaderConnection, "upgrade") || !headerHas(c, fiber.HeaderUpgrade, "websocket") {
		return fault.New(fault.BadFrame, "expected a WebSocket upgrade")
	}
	if c.Get(fiber.HeaderSecWebSocketVersion) != "13" {
		c.Set(fiber.HeaderSecWebSocketVersion, "13")
		return fault.New(fault.BadFrame, "expected version 13 of the WebSocket protocol")
	}
	key, err := base64.StdEncoding.DecodeString(c.Get(fiber.HeaderSecWebSocketKey))
	if err != nil || len(key) != 16 {
		return fault.New(fault.BadFrame, "Sec-WebSocket-Key is not valid")
	}
	return nil
}

func headerHas(c *fiber.Ctx, header, token string) bool {
	for part := range strings.SplitSeq(c.Get(header), ",") {
		if strings.EqualFold(strings.TrimSpace(part), token) {
			return true
		}
	}
	return false
}

// arrival copies what is needed of the request. Of several credentials the
// token in the URL comes before the header; a bad one is not mended by
// another.
func (a *App) arrival(c *fiber.Ctx) (gateway.Arrival, error) {
	arrival := gateway.Arrival{
		Principal: auth.Public(), RequestID: requestID(c), Address: a.proxies.client(c),
	}
	for _, id := range c.Context().QueryArgs().PeekMulti("channel_id") {
		arrival.ChannelIDs = append(arrival.ChannelIDs, string(id))
	}
	token := firstOf(c.Query("token"), c.Query("auth"), c.Get(fiber.HeaderAuthorization))
	if token == "" {
		return arrival, nil
	}
	principal, err := a.auth.Authenticate(a.base, strings.Clone(token))
	if err == nil {
		arrival.Principal = principal
		return arrival, nil
	}
	if bool(a.config.AuthStrict) || !fault.Is(err, fault.TokenInvalid) {
		return arrival, err
	}
	arrival.AuthError = auth.RefusalOf(err)
	return arrival, nil
}

func firstOf(values ...string) string {
	for _, value := range values {
		if value != "" {
			return value
		}
	}
	return ""
}

// takeOver takes the raw connection out of the library's hands, with what was
// already read of it. The handler then returns, and with it everything pooled.
func (a *App) takeOver(upgraded *websocket.Conn, place *gateway.Place, requestID string) {
	defer place.Release() // for a panic too; where it was taken nothing is left to release
	raw, head, err := detach(upgraded)
	if err == nil && place.Open(raw, head) {
		return
	}
	a.log.Debug("connection was lost while it was taken over",
		slog.String("request_id", requestID), slog.Any("error", err))
	_ = upgraded.Conn.NetConn().Close() // it is lost already
}

// detach gives the raw connection and drains the buffer of the HTTP server:
// a client may have sent frames right behind its handshake. A read whose
// deadline lies in the past takes what is there and never waits.
func detach(upgraded *websocket.Conn) (raw net.Conn, head []byte, err error) {
	buffered := upgraded.Conn.NetConn()
	unsafe, ok := buffered.(interface{ UnsafeConn() net.Conn })
	if !ok {
		return nil, nil, errors.New("the server keeps its connection")
	}
	raw = unsafe.UnsafeConn()
	if err := raw.SetReadDeadline(time.Unix(1, 0)); err != nil {
		return nil, nil, err
	}
	chunk := make([]byte, 4096)
	for {
		n, err := buffered.Read(chunk)
		head = append(head, chunk[:n]...)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err != nil {
			return nil, nil, err
		}
	}
	return raw, head, raw.SetDeadline(time.Time{})
}

func (a *App) recoverUpgrade(*websocket.Conn) {
	if value := recover(); value != nil {
		a.log.Error("upgrade panicked", slog.Any("panic", value))
	}
}
