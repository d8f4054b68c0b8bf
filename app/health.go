package app

import (
	"context"
	"log/slog"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/walkergate/walkergate/fault"
)

// readyTimeout bounds how long the store may take to answer.
const readyTimeout = 2 * time.Second

// errNotEntered is what a node says that waits to be let in among those that
// share its store.
var errNotEntered = fault.New(fault.Busy, "the node is not yet let in")

// healthz says that the process lives.
func (a *App) healthz(c *fiber.Ctx) error {
	return writeJSON(c, fiber.StatusOK, []byte(`{"status":"ok"}`))
}

// readyz says whether work should be sent here: the store answers, records can
// be written, and the process is not stopping.
func (a *App) readyz(c *fiber.Ctx) error {
	if a.stopping.Load() {
		return fault.New(fault.Busy, "the gateway is going away")
	}
	if !a.entered.Load() {
		return errNotEntered
	}
	ctx, cancel := context.WithTimeout(context.Background(), readyTimeout)
	defer cancel()
	if err := a.store.Ping(ctx); err != nil {
		a.log.Warn("not ready: the store does not answer", slog.Any("error", err))
		return fault.New(fault.Busy, "the store does not answer").Because(err)
	}
	if err := a.auth.Ready(); err != nil {
		return err
	}
	if err := a.notify.Ready(); err != nil {
		return fault.New(fault.Busy, "records of connections cannot be written").Because(err)
	}
	return writeJSON(c, fiber.StatusOK, []byte(`{"status":"ready"}`))
}
