package wire

import (
	"encoding/json"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/walkergate/walkergate/fault"
)

// checker reads the fields of a frame and gathers all that is wrong with them.
type checker struct{ details []fault.Detail }

func (c *checker) failed() bool { return len(c.details) > 0 }

func (c *checker) fault() *fault.Error {
	return fault.New(fault.BadFrame, "the frame is not valid", c.details...)
}

func (c *checker) add(field, reason string) {
	c.details = append(c.details, fault.Detail{Field: field, Reason: reason})
}

const (
	required       = "required"
	expectedString = "expected string"
	expectedObject = "expected object"
	expectedBool   = "expected boolean"
)

var expectedTargets = "expected 1 to " + strconv.Itoa(MaxTargets) + " ids"

func (c *checker) requiredString(field string, raw jsontext.Value) string {
	switch {
	case raw == nil:
		c.add(field, required)
	case raw.Kind() != '"':
		c.add(field, expectedString)
	default:
		return unquote(raw)
	}
	return ""
}

// optionalString reads a string that may be absent or null.
func (c *checker) optionalString(field string, raw jsontext.Value) (value string, given bool) {
	if raw == nil || raw.Kind() == 'n' {
		return "", false
	}
	return c.requiredString(field, raw), true
}

func (c *checker) optionalBool(field string, raw jsontext.Value) bool {
	if raw == nil {
		return false
	}
	kind := raw.Kind()
	if kind != 't' && kind != 'f' {
		c.add(field, expectedBool)
	}
	return kind == 't'
}

func (c *checker) requiredObject(field string, raw jsontext.Value) json.RawMessage {
	if raw == nil {
		c.add(field, required)
		return nil
	}
	return c.optionalObject(field, raw)
}

func (c *checker) optionalObject(field string, raw jsontext.Value) json.RawMessage {
	if raw != nil && raw.Kind() != '{' {
		c.add(field, expectedObject)
	}
	return json.RawMessage(raw)
}

// targets reads a list of 1 to MaxTargets ids.
func (c *checker) targets(field string, list *list) []string {
	switch {
	case !list.given:
		c.add(field, required)
		return nil
	case !list.isList:
		c.add(field, "expected list of strings")
		return nil
	case len(list.elements) == 0 || list.more:
		c.add(field, expectedTargets)
		return nil
	}
	targets := make([]string, len(list.elements))
	for i, element := range list.elements {
		if element.Kind() != '"' {
			c.add(field+"["+strconv.Itoa(i)+"]", expectedString)
			continue
		}
		targets[i] = unquote(element)
	}
	return targets
}
