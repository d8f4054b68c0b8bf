// Package ledger stamps the messages of a run and judges what comes back:
// fresh, lost, twice, out of order, or never sent.
package ledger

import (
	"bytes"
	"fmt"
	"strings"
)

// Stamp names one message of a run: who published it, and its place among that
// publisher's messages, from 0.
type Stamp struct{ Publisher, Sequence uint32 }

const (
	marker         = `"bench":"`
	publisherWidth = 5
	sequenceWidth  = 10
	stampWidth     = publisherWidth + sequenceWidth
	middle         = `","fill":"`
	ending         = `"}`
)

// Form is the shape of a run's payloads: JSON objects of one size.
type Form struct{ tail []byte }

// SmallestForm is the size below which a payload has no room for its stamp.
const SmallestForm = 1 + len(marker) + stampWidth + len(middle) + len(ending)

// NewForm makes payloads of so many bytes, at least SmallestForm.
func NewForm(size int) (*Form, error) {
	if size < SmallestForm {
		return nil, fmt.Errorf("a payload of %d bytes has no room for its stamp: at least %d", size, SmallestForm)
	}
	return &Form{tail: []byte(middle + strings.Repeat("x", size-SmallestForm) + ending)}, nil
}

// Append adds the payload with this stamp to dst.
func (f *Form) Append(dst []byte, stamp Stamp) []byte {
	dst = append(dst, '{')
	dst = append(dst, marker...)
	dst = appendDigits(dst, stamp.Publisher, publisherWidth)
	dst = appendDigits(dst, stamp.Sequence, sequenceWidth)
	return append(dst, f.tail...)
}

func appendDigits(dst []byte, value uint32, width int) []byte {
	at := len(dst)
	dst = append(dst, "0000000000"[:width]...)
	for i := at + width - 1; i >= at; i-- {
		dst[i] += byte(value % 10)
		value /= 10
	}
	return dst
}

// Find gives the next payload in a message, which may hold more around it and
// behind it. whole is false where the payload is not as it was sent; ok is
// false where there is none.
func (f *Form) Find(text []byte) (stamp Stamp, rest []byte, whole, ok bool) {
	at := bytes.Index(text, []byte(marker))
	if at < 0 {
		return Stamp{}, nil, false, false
	}
	rest = text[at+len(marker):]
	if len(rest) < stampWidth {
		return Stamp{}, nil, false, true
	}
	publisher, good := digits(rest[:publisherWidth])
	sequence, fine := digits(rest[publisherWidth:stampWidth])
	rest = rest[stampWidth:]
	if !good || !fine || !bytes.HasPrefix(rest, f.tail) {
		return Stamp{}, rest, false, true
	}
	return Stamp{Publisher: publisher, Sequence: sequence}, rest[len(f.tail):], true, true
}

func digits(text []byte) (uint32, bool) {
	var value uint64
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, false
		}
		value = value*10 + uint64(c-'0')
	}
	return uint32(value), value < 1<<32
}
