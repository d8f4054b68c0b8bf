package gateway

import (
	"context"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/walkergate/walkergate/wire"
)

const (
	// drainBatch and drainPause pace the goodbyes: clients that are sent away
	// all at once come back all at once.
	drainBatch = 500
	drainPause = 20 * time.Millisecond
	// retrySpread is over how long the clients are told to come back.
	retrySpread = 5 * time.Second
)

// Close sends every client away with "come back", lets running walkers end
// and waits for all to be gone. Whoever is still here when ctx ends loses
// walkers and connection. No client is let in any more.
func (g *Gateway) Close(ctx context.Context) error {
	g.mu.Lock()
	g.closing = true
	leaving := make([]*Client, 0, len(g.clients))
	for c := range g.clients {
		leaving = append(leaving, c)
	}
	g.tellEmpty()
	g.mu.Unlock()

	for i, c := range leaving {
		c.closeWhenIdle(wire.CloseGoingAway, retryReason())
		if i%drainBatch == drainBatch-1 {
			pause(ctx, drainPause)
		}
	}
	select {
	case <-g.empty:
		g.cancel()
		return nil
	case <-ctx.Done():
	}
	g.cancel()
	for _, c := range leaving {
		c.session.Close(wire.CloseGoingAway, retryReason())
	}
	g.mu.Lock()
	g.hurrying = true // places whose connection never came are not waited for
	g.tellEmpty()
	g.mu.Unlock()
	<-g.empty // bounded by the sessions' own close timeout
	return ctx.Err()
}

// retryReason spreads the clients' return.
func retryReason() string {
	wait := rand.Int64N( //nolint:gosec // spreads a return, guards nothing
		int64(retrySpread / time.Millisecond))
	return "retry=" + strconv.FormatInt(wait, 10)
}

func pause(ctx context.Context, wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
