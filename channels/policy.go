package channels

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"

	"github.com/walkergate/walkergate/auth"
	"github.com/walkergate/walkergate/specs"
)

// Policy is what holds for the channels of one pattern, for those that no
// pattern matches, or for the streams of users. The Joins that it is given name
// a channel that Policies.Of gave it for; it fills in their Variables.
type Policy struct {
	spec    specs.Channel
	pattern specs.Pattern
	own     bool // of users' own streams
	options Options

	runs    *runs
	leaves  *leaves
	leaving leaving
}

func newPolicy(spec specs.Channel, pattern specs.Pattern, leaves *leaves, options Options) *Policy {
	p := &Policy{spec: spec, pattern: pattern, options: options, leaves: leaves}
	p.runs = newRuns(spec.Pattern, options, func() { leaves.rouse(p) })
	return p
}

// Join decides whether a principal may join and read: by Auth, then by the
// hook. Where it gives nil and the connection joins, Left is to be called once
// with the same join when that ends; where it only reads, not. The join must
// not change any more: the hook may hold it longer than the call lasts.
//
// Faults: unauthenticated where a user is needed, forbidden where the hook
// refuses, or what it gives; timeout where it did not decide in time or the
// caller has gone, busy where there is no room for it, internal where it broke.
func (p *Policy) Join(ctx context.Context, join specs.Join) error {
	if err := p.admit(join.ChannelID, join.Principal); err != nil {
		return err
	}
	if p.spec.Leave != nil && p.leaves.full(p) {
		return errLeaving
	}
	if p.spec.Subscribe == nil {
		return nil
	}
	return p.askSubscribe(ctx, join)
}

// admit decides by Auth alone.
func (p *Policy) admit(channelID string, principal auth.Principal) error {
	if p.spec.Auth == specs.AuthRequired && principal.IsPublic() {
		return errNoUser
	}
	if p.own && channelID != StreamOf(principal.RootID) {
		return errNotOwn
	}
	return nil
}

// askSubscribe runs the hook. It is apart from those who call it so that they
// allocate nothing where there is none.
func (p *Policy) askSubscribe(ctx context.Context, join specs.Join) error {
	join.Variables, _ = p.pattern.Match(join.ChannelID)
	return p.runs.run(ctx, "subscribe", func(ctx context.Context) error { return p.spec.Subscribe(ctx, join) })
}

// Guarded reports whether Join may refuse anybody, so that it has to be asked
// again when the identity of a connection changes.
func (p *Policy) Guarded() bool {
	return p.own || p.spec.Auth == specs.AuthRequired || p.spec.Subscribe != nil
}

// Receive decides what becomes of a client's message: it gives the data to
// store and send. specs.ErrStop, as it is, means that nothing becomes of it,
// and that nobody is told why. Other faults are those of Join, and too_large
// where the hook made too much of it. The hook gets a copy of the data; the
// rest of incoming must not change any more.
func (p *Policy) Receive(ctx context.Context, incoming specs.Incoming) (json.RawMessage, error) {
	if p.own {
		return nil, errOwnSend
	}
	if err := p.admit(incoming.ChannelID, incoming.Principal); err != nil {
		return nil, err
	}
	if p.spec.Receive != nil {
		return p.askReceive(ctx, incoming)
	}
	if !incoming.Joined && p.spec.Subscribe != nil {
		if err := p.askSubscribe(ctx, incoming.Join); err != nil {
			return nil, err
		}
	}
	return incoming.Data, nil
}

// askReceive runs the hook.
func (p *Policy) askReceive(ctx context.Context, incoming specs.Incoming) (json.RawMessage, error) {
	sent := incoming.Data
	incoming.Variables, _ = p.pattern.Match(incoming.ChannelID)
	incoming.Data = bytes.Clone(sent)
	var given struct { // read only where the hook has returned
		data    json.RawMessage
		stopped bool
	}
	err := p.runs.run(ctx, "receive", func(ctx context.Context) (err error) {
		given.data, err = p.spec.Receive(ctx, incoming)
		if given.stopped = errors.Is(err, specs.ErrStop); given.stopped {
			return nil
		}
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case given.stopped:
		return nil, specs.ErrStop
	}
	data, err := p.judge(sent, given.data)
	return data, p.runs.told("receive", err)
}

// Left tells the Leave hook that a join has ended. It does not wait for it.
func (p *Policy) Left(join specs.Join) {
	if p.spec.Leave == nil {
		return
	}
	join.Variables, _ = p.pattern.Match(join.ChannelID)
	p.leaves.add(p, join)
}

// Stores decides whether a message is stored: asked says that its publisher
// asks for it, byUser that this is a user, or a walker, and not the public user.
// Fault: forbidden where what is asked for may not be.
func (p *Policy) Stores(asked, byUser bool) (bool, error) {
	switch {
	case p.spec.Store == specs.StoreAlways:
		return true, nil
	case !asked:
		return false, nil
	case p.spec.Store == specs.StoreNever:
		return false, errNoStore
	case !byUser:
		return false, errPublicKept
	}
	return true, nil
}

// Retention is how much of the log of each of its channels is kept.
func (p *Policy) Retention() Retention {
	return Retention{Messages: p.spec.Messages, Age: p.spec.Age}.or(p.options.Retention)
}
