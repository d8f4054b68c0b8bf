// Readme prints the command that stands in a Markdown file under a mark.
//
//	readme FILE MARK
//
// The mark is the comment <!-- MARK --> before a fenced block of sh.
package main

import (
	"fmt"
	"os"

	"github.com/walkergate/walkergate/internal/ci"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: readme FILE MARK")
		os.Exit(2)
	}
	text, err := os.ReadFile(os.Args[1])
	if err != nil {
		fail(err)
	}
	command, err := ci.Command(string(text), os.Args[2])
	if err != nil {
		fail(fmt.Errorf("%s: %w", os.Args[1], err))
	}
	fmt.Println(command)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "readme:", err)
	os.Exit(1)
}
