package app_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/walkergate/walkergate/internal/testkit"
)

func TestOpenAPIIsServed(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t, testkit.Walkers(fixtures), testkit.Walkers(routed))
	got := g.Request(t, http.MethodGet, "/openapi.json", "", nil)
	document, err := openapi3.NewLoader().LoadFromData(got.Body)
	if err != nil || got.Status != 200 || got.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("%d %v: %v", got.Status, got.Header, err)
	}
	if err := document.Validate(t.Context()); err != nil {
		t.Error(err)
	}
	for _, path := range []string{"/walker/echo", "/walker/echo/{node}", "/walker/below/{id}/items", "/api/v1/things/{id}"} {
		if document.Paths.Find(path) == nil {
			t.Errorf("%s is not described", path)
		}
	}
	for _, path := range []string{"/walker/private_sum", "/walker/socket_only"} {
		if document.Paths.Value(path) != nil {
			t.Errorf("%s is described", path)
		}
	}
}

func TestConsoleIsServed(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t)
	got := g.Request(t, http.MethodGet, "/", "", nil)
	if got.Status != 200 || !strings.HasPrefix(got.Header.Get("Content-Type"), "text/html") || len(got.Body) == 0 {
		t.Errorf("%d %v", got.Status, got.Header)
	}
	policy := got.Header.Get("Content-Security-Policy")
	if !strings.Contains(policy, "default-src 'self'") || strings.Contains(policy, "unsafe") {
		t.Errorf("policy %q", policy)
	}
}
