package walkers

import (
	"context"
	"errors"
	"unicode/utf8"

	"github.com/walkergate/walkergate/auth"
	"github.com/walkergate/walkergate/fault"
	"github.com/walkergate/walkergate/specs"
)

// maxNode bounds the reference of a node, in bytes.
const maxNode = 256

// find gives the walker that the door may run.
func (r *Runner) find(inv *Invocation) (*walker, error) {
	w := r.walkers[inv.Walker]
	if w == nil || w.Private {
		return nil, errUnknown
	}
	switch {
	case w.Serves(inv.Door):
		return w, nil
	case inv.Door != "" && inv.Door != specs.WebSocket && w.http: // TRACE too, which no spec can name
		return w, fault.Newf(fault.MethodNotAllowed, "walker %s does not take this method", w.Name)
	}
	return nil, errUnknown
}

var errUnknown = fault.New(fault.UnknownWalker, "Invalid request! Please use valid walker event!")

// admit says whether the call may go on to its context: the entry, the size,
// the user, the form of the node. Nothing here looks at what the context
// holds.
func (w *walker) admit(inv *Invocation) error {
	switch {
	case inv.HasNode && w.EntryType == specs.Root:
		return fault.Newf(fault.NotFound, "walker %s is entered at the root only", w.Name)
	case !inv.HasNode && w.EntryType == specs.Node:
		return fault.Newf(fault.NotFound, "walker %s is entered at a node only", w.Name)
	}
	if limit := w.Limits.ContextBytes; limit > 0 && len(inv.Context) > limit {
		return fault.Newf(fault.TooLarge, "the context of walker %s may have %d bytes", w.Name, limit)
	}
	if w.Auth == specs.AuthRequired && inv.Principal.IsPublic() {
		code := fault.Unauthenticated
		if inv.TokenRefused {
			code = fault.TokenInvalid
		}
		return fault.Newf(code, "Event %s requires to be authenticated!", w.Name)
	}
	if inv.HasNode && (inv.Node == "" || len(inv.Node) > maxNode || !utf8.ValidString(inv.Node)) {
		return invalid([]fault.Detail{{Field: "node", Reason: "expected 1 to 256 bytes of UTF-8"}})
	}
	return nil
}

// atRoot reports whether the call enters at the caller's own root, unnamed or
// named in any spelling.
func (inv *Invocation) atRoot() bool {
	if !inv.HasNode {
		return true
	}
	named, ok := auth.ParseRootID(inv.Node)
	if !ok {
		return false
	}
	own, ok := auth.ParseRootID(inv.Principal.RootID)
	return ok && named == own
}

// mayEnter asks the spec whether the principal may enter the node. A walker
// whose spec decides nothing lets nobody in.
func (w *walker) mayEnter(ctx context.Context, principal auth.Principal, node string) error {
	refused := fault.Newf(fault.Forbidden, "You don't have access on target entry %s!", node)
	if w.Enter == nil {
		return refused
	}
	err := w.Enter(ctx, principal, node)
	var told *fault.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &told):
		return told
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return err // the time was up, or the caller gone: no decision
	}
	return refused.Because(err)
}

// Admit reports what Run would refuse of the call before it looks at the
// context. A door asks where taking the context apart is work of its own.
func (r *Runner) Admit(inv Invocation) error {
	w, err := r.find(&inv)
	if err != nil {
		return err
	}
	return w.admit(&inv)
}
