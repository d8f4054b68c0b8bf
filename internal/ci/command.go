package ci

import (
	"fmt"
	"strings"
)

// Command is the shell text of the fenced block that follows the comment
// <!-- mark --> in Markdown. Nothing but blank lines may stand between them,
// and the mark must stand exactly once: what a reader is told to type and what
// CI types are then the same.
func Command(text, mark string) (string, error) {
	comment := "<!-- " + mark + " -->"
	if n := strings.Count(text, comment); n != 1 {
		return "", fmt.Errorf("%s stands %d times, expected once", comment, n)
	}
	_, rest, _ := strings.Cut(text, comment)
	rest = strings.TrimLeft(rest, " \r\n")
	opening, rest, _ := strings.Cut(rest, "\n")
	if opening = strings.TrimSpace(opening); opening != "```sh" && opening != "```bash" {
		return "", fmt.Errorf("%s is not followed by a block of sh", comment)
	}
	command, _, closed := strings.Cut(rest, "\n```")
	if command = strings.TrimSpace(command); !closed || command == "" {
		return "", fmt.Errorf("the block after %s is empty or never ends", comment)
	}
	return command, nil
}
