package auth

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"

	"github.com/MicahParks/jwkset"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const (
	// maxKeys is how many keys of one issuer are taken. A token that names none
	// is tried with each that fits.
	maxKeys = 64
	// minRSA is what RFC 7518 asks of an RSA key, in bits; maxRSA bounds what a
	// verification can cost.
	minRSA = 2048
	maxRSA = 8192
)

// keySet is the public keys of one issuer at one time. It is immutable.
type keySet struct {
	digest [sha256.Size]byte // of the text that it was read from
	keys   []issuerKey
}

// issuerKey is one key, with what may be signed by it: by its kind and, where
// the issuer says so, by one algorithm alone.
type issuerKey struct {
	id         string // empty where it has none
	algorithms []string
	public     any
}

// lookup gives the keys that a token may be signed by, which says that it is
// of that key and algorithm. A key without an id may be anybody's; one with an
// id is not tried for a token that names none, but where it is the only one.
// named is false where no key bears the id: one that is new may.
func (s *keySet) lookup(keyID, algorithm string) (fitting []any, named bool) {
	for _, key := range s.keys {
		if key.id != "" && key.id != keyID && (keyID != "" || len(s.keys) > 1) {
			continue
		}
		named = true
		if slices.Contains(key.algorithms, algorithm) {
			fitting = append(fitting, key.public)
		}
	}
	return fitting, named || keyID == ""
}

// parseKeys reads a JWK Set, or public keys and certificates as PEM.
func parseKeys(text []byte) (*keySet, error) {
	read := parsePEM
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		read = parseJWKS
	}
	keys, err := read(text)
	if err == nil && len(keys) > maxKeys {
		err = fmt.Errorf("%d keys: at most %d are taken", len(keys), maxKeys)
	}
	if err != nil {
		return nil, err
	}
	return &keySet{digest: sha256.Sum256(text), keys: keys}, nil
}

// parseJWKS leaves out what is no public key for signatures of a kind that is
// known here, as RFC 7517 5 asks: an issuer may have others. No key at all is
// an answer, too: then the issuer has withdrawn them.
func parseJWKS(text []byte) ([]issuerKey, error) {
	var set struct {
		Keys *[]jsontext.Value `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, fmt.Errorf("not a JWK Set: %w", err)
	}
	if set.Keys == nil {
		return nil, errors.New("not a JWK Set: it has no keys")
	}
	var keys []issuerKey
	for _, text := range *set.Keys {
		if key, ok := parseJWK(text); ok {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

func parseJWK(text jsontext.Value) (issuerKey, bool) {
	var said jwkset.JWKMarshal
	if err := json.Unmarshal(text, &said); err != nil {
		return issuerKey{}, false
	}
	if said.USE != "" && said.USE != jwkset.UseSig ||
		len(said.KEYOPS) > 0 && !slices.Contains(said.KEYOPS, jwkset.KeyOpsVerify) {
		return issuerKey{}, false
	}
	// Certificates beside a key prove nothing here and are not looked at; what
	// the part's own check adds to that panics on a coordinate that is too long.
	said.X5C, said.X5U = nil, ""
	jwk, err := jwkset.NewJWKFromMarshal(said, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{SkipAll: true})
	if err != nil {
		return issuerKey{}, false
	}
	key, err := newIssuerKey(jwk.Key())
	if err != nil {
		return issuerKey{}, false
	}
	if only := string(said.ALG); only != "" {
		if !slices.Contains(key.algorithms, only) {
			return issuerKey{}, false
		}
		key.algorithms = []string{only}
	}
	key.id = said.KID
	return key, true
}

// parsePEM refuses the whole text where it holds anything else than public
// keys: it is a file of the operator's, and a slip is better told.
func parsePEM(text []byte) ([]issuerKey, error) {
	var keys []issuerKey
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			break
		}
		text = rest
		public, err := parseBlock(block)
		if err != nil {
			return nil, fmt.Errorf("PEM block %d: %w", len(keys)+1, err)
		}
		key, err := newIssuerKey(public)
		if err != nil {
			return nil, fmt.Errorf("PEM block %d: %w", len(keys)+1, err)
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, errors.New("neither a JWK Set nor a public key as PEM")
	}
	return keys, nil
}

func parseBlock(block *pem.Block) (any, error) {
	switch block.Type {
	case "PUBLIC KEY":
		return x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		return x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		return certificate.PublicKey, nil
	}
	return nil, fmt.Errorf("%q is neither a public key nor a certificate", block.Type)
}

// newIssuerKey says what may be signed by a key. The algorithm follows from
// the key and never from a token alone: none can be checked with a key of
// another kind, or with a curve of another size.
func newIssuerKey(public any) (issuerKey, error) {
	switch key := public.(type) {
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits < minRSA || bits > maxRSA {
			return issuerKey{}, fmt.Errorf("an RSA key of %d bits: %d to %d are taken", bits, minRSA, maxRSA)
		}
		if key.E < 3 || key.E > 1<<31-1 {
			return issuerKey{}, errors.New("an RSA key with an exponent out of bounds")
		}
		return issuerKey{public: key, algorithms: []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}}, nil
	case *ecdsa.PublicKey:
		algorithm := map[string]string{"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}[key.Curve.Params().Name]
		if algorithm == "" {
			return issuerKey{}, errors.New("an elliptic curve that no algorithm is known for")
		}
		if _, err := key.ECDH(); err != nil { // also asks whether the point is on the curve
			return issuerKey{}, fmt.Errorf("a key on no curve: %w", err)
		}
		return issuerKey{public: key, algorithms: []string{algorithm}}, nil
	case ed25519.PublicKey:
		return issuerKey{public: key, algorithms: []string{"EdDSA"}}, nil
	}
	return issuerKey{}, fmt.Errorf("a key of a kind that is not taken: %T", public)
}
