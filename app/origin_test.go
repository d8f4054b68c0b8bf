package app_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/walkergate/walkergate/app"
	"github.com/walkergate/walkergate/internal/testkit"
)

func TestOriginOfTheUpgrade(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t, testkit.Config(func(c *app.Config) { c.AllowOrigins = []string{"https://app.example.com"} }))
	everybody := testkit.Start(t, testkit.Config(func(c *app.Config) { c.AllowOrigins = []string{"*"} }))
	tests := []struct {
		name, host, origin string
		allowed            bool
	}{
		{"no browser", "gate.example.com", "", true},
		{"the own host", "gate.example.com", "https://gate.example.com", true},
		{"the own host in other letters", "gate.example.com", "https://Gate.Example.Com", true},
		{"the own host and port", "gate.example.com:8000", "http://gate.example.com:8000", true},
		{"the own host, another port", "gate.example.com:8000", "http://gate.example.com:9000", false},
		{"the standard port said and unsaid", "gate.example.com:443", "https://gate.example.com", true},
		{"listed", "gate.example.com", "https://app.example.com", true},
		{"listed, another scheme", "gate.example.com", "http://app.example.com", false},
		{"another site", "gate.example.com", "https://evil.example", false},
		{"a site below the own", "gate.example.com", "https://x.gate.example.com", false},
		{"a site that begins like it", "gate.example.com", "https://gate.example.com.evil.example", false},
		{"none that is told", "gate.example.com", "null", false},
		{"no URL", "gate.example.com", "::", false},
		{"loopback, any port", "localhost:8000", "http://localhost:3000", true},
		{"loopback by another name", "127.0.0.1:8000", "http://localhost:5173", true},
		{"loopback, version 6", "[::1]:8000", "http://127.0.0.1:1", true},
		{"loopback calls a public host", "gate.example.com", "http://localhost:3000", false},
		{"another site calls loopback", "localhost:8000", "https://evil.example", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			status := testkit.Shake(t, dialTCP(t, g), nil, "Host", test.host, "Origin", test.origin).Response.StatusCode
			want := map[bool]int{true: http.StatusSwitchingProtocols, false: http.StatusForbidden}[test.allowed]
			if status != want {
				t.Errorf("page %q at host %q: %d, want %d", test.origin, test.host, status, want)
			}
			unguarded := testkit.Shake(t, dialTCP(t, everybody), nil, "Host", test.host, "Origin", test.origin).Response.StatusCode
			if unguarded != http.StatusSwitchingProtocols {
				t.Errorf("page %q at an open gateway: %d", test.origin, unguarded)
			}
		})
	}
}

func TestForwardedHostIsBelievedOfProxiesAlone(t *testing.T) {
	t.Parallel()
	plain := testkit.Start(t)
	behind := testkit.Start(t, testkit.Config(func(c *app.Config) { c.TrustedProxies = []string{"127.0.0.0/8"} }))
	for _, test := range []struct {
		g      *testkit.Gateway
		status int
	}{{plain, http.StatusForbidden}, {behind, http.StatusSwitchingProtocols}} {
		h := testkit.Shake(t, dialTCP(t, test.g), nil, "Host", "inner:8000",
			"X-Forwarded-Host", "gate.example.com", "Origin", "https://gate.example.com")
		if h.Response.StatusCode != test.status {
			t.Errorf("answered %d, want %d", h.Response.StatusCode, test.status)
		}
	}
}

func TestCrossOriginCalls(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t, testkit.Config(func(c *app.Config) { c.AllowOrigins = []string{"https://App.example.com"} }))
	closed := testkit.Start(t)
	preflight := func(g *testkit.Gateway, origin string) testkit.Response {
		return g.Request(t, http.MethodOptions, "/walker/echo", "", nil, "Origin", origin,
			"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,content-type")
	}
	t.Run("preflight of a listed page", func(t *testing.T) {
		got := preflight(g, "https://app.example.com")
		header := got.Header
		if got.Status != http.StatusNoContent || header.Get("Access-Control-Allow-Origin") != "https://app.example.com" ||
			!strings.Contains(header.Get("Access-Control-Allow-Methods"), "POST") ||
			!strings.Contains(header.Get("Access-Control-Allow-Headers"), "Authorization") {
			t.Errorf("%d %v", got.Status, header)
		}
		if header.Get("Access-Control-Allow-Credentials") != "" {
			t.Error("cookies are asked for")
		}
	})
	t.Run("of any other", func(t *testing.T) {
		for _, g := range []*testkit.Gateway{g, closed} {
			if got := preflight(g, "https://evil.example"); got.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%d %v", got.Status, got.Header)
			}
		}
	})
	t.Run("a call tells whom it may be shown to, also where it fails", func(t *testing.T) {
		for _, path := range []string{"/walker/echo", "/walker/nobody", "/nothing"} {
			got := g.Request(t, http.MethodPost, path, "", `{"value":1}`, "Origin", "https://app.example.com")
			if got.Header.Get("Access-Control-Allow-Origin") != "https://app.example.com" {
				t.Errorf("%s: %d %v", path, got.Status, got.Header)
			}
			got = g.Request(t, http.MethodPost, path, "", `{"value":1}`, "Origin", "https://evil.example")
			if got.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s: %d %v", path, got.Status, got.Header)
			}
		}
	})
}
