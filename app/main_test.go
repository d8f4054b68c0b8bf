package app_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain holds every test here to leaving no goroutine behind: each starts a
// whole gateway and stops it.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// The HTTP server's sweeper sleeps for ten seconds at a time and sees
		// only then that its server has ended; it holds nothing.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
		// One goroutine of the process that keeps the Date header.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.Cleanup(func(code int) {
			removeProgram()
			os.Exit(code)
		}))
}
