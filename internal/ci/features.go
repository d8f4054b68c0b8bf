package ci

import (
	"errors"
	"regexp"
	"strings"
)

// testName is a test as prose names it, with its subtest where it has one.
var testName = regexp.MustCompile("\\b(?:Test|Fuzz|Example)[A-Z][A-Za-z0-9_]*(?:/[^\\s`|,;()]+)?")

// Features finds the tests that the text names and that did not pass in the
// log: the text is the project's list of features, each with its proof. Text
// that names no test is an error.
func Features(text string, log *Log) (missing []string, err error) {
	passed, seen := log.passed(), make(map[string]bool)
	for _, name := range testName.FindAllString(text, -1) {
		name = strings.TrimRight(name, ".:")
		if seen[name] {
			continue
		}
		seen[name] = true
		if !passed[name] {
			missing = append(missing, name)
		}
	}
	if len(seen) == 0 {
		return nil, errors.New("the list of features names no test")
	}
	return missing, nil
}
