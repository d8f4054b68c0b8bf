//go:build clients

package clients_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/walkergate/walkergate/internal/testkit"
)

// What people replace in the code of seed by their own.
const (
	fillHost    = "localhost:8000"
	fillToken   = "{{user's token}}"
	fillWalker  = "your_walker_name"
	fillClient  = "target client_id from connection event"
	fillChannel = "target channel_id from connection event"
	fillRoot    = "target root_id from connection event"
)

// seed gives one block of client code with those pairs of placeholder and
// value filled in. A placeholder that is not there fails the test: the code is
// not what the test thinks it is.
func seed(t testing.TB, name string, pairs ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("seed", name+".js"))
	if err != nil {
		t.Fatal(err)
	}
	code := string(text)
	for i := 0; i+1 < len(pairs); i += 2 {
		if !strings.Contains(code, pairs[i]) {
			t.Fatalf("seed/%s.js holds no %q", name, pairs[i])
		}
		code = strings.ReplaceAll(code, pairs[i], pairs[i+1])
	}
	return code
}

func host(g *testkit.Gateway) string { return strings.TrimPrefix(g.URL, "http://") }

// modules gives the path of something below node_modules.
func modules(t testing.TB, path ...string) string {
	t.Helper()
	found, err := filepath.Abs(filepath.Join(append([]string{"node_modules"}, path...)...))
	if err == nil {
		_, err = os.Stat(found)
	}
	if err != nil {
		t.Fatalf("this test needs the npm packages (run npm ci in internal/clients): %v", err)
	}
	return found
}
