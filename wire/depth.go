package wire

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/walkergate/walkergate/fault"
)

// scanDeep reads a frame that nests too deep. Where it is the context of a
// walker frame that does, it is cut out unread: its own reader refuses it, as it
// does over HTTP, where nobody has looked into it either.
func (f *fields) scanDeep(text []byte) *fault.Error {
	context := deepContext(text)
	rest := without(text, context)
	if context == nil || tooDeep(rest) {
		return errTooDeep
	}
	malformed := f.scan(rest)
	if malformed == nil && !f.ofWalker() {
		malformed = errTooDeep
	}
	f.context = context
	return malformed
}

var errTooDeep = fault.New(fault.BadFrame, "the frame nests too deep")

// deepContext gives the value of the context of the outermost object, nil where
// there is none, or where something else nests too deep before it. It looks at
// brackets and strings alone: what it gives of text that is no JSON may be any
// part of it.
func deepContext(text []byte) jsontext.Value {
	var name []byte // of the present member, quoted
	depth, start, isContext := 0, -1, false
	for i := 0; i < len(text); i++ {
		ends := false
		switch c := text[i]; {
		case c == '"':
			end := endOfString(text, i)
			if depth == 1 && start < 0 {
				name = text[i:end]
			}
			i = end - 1
		case c == ':' && depth == 1 && start < 0:
			start, isContext = i+1, len(name) > 1 && string(plain(name)) == "context"
		case c == '{' || c == '[':
			if depth++; depth > MaxDepth && !isContext {
				return nil
			}
		case c == '}' || c == ']':
			depth--
			ends = depth == 0
		case c == ',':
			ends = depth == 1
		}
		switch {
		case ends && isContext:
			return bytes.Trim(text[start:i], " \t\r\n")
		case ends:
			name, start = nil, -1
		}
	}
	return nil
}

// endOfString gives where the string that begins at start ends, or the text.
func endOfString(text []byte, start int) int {
	for i := start + 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(text)
}

// tooDeep counts brackets outside strings. It may be wrong about text that is
// no JSON; the scan tells that. Most frames have too few brackets to be looked
// at twice.
func tooDeep(text []byte) bool {
	if bytes.Count(text, []byte{'{'})+bytes.Count(text, []byte{'['}) <= MaxDepth {
		return false
	}
	depth, inString := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > MaxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}
