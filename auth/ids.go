package auth

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"time"
)

// rootPrefix stands before the hex of every root id in its one normal form.
const rootPrefix = "n::"

// idLength is the length of an id in hex digits: twelve bytes, as a MongoDB
// ObjectId has.
const idLength = 24

// newID makes an id in the shape of an ObjectId: the second of its birth, then
// eight random bytes. Random and not counted, so that no id is ever given
// twice, also after the one who bore it is gone.
func newID(at time.Time) string {
	var id [idLength / 2]byte
	binary.BigEndian.PutUint32(id[:4], uint32(at.Unix())) // wraps in 2106; the rest keeps it unique
	_, _ = rand.Read(id[4:])                              // never fails: crypto/rand ends the process instead
	return hex.EncodeToString(id[:])
}

// ParseRootID reads a root id in any spelling that clients know,
// "n:<anything without a colon>:<24 hex digits of either case>", and gives its
// one normal form, "n::<24 lower-case hex digits>". It reports false for
// everything else.
func ParseRootID(text string) (string, bool) {
	rest, found := strings.CutPrefix(text, "n:")
	if !found {
		return "", false
	}
	middle, id, found := strings.Cut(rest, ":")
	if !found || len(id) != idLength {
		return "", false
	}
	lower := strings.ToLower(id)
	if !isID(lower) {
		return "", false
	}
	if middle == "" && lower == id {
		return text, true
	}
	return rootPrefix + lower, true
}

// isID reports whether text is an id in its normal form.
func isID(text string) bool {
	if len(text) != idLength {
		return false
	}
	for i := range len(text) {
		digit := text[i]
		if (digit < '0' || digit > '9') && (digit < 'a' || digit > 'f') {
			return false
		}
	}
	return true
}
