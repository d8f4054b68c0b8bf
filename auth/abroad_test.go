package auth_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/walkergate/walkergate/auth"
	"github.com/walkergate/walkergate/fault"
)

const (
	abroadName = "https://id.example.com/"
	audience   = "https://api.example.com"
	subject    = "auth0|62f1"
)

// signer is a key of an issuer, and how it signs.
type signer struct {
	kid    string
	method jwt.SigningMethod
	key    crypto.Signer
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// To make an RSA key takes a while, and none is any test's own.
var (
	rsaKey   = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	otherRSA = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
)

func ecKey(curve elliptic.Curve) crypto.Signer { return must(ecdsa.GenerateKey(curve, rand.Reader)) }

func edKey() crypto.Signer {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	return must(key, err)
}

// rs256 is the key that issuers of these tests have.
func rs256(kid string) signer { return signer{kid, jwt.SigningMethodRS256, rsaKey()} }

func es256(kid string) signer { return signer{kid, jwt.SigningMethodES256, ecKey(elliptic.P256())} }

// jwk is the public half of a key as JSON.
func jwk(s signer) map[string]any {
	encode := base64.RawURLEncoding.EncodeToString
	said := map[string]any{"use": "sig"}
	if s.kid != "" {
		said["kid"] = s.kid
	}
	switch public := s.key.Public().(type) {
	case *rsa.PublicKey:
		said["kty"], said["n"], said["e"] = "RSA", encode(public.N.Bytes()), encode(big.NewInt(int64(public.E)).Bytes())
	case *ecdsa.PublicKey:
		size := (public.Curve.Params().BitSize + 7) / 8
		point := must(public.Bytes())[1:]
		said["kty"], said["crv"] = "EC", public.Curve.Params().Name
		said["x"], said["y"] = encode(point[:size]), encode(point[size:])
	case ed25519.PublicKey:
		said["kty"], said["crv"], said["x"] = "OKP", "Ed25519", encode(public)
	}
	return said
}

func jwks(keys ...signer) []byte {
	all := make([]map[string]any, len(keys))
	for i, key := range keys {
		all[i] = jwk(key)
	}
	return must(json.Marshal(map[string]any{"keys": all}))
}

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func publicPEM(key crypto.Signer) []byte {
	return pemOf("PUBLIC KEY", must(x509.MarshalPKIXPublicKey(key.Public())))
}

// mint signs claims. A change to nil leaves a claim out.
func mint(s signer, claims jwt.MapClaims, header map[string]any) string {
	token := jwt.NewWithClaims(s.method, claims)
	if s.kid != "" {
		token.Header["kid"] = s.kid
	}
	maps.Copy(token.Header, header)
	for name, value := range token.Header {
		if value == nil {
			delete(token.Header, name)
		}
	}
	return must(token.SignedString(s.key))
}

// said are the claims of a good token, changed.
func said(at time.Time, changes ...any) jwt.MapClaims {
	claims := jwt.MapClaims{
		"iss": abroadName, "sub": subject, "aud": audience,
		"iat": at.Unix(), "exp": at.Add(time.Hour).Unix(),
	}
	for i := 0; i+1 < len(changes); i += 2 {
		if changes[i+1] == nil {
			delete(claims, changes[i].(string))
			continue
		}
		claims[changes[i].(string)] = changes[i+1]
	}
	return claims
}

// token is a good token of the key, issued now, with changed claims.
func (w *world) token(s signer, changes ...any) string {
	return mint(s, said(w.clock.Now(), changes...), nil)
}

// keyServer is the server of an issuer. What it answers can be changed.
type keyServer struct {
	*httptest.Server
	fetches atomic.Int64

	mu     sync.Mutex
	answer http.HandlerFunc
}

func serveKeys(t testing.TB, keys ...signer) *keyServer {
	t.Helper()
	s := &keyServer{}
	s.publish(keys...)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.fetches.Add(1)
		s.mu.Lock()
		answer := s.answer
		s.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *keyServer) answerBy(answer http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

func (s *keyServer) publish(keys ...signer) {
	text := jwks(keys...)
	s.answerBy(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(text) })
}

// trusting takes the tokens of the issuer of these tests, whose keys are there.
func trusting(keys string) func(*auth.Options) {
	return trustingAlso(abroadName, keys)
}

func trustingAlso(name, keys string) func(*auth.Options) {
	return func(o *auth.Options) {
		o.Issuers = append(o.Issuers, auth.Issuer{Name: name, Audiences: []string{audience}, Keys: keys})
	}
}

// fileOf writes keys into a file.
func fileOf(t testing.TB, text []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// run runs a service until the test ends.
func run(t testing.TB, s *auth.Service) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { s.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
}

// newForeignWorld is a world that takes the tokens of keys in a file: nothing
// needs to run.
func newForeignWorld(t testing.TB, keys ...signer) *world {
	t.Helper()
	return newWorld(t, trusting(fileOf(t, jwks(keys...))))
}

// patience bounds every wait. Nothing waits for it but a failure.
const patience = 20 * time.Second

func until(t testing.TB, what string, yes func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	again := time.NewTicker(2 * time.Millisecond)
	defer again.Stop()
	for !yes() {
		select {
		case <-again.C:
		case <-deadline.C:
			t.Fatalf("waited %s for %s", patience, what)
		}
	}
}

// wantJudged is wantRefused where a key has to come over a network: on a slow
// machine that is busy at first.
func wantJudged(t testing.TB, s *auth.Service, token, reason string) {
	t.Helper()
	until(t, "a verdict", func() bool {
		_, err := s.Authenticate(t.Context(), token)
		return !fault.Is(err, fault.Busy)
	})
	wantRefused(t, s, token, reason)
}

// fetched waits until the keys of each issuer came.
func fetched(t testing.TB, s *auth.Service) {
	t.Helper()
	until(t, "the keys", func() bool {
		for _, keys := range s.IssuerKeys() {
			if keys.ReadAt.IsZero() {
				return false
			}
		}
		return true
	})
}

func rewrite(t testing.TB, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}
