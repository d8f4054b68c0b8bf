package ci

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// tapLine is a result of TAP: its indent tells how deep the test stands.
var tapLine = regexp.MustCompile(`^( *)(not )?ok \d+(?: - (.*?))?(?: # (\w+).*)?$`)

// ReadTAP reads the TAP that node --test writes and calls the package of its
// tests name. A subtest's results stand before its parent's there; each is named
// for itself alone. A log without its closing count is an error: the runner
// did not come to its end.
func ReadTAP(r io.Reader, name string) (*Log, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, longestLine)
	log := &Log{}
	details, closed := false, false
	for lines.Scan() {
		line := lines.Text()
		trimmed := strings.TrimSpace(line)
		switch {
		case trimmed == "---":
			details = true
		case trimmed == "..." && details:
			details = false
		case details:
			log.detail(trimmed)
		case strings.HasPrefix(line, "# tests "):
			closed = true
		default:
			log.takeTAP(line, name)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read the TAP: %w", err)
	}
	if !closed {
		return nil, errors.New("the TAP has no closing count")
	}
	return log, nil
}

func (l *Log) takeTAP(line, name string) {
	match := tapLine.FindStringSubmatch(line)
	if match == nil {
		return
	}
	result := Result{Package: name, Test: match[3], Outcome: Passed}
	switch {
	case match[2] != "":
		result.Outcome = Failed
	case strings.EqualFold(match[4], "skip"), strings.EqualFold(match[4], "todo"):
		result.Outcome = Skipped
	}
	l.Results = append(l.Results, result)
}

// detail is a line of what the runner tells below a result.
func (l *Log) detail(line string) {
	if len(l.Results) == 0 {
		return
	}
	last := &l.Results[len(l.Results)-1]
	switch {
	case last.Outcome == Failed:
		last.Output += line + "\n"
	case line == "type: 'suite'" && last.Outcome == Passed: // a heading, no test
		l.Results = l.Results[:len(l.Results)-1]
	}
}
