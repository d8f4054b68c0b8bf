package app_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/joho/godotenv"

	"github.com/walkergate/walkergate/app"
	"github.com/walkergate/walkergate/auth"
	"github.com/walkergate/walkergate/fault"
	"github.com/walkergate/walkergate/internal/testkit"
	"github.com/walkergate/walkergate/store"
	"github.com/walkergate/walkergate/wire"
)

const foreignAudience = "https://api.example.com"

// issuer is somebody else who issues tokens, with a server for its keys.
type issuer struct {
	*httptest.Server
	name    string
	fetches atomic.Int64

	mu        sync.Mutex
	keys      map[string]ed25519.PrivateKey
	published []string
	held      chan struct{} // not nil: nothing is answered before it is closed
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{name: "https://" + rand.Text() + ".example.com/", keys: make(map[string]ed25519.PrivateKey)}
	i.publish("first")
	i.Server = httptest.NewServer(http.HandlerFunc(i.answer))
	t.Cleanup(i.Close)
	return i
}

// publish makes these its keys. Of each name there is one key for ever.
func (i *issuer) publish(names ...string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.published = names
}

// hold lets its server answer nothing until release is called.
func (i *issuer) hold(t *testing.T) (release func()) {
	held := make(chan struct{})
	i.mu.Lock()
	i.held = held
	i.mu.Unlock()
	release = sync.OnceFunc(func() {
		i.mu.Lock()
		i.held = nil
		i.mu.Unlock()
		close(held)
	})
	t.Cleanup(release)
	return release
}

func (i *issuer) answer(w http.ResponseWriter, r *http.Request) {
	i.fetches.Add(1)
	i.mu.Lock()
	held := i.held
	i.mu.Unlock()
	if held != nil {
		select {
		case <-held:
		case <-r.Context().Done():
		}
	}
	_, _ = w.Write(i.jwks())
}

func (i *issuer) jwks() []byte {
	i.mu.Lock()
	published := i.published
	i.mu.Unlock()
	var set struct {
		Keys []map[string]string `json:"keys"`
	}
	for _, name := range published {
		public := i.key(name).Public().(ed25519.PublicKey)
		set.Keys = append(set.Keys, map[string]string{
			"kty": "OKP", "crv": "Ed25519", "kid": name, "x": base64.RawURLEncoding.EncodeToString(public),
		})
	}
	text, err := json.Marshal(set)
	if err != nil {
		panic(err)
	}
	return text
}

func (i *issuer) key(name string) ed25519.PrivateKey {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.keys[name] == nil {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			panic(err)
		}
		i.keys[name] = key
	}
	return i.keys[name]
}

// token is one of its tokens, by its first key, issued ten seconds ago: the end
// of all tokens of a user concerns it, and not one that is issued now.
func (i *issuer) token(subject string, changes ...any) string {
	return i.tokenBy("first", subject, changes...)
}

func (i *issuer) tokenBy(kid, subject string, changes ...any) string {
	claims := jwt.MapClaims{
		"iss": i.name, "sub": subject, "aud": foreignAudience, "jti": rand.Text(),
		"iat": time.Now().Unix() - 10, "exp": time.Now().Unix() + 3600,
	}
	for n := 0; n+1 < len(changes); n += 2 {
		claims[changes[n].(string)] = changes[n+1]
	}
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims)
	token.Header["kid"] = kid
	text, err := token.SignedString(i.key(kid))
	if err != nil {
		panic(err)
	}
	return text
}

// young is a token of the next login: by a clock that is ahead, so that the end
// of all tokens that a test asks for soon does not concern it.
func (i *issuer) young(subject string) string {
	return i.token(subject, "iat", time.Now().Unix()+50)
}

func trusting(issuers ...*issuer) testkit.Option {
	return testkit.Config(func(c *app.Config) {
		for _, i := range issuers {
			c.AuthIssuers = append(c.AuthIssuers, i.name+" "+foreignAudience+" "+i.URL)
		}
	})
}

// admitted gives the root of who a token stands for. From then on the gateway
// has the user in memory: a store, or an issuer, that takes its time on a slow
// machine makes nothing busy that follows.
func admitted(t *testing.T, g *testkit.Gateway, token string) (rootID string) {
	t.Helper()
	var got testkit.Response
	testkit.Until(t, "a verdict", func() bool {
		got = g.Request(t, http.MethodGet, "/user/me", token, nil)
		return got.Status != http.StatusServiceUnavailable
	})
	rootID, ok := got.JSON(t)["root_id"].(string)
	if got.Status != http.StatusOK || !ok {
		t.Fatalf("/user/me was answered %d %s", got.Status, got.Body)
	}
	return rootID
}

func TestTokensOfAnotherIssuerAtBothDoors(t *testing.T) {
	t.Parallel()
	one, other := newIssuer(t), newIssuer(t)
	g := testkit.Start(t, testkit.Walkers(fixtures), trusting(one, other))
	root := admitted(t, g, one.token("ann"))
	if again := admitted(t, g, one.token("ann")); again != root || root == publicRoot {
		t.Errorf("the same subject is %s and then %s", root, again)
	}
	for _, token := range []string{one.token("bob"), other.token("ann"), g.NewUser(t).Token} {
		if stranger := admitted(t, g, token); stranger == root {
			t.Errorf("another has the root %s too", stranger)
		}
	}
	// By header, by the URL, and by a frame.
	for name, s := range map[string]*testkit.Socket{
		"header": g.Dial(t, "channel_id=a", one.token("ann")),
		"token":  g.Dial(t, "channel_id=a&token="+one.token("ann"), ""),
		"auth":   g.Dial(t, "channel_id=a&auth="+one.token("ann"), ""),
	} {
		if s.RootID != root {
			t.Errorf("%s: connected as %s, want %s", name, s.RootID, root)
		}
		s.Same(s.Ask(call("whoami", testkit.Frame{})), ok(root))
	}
	s := g.Dial(t, "", "")
	for range 2 {
		s.Same(s.Ask(withID(become(one.token("ann")), "1")), withID(event(s, root), "1"))
		s.Same(s.Ask(call("whoami", testkit.Frame{})), ok(root))
		s.Same(s.Ask(testkit.Frame{"type": "change_user"}), event(s, publicRoot))
	}
	// As users they are reached like any other.
	admitted(t, g, one.token("carol"))
	admitted(t, g, other.token("dave"))
	receiver, sender := g.Dial(t, "", one.token("carol")), g.Dial(t, "", other.token("dave"))
	sender.Say(users(receiver.RootID))
	receiver.Expect(news)
	sender.Expect(reached(1))
}

func TestAccountOfAUserOfAnotherIssuer(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	g := testkit.Start(t, testkit.Walkers(fixtures), trusting(i))
	token := i.token("ann")
	root := admitted(t, g, token)

	me := g.Request(t, http.MethodGet, "/user/me", token, nil)
	user := me.JSON(t)
	from, _ := user["sso"].(map[string]any)
	if me.Status != http.StatusOK || user["root_id"] != root || user["email"] != "" || from["issuer"] != i.name || from["subject"] != "ann" {
		t.Errorf("/user/me was answered %d %s", me.Status, me.Body)
	}
	for path, body := range map[string]any{
		"/user/refresh":         nil,
		"/user/change_password": map[string]string{"old_password": "", "new_password": "correct horse"},
	} {
		got := g.Request(t, http.MethodPost, path, token, body)
		if got.Status != http.StatusForbidden || got.JSON(t)["code"] != "forbidden" {
			t.Errorf("%s was answered %d %s", path, got.Status, got.Body)
		}
	}
	for _, email := range []string{root, "ann"} {
		got := g.Request(t, http.MethodPost, "/user/login", "", map[string]string{"email": email, "password": "correct horse"})
		if got.Status != http.StatusBadRequest || got.JSON(t)["code"] != "bad_credentials" {
			t.Errorf("a login as %s was answered %d %s", email, got.Status, got.Body)
		}
	}
	// Logout ends this token, and its twin on a socket, and no other.
	other := i.token("ann")
	s := g.Dial(t, "", token)
	if got := g.Request(t, http.MethodPost, "/user/logout", token, nil); got.Status != http.StatusOK {
		t.Fatalf("logout was answered %d %s", got.Status, got.Body)
	}
	s.ExpectError("error", "token_invalid")
	s.Expect(event(s, publicRoot))
	if got := g.Post(t, "whoami", token, testkit.Frame{}); got.Status != http.StatusUnauthorized {
		t.Errorf("after the logout it was answered %d %s", got.Status, got.Body)
	}
	if again := admitted(t, g, other); again != root {
		t.Errorf("another token of the user is %s's", again)
	}
	// Whoever deletes themself does not come back by a token that is out, nor by
	// the next.
	if got := g.Request(t, http.MethodDelete, "/user/me", other, nil); got.Status != http.StatusOK {
		t.Fatalf("the deletion was answered %d %s", got.Status, got.Body)
	}
	for _, token := range []string{token, other, i.token("ann"), i.young("ann")} {
		if got := g.Post(t, "whoami", token, testkit.Frame{}); got.Status != http.StatusUnauthorized || got.JSON(t)["code"] != "token_invalid" {
			t.Errorf("after the deletion it was answered %d %s", got.Status, got.Body)
		}
	}
	refused := g.Dial(t, "", i.young("ann"))
	if data := refused.Greeting["data"].(map[string]any); refused.RootID != publicRoot || data["auth_error"] != "revoked" {
		t.Errorf("after the deletion the socket is greeted with %v", refused.Greeting)
	}
}

func TestRevocationReachesSocketsOfAnotherIssuer(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	for _, expiry := range []string{"public", "close"} {
		t.Run(expiry, func(t *testing.T) {
			t.Parallel()
			g := testkit.Start(t, testkit.Walkers(fixtures), trusting(i), testkit.Config(func(c *app.Config) { c.AuthExpiry = expiry }))
			admitted(t, g, i.token("ann"))
			admitted(t, g, i.token("bob"))
			first, second, bystander := g.Dial(t, "", i.token("ann")), g.Dial(t, "", ""), g.Dial(t, "", i.token("bob"))
			second.Same(second.Ask(become(i.token("ann"))), event(second, first.RootID))
			next := g.Dial(t, "", i.young("ann"))
			if got := g.Request(t, http.MethodPost, "/user/logout?all=true", i.token("ann"), nil); got.Status != http.StatusOK {
				t.Fatalf("logout was answered %d %s", got.Status, got.Body)
			}
			for _, s := range []*testkit.Socket{first, second} {
				if expiry == "close" {
					s.ExpectClose(wire.CloseAuthEnded)
					continue
				}
				s.ExpectError("error", "token_invalid")
				s.Expect(event(s, publicRoot))
			}
			// A token of a later second goes on, and another user's.
			next.Same(next.Ask(call("whoami", testkit.Frame{})), ok(first.RootID))
			bystander.Same(bystander.Ask(call("whoami", testkit.Frame{})), ok(bystander.RootID))
			if again := admitted(t, g, i.young("ann")); again != first.RootID {
				t.Errorf("after the next login the root is %s", again)
			}
		})
	}
}

func TestRefusedTokensOfAnotherIssuer(t *testing.T) {
	t.Parallel()
	i, stranger := newIssuer(t), newIssuer(t)
	strict := testkit.Config(func(c *app.Config) { c.AuthStrict = true })
	g, s := testkit.Start(t, testkit.Walkers(fixtures), trusting(i)), testkit.Start(t, trusting(i), strict)
	own := g.NewUser(t)
	for _, gate := range []*testkit.Gateway{g, s} { // what is looked for in vain is known from then on
		testkit.Until(t, "a verdict", func() bool {
			return gate.Request(t, http.MethodGet, "/user/me", i.tokenBy("second", "ann"), nil).Status == http.StatusUnauthorized
		})
	}
	for name, token := range map[string]string{
		"another issuer":   stranger.token("ann"),
		"another audience": i.token("ann", "aud", "https://other.example.com"),
		"an unknown key":   i.tokenBy("second", "ann"),
		"expired":          i.token("ann", "exp", time.Now().Unix()-1),
		"older than ours":  i.token("ann", "iat", time.Now().Unix()-13*3600),
		"no subject":       i.token(""),
	} {
		if got := g.Post(t, "whoami", token, testkit.Frame{}); got.Status != http.StatusUnauthorized || got.JSON(t)["code"] != "token_invalid" {
			t.Errorf("%s: answered %d %s", name, got.Status, got.Body)
		}
		if status := s.Refused(t, "token="+token, nil); status != http.StatusUnauthorized {
			t.Errorf("%s: the upgrade was refused with %d", name, status)
		}
		socket := g.Dial(t, "", own.Token)
		socket.Say(withID(become(token), "9"))
		socket.ExpectError("error", "token_invalid")
		socket.Expect(withID(event(socket, publicRoot), "9"))
	}
}

// While the key of a token is looked for, its connection lives, and what it
// sends is carried out behind.
func TestChangeUserWaitsBesideTheReader(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	g := testkit.Start(t, testkit.Walkers(fixtures), trusting(i))
	user := g.NewUser(t)
	admitted(t, g, i.token("ann")) // so the first keys are there
	release := i.hold(t)
	i.publish("first", "second")
	s := g.Dial(t, "", user.Token)
	s.Say(withID(become(i.tokenBy("second", "bob")), "change"))
	s.Say(withID(call("whoami", testkit.Frame{}), "who"))
	s.Say(testkit.Frame{"type": "connection", "id": "where"})
	s.Say(testkit.Frame{"type": "ping", "id": "ping"})
	if first := s.Next(); first["id"] != "ping" {
		t.Fatalf("before all others came %v", first)
	}
	release()
	change, who, where := s.Next(), s.Next(), s.Next()
	if change["id"] != "change" || who["id"] != "who" || where["id"] != "where" {
		t.Fatalf("in this order came %v, %v, %v", change, who, where)
	}
	root := user.RootID
	switch {
	case change["type"] == "connection":
		root = change["data"].(map[string]any)["root_id"].(string)
	case change["code"] != "busy": // where the machine took two seconds for that
		t.Fatalf("the change was answered %v", change)
	}
	if got := where["data"].(map[string]any)["root_id"]; got != root || !strings.Contains(fmt.Sprint(who["reports"]), root) {
		t.Errorf("behind the change to %s came %v and %v", root, who, where)
	}
	// Whoever hangs up meanwhile is let go.
	release = i.hold(t)
	defer release()
	gone := g.Dial(t, "", "")
	gone.Say(become(i.tokenBy("third", "bob")))
	gone.Hang()
}

func TestAnIssuerThatIsDownTakesNobodyDown(t *testing.T) {
	t.Parallel()
	i, down := newIssuer(t), newIssuer(t)
	down.Close()
	log := &logged{}
	g := testkit.Start(t, testkit.Walkers(fixtures), trusting(i, down), testkit.Log(log.logger()))
	user := g.NewUser(t)
	if got := g.Request(t, http.MethodGet, "/readyz", "", nil); got.Status != http.StatusOK {
		t.Errorf("/readyz was answered %d %s", got.Status, got.Body)
	}
	for _, token := range []string{user.Token, i.token("ann")} {
		admitted(t, g, token)
	}
	token := down.token("ann")
	for _, walker := range []string{"whoami", "anybody"} {
		if got := g.Post(t, walker, token, testkit.Frame{}); got.Status != http.StatusServiceUnavailable || got.JSON(t)["code"] != "busy" {
			t.Errorf("%s was answered %d %s", walker, got.Status, got.Body)
		}
	}
	if status := g.Refused(t, "token="+token, nil); status != http.StatusServiceUnavailable {
		t.Errorf("the upgrade was refused with %d", status)
	}
	s := g.Dial(t, "", user.Token)
	s.Say(withID(become(token), "1"))
	if got := s.Next(); got["id"] != "1" || got["code"] != "busy" {
		t.Errorf("the change was answered %v", got)
	}
	s.Say(become(token))
	s.ExpectError("error", "busy")
	s.Same(s.Ask(call("whoami", testkit.Frame{})), ok(user.RootID)) // nothing has changed
	lines := log.lines(t, "the keys of an issuer cannot be read: its tokens are answered busy until they can")
	if len(lines) != 1 || lines[0]["issuer"] != down.name || log.contains(token) {
		t.Errorf("the log tells %v", lines)
	}
	metrics := string(g.Request(t, http.MethodGet, "/metrics", "", nil).Body)
	for _, line := range []string{
		`walkergate_issuer_keys{issuer="` + i.name + `"} 1`, `walkergate_issuer_keys{issuer="` + down.name + `"} 0`,
		`walkergate_issuer_keys_read_timestamp_seconds{issuer="` + down.name + `"} 0`,
	} {
		if !strings.Contains(metrics, line) {
			t.Errorf("the metrics lack %s", line)
		}
	}
}

// lame is a store that can lose its users.
type lame struct {
	store.Store
	broken atomic.Pointer[fault.Error]
}

func (l *lame) FindUser(ctx context.Context, key auth.UserKey) (auth.User, error) {
	if broken := l.broken.Load(); broken != nil {
		return auth.User{}, broken
	}
	return l.Store.FindUser(ctx, key)
}

func TestFirstSightNeedsTheStoreOnSQLite(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	first, _ := sharedFile(t)
	shared := &lame{Store: first}
	n := startBesideWith(t, shared, func(c *app.Config) {
		c.AuthIssuers = []string{i.name + " " + foreignAudience + " " + i.URL}
	})
	root := admitted(t, n, i.token("ann"))
	s := n.Dial(t, "", i.token("ann"))
	shared.broken.Store(fault.New(fault.Busy, "the store does not answer"))
	for _, token := range []string{i.token("bob"), i.young("carol")} {
		s.Say(become(token))
		s.ExpectError("error", "busy")
		if status := n.Refused(t, "token="+token, nil); status != http.StatusServiceUnavailable {
			t.Errorf("the upgrade was refused with %d", status)
		}
	}
	s.Same(s.Ask(become(i.young("ann"))), event(s, root)) // who was here is known
	shared.broken.Store(nil)
	if bob := admitted(t, n, i.token("bob")); bob == root {
		t.Errorf("another is %s too", bob)
	}
}

// startBesideWith runs a gateway over a store of the test's.
func startBesideWith(t *testing.T, shared store.Store, change func(*app.Config)) *testkit.Gateway {
	t.Helper()
	config := app.Config{Host: "127.0.0.1", Port: -1, TokenSecret: tokenSecret, LoginTriesPerAddress: 1_000_000}
	change(&config)
	gate, err := app.NewBeside(unclosed{shared}, config, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- gate.Run(ctx) }()
	g := testkit.At(t, gate.URL())
	t.Cleanup(func() {
		g.HTTP.CloseIdleConnections()
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the gateway ended with %v", err)
		}
	})
	testkit.Until(t, "the gateway to be ready", func() bool {
		return g.Request(t, http.MethodGet, "/readyz", "", nil).Status == http.StatusOK
	})
	return g
}

// unclosed is a store that its gateway does not close.
type unclosed struct{ store.Store }

func (unclosed) Close() error { return nil }

func TestFirstSightIsRacedByNodesOnSQLite(t *testing.T) {
	t.Parallel()
	raceFirstSight(t, sharedFile)
}

func TestFirstSightIsRacedByNodesOnMongoDB(t *testing.T) {
	t.Parallel()
	raceFirstSight(t, sharedDatabase)
}

// raceFirstSight lets 32 tokens of somebody who was never here come in at two
// nodes at once, and a deletion race with 32 more.
func raceFirstSight(t *testing.T, open func(*testing.T) (first, second store.Store)) {
	first, second := open(t)
	i := newIssuer(t)
	keys := filepath.Join(t.TempDir(), "keys.json")
	if err := os.WriteFile(keys, i.jwks(), 0o600); err != nil {
		t.Fatal(err)
	}
	var nodes []*auth.Service
	for _, each := range []store.Store{first, second} {
		node, err := auth.New(t.Context(), each, auth.Options{
			Secret: []byte(tokenSecret), Issuers: []auth.Issuer{{Name: i.name, Audiences: []string{foreignAudience}, Keys: keys}},
		})
		if err != nil {
			t.Fatal(err)
		}
		nodes = append(nodes, node)
	}
	for round := range 5 {
		subject := fmt.Sprint("subject ", round)
		var mu sync.Mutex
		var seen []auth.Principal
		together(32, func(n int) {
			p, err := judged(t, nodes[n%2], i.token(subject))
			if err != nil {
				t.Errorf("one of 32 was refused: %v", err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, p)
		})
		if len(seen) != 32 {
			return
		}
		for _, p := range seen {
			if p.UserID != seen[0].UserID || p.RootID != seen[0].RootID {
				t.Fatalf("the same subject is %+v and %+v", p, seen[0])
			}
		}
		user, err := nodes[0].Me(t.Context(), seen[0])
		if err != nil || user.ID != seen[0].UserID || user.RootID != seen[0].RootID {
			t.Fatalf("the user is %+v (%v)", user, err)
		}
		together(33, func(n int) {
			if n == 0 {
				err := nodes[0].Delete(t.Context(), seen[0])
				for fault.Is(err, fault.Busy) { // by a slow machine; it may have been done
					err = nodes[0].Delete(t.Context(), seen[0])
				}
				if err != nil && auth.RefusalOf(err) != "revoked" {
					t.Errorf("the deletion ended with %v", err)
				}
				return
			}
			_, err := judged(t, nodes[n%2], i.token(subject))
			if err != nil && auth.RefusalOf(err) != "revoked" {
				t.Errorf("while the user is deleted: %v", err)
			}
		})
		if exists, err := nodes[1].UserExists(t.Context(), user.RootID); exists || err != nil {
			t.Fatalf("after the deletion the user is there: %v (%v)", exists, err)
		}
		if _, err := judged(t, nodes[0], i.young(subject)); auth.RefusalOf(err) != "revoked" {
			t.Errorf("after the deletion a token ended with %v", err)
		}
	}
}

// judged asks until the store had the time to answer.
func judged(t *testing.T, s *auth.Service, token string) (p auth.Principal, err error) {
	for begun := time.Now(); time.Since(begun) < testkit.Patience; {
		if p, err = s.Authenticate(t.Context(), token); !fault.Is(err, fault.Busy) {
			break
		}
	}
	return p, err
}

// together runs f for 0 to n-1 at once and waits.
func together(n int, f func(n int)) {
	var ready, done sync.WaitGroup
	ready.Add(n)
	for i := range n {
		done.Go(func() {
			ready.Done()
			ready.Wait()
			f(i)
		})
	}
	done.Wait()
}

func TestIssuersAreSetByOneVariable(t *testing.T) {
	want := []string{
		"https://id.example.com/ https://api.example.com https://id.example.com/.well-known/jwks.json",
		"https://other.example.com one two /etc/keys.pem",
	}
	values, err := godotenv.Unmarshal("AUTH_ISSUERS=" + want[0] + ", " + want[1])
	if err != nil {
		t.Fatal(err)
	}
	config := parse(t, values)
	issuers, faults := auth.ParseIssuers(config.AuthIssuers)
	parsed, others := auth.ParseIssuers(want)
	same := func(a, b auth.Issuer) bool {
		return a.Name == b.Name && slices.Equal(a.Audiences, b.Audiences) && a.Keys == b.Keys
	}
	if len(faults)+len(others) != 0 || !slices.EqualFunc(issuers, parsed, same) {
		t.Errorf("read %+v, %v", issuers, errors.Join(faults...))
	}
	config.AuthIssuers = []string{"https://a audience http://keys.example.com", "https://b", "https://c audience /not/there"}
	err = config.Validate()
	if err == nil || strings.Count(err.Error(), "AUTH_ISSUERS: ") != 2 {
		t.Errorf("Validate ended with %v", err)
	}
	config = app.Config{Host: "127.0.0.1", Port: -1, DataDir: t.TempDir(), AuthIssuers: config.AuthIssuers[2:]}
	if _, err = app.New(config, nil, nil); err == nil || !strings.Contains(err.Error(), "AUTH_ISSUERS") {
		t.Errorf("with a file that is not there New ended with %v", err)
	}
}
