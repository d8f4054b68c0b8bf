package app_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/walkergate/walkergate/app"
	"github.com/walkergate/walkergate/auth"
	"github.com/walkergate/walkergate/fault"
	"github.com/walkergate/walkergate/internal/testkit"
	"github.com/walkergate/walkergate/specs"
	"github.com/walkergate/walkergate/walkers"
)

// inside is what a failure knows and no client may.
const inside = "inside-of-the-server"

func noFile() error {
	_, err := os.ReadFile("/etc/" + inside)
	return err
}

// brittle and fragile cannot be read and cannot be written, each in its way.
type (
	brittle struct{}
	fragile struct{ Text string }
)

func (*brittle) UnmarshalJSON([]byte) error  { panic(inside) }
func (brittle) MarshalJSON() ([]byte, error) { panic(inside) }
func (*fragile) UnmarshalText([]byte) error  { panic(noFile()) }
func (fragile) MarshalText() ([]byte, error) { return nil, noFile() }

// failures are the ways in which a walker can end badly.
var failures = map[string]func(context.Context, *walkers.Call) error{
	"an error":        func(context.Context, *walkers.Call) error { return errors.New(inside) },
	"a path":          func(context.Context, *walkers.Call) error { return fmt.Errorf("load: %w", noFile()) },
	"a panic":         func(context.Context, *walkers.Call) error { panic(inside) },
	"a panic's error": func(context.Context, *walkers.Call) error { panic(noFile()) },
	"a panic's value": func(context.Context, *walkers.Call) error { panic(map[string]any{inside: 1}) },
	"an index":        func(context.Context, *walkers.Call) error { return []error{}[len(inside)] },
	"a nil pointer":   func(context.Context, *walkers.Call) error { return errors.New((*fragile)(nil).Text) },
	"a wrong type":    func(context.Context, *walkers.Call) error { return any(inside).(error) },
	"an exit":         func(context.Context, *walkers.Call) error { runtime.Goexit(); return nil },
	"an internal fault": func(context.Context, *walkers.Call) error {
		return fault.New(fault.Internal, inside, fault.Detail{Field: inside})
	},
	"a report":         func(_ context.Context, call *walkers.Call) error { call.Report(fragile{}); return nil },
	"a report's panic": func(_ context.Context, call *walkers.Call) error { call.Report(brittle{}); return nil },
	"a body":           func(_ context.Context, call *walkers.Call) error { call.JSON(fragile{}); return nil },
	"a status":         func(_ context.Context, call *walkers.Call) error { call.Status(77); return nil },
	"a header":         func(_ context.Context, call *walkers.Call) error { call.Header("X-A", "\n"+inside); return nil },
	"a content type":   func(_ context.Context, call *walkers.Call) error { call.Body("a\n"+inside, nil); return nil },
	"a notify": func(ctx context.Context, call *walkers.Call) error {
		_, err := call.Notify.Channels(ctx, []string{"c"}, fragile{})
		return err
	},
	"a notify's panic": func(ctx context.Context, call *walkers.Call) error {
		_, err := call.Notify.Channels(ctx, []string{"c"}, brittle{})
		return err
	},
}

// failing registers a walker that fails in each of these ways, and walkers
// that fail before they are run.
func failing(r *walkers.Registry) {
	walkers.Register(r, specs.Walker{Name: "failing", Methods: bothDoors, Auth: specs.NoAuth, Enter: failToEnter},
		func(ctx context.Context, call *walkers.Call, in struct {
			How string `json:"how"`
		},
		) error {
			call.Header("X-Left-Behind", inside)
			call.Report(inside)
			return failures[in.How](ctx, call)
		})
	type read struct {
		Brittle *brittle `json:"brittle"`
		Fragile *fragile `json:"fragile"`
	}
	walkers.Register(r, specs.Walker{Name: "unread", Methods: bothDoors, Auth: specs.NoAuth},
		func(context.Context, *walkers.Call, read) error { return nil })
}

func failToEnter(_ context.Context, _ auth.Principal, node string) error {
	switch node {
	case "panics":
		panic(noFile())
	case "faults":
		return fault.New(fault.Internal, inside)
	}
	return noFile() // refused, and nobody says why
}

// badCall is a call that ends badly.
type badCall struct {
	walker, node string
	context      testkit.Frame
}

func badCalls() map[string]badCall {
	calls := map[string]badCall{
		"a node's panic": {"failing", "panics", testkit.Frame{"how": "an error"}},
		"a node's fault": {"failing", "faults", testkit.Frame{"how": "an error"}},
		"read as JSON":   {"unread", "", testkit.Frame{"brittle": 1}},
		"read as text":   {"unread", "", testkit.Frame{"fragile": "x"}},
	}
	for how := range failures {
		calls[how] = badCall{"failing", "", testkit.Frame{"how": how}}
	}
	return calls
}

// tell makes the call in each way that there is, and gives the answers as
// objects without what is of the way alone. What came beside them, headers too,
// holds nothing of the inside.
func (b badCall) tell(t *testing.T, g *testkit.Gateway, s *testkit.Socket) []testkit.Frame {
	t.Helper()
	frame, path := call(b.walker, b.context), "/walker/"+b.walker
	if b.node != "" {
		frame["node"], path = b.node, path+"/"+b.node
	}
	silent := with(frame, "response", false)
	var told []testkit.Frame
	for _, asked := range []testkit.Frame{frame, silent, with(frame, "id", "7"), with(silent, "id", "7")} {
		answer := s.Ask(asked)
		want := with(testkit.Frame{}, "type", "walker")
		if asked["id"] != nil {
			want = testkit.Frame{"type": "reply", "id": "7", "ok": false}
		}
		for name, value := range want {
			if answer[name] != value {
				t.Errorf("%s is %v in %v", name, answer[name], answer)
			}
			delete(answer, name)
		}
		told = append(told, answer)
	}
	rest := g.Request(t, http.MethodPost, path, "", b.context)
	if text := fmt.Sprint(rest.Header, string(rest.Body)); strings.Contains(text, inside) {
		t.Errorf("over REST: %s", text)
	}
	body := rest.JSON(t)
	if float64(rest.Status) != body["status"] {
		t.Errorf("over REST %d %s", rest.Status, rest.Body)
	}
	return append(told, body)
}

// However a walker ends, its caller is told the same few words. What happened
// stands in the log, under the ref that the caller was given.
func TestNothingInternalIsTold(t *testing.T) {
	t.Parallel()
	log := &logged{}
	g := testkit.Start(t, testkit.Walkers(failing), testkit.Log(log.logger()))
	s := g.Dial(t, "", "")
	refs := make(map[string]bool)
	for name, bad := range badCalls() {
		for _, answer := range bad.tell(t, g, s) {
			ref, _ := answer["ref"].(string)
			if ref == "" || refs[ref] {
				t.Errorf("%s: ref %q", name, ref)
			}
			refs[ref] = true
			delete(answer, "ref")
			if diff := cmp.Diff(testkit.Frame{"status": 500.0, "code": "internal", "error": "internal error"}, answer); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
	}
	lines := log.lines(t, "walker failed")
	for _, line := range lines {
		if ref, _ := line["ref"].(string); !refs[ref] || line["error"] == "" {
			t.Errorf("logged %v, which nobody was told of, or twice", line)
		} else {
			delete(refs, ref)
		}
	}
	if len(refs) > 0 || len(lines) == 0 {
		t.Errorf("%d failures are not in the log", len(refs))
	}
	t.Run("nor why a node is refused", func(t *testing.T) {
		for _, answer := range (badCall{"failing", "x", testkit.Frame{"how": "an error"}}).tell(t, g, s) {
			want := testkit.Frame{"status": 403.0, "code": "forbidden", "error": "You don't have access on target entry x!"}
			if diff := cmp.Diff(want, answer); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		}
	})
}

// A store that is broken is broken for the log alone.
func TestBrokenStoreTellsNothing(t *testing.T) {
	t.Parallel()
	dataDir, log := t.TempDir(), &logged{}
	g := testkit.Start(t, testkit.Embedded(), testkit.Config(func(c *app.Config) { c.DataDir = dataDir }), testkit.Log(log.logger()))
	user := g.NewUser(t)
	path := url.URL{Path: filepath.ToSlash(filepath.Join(dataDir, "walkergate.db"))}
	db, err := sql.Open("sqlite", "file://"+path.EscapedPath()+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(t.Context(), "ALTER TABLE users RENAME TO elsewhere"); err != nil {
		t.Fatal(err)
	}
	credentials := testkit.Frame{"email": user.Email, "password": user.Password}
	for _, asked := range []struct {
		method, path, token string
		body                any
	}{
		{http.MethodPost, "/user/login", "", credentials},
		{http.MethodPost, "/user/register", "", testkit.Frame{"email": "bob@example.com", "password": "long enough"}},
		{http.MethodGet, "/user/me", user.Token, nil},
		{http.MethodPost, "/user/refresh", user.Token, nil},
		{http.MethodPost, "/user/change_password", user.Token, testkit.Frame{"old_password": user.Password, "new_password": "another one"}},
		{http.MethodDelete, "/user/me", user.Token, nil},
	} {
		got := g.Request(t, asked.method, asked.path, asked.token, asked.body)
		body := got.JSON(t)
		ref, _ := body["ref"].(string)
		delete(body, "ref")
		want := testkit.Frame{"status": 500.0, "code": "internal", "error": "internal error"}
		if diff := cmp.Diff(want, body); diff != "" || got.Status != http.StatusInternalServerError {
			t.Errorf("%s: %d (-want +got):\n%s", asked.path, got.Status, diff)
		}
		if ref == "" || !log.contains(ref) || !log.contains("no such table") {
			t.Errorf("%s: the log does not tell what happened", asked.path)
		}
	}
}

// mirror and mirrorNumber must not come back in an answer that refuses them.
const (
	mirror       = "sent-by-the-client"
	mirrorNumber = "31415926.5"
)

// What was sent is not told back to its sender, wrong as it may be. Details name
// fields; names that a client made up are theirs, and their values are not there.
func TestErrorsDoNotRepeatWhatWasSent(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t, testkit.Walkers(fixtures), testkit.Walkers(routed))
	user := g.NewUser(t)
	s := g.Dial(t, "", user.Token)
	quoted := `"` + mirror + `"`
	for _, text := range []string{
		mirror, quoted, `{` + quoted, `{"type":` + quoted + `}`, `{"type":"ping","id":[` + quoted + `]}`,
		`{"type":"ping","id":"` + strings.Repeat(mirror, 10) + `"}`, `{"type":"ping",` + quoted + `:1,` + quoted + `:2}`,
		`{"type":"ping","x":"` + mirror + `\ud800"}`,
		`{"type":"walker","walker":` + quoted + `}`, `{"type":"walker","walker":{"a":` + quoted + `}}`,
		`{"type":"walker","walker":"sum","context":` + quoted + `}`, `{"type":"walker","walker":"sum","response":` + quoted + `}`,
		`{"type":"walker","walker":"sum","context":{"a":` + quoted + `}}`, `{"type":"walker","walker":"sum","context":{"a":{"b":` + quoted + `}}}`,
		`{"type":"walker","walker":"sum","context":{"a":` + mirrorNumber + `}}`, `{"type":"walker","walker":"sum","node":` + mirrorNumber + `}`,
		`{"type":"walker","walker":"sum","context":{"a":1,"label":` + quoted + `}}`, `{"type":"walker","walker":"sum","context":{"a":1,"tags":[1,` + quoted + `]}}`,
		`{"type":"walker","walker":"upload","context":{"one":` + quoted + `}}`,
		`{"type":"user","root_ids":[1,` + quoted + `],"data":{}}`, `{"type":"channel","channel_ids":["c"],"data":[` + quoted + `]}`,
		`{"type":"client","client_ids":["c"],"data":{"type":"reply","x":` + quoted + `}}`, `{"type":"user","root_ids":["` + publicRoot + `",` + quoted + `],"data":{}}`,
		`{"type":"change_user","token":[` + quoted + `]}`, `{"type":"change_user","token":` + quoted + `}`,
	} {
		if err := s.SendText([]byte(text)); err != nil {
			t.Fatal(err)
		}
		answer := s.NextText()
		if frame, _ := jsonOf(answer).(map[string]any); frame["code"] == nil {
			t.Errorf("%s was taken: %s", text, answer)
		}
		unrepeated(t, text, string(answer))
		s.Ask(become(user.Token)) // the last of them ends who it was
	}
	ask := func(path, body string, headers ...string) {
		t.Helper()
		got := g.Request(t, http.MethodPost, path, user.Token, body, headers...)
		if got.Status < 400 {
			t.Errorf("POST %s %s: %d %s", path, body, got.Status, got.Body)
		}
		unrepeated(t, path+" "+body, fmt.Sprint(got.Header, string(got.Body)))
	}
	for _, body := range []string{mirror, quoted, `{"a":` + quoted + `}`, `{"a":1,"label":` + quoted + `}`, `{"a":` + mirrorNumber + `}`} {
		ask("/walker/sum", body)
	}
	ask("/walker/"+mirror, `{}`)
	ask("/"+mirror, `{}`)
	ask("/walker/every?ratio="+mirror+"&limits="+mirror, `{"id":1}`)
	ask("/walker/every?"+mirror+"=%zz", `{"id":1}`)
	ask("/walker/every?limits="+mirrorNumber, `{"id":1}`)
	ask("/api/v1/things/"+mirror, `{}`)
	ask("/walker/sum", `{"a":1}`, "Content-Encoding", mirror)
	ask("/walker/whoami", `{}`, "Authorization", "Bearer "+mirror)
	for _, path := range []string{"/user/register", "/user/login"} {
		ask(path, `{"email":`+quoted+`,"password":"`+mirror+mirror+`"}`)
		ask(path, `{"email":[`+quoted+`],"password":{"p":`+quoted+`}}`)
	}
	ask("/user/register", `{"email":"`+user.Email+`","password":`+quoted+`,"name":`+quoted+`}`)
	ask("/user/change_password", `{"old_password":`+quoted+`,"new_password":`+quoted+`}`)
	if status, body := account(t, g, http.MethodPost, "login", "", testkit.Frame{"email": user.Email, "password": mirror}); status != 400 || strings.Contains(fmt.Sprint(body), mirror) {
		t.Errorf("a wrong password: %d %v", status, body)
	}
}

func unrepeated(t *testing.T, sent, answer string) {
	t.Helper()
	if strings.Contains(answer, mirror) || strings.Contains(answer, mirrorNumber) || strings.Contains(answer, "http") {
		t.Errorf("%s was answered %s", sent, answer)
	}
}

// An error is told whatever it is about: what cannot be written as it is, is
// mended, and neither the answer nor the connection is lost for it.
func TestEveryErrorCanBeTold(t *testing.T) {
	t.Parallel()
	strange := []string{"\xff\xfe", "a\x00b", "\u2028\u2029", "\"\\", "\x1b[31m", strings.Repeat("é", 50_000), "\xed\xa0\x80", "</script>"}
	g := testkit.Start(t, testkit.Walkers(fixtures), testkit.Walkers(func(r *walkers.Registry) {
		walkers.Register(r, specs.Walker{Name: "strange", Methods: bothDoors, Auth: specs.NoAuth},
			func(_ context.Context, _ *walkers.Call, in struct {
				N int `json:"n"`
			},
			) error {
				return fault.New(fault.Conflict, strange[in.N], fault.Detail{Field: strange[in.N], Reason: strange[in.N]})
			})
	}))
	s := g.Dial(t, "", "")
	for n, text := range strange {
		mended := strings.ToValidUTF8(text, "\ufffd")
		for _, answer := range (badCall{"strange", "", testkit.Frame{"n": n}}).tell(t, g, s) {
			told, _ := answer["error"].(string)
			if answer["code"] != "conflict" || !sameText(told, mended) {
				t.Errorf("%.20q was told as %.200q", text, fmt.Sprint(answer))
			}
		}
	}
	long := strings.Repeat("1234567890", 3)
	for _, text := range []string{
		`{"type":"walker","walker":"sum","context":{"a":` + long + `}}`,
		`{"type":"walker","walker":"sum","context":{"a":1,"label":` + long + `}}`,
		`{"type":"walker","walker":"sum","context":{"a":1,"label":"\ud800"}}`,
		`{"type":"walker","walker":"sum","context":{"\udfff":1}}`,
		`{"type":"walker","walker":"\ud800"}`, `{"type":"ping","id":"\ud800"}`, `{"type":` + long + `}`, `{"type":"ping","id":` + long + `}`,
		`{"type":"user","root_ids":[` + long + `],"data":{}}`, `{"type":"channel","channel_ids":["\ud800"],"data":{}}`,
		`{"type":"walker","walker":"upload","context":{"one":"\ud800"}}`, `{"type":"walker","walker":"upload","context":{"one":` + long + `}}`,
		`{"type":"walker","walker":"upload"}`,
	} {
		if err := s.SendText([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if status, _ := s.Next()["status"].(float64); status < 400 || status >= 500 {
			t.Errorf("%s was answered with status %v", text, status)
		}
	}
	s.Quiet()
	s.Hang()
	testkit.Until(t, "nothing to be left", func() bool { return metric(t, g, "walkergate_connections") == 0 })
}

// sameText compares but for how many characters stand for what was no text.
func sameText(a, b string) bool {
	squeeze := func(text string) string {
		return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == '\ufffd' }), "?")
	}
	return squeeze(a) == squeeze(b)
}
