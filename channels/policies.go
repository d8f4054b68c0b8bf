package channels

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/walkergate/walkergate/auth"
	"github.com/walkergate/walkergate/specs"
)

const (
	// MaxID is the longest channel id that clients may use, in bytes.
	MaxID = 256
	// ownPrefix begins the channel ids that are the gateway's.
	ownPrefix = "$"

	// DefaultMessages is how many messages of a log are kept where nobody says.
	DefaultMessages = 1000
	// DefaultAge is for how long they are.
	DefaultAge = 7 * 24 * time.Hour

	// hookTimeout bounds a hook where the options do not.
	hookTimeout = 5 * time.Second
	// maxData bounds what a Receive hook makes of a message, in bytes, where
	// the options do not: as much as a frame has.
	maxData = 64 << 10
)

// Options configures Policies. The zero value works.
type Options struct {
	// DeclaredOnly refuses the channels that no pattern matches. Else they are
	// open: everybody may join and read, and users may store.
	DeclaredOnly bool
	// Retention is what holds where a policy does not say; zero fields are
	// DefaultMessages and DefaultAge.
	Retention Retention
	// HookTimeout bounds each hook; zero is 5 s.
	HookTimeout time.Duration
	// MaxData bounds what a Receive hook puts in a message's place, in bytes;
	// zero is 64 KiB.
	MaxData int
	// Reserved reports whether a client could take an object for a message of
	// the gateway's own, so that a Receive hook may not put it in a message's
	// place. It is given valid JSON only. Nil reserves nothing.
	Reserved func(data json.RawMessage) bool
	// Log takes what hooks do wrong; without it that goes nowhere.
	Log *slog.Logger
}

// Policies knows which policy a channel has. All methods may be called
// concurrently.
type Policies struct {
	declared []*Policy // in the order in which they are asked
	open     *Policy   // nil where only declared channels are open
	mine     *Policy   // of every user's own stream
	leaves   *leaves
}

// NewPolicies makes the policies of what was declared. The error joins a
// *specs.ChannelFault for each thing that is wrong with it.
func NewPolicies(declared []specs.Channel, options Options) (*Policies, error) {
	if err := specs.CheckChannels(declared); err != nil {
		return nil, err
	}
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	options.HookTimeout = cmp.Or(options.HookTimeout, hookTimeout)
	options.MaxData = cmp.Or(options.MaxData, maxData)
	options.Retention = options.Retention.or(Retention{Messages: DefaultMessages, Age: DefaultAge})
	p := &Policies{leaves: newLeaves(options.Log)}
	for _, spec := range declared {
		pattern, err := specs.ParsePattern(spec.Pattern)
		if err != nil {
			return nil, fmt.Errorf("channel %q: %w", spec.Pattern, err)
		}
		p.declared = append(p.declared, newPolicy(spec, pattern, p.leaves, options))
	}
	slices.SortFunc(p.declared, func(a, b *Policy) int { return a.pattern.Compare(b.pattern) })
	if !options.DeclaredOnly {
		p.open = newPolicy(specs.Channel{Auth: specs.NoAuth}, specs.Pattern{}, p.leaves, options)
	}
	p.mine = newPolicy(specs.Channel{}, specs.Pattern{}, p.leaves, options)
	p.mine.own = true
	return p, nil
}

// Of gives the policy of a channel: of an id of 1 to MaxID bytes of UTF-8 that
// does not begin with "$", or of a user's own stream by the name that the log
// has for it (StreamOf). Faults: bad_frame for any other id, forbidden where
// the channel is not declared and has to be.
func (p *Policies) Of(channelID string) (*Policy, error) {
	if strings.HasPrefix(channelID, ownPrefix) {
		root, ok := OwnerOf(channelID)
		if normal, valid := auth.ParseRootID(root); !ok || !valid || normal != root {
			return nil, errID
		}
		return p.mine, nil
	}
	if channelID == "" || len(channelID) > MaxID || !utf8.ValidString(channelID) {
		return nil, errID
	}
	for _, policy := range p.declared {
		if policy.pattern.Matches(channelID) {
			return policy, nil
		}
	}
	if p.open == nil {
		return nil, errUndeclared
	}
	return p.open, nil
}

// Load is what the hooks of one policy have on their hands.
type Load struct {
	Pattern string
	// Running counts hooks that run, Abandoned those among them that nobody
	// waits for any more.
	Running, Abandoned int
	// Leaving counts the ends of joins that Leave has not been told of yet.
	Leaving int
}

// Loads gives the load of each declared policy, in the order in which they are
// asked.
func (p *Policies) Loads() []Load {
	loads := make([]Load, len(p.declared))
	for i, policy := range p.declared {
		loads[i] = Load{
			Pattern: policy.spec.Pattern, Running: len(policy.runs.places),
			Abandoned: int(policy.runs.abandoned.Load()), Leaving: p.leaves.waiting(policy),
		}
	}
	return loads
}

// Close waits until Leave has heard of every join that has ended, or ctx ends;
// then it cuts off what runs, and gives an error where some were not told. It
// comes after the last connection has gone.
func (p *Policies) Close(ctx context.Context) error {
	untold := p.leaves.drain(ctx)
	if untold == 0 {
		return nil
	}
	for _, policy := range p.declared {
		p.leaves.drop(policy)
	}
	return fmt.Errorf("%d ends of joins were not told: %w", untold, ctx.Err())
}

func (r Retention) or(other Retention) Retention {
	return Retention{Messages: cmp.Or(r.Messages, other.Messages), Age: cmp.Or(r.Age, other.Age)}
}
