package auth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/golang-jwt/jwt/v5"
)

// maxProofs is how many tokens of other issuers are remembered as verified, in
// each of two generations. To verify one takes as long as all else of a call.
const maxProofs = 4096

// foreignMethods are what other issuers may sign with: nothing by which whoever
// can check a token could make one.
var foreignMethods = map[string]jwt.SigningMethod{
	"RS256": jwt.SigningMethodRS256, "RS384": jwt.SigningMethodRS384, "RS512": jwt.SigningMethodRS512,
	"PS256": jwt.SigningMethodPS256, "PS384": jwt.SigningMethodPS384, "PS512": jwt.SigningMethodPS512,
	"ES256": jwt.SigningMethodES256, "ES384": jwt.SigningMethodES384, "ES512": jwt.SigningMethodES512,
	"EdDSA": jwt.SigningMethodEdDSA,
}

// foreign judges the tokens of other issuers, each by the keys of the one that
// it names. It knows nothing of users and of revocations.
type foreign struct {
	issuers map[string]*foreignIssuer
	ttl     time.Duration
	now     func() time.Time
	log     *slog.Logger
	// proofs are tokens whose signature held, by the hash of their whole text.
	// One counts while the keys are those that it was verified by.
	proofs *recent[[sha256.Size]byte, proof]
}

type foreignIssuer struct {
	name      string
	audiences []string
	keys      *keyring
}

// proof is what a verified token says, and what verified it.
type proof struct {
	principal Principal
	subject   string
	issuer    *foreignIssuer
	by        *keySet
}

// newForeign reads the files of keys; what is behind a URL is fetched by Run,
// so that an issuer that is down does not keep a gateway from starting. It
// gives nil where there are no issuers.
func newForeign(ctx context.Context, options Options) (*foreign, error) {
	if len(options.Issuers) == 0 {
		return nil, nil
	}
	transport := options.Transport
	if transport == nil {
		transport = newTransport()
	}
	f := &foreign{
		issuers: make(map[string]*foreignIssuer), ttl: options.TokenTTL, now: options.Now, log: options.Log,
		proofs: newRecent[[sha256.Size]byte, proof](maxProofs),
	}
	for _, issuer := range options.Issuers {
		keys := newKeyring(issuer, keySource(issuer.Keys, transport), options.Log)
		if !isURL(issuer.Keys) {
			if err := keys.loadFirst(ctx); err != nil {
				return nil, fmt.Errorf("the keys of the issuer %q (AUTH_ISSUERS): %w", issuer.Name, err)
			}
		}
		f.issuers[issuer.Name] = &foreignIssuer{
			name: issuer.Name, audiences: slices.Clone(issuer.Audiences), keys: keys,
		}
	}
	return f, nil
}

// takes reports whether a token is to be judged here: it says that it is
// signed otherwise than ours are. What is wrong with it is found out then.
func (f *foreign) takes(token string) bool {
	if f == nil || len(token) > maxToken {
		return false
	}
	head, _, _ := strings.Cut(token, ".")
	var said foreignHeader
	return readSegment(head, &said) && foreignMethods[said.Algorithm] != nil
}

// recall gives what a token says that was verified a while ago, where it would
// be verified just so again.
func (f *foreign) recall(token string) (proof, bool) {
	known, found := f.proofs.get(sha256.Sum256([]byte(token)))
	return known, found && known.by == known.issuer.keys.set.Load()
}

// verify judges a token by the keys of its issuer, and may wait for them.
func (f *foreign) verify(ctx context.Context, token string) (proof, error) {
	said, ok := readForeign(token)
	if !ok {
		return proof{}, errInvalid
	}
	issuer, method := f.issuers[said.claims.Issuer], foreignMethods[said.header.Algorithm]
	if issuer == nil || method == nil {
		return proof{}, f.refused("issuer", errInvalid)
	}
	if !slices.ContainsFunc(issuer.audiences, func(a string) bool { return slices.Contains(said.claims.Audience, a) }) {
		return proof{}, f.refused("audience", errInvalid)
	}
	// What no key could save is refused before one is looked for: nothing is
	// fetched for it.
	expiresAt, err := said.claims.bounds(f.now(), f.ttl)
	if err != nil {
		return proof{}, f.refused("times", err)
	}
	set, keys, err := issuer.keys.find(ctx, said.header.KeyID, said.header.Algorithm)
	if err != nil {
		return proof{}, err
	}
	if !slices.ContainsFunc(keys, func(key any) bool { return method.Verify(said.signed, said.signature, key) == nil }) {
		return proof{}, f.refused("signature", errInvalid)
	}
	userID, rootID := subjectIDs(issuer.name, said.claims.Subject)
	found := proof{subject: said.claims.Subject, issuer: issuer, by: set, principal: Principal{
		UserID: userID, RootID: rootID, TokenID: foreignTokenID(said.signed), Issuer: issuer.name,
		IssuedAt: said.claims.IssuedAt.Time, ExpiresAt: expiresAt,
	}}
	f.proofs.put(sha256.Sum256([]byte(token)), found)
	return found, nil
}

// refused tells who runs the gateway what is wrong with a token, and no client.
func (f *foreign) refused(what string, err error) error {
	f.log.Debug("a token of another issuer was refused", slog.String("reason", what))
	return err
}

// foreignToken is a token taken apart. Nothing of it is proven.
type foreignToken struct {
	header    foreignHeader
	claims    foreignClaims
	signed    string // what the signature is over
	signature []byte
}

type foreignHeader struct {
	Algorithm string         `json:"alg"`
	KeyID     string         `json:"kid"`
	Type      string         `json:"typ"`
	Critical  jsontext.Value `json:"crit"`
}

// foreignClaims are those that are looked at. Events stands in statements about
// somebody, such as that they logged out (RFC 8417), and never in what lets
// somebody in.
type foreignClaims struct {
	Issuer    string           `json:"iss"`
	Subject   string           `json:"sub"`
	Audience  jwt.ClaimStrings `json:"aud"`
	IssuedAt  instant          `json:"iat"`
	NotBefore instant          `json:"nbf"`
	ExpiresAt instant          `json:"exp"`
	Events    jsontext.Value   `json:"events"`
}

// readForeign takes a token apart and refuses what is not of the form, or is a
// token for something else.
func readForeign(token string) (said foreignToken, ok bool) {
	last := strings.LastIndexByte(token, '.')
	if last < 0 {
		return said, false
	}
	said.signed = token[:last]
	head, payload, _ := strings.Cut(said.signed, ".")
	var err error
	said.signature, err = base64.RawURLEncoding.Strict().DecodeString(token[last+1:])
	return said, err == nil && readSegment(head, &said.header) && readSegment(payload, &said.claims) &&
		said.header.Critical == nil && isAccessType(said.header.Type) &&
		said.claims.Subject != "" && said.claims.Events == nil
}

// readSegment reads JSON exactly: names to the letter, none twice, valid UTF-8.
// Two subjects can not be made one by letters that a lenient reader replaces.
func readSegment(segment string, into any) bool {
	text, err := base64.RawURLEncoding.Strict().DecodeString(segment)
	return err == nil && json.Unmarshal(text, into) == nil
}

// isAccessType reports whether a typ is that of tokens that let somebody in. A
// logout token or a proof of possession is signed by the same keys.
func isAccessType(kind string) bool {
	switch strings.TrimPrefix(strings.ToLower(kind), "application/") {
	case "", "jwt", "at+jwt":
		return true
	}
	return false
}

// bounds judges the times of a token and gives when it ends: by what it says,
// and no later than a token of ours issued at the same time would.
func (c *foreignClaims) bounds(now time.Time, ttl time.Duration) (expiresAt time.Time, err error) {
	ahead := now.Add(clockSkew)
	if c.ExpiresAt.IsZero() || c.IssuedAt.IsZero() || c.IssuedAt.After(ahead) || c.NotBefore.After(ahead) {
		return time.Time{}, errInvalid
	}
	expiresAt = c.ExpiresAt.Time
	if longest := c.IssuedAt.Add(ttl); expiresAt.After(longest) {
		expiresAt = longest
	}
	if !now.Before(expiresAt) {
		return time.Time{}, errExpired
	}
	return expiresAt, nil
}

// subjectIDs gives the ids of who an issuer knows by a name, the same on every
// node. Both go in with their lengths before them, so that no two pairs are one
// text; the two ids are different parts of one hash.
func subjectIDs(issuer, subject string) (userID, rootID string) {
	text := binary.BigEndian.AppendUint64(nil, uint64(len(issuer)))
	text = append(text, issuer...)
	text = binary.BigEndian.AppendUint64(text, uint64(len(subject)))
	text = append(text, subject...)
	sum := sha256.Sum256(text)
	const length = idLength / 2
	return hex.EncodeToString(sum[length : 2*length]), rootPrefix + hex.EncodeToString(sum[:length])
}

// foreignTokenID names a token by what was signed. Not by its jti, which may be
// missing, and not by its signature, of which there may be several that hold.
func foreignTokenID(signed string) string {
	sum := sha256.Sum256([]byte(signed))
	return hex.EncodeToString(sum[:])
}
