package walkers

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/walkergate/walkergate/auth"
	"github.com/walkergate/walkergate/specs"
)

// ErrOver is what a Call answers once its run was ended before its walker
// returned: the time was up, or the caller had gone.
var ErrOver = errors.New("walkers: the run is over")

// Call is one run, as its walker sees it. Its methods may be called from any
// goroutine. What shapes the answer (Report, Status, Header, JSON, Body) has
// no effect once the walker has returned or its run was ended; Notify works on
// after a return, but not after an end.
type Call struct {
	// Notify sends messages to clients, users and channels.
	Notify Notify

	door      specs.Method
	principal auth.Principal
	node      string
	atRoot    bool
	clientID  string
	requestID string

	flight // guards what follows
	answer Answer
	broken error
}

func newCall(r *Runner, w *walker, inv *Invocation, atRoot bool) *Call {
	c := &Call{
		door: inv.Door, principal: inv.Principal, node: inv.Node, atRoot: atRoot,
		clientID: inv.ClientID, requestID: inv.RequestID,
		answer: Answer{Status: w.StatusCode},
	}
	if atRoot {
		c.node = inv.Principal.RootID
	}
	c.Notify = Notify{call: c, notifier: r.notifier}
	return c
}

// flight says how far a run is. It ends once: finished by its walker, or
// expired by whoever waited for it.
type flight struct {
	mu    sync.Mutex
	state flightState
}

type flightState uint8

const (
	underWay flightState = iota
	finished
	expired
)

// end moves a run that is under way to another state, and reports whether it
// was under way.
func (f *flight) end(state flightState) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.state != underWay {
		return false
	}
	f.state = state
	return true
}

func (f *flight) isExpired() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state == expired
}

// Principal is who the call acts for.
func (c *Call) Principal() auth.Principal { return c.principal }

// RootID is the root of the principal.
func (c *Call) RootID() string { return c.principal.RootID }

// Node is where the walker was entered: the node that was named, or the
// caller's root.
func (c *Call) Node() string { return c.node }

// AtRoot reports whether the walker was entered at the caller's root.
func (c *Call) AtRoot() bool { return c.atRoot }

// Door is the method the call came by.
func (c *Call) Door() specs.Method { return c.door }

// ClientID is the connection the call belongs to, if there is one.
func (c *Call) ClientID() (id string, ok bool) { return c.clientID, c.clientID != "" }

// RequestID names the call in the log.
func (c *Call) RequestID() string { return c.requestID }

// Report adds a value to the answer. It is encoded at once, as encoding/json
// does: later changes of it do not show. A value that cannot be encoded makes
// the whole call fail as internal.
func (c *Call) Report(value any) {
	encoded, err := appendJSON(nil, value) // not under the lock: the value's own code runs here
	if err != nil {
		c.fail(fmt.Errorf("encode report: %w", err))
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != underWay {
		return
	}
	if c.answer.Reports == nil {
		c.answer.Reports = append(make([]byte, 0, len(encoded)+2), '[')
	} else {
		c.answer.Reports = append(c.answer.Reports, ',')
	}
	c.answer.Reports = append(c.answer.Reports, encoded...)
}

// Status sets the status of the answer, 200 to 599; another makes the call
// fail as internal. Over HTTP it is the response's, and 204, 205 and 304 send
// no body; over the socket it stands in the reply.
func (c *Call) Status(status int) {
	if status < 200 || status > 599 {
		c.fail(fmt.Errorf("status %d is not within 200 to 599", status))
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == underWay {
		c.answer.Status = status
	}
}

// ownHeaders are the door's business: they frame the response, or tell its
// type, which is Body's.
var ownHeaders = []string{
	"Connection", "Content-Length", "Content-Type", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
}

// Header sets the values of a response header in place of earlier ones; with
// no values it takes the header away. It has an effect over HTTP only. A
// header that breaks the response, or is the door's own, makes the call fail
// as internal.
func (c *Call) Header(name string, values ...string) {
	key := http.CanonicalHeaderKey(name)
	if !isToken(name) || slices.Contains(ownHeaders, key) || slices.ContainsFunc(values, breaksHeader) {
		c.fail(fmt.Errorf("header %q cannot be set", name))
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.state != underWay:
	case len(values) == 0:
		delete(c.answer.Header, key)
	default:
		if c.answer.Header == nil {
			c.answer.Header = make(http.Header)
		}
		c.answer.Header[key] = slices.Clone(values)
	}
}

// JSON sends a value in place of status and reports. It is encoded at once; a
// value that cannot be encoded makes the call fail as internal.
func (c *Call) JSON(value any) {
	encoded, err := appendJSON(nil, value)
	if err != nil {
		c.fail(fmt.Errorf("encode body: %w", err))
		return
	}
	c.Body("application/json", encoded)
}

// Body sends content of that type in place of status and reports. The content
// is the call's from then on: it must not be changed.
func (c *Call) Body(contentType string, content []byte) {
	if breaksHeader(contentType) {
		c.fail(fmt.Errorf("content type %q cannot be set", contentType))
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == underWay {
		c.answer.Custom, c.answer.ContentType, c.answer.Body = true, contentType, content
	}
}

// fail makes the call end as internal, whatever its walker returns.
func (c *Call) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == underWay {
		c.broken = errors.Join(c.broken, err)
	}
}

// outcome gives the answer of a walker that returned without an error.
func (c *Call) outcome() (Answer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broken != nil {
		return Answer{}, c.broken
	}
	if c.answer.Reports == nil {
		c.answer.Reports = []byte("[]")
	} else {
		c.answer.Reports = append(c.answer.Reports, ']')
	}
	return c.answer, nil
}

func isToken(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		alphanumeric := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		return !alphanumeric && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	})
}

func breaksHeader(value string) bool {
	return strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}
