//go:build clients

package clients_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/walkergate/walkergate/internal/browser"
)

// serve serves pages of somebody else's, as a developer does: on this machine,
// from a port and by a name that are not the gateway's.
func serve(t testing.TB, pages map[string]string) (url string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, ok := pages[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		kind := "text/html; charset=utf-8"
		if strings.HasSuffix(r.URL.Path, ".js") {
			kind = "text/javascript; charset=utf-8"
		}
		w.Header().Set("Content-Type", kind)
		_, _ = io.WriteString(w, text) // a browser that went away is told by its test
	}))
	t.Cleanup(server.Close)
	return strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
}

// page is a client in a page, seen through the browser's own record of its
// WebSocket and its console.
type page struct {
	*browser.Tab
}

// newPage runs a client in an otherwise empty page; its code declares client.
func newPage(t testing.TB, code ...string) page {
	t.Helper()
	p := page{browser.Open(t).Tab(t)}
	p.Visit(serve(t, map[string]string{"/": `<!doctype html><title>somebody's page</title><link rel="icon" href="data:,">`}) + "/")
	browser.Eval[bool](p.Tab, "globalThis.started = (() => {\n"+strings.Join(code, "\n")+"\nreturn client;\n})(), true")
	return p
}

func (p page) received() []string {
	var texts []string
	for _, frame := range p.Frames() {
		if !frame.Sent {
			texts = append(texts, frame.Text)
		}
	}
	return texts
}

func (p page) logged() []string {
	var lines []string
	for _, message := range p.Console() {
		if message.Level == "log" {
			lines = append(lines, message.Text)
		}
	}
	return lines
}

func (p page) run(script string) {
	browser.Eval[bool](p.Tab, "((client) => {\n"+script+"\n})(started), true")
}
