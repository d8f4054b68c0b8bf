package walkers

import (
	"bytes"
	"encoding/json"
	"errors"
	"sync"
	"unicode/utf8"
)

// encoder writes JSON as encoding/json does, but leaves <, > and & as they
// are: the text goes into no page.
type encoder struct {
	buffer bytes.Buffer
	json   *json.Encoder
}

var encoders = sync.Pool{New: func() any {
	e := new(encoder)
	e.json = json.NewEncoder(&e.buffer)
	e.json.SetEscapeHTML(false)
	return e
}}

// keptEncoder bounds what a pooled encoder keeps, in bytes.
const keptEncoder = 64 << 10

// appendJSON appends the JSON of a value.
func appendJSON(b []byte, value any) ([]byte, error) {
	e := encoders.Get().(*encoder)
	e.buffer.Reset()
	if err := e.json.Encode(value); err != nil {
		return b, err // the encoder is let go: it remembers errors of its writer
	}
	text := bytes.TrimSuffix(e.buffer.Bytes(), []byte("\n"))
	if !utf8.Valid(text) { // a json.RawMessage is copied as it is, and a frame must be UTF-8
		text = bytes.ToValidUTF8(text, []byte("\ufffd"))
	}
	b = append(b, text...)
	if e.buffer.Cap() <= keptEncoder {
		encoders.Put(e)
	}
	return b, nil
}

var errNoObject = errors.New("walkers: the data of a notify must be a JSON object")

// encodeObject gives the JSON of a value that must be an object.
func encodeObject(value any) (json.RawMessage, error) {
	object, err := appendJSON(nil, value)
	if err != nil {
		return nil, err
	}
	if len(object) == 0 || object[0] != '{' {
		return nil, errNoObject
	}
	return object, nil
}
