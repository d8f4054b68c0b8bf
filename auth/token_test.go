package auth_test

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/walkergate/walkergate/auth"
	"github.com/walkergate/walkergate/fault"
)

func TestATokenSaysWhoCalls(t *testing.T) {
	w := newWorld(t)
	grant, err := w.Login(t.Context(), email, password)
	if err != nil {
		t.Fatal(err)
	}
	if grant.ExpiresIn != 12*60*60 {
		t.Errorf("the token lives for %d s, want twelve hours", grant.ExpiresIn)
	}
	now := w.clock.Now()
	for _, shown := range []string{
		grant.Token, "Bearer " + grant.Token, "bearer " + grant.Token, " BEARER   " + grant.Token + " ",
	} {
		p := w.principal(shown)
		if !p.IssuedAt.Equal(now) || !p.ExpiresAt.Equal(now.Add(12*time.Hour)) {
			t.Errorf("the token bounds %v to %v, want it from %v", p.IssuedAt, p.ExpiresAt, now)
		}
		want := auth.Principal{
			UserID: grant.User.ID, RootID: grant.User.RootID,
			TokenID: p.TokenID, IssuedAt: p.IssuedAt, ExpiresAt: p.ExpiresAt,
		}
		if p != want || p.TokenID == "" || p.IsPublic() {
			t.Errorf("the token stands for %+v, want %+v", p, want)
		}
	}
}

func TestTheClaimsOfAToken(t *testing.T) {
	w := newWorld(t, func(o *auth.Options) { o.Issuer = "us" })
	token, p := w.login()
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]json.RawMessage
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	want := map[string]json.RawMessage{
		"iss": json.RawMessage(`"us"`), "typ": json.RawMessage(`"access"`), "gen": json.RawMessage("0"),
		"sub": json.RawMessage(`"` + p.UserID + `"`), "root": json.RawMessage(`"` + p.RootID + `"`),
		"jti": json.RawMessage(`"` + p.TokenID + `"`),
		"iat": json.RawMessage("1763000000.123"), "exp": json.RawMessage("1763043200.123"),
	}
	if diff := cmp.Diff(want, claims); diff != "" {
		t.Errorf("the claims differ (-want +got):\n%s", diff)
	}
}

// forge signs claims like those of a good token of ann's, changed.
func forge(t *testing.T, w *world, method jwt.SigningMethod, key any, change func(jwt.MapClaims)) string {
	t.Helper()
	_, p := w.login()
	claims := jwt.MapClaims{
		"sub": p.UserID, "root": p.RootID, "jti": "x", "typ": "access", "gen": 0,
		"iat": 1763000000.123, "exp": 1763000600.123,
	}
	change(claims)
	token, err := jwt.NewWithClaims(method, claims).SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestForgedTokens(t *testing.T) {
	w := newWorld(t)
	good := forge(t, w, jwt.SigningMethodHS256, secret, func(jwt.MapClaims) {})
	wantRefused(t, w.Service, good, "") // so that what is refused below is refused for its change
	parts := strings.Split(good, ".")
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	as := func(method jwt.SigningMethod, key any) string {
		return forge(t, w, method, key, func(jwt.MapClaims) {})
	}
	with := func(name string, value any) string {
		return forge(t, w, jwt.SigningMethodHS256, secret, func(c jwt.MapClaims) { c[name] = value })
	}
	without := func(name string) string {
		return forge(t, w, jwt.SigningMethodHS256, secret, func(c jwt.MapClaims) { delete(c, name) })
	}
	forged := map[string]string{
		"nothing": "", "the scheme alone": "Bearer ", "a word": "token", "dots": "..", "more parts": good + ".x",
		"the scheme twice":          "Bearer Bearer " + good,
		"no algorithm":              as(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType),
		"no signature":              parts[0] + "." + parts[1] + ".",
		"none by another name":      sealed(`{"alg":"NONE","typ":"JWT"}`, parts[1]),
		"no named algorithm":        sealed(`{"typ":"JWT"}`, parts[1]),
		"RS256 sealed by our key":   sealed(`{"alg":"RS256","typ":"JWT"}`, parts[1]),
		"RS256":                     as(jwt.SigningMethodRS256, key),
		"HS384":                     as(jwt.SigningMethodHS384, secret),
		"HS512":                     as(jwt.SigningMethodHS512, secret),
		"another key":               as(jwt.SigningMethodHS256, []byte("another key of thirty-two bytes!")),
		"another payload":           parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"x"}`)) + "." + parts[2],
		"another tail of signature": good[:len(good)-1] + flip(good[len(good)-1]),
		"claims that are null":      sealed(`{"alg":"HS256","typ":"JWT"}`, base64.RawURLEncoding.EncodeToString([]byte("null"))),
		"another type":              with("typ", "reset"), "a type in another case": with("typ", "Access"),
		"a user that is none": with("sub", "ann"), "a user that is a number": with("sub", 7), "a root that is none": with("root", "x"),
		"a root in another form": with("root", "n:x:0123456789abcdef01234567"), "the public root": with("root", auth.PublicRoot),
		"a negative generation": with("gen", -1), "an empty id": with("jti", ""),
		"a birth to come": with("iat", 1763000000.123+61), "a birth in words": with("iat", "yesterday"),
		"a birth before time": with("iat", -1), "a birth beyond time": with("iat", 1e300),
		"an end in words": with("exp", "never"), "an end that is null": with("exp", nil),
		"too long": with("padding", strings.Repeat("x", 8<<10)),
	}
	for _, name := range []string{"sub", "root", "jti", "typ", "gen", "iat", "exp"} {
		forged["without "+name] = without(name)
	}
	for name, token := range forged {
		t.Run(name, func(t *testing.T) {
			p, err := w.Authenticate(t.Context(), token)
			wantFault(t, err, fault.TokenInvalid, "the token is not valid")
			if auth.RefusalOf(err) != "invalid" || p != (auth.Principal{}) {
				t.Errorf("refused as %q with %+v", auth.RefusalOf(err), p)
			}
		})
	}
	wantRefused(t, w.Service, with("iat", 1763000000.123+59), "") // the clock of another node
	wantRefused(t, w.Service, with("padding", strings.Repeat("x", 4<<10)), "")
}

// sealed signs a header and a payload with our key by HMAC, whatever the
// header says.
func sealed(header, payload string) string {
	text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + payload
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// flip gives a letter that differs in bits that the decoder would drop.
func flip(letter byte) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(alphabet[strings.IndexByte(alphabet, letter)^1])
}

func TestAnIssuerIsAskedFor(t *testing.T) {
	w := newWorld(t)
	named := w.node(func(o *auth.Options) { o.Issuer = "us" })
	plain, _ := w.login()
	grant, err := named.Login(t.Context(), email, password)
	if err != nil {
		t.Fatal(err)
	}
	wantRefused(t, named, grant.Token, "")
	wantRefused(t, named, plain, "invalid")
	wantRefused(t, w.node(func(o *auth.Options) { o.Issuer = "them" }), grant.Token, "invalid")
}

func TestATokenEnds(t *testing.T) {
	w := newWorld(t, func(o *auth.Options) { o.TokenTTL = time.Hour })
	token, p := w.login()
	w.clock.advance(time.Hour - time.Millisecond)
	wantRefused(t, w.Service, token, "")
	wantValid(t, w.Service, p, "")
	w.clock.advance(time.Millisecond)
	wantRefused(t, w.Service, token, "expired")
	wantValid(t, w.Service, p, "expired")
	_, err := w.Authenticate(t.Context(), token)
	wantFault(t, err, fault.TokenInvalid, "the token has expired")
	if _, err := w.Refresh(t.Context(), p); auth.RefusalOf(err) != "expired" {
		t.Errorf("a refresh after the end: %v", err)
	}
	if err := w.Logout(t.Context(), p, true); auth.RefusalOf(err) != "expired" {
		t.Errorf("a logout after the end: %v", err)
	}
}

func TestAShorterLifeShortensWhatIsOut(t *testing.T) {
	w := newWorld(t)
	token, _ := w.login()
	shorter := w.node(func(o *auth.Options) { o.TokenTTL = time.Hour })
	w.clock.advance(time.Hour - time.Millisecond)
	wantRefused(t, shorter, token, "")
	w.clock.advance(time.Millisecond)
	wantRefused(t, shorter, token, "expired")
	wantRefused(t, w.Service, token, "")
}

func TestValidOfWhoShowsNoToken(t *testing.T) {
	w := newWorld(t)
	wantValid(t, w.Service, auth.Public(), "")
	wantValid(t, w.Service, auth.Principal{}, "invalid")
	wantValid(t, w.Service, auth.Principal{RootID: "n::0123456789abcdef01234567"}, "invalid")
}

func TestRefusalOfOtherErrors(t *testing.T) {
	for want, err := range map[string]error{
		"":        errors.New("x"),
		"invalid": fault.New(fault.TokenInvalid, "by another hand"),
	} {
		if got := auth.RefusalOf(err); got != want {
			t.Errorf("the refusal of %v is %q, want %q", err, got, want)
		}
	}
	if got := auth.RefusalOf(nil); got != "" {
		t.Errorf("the refusal of nothing is %q", got)
	}
}

func TestOptionsThatCannotBe(t *testing.T) {
	for name, change := range map[string]func(*auth.Options){
		"no secret":      func(o *auth.Options) { o.Secret = nil },
		"a short secret": func(o *auth.Options) { o.Secret = secret[:31] },
		"no life":        func(o *auth.Options) { o.TokenTTL = -1 },
		"no hashing":     func(o *auth.Options) { o.ArgonParallel = -1 },
		"no memory":      func(o *auth.Options) { o.Argon = auth.ArgonCost{Passes: 1, Lanes: 1} },
	} {
		options := auth.Options{Secret: secret}
		change(&options)
		if _, err := auth.New(t.Context(), &memory{}, options); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

// A service whose store does not answer at the start is not ready, and then
// knows what ended long before it started.
func TestAServiceIsNotReadyWithoutItsRevocations(t *testing.T) {
	following(t, func(t *testing.T, here *world, _ *auth.Service) {
		token, p := here.login()
		if err := here.Logout(t.Context(), p, false); err != nil {
			t.Fatal(err)
		}
		pass(time.Hour)
		here.store.breakWith(errors.New("out of reach"))
		late := here.node(func(o *auth.Options) { o.Now = time.Now })
		if err := late.Ready(); !fault.Is(err, fault.Busy) {
			t.Errorf("without its revocations it is %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go late.Run(ctx)
		here.store.breakWith(nil)
		pass(time.Second)
		if err := late.Ready(); err != nil {
			t.Errorf("not ready: %v", err)
		}
		wantRefused(t, late, token, "revoked")
	})
}

func TestParseRootID(t *testing.T) {
	const normal = "n::0123456789abcdef01234567"
	for text, want := range map[string]string{
		normal:                              normal,
		"n::0123456789ABCDEF01234567":       normal,
		"n:User:0123456789abcdef01234567":   normal,
		"n:🦊 \x00:0123456789abcDEF01234567": normal,
		auth.PublicRoot:                     auth.PublicRoot,
	} {
		if got, ok := auth.ParseRootID(text); got != want || !ok {
			t.Errorf("%q is read as %q, %v", text, got, ok)
		}
	}
	for _, text := range []string{
		"", "n", "n:", "n::", "0123456789abcdef01234567", "n:0123456789abcdef01234567", "N::0123456789abcdef01234567",
		"e::0123456789abcdef01234567", "n::0123456789abcdef0123456", "n::0123456789abcdef012345678",
		"n::0123456789abcdef0123456g", "n:a:b:0123456789abcdef01234567", " " + normal, normal + " ", normal + "\n",
		"n::\u212a123456789abcdef01234", // a letter whose lower case is shorter
	} {
		if got, ok := auth.ParseRootID(text); got != "" || ok {
			t.Errorf("%q is read as %q, %v", text, got, ok)
		}
	}
}

func TestIDsAreNeverGivenTwice(t *testing.T) {
	w := newWorld(t)
	seen := map[string]bool{}
	for n := range 100 {
		user := w.register(fmt.Sprintf("user.%d@example.com", n))
		root, ok := auth.ParseRootID(user.RootID)
		if !ok || root != user.RootID || len(user.ID) != 24 || !strings.HasPrefix(user.ID, "69153ec0") {
			t.Errorf("the ids are %q and %q", user.ID, user.RootID)
		}
		maps.Copy(seen, map[string]bool{user.ID: true, strings.TrimPrefix(root, "n::"): true})
	}
	if len(seen) != 200 {
		t.Errorf("200 ids are %d different ones", len(seen))
	}
}

func BenchmarkAuthenticate(b *testing.B) {
	w := newWorld(b)
	token, _ := w.login()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.Authenticate(b.Context(), token); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkValid(b *testing.B) {
	w := newWorld(b)
	_, p := w.login()
	b.ReportAllocs()
	for b.Loop() {
		if err := w.Valid(p); err != nil {
			b.Fatal(err)
		}
	}
}
