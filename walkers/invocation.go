package walkers

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/walkergate/walkergate/auth"
	"github.com/walkergate/walkergate/specs"
)

// Invocation is one call of a walker, as a door received it. Nothing in it is
// checked yet. Run keeps nothing of Context, Query, Form and Path once it has
// returned; Files are the handler's while it runs.
type Invocation struct {
	Walker string
	// Door is the method it came by.
	Door specs.Method
	// Node is the node to enter, where HasNode says that one was named.
	Node    string
	HasNode bool
	// Context is a JSON object: the context of the frame, or the body of the
	// request. Empty and null stand for the empty object.
	Context []byte
	// Query, Path and Form are what an HTTP request holds beside the body: its
	// query, the variables of the route (unescaped), and the text parts of a
	// multipart body. Each field is taken from its one source, so a door hands
	// all over. Text is read as the field's type; a list is a repeated key.
	Query url.Values
	Path  map[string]string
	Form  url.Values
	// Files are the file parts of a multipart body, by name.
	Files map[string][]File

	Principal auth.Principal
	// TokenRefused says that a token was offered and refused: the principal is
	// the public user, but another login would help.
	TokenRefused bool
	// ClientID is the connection the call belongs to, empty where there is none.
	ClientID  string
	RequestID string
}

// Answer is what a walker that succeeded leaves for the door to send.
type Answer struct {
	// Status is 200 to 599. Over HTTP, 204, 205 and 304 go without a body.
	Status int
	// Reports is the JSON array of the reports in order, "[]" where there are
	// none.
	Reports []byte
	// Header holds what the walker set for HTTP; nil where it set nothing.
	Header http.Header
	// Custom says that Body, of type ContentType, stands in place of status
	// and reports.
	Custom      bool
	ContentType string
	Body        []byte
}

// JSON is the answer's envelope, {"status":200,"reports":[…]}: the body of an
// HTTP response, and the reply over the socket. A custom answer has Body
// instead.
func (a Answer) JSON() []byte {
	return a.AppendJSON(make([]byte, 0, len(a.Reports)+len(`{"status":200,"reports":}`)))
}

// AppendJSON appends what JSON gives.
func (a Answer) AppendJSON(b []byte) []byte {
	b = append(b, `{"status":`...)
	b = strconv.AppendInt(b, int64(a.Status), 10)
	b = append(b, `,"reports":`...)
	b = append(b, a.Reports...)
	return append(b, '}')
}
