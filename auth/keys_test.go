package auth_test

import (
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/walkergate/walkergate/auth"
)

// altered is the public half of a key as JSON, changed.
func altered(s signer, changes map[string]any) map[string]any {
	key := jwk(s)
	maps.Copy(key, changes)
	return key
}

func setOf(keys ...any) []byte { return must(json.Marshal(map[string]any{"keys": keys})) }

// What is no key for signatures, or none of a known kind, is left out, and the
// others of its set are taken.
func TestKeysThatAreLeftOut(t *testing.T) {
	good := edSigner("good")
	rsaSigner, ecSigner := rs256("odd"), signer{"odd", jwt.SigningMethodES256, ecKey(elliptic.P256())}
	long := base64.RawURLEncoding.EncodeToString(make([]byte, 100))
	huge := base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat("\xff", 100)))
	small := signer{"odd", jwt.SigningMethodRS256, must(rsa.GenerateKey(rand.Reader, 1024))}
	for name, odd := range map[string]struct {
		by  signer
		key any
	}{
		"for encryption":            {rsaSigner, altered(rsaSigner, map[string]any{"use": "enc"})},
		"not to verify":             {rsaSigner, altered(rsaSigner, map[string]any{"key_ops": []string{"encrypt", "sign"}})},
		"of another algorithm":      {rsaSigner, altered(rsaSigner, map[string]any{"alg": "ES256"})},
		"of HMAC":                   {rsaSigner, altered(rsaSigner, map[string]any{"alg": "HS256"})},
		"symmetric":                 {rsaSigner, map[string]any{"kty": "oct", "kid": "odd", "k": huge}},
		"of an unknown kind":        {rsaSigner, altered(rsaSigner, map[string]any{"kty": "AKP"})},
		"of no kind":                {rsaSigner, map[string]any{"kid": "odd"}},
		"too small":                 {small, jwk(small)},
		"too big":                   {rsaSigner, altered(rsaSigner, map[string]any{"n": base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat("\xff", 1025)))})},
		"an exponent of one":        {rsaSigner, altered(rsaSigner, map[string]any{"e": "AQ"})},
		"an exponent out of bounds": {rsaSigner, altered(rsaSigner, map[string]any{"e": huge})},
		"a curve for another use":   {ecSigner, altered(ecSigner, map[string]any{"crv": "secp256k1"})},
		"beside the curve":          {ecSigner, altered(ecSigner, map[string]any{"x": jwk(signer{"", nil, ecKey(elliptic.P256())})["x"]})},
		"at infinity":               {ecSigner, altered(ecSigner, map[string]any{"x": "AA", "y": "AA"})},
		"a coordinate too long":     {ecSigner, altered(ecSigner, map[string]any{"x": huge, "y": huge})},
		"zeros without end":         {ecSigner, altered(ecSigner, map[string]any{"x": long, "y": long})},
		"no coordinate":             {ecSigner, altered(ecSigner, map[string]any{"y": ""})},
		"a name that is a number":   {rsaSigner, altered(rsaSigner, map[string]any{"kid": 7})},
		"a word":                    {rsaSigner, "key"},
		"nothing":                   {rsaSigner, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, trusting(fileOf(t, setOf(odd.key, jwk(good)))))
			run(t, w.Service)
			wantRefused(t, w.Service, w.token(good), "")
			wantJudged(t, w.Service, w.token(odd.by), "invalid")
			if keys := w.IssuerKeys(); keys[0].Count != 1 {
				t.Errorf("%d keys are in use", keys[0].Count)
			}
		})
	}
}

func TestKeysThatAreTaken(t *testing.T) {
	one := rs256("one")
	certificate := []string{"bm8gY2VydGlmaWNhdGU="}
	for name, key := range map[string]any{
		"for signatures":           jwk(one),
		"without a use":            altered(one, map[string]any{"use": ""}),
		"to verify":                altered(one, map[string]any{"key_ops": []string{"verify"}}),
		"with its algorithm":       altered(one, map[string]any{"alg": "RS256"}),
		"with its private half":    altered(one, map[string]any{"d": "AQAB"}),
		"with a certificate":       altered(one, map[string]any{"x5c": certificate, "x5t": "x", "x5u": "http://127.0.0.1:1/"}),
		"with what nobody knows":   altered(one, map[string]any{"ext": true, "exp": 1}),
		"padded, as some write it": altered(one, map[string]any{"e": "AQAB=="}),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, trusting(fileOf(t, setOf(key))))
			run(t, w.Service)
			wantRefused(t, w.Service, w.token(one), "")
		})
	}
}

// A file that is no good is told at the start.
func TestFilesOfKeysThatAreNoGood(t *testing.T) {
	private := must(x509.MarshalPKCS8PrivateKey(rsaKey()))
	many := make([]any, 65)
	for i := range many {
		many[i] = jwk(edSigner(fmt.Sprint(i)))
	}
	for name, text := range map[string][]byte{
		"empty": nil, "words": []byte("key"), "no set": []byte(`{"kty":"RSA"}`), "a set of none": []byte(`{"keys":null}`),
		"keys by name":  []byte(`{"keys":{"a":{}}}`),
		"a name twice":  []byte(strings.Replace(string(jwks(rs256("x"))), `{"e"`, `{"kid":"y","e"`, 1)),
		"half a set":    jwks(rs256("x"))[:100],
		"a private key": pemOf("PRIVATE KEY", private), "broken PEM": pemOf("PUBLIC KEY", []byte("key")),
		"a good key and a private one": append(publicPEM(rsaKey()), pemOf("PRIVATE KEY", private)...),
		"a small key":                  publicPEM(must(rsa.GenerateKey(rand.Reader, 1024))),
		"another curve":                publicPEM(ecKey(elliptic.P224())),
		"a certificate of nothing":     pemOf("CERTIFICATE", []byte("key")),
		"too many":                     setOf(many...), "too long": append(jwks(rs256("x")), make([]byte, 256<<10)...),
	} {
		t.Run(name, func(t *testing.T) {
			options := auth.Options{Secret: secret}
			trusting(fileOf(t, text))(&options)
			if _, err := auth.New(t.Context(), &memory{}, options); err == nil || !strings.Contains(err.Error(), abroadName) {
				t.Errorf("New ended with %v", err)
			}
		})
	}
	for _, path := range []string{filepath.Join(t.TempDir(), "none"), t.TempDir()} {
		options := auth.Options{Secret: secret}
		trusting(path)(&options)
		if _, err := auth.New(t.Context(), &memory{}, options); err == nil {
			t.Errorf("%s was taken for a file of keys", path)
		}
	}
	w := newWorld(t, trusting(fileOf(t, setOf(many[:64]...))))
	if keys := w.IssuerKeys(); keys[0].Count != 64 {
		t.Errorf("%d keys are in use", keys[0].Count)
	}
}

// A server of keys that answers anything else does no harm: tokens of that
// issuer are busy, and nothing else is touched.
func TestHostileServersOfKeys(t *testing.T) {
	key := edSigner("key")
	var elsewhere atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		elsewhere.Add(1)
		_, _ = w.Write(jwks(key))
	}))
	defer other.Close()
	flooded := make(chan int, 8)
	for name, answer := range map[string]http.HandlerFunc{
		"not there":  http.NotFound,
		"broken":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500); _, _ = w.Write(jwks(key)) },
		"no content": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) },
		"a page": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("<!doctype html><title>Log in</title>"))
		},
		"other JSON": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"issuer":"x","jwks_uri":"http://127.0.0.1/"}`))
		},
		"half of it": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(jwks(key)[:20]) },
		"hung up":    func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"deep": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"keys":` + strings.Repeat("[", 200_000)))
		},
		"sent on": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, http.StatusFound) },
		"sent to a file": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		},
		"sent around": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path+"x", http.StatusFound) },
		"without end": func(w http.ResponseWriter, _ *http.Request) {
			text, sent := []byte(strings.Repeat(" ", 32<<10)), 0
			for {
				n, err := w.Write(text)
				if sent += n; err != nil {
					flooded <- sent
					return
				}
			}
		},
		"slow": func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte(`{"keys":[`))
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := serveKeys(t)
			server.answerBy(answer)
			w := newWorld(t, trusting(server.URL+"/keys"))
			run(t, w.Service)
			own, _ := w.login()
			wantBusy(t, w.Service, w.token(key))
			wantRefused(t, w.Service, own, "")
			if keys := w.IssuerKeys(); !keys[0].ReadAt.IsZero() || keys[0].Count != 0 {
				t.Errorf("the keys are %+v", keys)
			}
			// It can mend itself.
			server.publish(key)
			fetched(t, w.Service)
			wantRefused(t, w.Service, w.token(key), "")
		})
	}
	t.Cleanup(func() { // when all have ended
		if elsewhere.Load() != 0 {
			t.Error("keys were fetched from where a server had sent us")
		}
		close(flooded)
		for sent := range flooded {
			if sent > 64<<20 {
				t.Errorf("%d bytes were taken", sent)
			}
		}
	})
}

func TestKeysMayMoveAtTheirServer(t *testing.T) {
	key := edSigner("key")
	server := serveKeys(t)
	server.answerBy(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/old" {
			http.Redirect(w, r, "/new", http.StatusMovedPermanently)
			return
		}
		_, _ = w.Write(jwks(key))
	})
	w := newWorld(t, trusting(server.URL+"/old"))
	run(t, w.Service)
	wantJudged(t, w.Service, w.token(key), "")
}

func TestKeysByHTTPS(t *testing.T) {
	key := edSigner("key")
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(jwks(key)) }))
	defer server.Close()
	w := newWorld(t, trusting(server.URL), func(o *auth.Options) { o.Transport = server.Client().Transport })
	run(t, w.Service)
	wantJudged(t, w.Service, w.token(key), "")
	stranger := newWorld(t, trusting(server.URL)) // whom nobody has told of its certificate
	run(t, stranger.Service)
	wantBusy(t, stranger.Service, stranger.token(key))
}

func TestIssuersAreParsed(t *testing.T) {
	issuers, faults := auth.ParseIssuers([]string{
		"https://id.example.com/ api https://id.example.com/keys", "  other\tone  two http://[::1]:80/keys ", "file a ./keys.pem",
		"here b http://localhost/keys?x=y", "there c http://127.8.9.1/",
	})
	want := []auth.Issuer{
		{Name: "https://id.example.com/", Audiences: []string{"api"}, Keys: "https://id.example.com/keys"},
		{Name: "other", Audiences: []string{"one", "two"}, Keys: "http://[::1]:80/keys"},
		{Name: "file", Audiences: []string{"a"}, Keys: "./keys.pem"},
		{Name: "here", Audiences: []string{"b"}, Keys: "http://localhost/keys?x=y"},
		{Name: "there", Audiences: []string{"c"}, Keys: "http://127.8.9.1/"},
	}
	same := func(a, b auth.Issuer) bool {
		return a.Name == b.Name && slices.Equal(a.Audiences, b.Audiences) && a.Keys == b.Keys
	}
	if len(faults) != 0 || !slices.EqualFunc(issuers, want, same) {
		t.Errorf("parsed %+v, %v", issuers, faults)
	}
	for text, count := range map[string]int{
		"": 1, "issuer": 1, "issuer keys": 1, "i a http://id.example.com/": 1, "i a ftp://id.example.com/": 1,
		"i a https://user:pass@id.example.com/": 1, "i a https://id.example.com/#x": 1, "i a https://": 1,
		"i a https://%zz": 1, "i a http://localhost.example.com/": 1, "i a http://127.0.0.1.example.com/": 1,
		"i a x,i b y": 1, "i a http://x,i b http://y": 3, ",": 2,
	} {
		if _, faults := auth.ParseIssuers(strings.Split(text, ",")); len(faults) != count {
			t.Errorf("%q has the faults %v, want %d", text, faults, count)
		}
	}
	for name, issuer := range map[string]auth.Issuer{
		"no name":           {Audiences: []string{"a"}, Keys: "x"},
		"no audience":       {Name: "i", Keys: "x"},
		"an empty audience": {Name: "i", Audiences: []string{"a", ""}, Keys: "x"},
		"no keys":           {Name: "i", Audiences: []string{"a"}},
	} {
		if _, err := auth.New(t.Context(), &memory{}, auth.Options{Secret: secret, Issuers: []auth.Issuer{issuer}}); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

// FuzzKeys reads any text as keys and tries each with a signature: neither must
// panic, since the text comes from a server.
func FuzzKeys(f *testing.F) {
	ed, ec := edSigner("ed"), es256("ec")
	f.Add(jwks(rs256("rsa"), ec, ed))
	f.Add(append(publicPEM(rsaKey()), publicPEM(ed.key)...))
	for _, change := range []map[string]any{
		{"x": "AA", "y": "AA"}, {"crv": "P-521"}, {"kty": "OKP", "crv": "Ed25519"}, {"kty": "RSA", "n": "AA", "e": "AA"}, {"alg": "none"},
	} {
		f.Add(setOf(altered(ec, change)))
	}
	f.Add(setOf(altered(rs256("rsa"), map[string]any{"n": base64.RawURLEncoding.EncodeToString(append([]byte(strings.Repeat("\xff", 255)), 0xfe))})))
	f.Fuzz(func(t *testing.T, text []byte) {
		if verified := auth.TryKeys(text); verified {
			t.Fatalf("a signature of nobody holds by %q", text)
		}
	})
}
