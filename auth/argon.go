package auth

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// ArgonCost is what one hash costs. The zero value is OWASP's first
// recommendation: 19 MiB, two passes, one lane.
type ArgonCost struct {
	MemoryKiB uint32
	Passes    uint32
	Lanes     uint8
}

const (
	saltLength = 16
	keyLength  = 32
)

// What a stored hash may ask for at most. A row that was tampered with must
// not cost the process its memory.
const (
	maxMemoryKiB = 1 << 20
	maxPasses    = 64
	maxSalt      = 64
	maxKey       = 64
	maxEncoded   = 512
)

func (c ArgonCost) orDefault() ArgonCost {
	if c == (ArgonCost{}) {
		return ArgonCost{MemoryKiB: 19 * 1024, Passes: 2, Lanes: 1}
	}
	return c
}

func (c ArgonCost) check() error {
	if c.Passes < 1 || c.Passes > maxPasses || c.Lanes < 1 ||
		c.MemoryKiB < 8*uint32(c.Lanes) || c.MemoryKiB > maxMemoryKiB {
		return fmt.Errorf("argon2id cannot run with m=%d KiB, t=%d, p=%d", c.MemoryKiB, c.Passes, c.Lanes)
	}
	return nil
}

// argonHash is an argon2id hash with all that made it.
type argonHash struct {
	cost ArgonCost
	salt []byte
	key  []byte
}

// newArgonHash has a fresh salt and a random key: no password is known to give
// it. Hashing a password replaces the key.
func newArgonHash(cost ArgonCost) argonHash {
	random := make([]byte, saltLength+keyLength)
	_, _ = rand.Read(random) // never fails: crypto/rand ends the process instead
	return argonHash{cost: cost, salt: random[:saltLength], key: random[saltLength:]}
}

// derive runs argon2id once: the one costly step.
func (h argonHash) derive(password string) []byte {
	return argon2.IDKey([]byte(password), h.salt, h.cost.Passes, h.cost.MemoryKiB, h.cost.Lanes, uint32(len(h.key)))
}

func (h argonHash) matches(key []byte) bool { return subtle.ConstantTimeCompare(h.key, key) == 1 }

// String is the PHC form, "$argon2id$v=19$m=19456,t=2,p=1$<salt>$<key>".
func (h argonHash) String() string {
	encode := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		h.cost.MemoryKiB, h.cost.Passes, h.cost.Lanes, encode(h.salt), encode(h.key))
}

var errNotArgon = errors.New("the stored hash is no argon2id hash within bounds")

// parseArgonHash reads the PHC form. The error does not hold the hash.
func parseArgonHash(encoded string) (argonHash, error) {
	var hash argonHash
	parts := strings.Split(encoded, "$")
	if len(encoded) > maxEncoded || len(parts) != 6 {
		return hash, errNotArgon
	}
	read, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &hash.cost.MemoryKiB, &hash.cost.Passes, &hash.cost.Lanes)
	if err != nil || read != 3 || hash.cost.check() != nil {
		return hash, errNotArgon
	}
	decode := base64.RawStdEncoding.Strict().DecodeString
	salt, errSalt := decode(parts[4])
	key, errKey := decode(parts[5])
	if errors.Join(errSalt, errKey) != nil || len(salt) < 8 || len(salt) > maxSalt ||
		len(key) < 16 || len(key) > maxKey {
		return hash, errNotArgon
	}
	hash.salt, hash.key = salt, key
	if hash.String() != encoded { // another variant or version, or more than was read
		return hash, errNotArgon
	}
	return hash, nil
}
