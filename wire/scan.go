package wire

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/walkergate/walkergate/fault"
)

// fields are the members of a frame that any type knows, still raw. Absent
// members are nil.
type fields struct {
	kind, id                        jsontext.Value
	walker, context, node, response jsontext.Value
	data, token                     jsontext.Value
	rootIDs, channelIDs, clientIDs  list

	reserved bool // data looks like a message of the gateway's own
}

// slot gives the place of a member, nil for a member that no frame knows.
func (f *fields) slot(name []byte) *jsontext.Value {
	switch string(name) {
	case "type":
		return &f.kind
	case "id":
		return &f.id
	case "walker":
		return &f.walker
	case "context":
		return &f.context
	case "node":
		return &f.node
	case "response":
		return &f.response
	case "data":
		return &f.data
	case "token":
		return &f.token
	}
	return nil
}

// list is a member that should be a list of targets.
type list struct {
	given, isList bool
	elements      []jsontext.Value // no more than MaxTargets
	more          bool             // there were more
}

// list gives the place of a list of targets, nil for any other member.
func (f *fields) list(name []byte) *list {
	switch string(name) {
	case "root_ids":
		return &f.rootIDs
	case "channel_ids":
		return &f.channelIDs
	case "client_ids":
		return &f.clientIDs
	}
	return nil
}

// scanner lends a decoder, which is too large to make for each frame. The
// decoder reads a bytes.Buffer where it lies and copies any other source.
type scanner struct {
	text    []byte
	source  bytes.Buffer
	decoder *jsontext.Decoder
}

var scanners = sync.Pool{New: func() any {
	s := &scanner{}
	s.decoder = jsontext.NewDecoder(&s.source)
	return s
}}

func lendScanner(text []byte) *scanner {
	s := scanners.Get().(*scanner)
	s.text = text
	s.source = *bytes.NewBuffer(text)
	return s
}

// giveBack lets go of the text before anybody else gets the scanner.
func (s *scanner) giveBack() {
	s.text = nil
	s.source = bytes.Buffer{}
	s.decoder.Reset(&s.source)
	scanners.Put(s)
}

// scan takes the frame apart in one pass, which also proves that it is JSON,
// UTF-8, and free of doubled names, all the way down. Depth is judged before,
// as each level costs a parser more than its byte is worth.
func (f *fields) scan(text []byte) *fault.Error {
	if tooDeep(text) {
		return f.scanDeep(text)
	}
	err := f.pass(text)
	switch {
	case err == nil, inContext(err) && f.passOver(text):
		return nil
	case errors.Is(err, errNoObject):
		return fault.New(fault.BadFrame, "a frame is a JSON object")
	case errors.Is(err, jsontext.ErrDuplicateName):
		return fault.New(fault.BadFrame, "a name stands twice in one object").Because(err)
	default:
		return fault.New(fault.BadFrame, "malformed JSON").Because(err)
	}
}

// ofWalker reports whether the frame calls a walker.
func (f *fields) ofWalker() bool { return string(textOf(f.kind)) == "walker" }

func (f *fields) pass(text []byte, options ...jsontext.Options) error {
	*f = fields{}
	s := lendScanner(text)
	defer s.giveBack()
	s.decoder.Reset(&s.source, options...)
	return s.object(f)
}

// passOver reads a walker frame whose context is doubtful, but JSON. What is
// wrong with a context is for the walker's own reading to tell, behind what it
// asks first, as it does over HTTP.
func (f *fields) passOver(text []byte) bool {
	err := f.pass(text, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if err != nil || !f.ofWalker() {
		return false
	}
	var strict fields // all else is read as strictly as ever
	return strict.pass(without(text, f.context)) == nil
}

func inContext(err error) bool {
	var syntax *jsontext.SyntacticError
	return errors.As(err, &syntax) && (syntax.JSONPointer == "/context" || strings.HasPrefix(string(syntax.JSONPointer), "/context/"))
}

// without puts a number in place of a part of the text that it lies in.
func without(text []byte, part jsontext.Value) []byte {
	if part == nil {
		return text
	}
	start := cap(text) - cap(part)
	return append(append(append([]byte(nil), text[:start]...), '0'), text[start+len(part):]...)
}

var (
	errNoObject = errors.New("not an object")
	errTwice    = errors.New("a member of the frame stands twice")
)

func (s *scanner) object(found *fields) error {
	if s.decoder.PeekKind() != '{' {
		// Whatever else it is must still be JSON to earn this answer.
		if err := s.decoder.SkipValue(); err != nil {
			return err
		}
		return errNoObject
	}
	if _, err := s.decoder.ReadToken(); err != nil {
		return err
	}
	for s.decoder.PeekKind() == '"' {
		name, err := s.value()
		if err != nil {
			return err
		}
		if err := s.member(found, plain(name)); err != nil {
			return err
		}
	}
	if _, err := s.decoder.ReadToken(); err != nil { // the closing brace, or what is wrong
		return err
	}
	if _, err := s.decoder.ReadToken(); !errors.Is(err, io.EOF) {
		if err == nil {
			err = errors.New("text behind the frame")
		}
		return err
	}
	return nil
}

func (s *scanner) member(found *fields, name []byte) error {
	if list := found.list(name); list != nil {
		if list.given {
			return errTwice
		}
		return s.targets(list)
	}
	slot := found.slot(name)
	switch {
	case slot == nil:
		return s.decoder.SkipValue()
	case *slot != nil:
		return errTwice // the decoder tells, but where it was asked to pass over it
	case slot == &found.data && s.decoder.PeekKind() == '{':
		return s.data(found)
	}
	raw, err := s.value()
	*slot = raw
	return err
}

// targets keeps the raw elements of a list up to the bound: what a client can
// make us hold is bounded before it is held.
func (s *scanner) targets(found *list) error {
	found.given = true
	if s.decoder.PeekKind() != '[' {
		return s.decoder.SkipValue()
	}
	found.isList = true
	if _, err := s.decoder.ReadToken(); err != nil {
		return err
	}
	for s.decoder.PeekKind() != ']' {
		element, err := s.value()
		if err != nil {
			return err
		}
		if len(found.elements) == MaxTargets {
			found.more = true
			continue
		}
		found.elements = append(found.elements, element)
	}
	_, err := s.decoder.ReadToken()
	return err
}

// data reads the object that is to be published and notes whether a receiver
// could take it for one of the gateway's own messages. A type that is no text,
// or empty, is as good as none: many a receiver asks no more than whether it
// is true.
func (s *scanner) data(found *fields) error {
	if _, err := s.decoder.ReadToken(); err != nil {
		return err
	}
	start := int(s.decoder.InputOffset()) - 1
	var typed, status, reports bool
	for s.decoder.PeekKind() == '"' {
		name, err := s.value()
		if err != nil {
			return err
		}
		value, err := s.value()
		if err != nil {
			return err
		}
		switch string(plain(name)) {
		case "type":
			kind := textOf(value)
			typed = len(kind) > 0
			found.reserved = reservedType(kind)
		case "status":
			status = true
		case "reports":
			reports = true
		}
	}
	if _, err := s.decoder.ReadToken(); err != nil {
		return err
	}
	found.reserved = found.reserved || !typed && status && reports
	found.data = s.text[start:s.decoder.InputOffset()]
	return nil
}

// value reads the next value as a part of the text. The decoder's own slice
// would be gone with the next read.
func (s *scanner) value() (jsontext.Value, error) {
	value, err := s.decoder.ReadValue()
	if err != nil {
		return nil, err
	}
	end := int(s.decoder.InputOffset())
	return s.text[end-len(value) : end], nil
}

// reservedType holds the types of the gateway's own messages.
func reservedType(kind []byte) bool {
	switch string(kind) {
	case "connection", "walker", "reply", "error", "channel", "pong":
		return true
	}
	return false
}

// textOf gives the text of a string, and nothing of any other value.
func textOf(value jsontext.Value) []byte {
	if value.Kind() != '"' {
		return nil
	}
	return plain(value)
}

// unquote reads a JSON string that the scan has already found valid.
func unquote(quoted jsontext.Value) string { return string(plain(quoted)) }

// plain is unquote without the copy, which only escapes make needful. What it
// gives may be a part of the text.
func plain(quoted jsontext.Value) []byte {
	inner := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return inner
	}
	unescaped, err := jsontext.AppendUnquote(nil, quoted)
	if err != nil {
		return nil // cannot be: the scan refuses what cannot be unquoted
	}
	return unescaped
}
