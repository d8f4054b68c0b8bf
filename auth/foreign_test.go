package auth_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"pgregory.net/rapid"

	"github.com/walkergate/walkergate/auth"
	"github.com/walkergate/walkergate/fault"
)

// The ids of auth0|62f1 at https://id.example.com/, computed by another hand:
//
//	{ printf '\0\0\0\0\0\0\0\x17https://id.example.com/'
//	  printf '\0\0\0\0\0\0\0\x0aauth0|62f1'; } | sha256sum
const (
	subjectRoot = "n::c16691081e0911e7a5b7c396"
	subjectUser = "48e91eaf2feb1de96ca3e11b"
)

func TestTokensOfOtherIssuersAreTaken(t *testing.T) {
	signers := []signer{
		{"rs256", jwt.SigningMethodRS256, rsaKey()}, {"rs384", jwt.SigningMethodRS384, rsaKey()},
		{"rs512", jwt.SigningMethodRS512, rsaKey()}, {"ps256", jwt.SigningMethodPS256, rsaKey()},
		{"ps384", jwt.SigningMethodPS384, rsaKey()}, {"ps512", jwt.SigningMethodPS512, rsaKey()},
		{"es256", jwt.SigningMethodES256, ecKey(elliptic.P256())}, {"es384", jwt.SigningMethodES384, ecKey(elliptic.P384())},
		{"es512", jwt.SigningMethodES512, ecKey(elliptic.P521())}, {"eddsa", jwt.SigningMethodEdDSA, edKey()},
	}
	var blocks []byte
	for _, s := range signers {
		blocks = append(blocks, publicPEM(s.key)...)
	}
	server := serveKeys(t, signers...)
	worlds := map[string]*world{
		"a JWKS file": newForeignWorld(t, signers...),
		"a PEM file":  newWorld(t, trusting(fileOf(t, blocks))),
		"a JWKS URL":  newWorld(t, trusting(server.URL)),
	}
	run(t, worlds["a JWKS URL"].Service)
	fetched(t, worlds["a JWKS URL"].Service)
	for from, w := range worlds {
		for _, s := range signers {
			t.Run(s.kid+" by "+from, func(t *testing.T) {
				token := w.token(s)
				p := w.principal("Bearer " + token)
				now := w.clock.Now()
				want := auth.Principal{
					UserID: subjectUser, RootID: subjectRoot, TokenID: p.TokenID, Issuer: abroadName,
					IssuedAt: now.Truncate(time.Second).UTC(), ExpiresAt: now.Truncate(time.Second).Add(time.Hour).UTC(),
				}
				if p != want || len(p.TokenID) != 64 {
					t.Errorf("the token stands for %+v, want %+v", p, want)
				}
				if again := w.principal(token); again != p {
					t.Errorf("the second time it stands for %+v", again)
				}
				wantValid(t, w.Service, p, "")
			})
		}
	}
}

func TestKeysAsPEM(t *testing.T) {
	key := rs256("any") // PEM has no key ids: what a token says of one does not count
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	certificate := must(x509.CreateCertificate(rand.Reader, template, template, key.key.Public(), key.key))
	pkcs1 := x509.MarshalPKCS1PublicKey(key.key.Public().(*rsa.PublicKey))
	for name, text := range map[string][]byte{
		"a public key":     publicPEM(key.key),
		"an RSA key":       pemOf("RSA PUBLIC KEY", pkcs1),
		"a certificate":    pemOf("CERTIFICATE", certificate),
		"words before it":  append([]byte("# the key of last year\n"), publicPEM(key.key)...),
		"the second of it": append(publicPEM(ecKey(elliptic.P256())), publicPEM(key.key)...),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, trusting(fileOf(t, text)))
			wantRefused(t, w.Service, w.token(key), "")
			wantRefused(t, w.Service, w.token(signer{method: key.method, key: key.key}), "")
			wantRefused(t, w.Service, w.token(signer{method: key.method, key: otherRSA()}), "invalid")
		})
	}
}

// A key is found by its id; one that has none may be anybody's, and a token may
// leave the id out where there is but one key.
func TestTokensThatNameNoKey(t *testing.T) {
	one, two := rs256("one"), es256("two")
	unnamed := func(s signer) signer { s.kid = ""; return s }
	alone, both := newForeignWorld(t, one), newForeignWorld(t, one, two)
	wantRefused(t, alone.Service, alone.token(unnamed(one)), "")
	wantRefused(t, both.Service, both.token(unnamed(one)), "invalid")
	wantRefused(t, both.Service, both.token(two), "")
	w := newForeignWorld(t, unnamed(one), two)
	wantRefused(t, w.Service, w.token(one), "")
	wantRefused(t, w.Service, w.token(unnamed(one)), "")
	wantRefused(t, w.Service, w.token(unnamed(two)), "invalid")
	wantRefused(t, w.Service, w.token(two), "")
}

// hmacToken seals claims by HMAC with whatever key, under whatever header.
func hmacToken(header string, claims jwt.MapClaims, key []byte) string {
	text := segment(header) + "." + base64.RawURLEncoding.EncodeToString(must(json.Marshal(claims)))
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func segment(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// signed signs any header and payload as RS256 does.
func signed(t *testing.T, header, payload string) string {
	t.Helper()
	text := segment(header) + "." + segment(payload)
	signature, err := jwt.SigningMethodRS256.Sign(text, rsaKey())
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func TestForgedTokensOfOtherIssuers(t *testing.T) {
	rsaSigner, ecSigner := rs256("rsa"), es256("ec")
	pinned := jwk(signer{"pinned", jwt.SigningMethodRS256, rsaKey()})
	pinned["alg"] = "RS256"
	set := must(json.Marshal(map[string]any{"keys": []any{jwk(rsaSigner), jwk(ecSigner), pinned}}))
	w := newWorld(t, trusting(fileOf(t, set)))
	run(t, w.Service) // it looks for keys that are not known
	now := w.clock.Now()
	good := w.token(rsaSigner)
	wantRefused(t, w.Service, good, "") // so that what is refused below is refused for its change
	wantRefused(t, w.Service, w.token(ecSigner), "")
	wantRefused(t, w.Service, w.token(signer{"pinned", jwt.SigningMethodRS256, rsaKey()}), "")
	parts := strings.Split(good, ".")
	with := func(changes ...any) string { return w.token(rsaSigner, changes...) }
	headed := func(name string, value any) string {
		return mint(rsaSigner, said(now), map[string]any{name: value})
	}
	public := rsaKey().Public().(*rsa.PublicKey)
	der := must(x509.MarshalPKIXPublicKey(public))
	payload := string(must(json.Marshal(said(now))))
	const head = `{"alg":"RS256","kid":"rsa","typ":"JWT"}`
	wantRefused(t, w.Service, signed(t, head, payload), "")
	forged := map[string]string{
		// Another algorithm than the key's.
		"HS256 by the PEM of the public key":   hmacToken(`{"alg":"HS256","kid":"rsa"}`, said(now), pemOf("PUBLIC KEY", der)),
		"HS256 by the DER of the public key":   hmacToken(`{"alg":"HS256","kid":"rsa"}`, said(now), der),
		"HS256 by the modulus":                 hmacToken(`{"alg":"HS256","kid":"rsa"}`, said(now), public.N.Bytes()),
		"RS256 that is an HMAC":                hmacToken(`{"alg":"RS256","kid":"rsa"}`, said(now), pemOf("PUBLIC KEY", der)),
		"HS384 by the PEM of the public key":   hmacToken(`{"alg":"HS384","kid":"rsa"}`, said(now), pemOf("PUBLIC KEY", der)),
		"HS256 by our own secret":              hmacToken(`{"alg":"HS256"}`, said(now), secret),
		"none":                                 mint(signer{"rsa", jwt.SigningMethodNone, nil}.unsafe(), said(now), nil),
		"none by another name":                 segment(`{"alg":"nOnE","kid":"rsa"}`) + "." + parts[1] + ".",
		"no algorithm":                         segment(`{"kid":"rsa"}`) + "." + parts[1] + "." + parts[2],
		"an algorithm in other letters":        segment(`{"alg":"rs256","kid":"rsa"}`) + "." + parts[1] + "." + parts[2],
		"an elliptic signature for an RSA key": w.token(signer{"rsa", jwt.SigningMethodES256, ecSigner.key}),
		"an RSA signature for an elliptic key": w.token(signer{"ec", jwt.SigningMethodRS256, rsaKey()}),
		"a curve of another size":              w.token(signer{"ec", jwt.SigningMethodES384, ecKey(elliptic.P384())}),
		"PS256 for a key of RS256":             w.token(signer{"pinned", jwt.SigningMethodPS256, rsaKey()}),
		// Another signature.
		"no signature":        parts[0] + "." + parts[1] + ".",
		"another key":         w.token(signer{"rsa", jwt.SigningMethodRS256, otherRSA()}),
		"another payload":     parts[0] + "." + segment(strings.Replace(payload, subject, "auth0|62f2", 1)) + "." + parts[2],
		"another header":      segment(`{"alg":"RS256","kid":"rsa"}`) + "." + parts[1] + "." + parts[2],
		"an unknown key":      headed("kid", "unknown"),
		"a key in the header": mint(signer{"rsa", jwt.SigningMethodRS256, otherRSA()}, said(now), map[string]any{"jwk": jwk(signer{"rsa", jwt.SigningMethodRS256, otherRSA()})}),
		// Another issuer or audience.
		"another issuer":         with("iss", "https://other.example.com/"),
		"the issuer cut short":   with("iss", strings.TrimSuffix(abroadName, "/")),
		"the issuer in capitals": with("iss", strings.ToUpper(abroadName)),
		"an issuer of several":   with("iss", []string{abroadName}),
		"no issuer":              with("iss", nil),
		"another audience":       with("aud", "https://other.example.com"),
		"several others":         with("aud", []string{audience + "/", "", strings.ToUpper(audience)}),
		"no audience":            with("aud", nil),
		"an empty list":          with("aud", []string{}),
		"an audience of numbers": with("aud", []any{audience, 7}),
		// Times.
		"no birth": with("iat", nil), "a birth in words": with("iat", "now"), "a birth to come": with("iat", now.Unix()+62),
		"no end": with("exp", nil), "an end in words": with("exp", "never"), "an end that is null": signed(t, head, strings.Replace(payload, `"exp":`, `"exp":null,"x":`, 1)),
		"not yet": with("nbf", now.Unix()+62), "not yet, in words": with("nbf", "soon"),
		// Who.
		"no subject": with("sub", nil), "an empty subject": with("sub", ""), "a numbered subject": with("sub", 7),
		"two subjects":                 signed(t, head, strings.Replace(payload, `{`, `{"sub":"admin",`, 1)),
		"two subjects, one hidden":     signed(t, head, strings.Replace(payload, `{`, `{"\u0073ub":"admin",`, 1)),
		"a subject that is no UTF-8":   signed(t, head, strings.Replace(payload, subject, "auth0|\xff", 1)),
		"a subject of half a pair":     signed(t, head, strings.Replace(payload, subject, `auth0|\ud800`, 1)),
		"two algorithms in the header": signed(t, `{"alg":"HS256","alg":"RS256","kid":"rsa"}`, payload),
		"claims that are null":         signed(t, head, "null"),
		"claims that are a list":       signed(t, head, "["+payload+"]"),
		"more behind the claims":       signed(t, head, payload+"{}"),
		// Tokens for something else.
		"a logout token": headed("typ", "logout+jwt"), "a proof of possession": headed("typ", "dpop+jwt"),
		"an event":                with("events", map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}),
		"an extension one has to": headed("crit", []string{"b64"}),
		// The form.
		"more parts": good + ".x", "padded": good + "=", "too long": with("padding", strings.Repeat("x", 8<<10)),
		"a signature with spaces": parts[0] + "." + parts[1] + ". " + parts[2],
	}
	for name, token := range forged {
		t.Run(name, func(t *testing.T) {
			wantJudged(t, w.Service, token, "invalid")
			p, err := w.Authenticate(t.Context(), token)
			wantFault(t, err, fault.TokenInvalid, "the token is not valid")
			if p != (auth.Principal{}) {
				t.Errorf("refused as %q with %+v", auth.RefusalOf(err), p)
			}
		})
	}
	for name, token := range map[string]string{
		"one of several audiences":      with("aud", []string{"https://other.example.com", audience}),
		"a clock that is ahead":         with("iat", now.Unix()+59, "nbf", now.Unix()+59),
		"fractions of a second":         with("iat", 1763000000.05, "exp", 1763000001.5),
		"a birth long ago":              with("iat", now.Add(-12*time.Hour+time.Second).Unix()),
		"its type is that of RFC 9068":  headed("typ", "at+jwt"),
		"its type is written out":       headed("typ", "application/at+JWT"),
		"its type is left out":          headed("typ", nil),
		"claims that nobody knows here": with("gen", "x", "root", 7, "typ", "Bearer", "azp", "app"),
	} {
		t.Run(name, func(t *testing.T) { wantRefused(t, w.Service, token, "") })
	}
	for name, token := range map[string]string{
		"its end has come":          with("iat", now.Unix()-100, "exp", now.Unix()),
		"it is older than ours may": with("iat", now.Add(-12*time.Hour-time.Second).Unix()),
	} {
		t.Run(name, func(t *testing.T) { wantRefused(t, w.Service, token, "expired") })
	}
}

// unsafe lets a signer of the method none sign.
func (s signer) unsafe() signer { return signer{s.kid, unsafeNone{}, nil} }

type unsafeNone struct{}

func (unsafeNone) Verify(string, []byte, any) error { return nil }
func (unsafeNone) Sign(string, any) ([]byte, error) { return nil, nil }
func (unsafeNone) Alg() string                      { return "none" }

// Where no other issuer is named, their tokens are refused like any forged one,
// and ours are taken wherever others are.
func TestOtherIssuersAreNotTakenUnnamed(t *testing.T) {
	w := newWorld(t)
	wantRefused(t, w.Service, w.token(rs256("rsa")), "invalid")
	abroad := newForeignWorld(t, rs256("rsa"))
	own, _ := abroad.login()
	wantRefused(t, abroad.Service, own, "")
	if abroad.MayWait(own) || abroad.MayWait("") || abroad.MayWait("x.y.z") || w.MayWait(w.token(rs256("rsa"))) {
		t.Error("for a token of ours something would be waited for")
	}
}

// Two issuers may name their keys alike. A key is its issuer's alone.
func TestKeysOfTwoIssuersAreNotMixed(t *testing.T) {
	const otherName = "https://other.example.com"
	one := signer{"same", jwt.SigningMethodRS256, rsaKey()}
	other := signer{"same", jwt.SigningMethodRS256, otherRSA()}
	oneServer, otherServer := serveKeys(t, one), serveKeys(t, other)
	w := newWorld(t, trusting(oneServer.URL), trustingAlso(otherName, otherServer.URL))
	run(t, w.Service)
	fetched(t, w.Service)
	for range 2 { // what was verified for the one is not taken for the other
		mine, theirs := w.principal(w.token(one)), w.principal(w.token(other, "iss", otherName))
		if mine.UserID == theirs.UserID || mine.RootID == theirs.RootID || theirs.Issuer != otherName {
			t.Errorf("the same subject of two issuers is %+v and %+v", mine, theirs)
		}
		wantRefused(t, w.Service, w.token(other), "invalid")
		wantRefused(t, w.Service, w.token(one, "iss", otherName), "invalid")
	}
	// A new key of the one is not looked for at the other.
	renewed := signer{"new", jwt.SigningMethodRS256, otherRSA()}
	otherServer.publish(other, renewed)
	before := otherServer.fetches.Load()
	wantJudged(t, w.Service, w.token(renewed), "invalid")
	if oneServer.fetches.Load() < 2 || otherServer.fetches.Load() != before {
		t.Errorf("fetched %d and %d times", oneServer.fetches.Load(), otherServer.fetches.Load()-before)
	}
	wantJudged(t, w.Service, w.token(renewed, "iss", otherName), "")
}

// One signature of ECDSA is another one, too: with -s for s. Whoever changes it
// has the same token.
func TestATokenIsNamedByWhatWasSigned(t *testing.T) {
	key := es256("ec")
	w := newForeignWorld(t, key)
	token := w.token(key)
	cut := strings.LastIndexByte(token, '.')
	signature := must(base64.RawURLEncoding.DecodeString(token[cut+1:]))
	s := new(big.Int).SetBytes(signature[32:])
	s.Sub(elliptic.P256().Params().N, s).FillBytes(signature[32:])
	twin := token[:cut+1] + base64.RawURLEncoding.EncodeToString(signature)
	if !ecdsa.Verify(key.key.Public().(*ecdsa.PublicKey), sum(token[:cut]), new(big.Int).SetBytes(signature[:32]), s) || twin == token {
		t.Fatal("the twin is none: this test proves nothing")
	}
	p := w.principal(token)
	if again := w.principal(twin); again != p {
		t.Errorf("the twin stands for %+v, want %+v", again, p)
	}
	if err := w.Logout(t.Context(), p, false); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, w.Service, token, "revoked")
	wantRefused(t, w.Service, twin, "revoked")
	wantRefused(t, w.Service, w.token(key, "jti", "another"), "")
}

func sum(text string) []byte {
	hash := sha256.Sum256([]byte(text))
	return hash[:]
}

// Nobody is another user by how a name is cut, and no part of an id is another.
func TestSubjectsHaveIDsOfTheirOwn(t *testing.T) {
	seen := make(map[string][2]string)
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringN(0, 40, -1).Draw(t, "text")
		cut := rapid.IntRange(0, len(text)).Draw(t, "cut")
		of := [2]string{text[:cut], text[cut:]}
		user, root := auth.SubjectIDs(of[0], of[1])
		if parsed, ok := auth.ParseRootID(root); !ok || parsed != root || len(user) != 24 || "n::"+user == root {
			t.Fatalf("the ids are %q and %q", user, root)
		}
		for _, id := range []string{user, root} {
			if before, known := seen[id]; known && before != of {
				t.Fatalf("%q and %q have the id %s", before, of, id)
			}
			seen[id] = of
		}
	})
	user, root := auth.SubjectIDs(abroadName, subject)
	if user != subjectUser || root != subjectRoot {
		t.Errorf("the ids are %q and %q", user, root)
	}
}

// FuzzForeignTokens changes a good token anywhere. Whatever is taken is what
// was signed.
func FuzzForeignTokens(f *testing.F) {
	key := signer{"ed", jwt.SigningMethodEdDSA, edKey()}
	w := newWorld(f, trusting(fileOf(f, publicPEM(key.key)))) // without ids: none is unknown
	good := w.token(key)
	signed, _, _ := cutLast(good)
	for at := range len(good) {
		f.Add(at, []byte{'A'}, 1)
	}
	f.Add(0, []byte("Bearer "), 0)
	f.Add(len(good), []byte("=\n."), 0)
	f.Fuzz(func(t *testing.T, at int, piece []byte, over int) {
		at, over = clamp(at, len(good)), clamp(over, 64)
		token := good[:at] + string(piece) + good[min(at+over, len(good)):]
		p, err := w.Authenticate(t.Context(), token)
		if (err == nil) == (p == auth.Principal{}) {
			t.Fatalf("%+v with %v", p, err)
		}
		if err != nil {
			if auth.RefusalOf(err) == "" {
				t.Fatalf("the token ended with %v", err)
			}
			return
		}
		bare := strings.TrimSpace(token)
		if len(bare) > 7 && strings.EqualFold(bare[:7], "bearer ") {
			bare = strings.TrimSpace(bare[7:])
		}
		if taken, _, _ := cutLast(bare); taken != signed || p.UserID != subjectUser {
			t.Fatalf("what was not signed is taken for %+v: %q", p, token)
		}
	})
}

func cutLast(token string) (signed, signature string, ok bool) {
	at := strings.LastIndexByte(token, '.')
	if at < 0 {
		return token, "", false
	}
	return token[:at], token[at+1:], true
}

func clamp(n, most int) int { return min(max(n, 0), most) }

func BenchmarkAuthenticateForeign(b *testing.B) {
	for name, key := range map[string]signer{
		"RS256": rs256("k"), "ES256": es256("k"), "EdDSA": {"k", jwt.SigningMethodEdDSA, edKey()},
	} {
		w := newForeignWorld(b, key)
		b.Run(name+"/seen", func(b *testing.B) {
			token := w.token(key)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := w.Authenticate(b.Context(), token); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/new", func(b *testing.B) {
			tokens := make([]string, 64)
			for i := range tokens {
				tokens[i] = w.token(key, "jti", i)
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				w.ForgetProofs()
				if _, err := w.Authenticate(b.Context(), tokens[i%len(tokens)]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
