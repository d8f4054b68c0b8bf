package ci

import (
	"fmt"
	"io"
	"strings"
)

// mostLines bounds what is shown of one result; the log holds the rest.
const mostLines = 120

// WriteSummary tells people how a run went: every result that did not pass with
// what it printed, unless brief, then one line for all.
func WriteSummary(w io.Writer, name string, log *Log, brief bool) error {
	var b strings.Builder
	for _, bad := range log.Bad() {
		fmt.Fprintf(&b, "--- %s: %s", strings.ToUpper(string(bad.Outcome)), bad.Package)
		if bad.Test != "" {
			fmt.Fprintf(&b, " %s (%.2fs)", bad.Test, bad.Seconds)
		}
		b.WriteString("\n")
		if !brief {
			b.WriteString(indent(bad.Output))
		}
	}
	packages := make(map[string]bool)
	slowest := Result{}
	for _, result := range log.Results {
		packages[result.Package] = true
		if result.Seconds > slowest.Seconds {
			slowest = result
		}
	}
	fmt.Fprintf(&b, "%s: %d of %d tests passed in %d packages", name, log.Count(Passed), len(log.Results), len(packages))
	if slowest.Seconds > 0 {
		fmt.Fprintf(&b, ", the slowest %s in %.1fs", slowest.Test, slowest.Seconds)
	}
	b.WriteString("\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func indent(output string) string {
	if output == "" {
		return ""
	}
	lines := strings.Split(strings.TrimRight(output, "\n"), "\n")
	if left := len(lines) - mostLines; left > 0 {
		lines = append([]string{fmt.Sprintf("(%d lines left off)", left)}, lines[left:]...)
	}
	return "    " + strings.Join(lines, "\n    ") + "\n"
}
