package specs_test

import (
	"testing"

	"github.com/walkergate/walkergate/specs"
)

func TestMethodsAreReadInAnyCase(t *testing.T) {
	for text, want := range map[string]specs.Method{
		"websocket": specs.WebSocket, "WebSocket": specs.WebSocket, "GET": specs.Get, "post": specs.Post, "Put": specs.Put,
		"PATCH": specs.Patch, "delete": specs.Delete, "HEAD": specs.Head, "options": specs.Options,
	} {
		got, err := specs.ParseMethod(text)
		if err != nil || got != want {
			t.Errorf("ParseMethod(%q) = %q, %v; want %q", text, got, err, want)
		}
	}
	for _, text := range []string{"", "trace", "gett", " get"} {
		if got, err := specs.ParseMethod(text); err == nil {
			t.Errorf("ParseMethod(%q) = %q, want an error", text, got)
		}
	}
}

func TestMethodsOfHTTP(t *testing.T) {
	if specs.WebSocket.IsHTTP() || specs.WebSocket.HTTP() != "" {
		t.Error("the socket is no method of HTTP")
	}
	if !specs.Patch.IsHTTP() || specs.Patch.HTTP() != "PATCH" {
		t.Errorf("Patch.HTTP() = %q", specs.Patch.HTTP())
	}
	if specs.Method("").IsHTTP() || specs.Method("trace").IsHTTP() {
		t.Error("an unknown method is no method of HTTP")
	}
}
