package walkers

import (
	"bytes"
	"encoding"
	"encoding/base64"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// The decoders of the single kinds. Types are exact: no kind is made of
// another. null is taken by pointers, by the empty interface and by types that
// decode themselves; elsewhere it is a value of the wrong kind.

const (
	reasonRange   = "out of range"
	reasonInvalid = "invalid value"
)

func decodeBool(d *decoding, into reflect.Value) error {
	switch d.dec.PeekKind() {
	case 't', 'f':
	default:
		return d.refuse("expected boolean")
	}
	token, err := d.dec.ReadToken()
	if err != nil {
		return err
	}
	into.SetBool(token.Bool())
	return nil
}

// integer reads the digits of an integer, nil where it is none: 3.0 and 1e2
// are numbers, and no integers.
func (d *decoding) integer() (digits []byte, err error) {
	if d.dec.PeekKind() != '0' {
		return nil, d.refuse("expected integer")
	}
	raw, err := d.dec.ReadValue()
	if err != nil {
		return nil, err
	}
	if bytes.ContainsAny(raw, ".eE") {
		return nil, d.note("expected integer")
	}
	return raw, nil
}

func decodeInt(d *decoding, into reflect.Value) error {
	digits, err := d.integer()
	if digits == nil {
		return err
	}
	n, err := strconv.ParseInt(string(digits), 10, into.Type().Bits())
	if err != nil {
		return d.note(reasonRange)
	}
	into.SetInt(n)
	return nil
}

func decodeUint(d *decoding, into reflect.Value) error {
	digits, err := d.integer()
	if digits == nil {
		return err
	}
	n, err := strconv.ParseUint(string(digits), 10, into.Type().Bits())
	if err != nil {
		return d.note(reasonRange)
	}
	into.SetUint(n)
	return nil
}

func decodeFloat(d *decoding, into reflect.Value) error {
	if d.dec.PeekKind() != '0' {
		return d.refuse("expected number")
	}
	raw, err := d.dec.ReadValue()
	if err != nil {
		return err
	}
	n, err := strconv.ParseFloat(string(raw), into.Type().Bits())
	if err != nil {
		return d.note(reasonRange)
	}
	into.SetFloat(n)
	return nil
}

// decodeNumberText fills a json.Number: a number, kept as it was written.
func decodeNumberText(d *decoding, into reflect.Value) error {
	if d.dec.PeekKind() != '0' {
		return d.refuse("expected number")
	}
	raw, err := d.dec.ReadValue()
	if err != nil {
		return err
	}
	into.SetString(string(raw))
	return nil
}

// text reads a string. ok is false where there was none, and that was noted.
func (d *decoding) text() (text string, ok bool, err error) {
	if d.dec.PeekKind() != '"' {
		return "", false, d.refuse("expected string")
	}
	raw, err := d.dec.ReadValue()
	if err != nil {
		return "", false, err
	}
	return unquote(raw), true, nil
}

// unquote gives the text of a string that is known to be valid.
func unquote(raw jsontext.Value) string {
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1])
	}
	text, _ := jsontext.AppendUnquote(nil, raw) // valid: the decoder has read it
	return string(text)
}

func decodeString(d *decoding, into reflect.Value) error {
	text, ok, err := d.text()
	if ok {
		into.SetString(text)
	}
	return err
}

func decodeBytes(d *decoding, into reflect.Value) error {
	text, ok, err := d.text()
	if !ok {
		return err
	}
	content, err := base64.StdEncoding.DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") { // which the library passes over
		return d.note("expected base64")
	}
	into.SetBytes(content)
	return nil
}

// decodeText fills a type that reads itself from text.
func decodeText(d *decoding, into reflect.Value) error {
	text, ok, err := d.text()
	if !ok {
		return err
	}
	if into.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text)) != nil {
		return d.note(reasonInvalid)
	}
	return nil
}

// decodeTime fills a time.Time. The time's own UnmarshalText takes more than
// RFC 3339 allows, such as hours of one digit.
func decodeTime(d *decoding, into reflect.Value) error {
	if d.dec.PeekKind() != '"' {
		return d.refuse("expected string")
	}
	raw, err := d.dec.ReadValue()
	if err != nil {
		return err
	}
	if jsonv2.Unmarshal(raw, into.Addr().Interface()) != nil {
		return d.note("expected RFC 3339 time")
	}
	return nil
}

// decodeItself fills a type that reads itself from JSON.
func decodeItself(d *decoding, into reflect.Value) error {
	raw, err := d.dec.ReadValue()
	if err != nil {
		return err
	}
	if into.Addr().Interface().(json.Unmarshaler).UnmarshalJSON(raw) != nil {
		return d.note(reasonInvalid)
	}
	return nil
}

func decodeRaw(d *decoding, into reflect.Value) error {
	raw, err := d.dec.ReadValue()
	if err != nil {
		return err
	}
	into.SetBytes(bytes.Clone(raw))
	return nil
}

// decodeAny makes what encoding/json makes: nil, bool, float64, string,
// []any and map[string]any.
func decodeAny(d *decoding, into reflect.Value) error {
	raw, err := d.dec.ReadValue()
	if err != nil {
		return err
	}
	var value any
	if err := jsonv2.Unmarshal(raw, &value); err != nil {
		return d.note(reasonRange) // of a number: all else was checked when it was read
	}
	if value != nil {
		into.Set(reflect.ValueOf(value))
	}
	return nil
}

func decodePointer(target *shape) func(*decoding, reflect.Value) error {
	return func(d *decoding, into reflect.Value) error {
		if d.dec.PeekKind() == 'n' {
			_, err := d.dec.ReadToken()
			return err
		}
		value := reflect.New(into.Type().Elem())
		if err := target.decode(d, value.Elem()); err != nil {
			return err
		}
		into.Set(value)
		return nil
	}
}

func decodeSlice(item *shape) func(*decoding, reflect.Value) error {
	return func(d *decoding, into reflect.Value) error {
		into.Set(reflect.MakeSlice(into.Type(), 0, 0))
		return d.items(func(i int) error {
			if i >= into.Cap() {
				into.Grow(1)
			}
			into.SetLen(i + 1)
			return item.decode(d, into.Index(i))
		})
	}
}

func decodeArray(item *shape) func(*decoding, reflect.Value) error {
	return func(d *decoding, into reflect.Value) error {
		count := 0
		before := len(d.details)
		err := d.items(func(i int) error {
			count++
			if i < into.Len() {
				return item.decode(d, into.Index(i))
			}
			return d.dec.SkipValue()
		})
		if err != nil || count == into.Len() || len(d.details) > before {
			return err
		}
		return d.note("expected " + strconv.Itoa(into.Len()) + " items")
	}
}

// items reads a list, one call an item.
func (d *decoding) items(item func(i int) error) error {
	if d.dec.PeekKind() != '[' {
		return d.refuse("expected list")
	}
	if _, err := d.dec.ReadToken(); err != nil {
		return err
	}
	for i := 0; d.dec.PeekKind() != ']'; i++ {
		if err := item(i); err != nil {
			return err
		}
	}
	_, err := d.dec.ReadToken()
	return err
}

func decodeMap(item *shape) func(*decoding, reflect.Value) error {
	return func(d *decoding, into reflect.Value) error {
		t := into.Type()
		if d.dec.PeekKind() != '{' {
			return d.refuse("expected object")
		}
		if _, err := d.dec.ReadToken(); err != nil {
			return err
		}
		into.Set(reflect.MakeMap(t))
		value := reflect.New(t.Elem()).Elem()
		key := reflect.New(t.Key()).Elem()
		for d.dec.PeekKind() != '}' {
			name, err := d.dec.ReadValue()
			if err != nil {
				return err
			}
			key.SetString(unquote(name))
			value.SetZero()
			if err := item.decode(d, value); err != nil {
				return err
			}
			into.SetMapIndex(key, value)
		}
		_, err := d.dec.ReadToken()
		return err
	}
}
