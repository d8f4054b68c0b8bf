// Package specs says what a walker promises to its callers: its name, the
// doors it opens, where its fields come from, who may call it and under which
// limits. It checks specs at start, all faults at once, and writes their JSON
// Schemas and the OpenAPI document. It runs nothing.
package specs

import (
	"context"
	"slices"
	"time"

	"github.com/walkergate/walkergate/auth"
)

// All stands in AsQuery and Excluded for every field.
const All = "*"

// AuthMode says whether a walker needs a user. Its zero is the safe one.
type AuthMode uint8

const (
	// AuthRequired lets users in, and nobody else.
	AuthRequired AuthMode = iota
	// NoAuth lets everybody in, each as who they are: a caller with a good
	// token as their user, all others as the public user.
	NoAuth
)

// EntryType says where a walker may be entered. It holds at every door.
type EntryType uint8

const (
	// Both allows entry at the caller's root and at a node.
	Both EntryType = iota
	// Root allows entry at the caller's root alone.
	Root
	// Node allows entry at a node alone.
	Node
)

// Walker is the spec of one walker. Only Name is required.
type Walker struct {
	// Name is 1 to 128 letters, digits, "_", "-" and ".". It is matched
	// exactly.
	Name string
	// Methods are the doors. None means POST alone.
	Methods []Method
	// Path places the walker over HTTP and may hold {variables}, each a whole
	// segment named for a scalar field. Empty: /walker/<Name>; without a leading
	// slash: /walker/<Name>/<Path>; with one: exactly Path. The node entry is
	// the same with /{node} at its end.
	Path string
	// AsQuery names the fields that HTTP takes from the query; All means each
	// that no earlier rule takes (excluded, file, path variable, query, body).
	AsQuery []string
	// Excluded names the fields that no caller can set; All means each. Such a
	// field keeps its default, and must have one.
	Excluded []string
	// Auth says whether a user is needed; the zero value needs one.
	Auth AuthMode
	// Private walkers are unknown at every door.
	Private bool
	// EntryType says where the walker may be entered.
	EntryType EntryType
	// Enter decides whether the principal may run the walker on a node that is
	// not the principal's own root. A plain error refuses with jac's words, a
	// *fault.Error is what the caller sees. Without Enter every such node is
	// refused. It may be called concurrently, and is bound by Timeout together
	// with the run itself.
	Enter func(ctx context.Context, principal auth.Principal, node string) error
	// Timeout bounds one run; zero means the gateway's default.
	Timeout time.Duration
	Limits  Limits

	// StatusCode is the status of a run that sets none, 200 to 299; zero is 200.
	StatusCode int
	// Report is any value of the type of one report. It serves documentation
	// only, as do the fields below.
	Report         any
	Tags           []string
	Summary        string
	Description    string
	Deprecated     bool
	HiddenFromDocs bool
}

// Limits bound what a walker takes on one node. Zero means no limit of the
// walker's own.
type Limits struct {
	// Concurrent bounds the runs under way at once; more are answered busy.
	Concurrent int
	// ContextBytes bounds the context, or the body over HTTP, as it was sent.
	ContextBytes int
}

// Serves reports whether the walker is open to that method.
func (w Walker) Serves(method Method) bool {
	return slices.Contains(w.Methods, method)
}

// HTTPMethods are the methods of HTTP that the walker serves, in the order of
// the spec.
func (w Walker) HTTPMethods() []Method {
	methods := make([]Method, 0, len(w.Methods))
	for _, method := range w.Methods {
		if method.IsHTTP() {
			methods = append(methods, method)
		}
	}
	return methods
}
