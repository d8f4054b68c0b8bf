package specs

import (
	"fmt"
	"strings"
)

// Method is a way to reach a walker: a socket frame, or one of the methods of
// HTTP. The value is the lower-case word that stands in specs.
type Method string

// The methods a walker may name.
const (
	WebSocket Method = "websocket"
	Get       Method = "get"
	Post      Method = "post"
	Put       Method = "put"
	Patch     Method = "patch"
	Delete    Method = "delete"
	Head      Method = "head"
	Options   Method = "options"
)

// ParseMethod reads the name of a method, in any case.
func ParseMethod(text string) (Method, error) {
	switch method := Method(strings.ToLower(text)); method {
	case WebSocket, Get, Post, Put, Patch, Delete, Head, Options:
		return method, nil
	}
	return "", fmt.Errorf("unknown method %q", text)
}

// IsHTTP reports whether the method is one of HTTP.
func (m Method) IsHTTP() bool {
	switch m {
	case Get, Post, Put, Patch, Delete, Head, Options:
		return true
	}
	return false
}

// HTTP is the method as it stands in a request line, empty for WebSocket.
func (m Method) HTTP() string {
	if !m.IsHTTP() {
		return ""
	}
	return strings.ToUpper(string(m))
}
