package walkers

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/walkergate/walkergate/fault"
)

const (
	// maxDepth bounds how deep a context may nest.
	maxDepth = 64
	// maxDetails bounds what one answer tells; the first are enough to go on.
	maxDetails = 100
	// maxPath bounds the path of one detail, in bytes: names in it may be the
	// sender's.
	maxPath = 256
	// keptScratch bounds what a pooled decoding keeps.
	keptScratch = 16 << 10
)

// errEnough ends a decoding that has found maxDetails faults.
var errEnough = errors.New("enough faults found")

// decoding reads JSON along a plan and gathers all that is wrong with it.
type decoding struct {
	dec    *jsontext.Decoder
	source bytes.Buffer
	// prefix is the path at which the JSON stands in the context.
	prefix  string
	details []fault.Detail
	scratch []byte
}

var decodings = sync.Pool{New: func() any { return &decoding{dec: jsontext.NewDecoder(new(bytes.Buffer))} }}

func newDecoding() *decoding { return decodings.Get().(*decoding) }

// read begins with another JSON text, which stands at that path of the context.
func (d *decoding) read(text []byte, at string) {
	d.source = *bytes.NewBuffer(text)
	d.dec.Reset(&d.source)
	d.prefix = at
}

// free gives the decoding back. It keeps nothing of what it read.
func (d *decoding) free() {
	d.read(nil, "")
	d.details = nil
	if cap(d.scratch) > keptScratch {
		d.scratch = nil
	}
	decodings.Put(d)
}

// note tells what is wrong with the value that was read last.
func (d *decoding) note(reason string) error { return d.noteAt(d.here(), reason) }

func (d *decoding) noteAt(path, reason string) error {
	d.details = append(d.details, fault.Detail{Field: cut(path), Reason: reason})
	if len(d.details) >= maxDetails {
		return errEnough
	}
	return nil
}

// refuse passes over the next value and tells what is wrong with it.
func (d *decoding) refuse(reason string) error {
	if err := d.dec.SkipValue(); err != nil {
		return err
	}
	return d.note(reason)
}

// here is the dotted path of the value that was read last.
func (d *decoding) here() string { return d.dotted(d.dec.StackPointer()) }

func (d *decoding) dotted(pointer jsontext.Pointer) string {
	path := d.prefix
	level := 0
	for token := range pointer.Tokens() {
		if len(path) > maxPath {
			break // it will be cut, and a hostile one costs no more than that
		}
		token = cut(token)
		level++
		inList := false
		if level <= d.dec.StackDepth() {
			kind, _ := d.dec.StackIndex(level)
			inList = kind == '['
		}
		if inList {
			path += "[" + token + "]"
		} else {
			path = join(path, token)
		}
	}
	return path
}

// failure makes the fault of what was noted, nil where nothing was.
func (d *decoding) failure() error {
	if len(d.details) == 0 {
		return nil
	}
	return invalid(d.details)
}

// broken makes the fault of an error that ended the decoding.
func (d *decoding) broken(err error) error {
	if errors.Is(err, errEnough) {
		return d.failure()
	}
	malformed := fault.New(fault.InvalidContext, "malformed JSON")
	var syntax *jsontext.SyntacticError
	if errors.Is(err, jsontext.ErrDuplicateName) && errors.As(err, &syntax) {
		malformed.Details = []fault.Detail{{Field: cut(d.dotted(syntax.JSONPointer)), Reason: "duplicate name"}}
	}
	return malformed.Because(err)
}

func invalid(details []fault.Detail) error {
	return fault.New(fault.InvalidContext, "the context does not fit the walker", details...)
}

// cut bounds a path without breaking a character.
func cut(path string) string {
	if len(path) <= maxPath {
		return path
	}
	end := maxPath
	for end > 0 && !utf8.RuneStart(path[end]) {
		end--
	}
	return path[:end]
}

// tooDeep reports whether a JSON text nests deeper than maxDepth. Most texts
// have too few brackets for that, and are not looked at twice.
func tooDeep(text []byte) bool {
	if bytes.Count(text, []byte("{"))+bytes.Count(text, []byte("[")) <= maxDepth {
		return false
	}
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

// value reads one JSON text that stands for itself into a zero value: a
// default. It gives the first thing that is wrong.
func (s *shape) value(text []byte, into reflect.Value) error {
	d := newDecoding()
	defer d.free()
	d.read(text, "")
	if err := s.decode(d, into); err != nil {
		return err
	}
	if err := d.end(); err != nil {
		return err
	}
	if len(d.details) > 0 {
		return errors.New(strings.TrimPrefix(d.details[0].Field+": "+d.details[0].Reason, ": "))
	}
	return nil
}

// end checks that nothing follows the value.
func (d *decoding) end() error {
	if _, err := d.dec.ReadToken(); !errors.Is(err, io.EOF) {
		if err == nil {
			err = errors.New("more than one value")
		}
		return err
	}
	return nil
}
