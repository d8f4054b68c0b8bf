package app_test

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/google/go-cmp/cmp"

	"github.com/walkergate/walkergate/app"
	"github.com/walkergate/walkergate/internal/testkit"
	"github.com/walkergate/walkergate/specs"
	"github.com/walkergate/walkergate/walkers"
	"github.com/walkergate/walkergate/wire"
)

// planted are words that a client sends, each in a place of its own, to be
// looked for in the log.
type planted struct{ words []string }

// word makes the next one.
func (p *planted) word(place string) string {
	p.words = append(p.words, "planted-"+place)
	return "planted-" + place
}

// Whatever clients send, through both doors, well or not, and whatever walkers
// answer: nothing of it stands in the log, though it tells everything.
func TestNothingThatWasSentIsLogged(t *testing.T) {
	t.Parallel()
	log, p := &logged{}, &planted{}
	g := testkit.Start(t, testkit.Walkers(fixtures), testkit.Walkers(routed), testkit.Log(log.logger()))
	user := plantedUser(t, g, p)
	plantOverREST(t, g, p, user)
	plantOverSocket(t, g, p, user)
	plantBelowText(t, g, p)
	g.Stop()
	p.words = append(p.words, user.Email, user.Password, user.Token, strings.Split(user.Token, ".")[2])
	for _, word := range p.words {
		if log.contains(word) {
			t.Errorf("the log holds %q", word)
		}
	}
	for _, told := range []string{"request", "client connected", "client disconnected", "walker failed", "stopping"} {
		if len(log.lines(t, told)) == 0 {
			t.Errorf("the log tells of no %s: this test proves nothing", told)
		}
	}
}

// plantedUser registers, logs in and out, and tries what is wrong.
func plantedUser(t *testing.T, g *testkit.Gateway, p *planted) testkit.User {
	t.Helper()
	user := testkit.User{Email: p.word("address") + "@example.com", Password: p.word("password")}
	credentials := testkit.Frame{"email": user.Email, "password": user.Password, "about": p.word("profile")}
	for range 2 { // the second time it is taken
		account(t, g, http.MethodPost, "register", "", credentials)
	}
	account(t, g, http.MethodPost, "register", "", testkit.Frame{"email": p.word("no-address"), "password": p.word("no-password")})
	account(t, g, http.MethodPost, "login", "", testkit.Frame{"email": user.Email, "password": p.word("wrong-password")})
	account(t, g, http.MethodPost, "login", "", testkit.Frame{"email": p.word("nobody") + "@example.com", "password": user.Password})
	user = g.Login(t, user)
	change := testkit.Frame{"old_password": p.word("old-password"), "new_password": p.word("new-password")}
	account(t, g, http.MethodPost, "change_password", user.Token, change)
	out := g.Login(t, user)
	p.words = append(p.words, out.Token)
	account(t, g, http.MethodPost, "logout", out.Token, nil)
	account(t, g, http.MethodGet, "me", out.Token, nil)
	account(t, g, http.MethodGet, "me?token="+p.word("query-token"), p.word("header-token"), nil)
	return user
}

// plantOverREST calls walkers with words in every place of a request.
func plantOverREST(t *testing.T, g *testkit.Gateway, p *planted, user testkit.User) {
	t.Helper()
	for _, asked := range []struct{ method, path, body string }{
		{"POST", "/walker/echo", `{"value":"` + p.word("body") + `"}`},
		{"POST", "/walker/sum", `{"a":"` + p.word("mistyped") + `"}`},
		{"POST", "/walker/sum", `{"a":1,"` + p.word("name") + `":1}`},
		{"POST", "/walker/sum", `{"` + p.word("malformed") + `":`},
		{"POST", "/walker/fail", `{"how":"error","more":"` + p.word("failed") + `"}`},
		{"POST", "/walker/fail", `{"how":"panic","more":"` + p.word("panicked") + `"}`},
		{"POST", "/walker/shape", `{"body":"` + p.word("answered") + `"}`},
		{"POST", "/walker/shape", `{"header":"` + p.word("header-answered") + `"}`},
		{"POST", "/walker/tell", `{"channels":["` + p.word("notified-channel") + `"],"data":{"note":"` + p.word("notified") + `"}}`},
		{"POST", "/walker/every?sort=" + p.word("query"), `{"id":1}`},
		{"POST", "/walker/every?deep=" + p.word("mistyped-query"), `{"id":1}`},
		{"POST", "/walker/every?" + p.word("no-query") + "=%zz", `{"id":1}`},
		{"GET", "/walker/below/" + p.word("path") + "/items", ""},
		{"POST", "/api/v1/things/" + p.word("absolute-path"), ""},
		{"POST", "/walker/enter/" + p.word("node"), "{}"},
		{"POST", "/walker/" + p.word("walker"), "{}"},
		{"GET", "/" + p.word("nowhere") + "/" + url.PathEscape(p.word("below nowhere")), ""},
		{"PUT", "/user/login?" + p.word("not-allowed"), ""},
	} {
		g.Request(t, asked.method, asked.path, user.Token, asked.body, "X-Own", p.word("header"), "Cookie", "a="+p.word("cookie"),
			"User-Agent", p.word("agent"), "Referer", p.word("referer"), "Origin", "https://"+p.word("origin"), "X-Request-Id", p.word("id of no form"))
	}
	g.Do(t, multipartRequest(t, g, "/walker/upload",
		part{name: "one", file: p.word("file-name"), kind: "text/" + p.word("file-type"), content: p.word("file")},
		part{name: "note", content: p.word("part")}, part{name: p.word("part-name"), content: p.word("unknown-part")}))
	conn := dialTCP(t, g)
	if _, err := conn.Write([]byte(p.word("no-request") + " / HTTP/1.1\r\n" + p.word("no-header") + "\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err != nil { // it was answered
		t.Fatal(err)
	}
}

// plantOverSocket does the same with frames.
func plantOverSocket(t *testing.T, g *testkit.Gateway, p *planted, user testkit.User) {
	t.Helper()
	channel := p.word("channel")
	s := g.Dial(t, "channel_id="+channel+"&channel_id=%24"+p.word("reserved-channel")+"&token="+p.word("url-token"), user.Token)
	s.ExpectError("error", "bad_frame") // of the reserved channel
	s.Say(withID(become(p.word("frame-token")), p.word("id")))
	s.ExpectError("error", "token_invalid")
	s.Next()
	s.Ask(become(user.Token))
	for _, text := range []string{
		p.word("no-frame"), `{"type":"` + p.word("type") + `"}`, `{"type":"ping","id":"` + p.word("ping") + `"}`,
		`{"type":"walker","walker":"` + p.word("frame-walker") + `"}`,
		`{"type":"walker","walker":"sum","context":{"a":"` + p.word("context") + `"}}`,
		`{"type":"walker","walker":"echo","response":true,"context":{"value":"` + p.word("echo") + `"}}`,
		`{"type":"walker","walker":"fail","context":{"how":"error","more":"` + p.word("frame-failed") + `"}}`,
		`{"type":"walker","walker":"enter","node":"` + p.word("frame-node") + `"}`,
		`{"type":"channel","id":"1","channel_ids":["` + p.word("target") + `"],"data":{"text":"` + p.word("data") + `"}}`,
		`{"type":"user","id":"1","root_ids":["` + p.word("root") + `"],"data":{"text":"` + p.word("user-data") + `"}}`,
		`{"type":"client","client_ids":["` + s.ClientID + `"],"data":{"text":"` + p.word("delivered") + `"}}`,
		`{"type":"client","client_ids":["x"],"data":{"type":"reply","text":"` + p.word("reserved") + `"}}`,
	} {
		if err := s.SendText([]byte(text)); err != nil {
			t.Fatal(err)
		}
		s.NextText()
	}
	s.Hang()
}

// plantBelowText breaks the protocol with words in what breaks it.
func plantBelowText(t *testing.T, g *testkit.Gateway, p *planted) {
	t.Helper()
	for _, sent := range []struct {
		op      ws.OpCode
		payload []byte
		code    wire.CloseCode
	}{
		{ws.OpBinary, []byte(p.word("binary")), wire.CloseUnsupported},
		{ws.OpText, []byte(p.word("no-text") + "\xff"), wire.CloseInvalidText},
		{ws.OpText, []byte(p.word("long") + strings.Repeat("x", 1<<16)), wire.CloseTooBig},
		{ws.OpClose, ws.NewCloseFrameBody(ws.StatusNormalClosure, p.word("reason")), wire.CloseNormal},
	} {
		s := g.Dial(t, "", "")
		if err := s.SendMessage(ws.OpPing, []byte(p.word("ping-payload"))); err != nil {
			t.Fatal(err)
		}
		_ = s.SendMessage(sent.op, sent.payload) // the gateway may have closed at its header
		s.ExpectClose(sent.code)
	}
}

// Each connection is told twice in the log, when it comes and when it goes, and
// why it went: by whom, with which code, for what reason.
func TestEachConnectionIsLoggedWithItsEnd(t *testing.T) {
	t.Parallel()
	log := &logged{}
	g := testkit.Start(t, testkit.Log(log.logger()), testkit.Walkers(flooding), testkit.Config(func(c *app.Config) {
		c.AuthExpiry, c.FrameRate, c.FrameBurst, c.QueueBytes = "close", 1, 5, 64<<10
	}))
	impatient := testkit.Start(t, testkit.Log(log.logger()), testkit.Config(func(c *app.Config) {
		c.PingInterval, c.DeadAfter = 50*time.Millisecond, 200*time.Millisecond
	}))
	user := g.NewUser(t)
	want := make(map[string]connectionEnd) // by client id
	for name, end := range map[string]struct {
		how  func(t *testing.T, s *testkit.Socket)
		code wire.CloseCode
		why  string // empty where the client began it
	}{
		"goodbye":    {func(_ *testing.T, s *testkit.Socket) { s.Hang() }, wire.CloseNormal, ""},
		"reset":      {reset, wire.CloseAbnormal, ""},
		"binary":     {func(_ *testing.T, s *testkit.Socket) { breach(s, ws.OpBinary, "x") }, wire.CloseUnsupported, "binary messages are not supported"},
		"no text":    {func(_ *testing.T, s *testkit.Socket) { breach(s, ws.OpText, "\xff") }, wire.CloseInvalidText, "text is not UTF-8"},
		"too big":    {func(_ *testing.T, s *testkit.Socket) { breach(s, ws.OpText, strings.Repeat("x", 1<<17)) }, wire.CloseTooBig, "message too big"},
		"too often":  {tooOften, wire.CloseOverLimits, "too many frames for long"},
		"too slow":   {func(_ *testing.T, s *testkit.Socket) { s.Say(call("flooding", testkit.Frame{})) }, wire.CloseTooSlow, "too slow"},
		"logged out": {nil, wire.CloseAuthEnded, "authentication ended"},
		"silent":     {nil, wire.CloseNoSignOfLife, "no sign of life"},
	} {
		at, token, root := g, "", publicRoot
		switch name {
		case "logged out":
			token, root = user.Token, user.RootID
		case "silent":
			at = impatient
		}
		s := at.Dial(t, "", token)
		want[s.ClientID] = connectionEnd{root, float64(end.code), end.why, end.why == ""}
		if end.how != nil {
			end.how(t, s)
		}
	}
	account(t, g, http.MethodPost, "logout", user.Token, nil)
	testkit.Until(t, "all to be gone", func() bool { return len(log.lines(t, "client disconnected")) == len(want) })
	if diff := cmp.Diff(want, connectionsIn(t, log)); diff != "" {
		t.Errorf("connections in the log (-want +got):\n%s", diff)
	}
}

// connectionEnd is what the log tells of a connection.
type connectionEnd struct {
	Root   string
	Code   float64
	Reason string
	ByPeer bool
}

// connectionsIn reads the log, and fails where a connection stands there more
// than twice.
func connectionsIn(t *testing.T, log *logged) map[string]connectionEnd {
	t.Helper()
	found := make(map[string]connectionEnd)
	for _, line := range log.lines(t, "client connected") {
		id := line["client_id"].(string)
		if _, twice := found[id]; twice || line["remote"] != "127.0.0.1" || line["request_id"] == "" {
			t.Errorf("logged %v", line)
		}
		found[id] = connectionEnd{Root: line["root_id"].(string)}
	}
	for _, line := range log.lines(t, "client disconnected") {
		id := line["client_id"].(string)
		end, known := found[id]
		if !known || end.Code != 0 {
			t.Errorf("logged %v", line)
		}
		end.Code, end.Reason, end.ByPeer = line["code"].(float64), line["reason"].(string), line["by_peer"].(bool)
		found[id] = end
	}
	return found
}

func reset(t *testing.T, s *testkit.Socket) {
	t.Helper()
	if err := s.Raw().(*net.TCPConn).SetLinger(0); err != nil {
		t.Fatal(err)
	}
	_ = s.Raw().Close()
}

func breach(s *testkit.Socket, op ws.OpCode, payload string) {
	_ = s.SendMessage(op, []byte(payload)) // the gateway may have closed at its header
}

func tooOften(_ *testing.T, s *testkit.Socket) {
	for s.Send(testkit.Frame{"type": "ping"}) == nil {
	}
}

// flooding registers a walker that sends to its own connection until that is
// given up.
func flooding(r *walkers.Registry) {
	walkers.Register(r, specs.Walker{Name: "flooding", Methods: socketDoor, Auth: specs.NoAuth},
		func(ctx context.Context, call *walkers.Call, _ struct{}) error {
			data := map[string]string{"pad": strings.Repeat("x", 32<<10)}
			for {
				if sent, err := call.Notify.Self(ctx, data); err != nil || sent.Reached == 0 {
					return err
				}
			}
		})
}

// A secret that was made is told of when it is made: tokens would end with it
// where the folder is lost.
func TestMadeSecretIsTold(t *testing.T) {
	t.Parallel()
	dataDir := t.TempDir()
	for start, times := range []int{1, 0} {
		log := &logged{}
		g := testkit.Start(t, testkit.Embedded(), testkit.Log(log.logger()), testkit.Config(func(c *app.Config) { c.DataDir = dataDir }))
		g.Stop()
		if told := len(log.lines(t, "TOKEN_SECRET is not set: a secret was made and is kept beside the data")); told != times {
			t.Errorf("start %d told of it %d times", start, told)
		}
	}
}
