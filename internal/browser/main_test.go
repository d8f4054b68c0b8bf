//go:build browser

package browser_test

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain holds the tests to leaving no goroutine behind, of the gateway or
// of the browser.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// The HTTP server's sweeper sleeps for ten seconds at a time and sees
		// only then that its server has ended; it holds nothing.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
		// One goroutine of the process that keeps the Date header.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"))
}
