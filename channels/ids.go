package channels

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

const (
	// keyedID and randomID begin the two kinds of message ids, so that none of
	// one kind is ever one of the other.
	keyedID  = 'k'
	randomID = 'r'
)

// identify gives a message its id, and what tells it from others under the same
// key.
func (m *Message) identify(entry Entry) {
	if entry.Key == "" {
		m.ID = newMessageID()
		return
	}
	m.Keyed = true
	m.ID = idOf(entry.Scope, entry.Key)
	sent := entry.Sent
	if sent == nil {
		sent = entry.Data
	}
	sum := sha256.Sum256(sent)
	m.Digest = hex.EncodeToString(sum[:16])
}

// idOf makes a message id of a key: "k" and 40 hex digits of a hash. Each part
// is hashed behind its length, so that no two pairs are one text.
func idOf(scope, key string) string {
	text := make([]byte, 0, 16+len(scope)+len(key))
	for _, part := range []string{scope, key} {
		text = binary.BigEndian.AppendUint64(text, uint64(len(part)))
		text = append(text, part...)
	}
	sum := sha256.Sum256(text)
	return hexID(keyedID, sum[:20])
}

// newMessageID makes "r" and 32 random hex digits.
func newMessageID() string {
	var random [16]byte
	_, _ = rand.Read(random[:]) // never fails: crypto/rand ends the process instead
	return hexID(randomID, random[:])
}

func hexID(kind byte, random []byte) string {
	var id [1 + 40]byte
	id[0] = kind
	return string(hex.AppendEncode(id[:1], random))
}
