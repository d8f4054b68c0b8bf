// Package ci reads what test runners wrote: the event streams of go test -json
// and the TAP of node's runner. It judges them more strictly than the runners
// do: a test that was skipped has not passed, a run without a test is no run,
// and a feature is only as good as the test that is named for it.
package ci
