package channels

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

const (
	// sweepEvery is how often a node looks for messages that retention no
	// longer keeps.
	sweepEvery = 10 * time.Second
	// sweepTimeout bounds one step of that.
	sweepTimeout = 10 * time.Second
)

// Page reads a part of a log. A limit out of bounds is held to 1 to MaxPage.
func (l *Log) Page(ctx context.Context, query LogQuery) (Page, error) {
	query.Limit = min(max(query.Limit, 1), MaxPage)
	page, err := l.store.Messages(ctx, query)
	if err != nil {
		return Page{}, fmt.Errorf("read a log: %w", err)
	}
	return page, nil
}

// Heads gives where logs stand, one entry a channel in the order asked, however
// many.
func (l *Log) Heads(ctx context.Context, channelIDs []string) ([]Head, error) {
	heads := make([]Head, 0, len(channelIDs))
	for first := 0; first < len(channelIDs); first += MaxPage {
		some, err := l.store.Heads(ctx, channelIDs[first:min(first+MaxPage, len(channelIDs))])
		if err != nil {
			return nil, fmt.Errorf("read the heads of logs: %w", err)
		}
		heads = append(heads, some...)
	}
	if len(heads) != len(channelIDs) {
		return nil, fmt.Errorf("the store gives %d heads for %d channels", len(heads), len(channelIDs))
	}
	return heads, nil
}

// Mark notes up to where a user has read a channel, at most to its head: what is
// not yet said nobody has read. A mark never goes back. Fault: busy where the
// user has MaxMarks in other channels.
func (l *Log) Mark(ctx context.Context, rootID, channelID string, seq int64) error {
	heads, err := l.Heads(ctx, []string{channelID})
	if err != nil {
		return err
	}
	if seq = min(seq, heads[0].Seq); seq <= 0 {
		return nil
	}
	if err := l.store.Mark(ctx, rootID, channelID, seq); err != nil {
		return fmt.Errorf("mark as read: %w", err)
	}
	return nil
}

// Marked gives up to where a user has read a channel, 0 where there is no mark.
func (l *Log) Marked(ctx context.Context, rootID, channelID string) (int64, error) {
	seq, err := l.store.Marked(ctx, rootID, channelID)
	if err != nil {
		return 0, fmt.Errorf("read a mark: %w", err)
	}
	return seq, nil
}

// Forget removes a user's own stream, marks and quota.
func (l *Log) Forget(ctx context.Context, rootID string) error {
	if err := l.store.Forget(ctx, rootID); err != nil {
		return fmt.Errorf("forget the messages of a user: %w", err)
	}
	return nil
}

// Run lets go of what retention no longer keeps, until ctx ends.
func (l *Log) Run(ctx context.Context) {
	failing := false
	for pause(ctx, sweepEvery) {
		err := l.sweep(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !failing:
			l.options.Log.Warn("old messages cannot be let go of", slog.Any("error", err))
		case err == nil && failing:
			l.options.Log.Info("old messages are let go of again")
		}
		failing = err != nil
	}
}

// sweep takes steps until there is nothing more to do.
func (l *Log) sweep(ctx context.Context) error {
	for {
		step, cancel := context.WithTimeout(ctx, sweepTimeout)
		more, err := l.store.Sweep(step, l.options.Now())
		cancel()
		if err != nil || !more {
			return err
		}
	}
}
