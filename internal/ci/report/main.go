// Report judges what test runners wrote.
//
//	report [-brief] [-features FEATURES.md] [-close [-failed N]] NAME FILE...
//
// A file that ends in .tap is node's TAP, any other is the output of
// go test -json. It prints a summary and fails on a test that failed, was
// skipped or did not end, on a package that did not build, and on a run without
// a test. With -features it fails as well where a test that the list names did
// not pass. With -brief it names what is wrong without what that printed. With -close its last line counts the tests alone; -failed adds
// failures that are not tests.
package main

import (
	"fmt"
	"os"

	"github.com/walkergate/walkergate/internal/ci"
)

func main() {
	if err := ci.Report(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(1)
	}
}
