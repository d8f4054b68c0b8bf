package channels

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// maxDepth is how deep an object may nest, as in a frame.
const maxDepth = 64

// judge gives what is sent where a hook gave data for what was sent. A copy,
// where it is something else: whose the hook's own is nobody knows.
func (p *Policy) judge(sent, data json.RawMessage) (json.RawMessage, error) {
	if bytes.Equal(sent, data) {
		return sent, nil
	}
	if len(data) > p.options.MaxData {
		return nil, errReplaced
	}
	data = bytes.Clone(data)
	if err := isObject(data); err != nil {
		return nil, &broken{err}
	}
	if p.options.Reserved != nil && p.options.Reserved(data) {
		return nil, &broken{errReserved}
	}
	return data, nil
}

// broken is the error of a hook that returned what it may not.
type broken struct{ cause error }

func (b *broken) Error() string { return "the hook's data: " + b.cause.Error() }
func (b *broken) Unwrap() error { return b.cause }

var (
	errNoObject = errors.New("not a JSON object")
	errTooDeep  = errors.New("nests too deep")
	errReserved = errors.New("looks like a message of the gateway's own")
)

// isObject holds data to what a frame's data is held to: one object of valid
// JSON and UTF-8, without a doubled name, and not too deep. Its errors quote
// nothing of it.
func isObject(data []byte) error {
	decoder := jsontext.NewDecoder(bytes.NewReader(data))
	if decoder.PeekKind() != '{' {
		return errNoObject
	}
	for {
		_, err := decoder.ReadToken()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return malformed(err)
		case decoder.StackDepth() > maxDepth:
			return errTooDeep
		case decoder.StackDepth() == 0 && decoder.PeekKind() != 0:
			return errNoObject // more behind the first
		}
	}
}

// malformed keeps of an error of the decoder what is no text of the message.
func malformed(err error) error {
	if errors.Is(err, jsontext.ErrDuplicateName) {
		return errors.New("a name stands twice in one object")
	}
	return errors.New("malformed JSON")
}
