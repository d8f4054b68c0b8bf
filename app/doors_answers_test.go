package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/walkergate/walkergate/fault"
	"github.com/walkergate/walkergate/internal/client"
	"github.com/walkergate/walkergate/internal/testkit"
)

// How a connection came to its caller.
const (
	byHeader = "header"
	byQuery  = "query"
	byChange = "change_user"
)

// noteField marks what walkers here send beside their answers.
const noteField = "a note of the walker"

// restAnswer is what the REST door answered.
type restAnswer struct {
	status int
	kind   string // the content type
	body   []byte
}

func (a restAnswer) String() string { return fmt.Sprintf("%d %s %q", a.status, a.kind, a.body) }

// envelope is the body where it is one JSON object.
func (a restAnswer) envelope() map[string]any {
	object, _ := jsonOf(a.body).(map[string]any)
	return object
}

// value is a walker's own body as JSON knows it: as it is, or as a text.
func (a restAnswer) value() any {
	if kind, _, err := mime.ParseMediaType(a.kind); err == nil && kind == "application/json" {
		if value := jsonOf(a.body); utf8.Valid(a.body) && (value != nil || strings.TrimSpace(string(a.body)) == "null") {
			return value
		}
	}
	return strings.ToValidUTF8(string(a.body), "\ufffd")
}

// bodiless are the answers that HTTP sends no body with.
func (a restAnswer) bodiless() bool {
	return a.status == http.StatusNoContent || a.status == http.StatusResetContent || a.status == http.StatusNotModified
}

// socketAnswer is what the socket answered to the same frame, sent in three
// ways.
type socketAnswer struct {
	reply    map[string]any // with an id
	response []byte         // with "response":true and no id
	silent   []byte         // with neither; nil: nothing came
}

func (a socketAnswer) String() string {
	reply, _ := json.Marshal(a.reply)
	return fmt.Sprintf("%s\n        %s\n        %s", reply, a.response, a.silent)
}

// compare gives what differs between the doors, nothing where they agree.
func (a restAnswer) compare(b socketAnswer) string {
	if status := fmt.Sprint(b.reply["status"]); status != strconv.Itoa(a.status) {
		return "status " + strconv.Itoa(a.status) + " and " + status
	}
	if b.reply["ok"] == false {
		return a.compareFailures(b)
	}
	if b.reply["ok"] != true || b.silent != nil {
		return "the silent frame was answered"
	}
	if body, own := b.reply["body"]; own {
		return a.compareOwn(body, b)
	}
	if diff := cmp.Diff(membersBut(jsonOf(b.response)), membersBut(b.reply, "type", "id", "ok")); diff != "" {
		return "the reply and the response:\n" + diff
	}
	if a.bodiless() {
		return cmp.Diff("", string(a.body))
	}
	return cmp.Diff(string(a.body), string(b.response)) // not a byte differs
}

func (a restAnswer) compareFailures(b socketAnswer) string {
	want := membersBut(a.envelope(), "ref")
	_, hasRef := a.envelope()["ref"]
	for name, frame := range map[string]map[string]any{
		"reply": b.reply, "walker": membersBut(jsonOf(b.response)), "walker, silent": membersBut(jsonOf(b.silent)),
	} {
		if kind, _, _ := strings.Cut(name, ","); frame["type"] != kind {
			return fmt.Sprintf("%s: type %v", name, frame["type"])
		}
		if _, has := frame["ref"]; has != hasRef {
			return name + ": one has a ref"
		}
		if diff := cmp.Diff(want, membersBut(frame, "type", "id", "ok", "ref")); diff != "" {
			return name + ":\n" + diff
		}
	}
	return ""
}

// compareOwn compares bodies of the walker's own.
func (a restAnswer) compareOwn(body any, b socketAnswer) string {
	if diff := cmp.Diff(body, jsonOf(b.response)); diff != "" {
		return "the reply and the response:\n" + diff
	}
	if len(b.reply) != len([]string{"type", "id", "ok", "status", "body"}) {
		return "the reply holds more"
	}
	if a.bodiless() {
		return cmp.Diff("", string(a.body))
	}
	return cmp.Diff(a.value(), body)
}

// outcome names what came of a call, for the count of them.
func (a restAnswer) outcome(b socketAnswer) string {
	if code, failed := b.reply["code"].(string); failed {
		if fault.Code(code).Status() == http.StatusInternalServerError && code != string(fault.Internal) {
			return "a code of the walker's own"
		}
		return code
	}
	if _, own := b.reply["body"]; own {
		return "ok, a body of its own"
	}
	return fmt.Sprintf("ok, %dxx", a.status/100)
}

// jsonOf reads JSON with its numbers as they were written, nil where it is
// none.
func jsonOf(text []byte) any {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	if decoder.Decode(&value) != nil {
		return nil
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil
	}
	return value
}

// membersBut copies an object but for some of its names.
func membersBut(value any, names ...string) map[string]any {
	object, _ := value.(map[string]any)
	rest := make(map[string]any)
	for name, member := range object {
		rest[name] = member
	}
	for _, name := range names {
		delete(rest, name)
	}
	return rest
}

// post calls by REST.
func (d *doors) post(call doorCall, row doorRow) (restAnswer, error) {
	path := "/walker/" + url.PathEscape(call.Walker)
	if call.Node != "" {
		path += "/" + url.PathEscape(call.Node)
	}
	request, err := http.NewRequest(row.verb(), d.gateway.URL+path, strings.NewReader(call.Context))
	if err != nil {
		return restAnswer{}, err
	}
	if token := d.tokens[call.Caller]; token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := d.gateway.HTTP.Do(request)
	if err != nil {
		return restAnswer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return restAnswer{status: response.StatusCode, kind: response.Header.Get("Content-Type"), body: body}, err
}

// frame is the call as a walker frame. The context stands in it as it is, byte
// by byte.
func (c doorCall) frame(id string, response bool) []byte {
	frame := []byte(`{"type":"walker","walker":` + asJSON(c.Walker))
	if id != "" {
		frame = append(frame, `,"id":`+asJSON(id)...)
	}
	if response {
		frame = append(frame, `,"response":true`...)
	}
	if c.Node != "" {
		frame = append(frame, `,"node":`+asJSON(c.Node)...)
	}
	if c.Context != "" {
		frame = append(frame, `,"context":`+c.Context...)
	}
	return append(frame, '}')
}

// asJSON is a text as JSON.
func asJSON(text string) string {
	quoted, _ := json.Marshal(text) // a text always can be
	return string(quoted)
}

// doorSocket is a connection of one caller.
type doorSocket struct{ conn *client.Conn }

// say sends the call three times: with nothing that asks for an answer, for
// the response alone, and with an id. They are answered in that order.
func (d *doors) say(call doorCall) (socketAnswer, error) {
	socket, err := d.socket(call)
	if err != nil {
		return socketAnswer{}, err
	}
	d.calls++
	answer, err := socket.ask(call, strconv.Itoa(d.calls))
	if err != nil {
		d.hangUp(call)
	}
	return answer, err
}

func (s *doorSocket) ask(call doorCall, id string) (socketAnswer, error) {
	for _, frame := range [][]byte{call.frame("", false), call.frame("", true), call.frame(id, false)} {
		if err := s.conn.SendText(frame); err != nil {
			return socketAnswer{}, err
		}
	}
	var before [][]byte
	for {
		text, err := s.conn.Read(time.Now().Add(testkit.Patience))
		if err != nil {
			return socketAnswer{}, fmt.Errorf("behind %q: %w", before, err)
		}
		frame, _ := jsonOf(text).(map[string]any)
		_, note := frame[noteField]
		switch {
		case note:
		case frame["type"] == "error":
			return socketAnswer{}, fmt.Errorf("the frame was not taken for one of a walker: %s", text)
		case frame["id"] == id && frame["type"] == "reply":
			return sortAnswers(frame, before)
		default:
			before = append(before, text)
		}
	}
}

// sortAnswers tells which answer is whose: a frame that asks for nothing is
// answered where it failed.
func sortAnswers(reply map[string]any, before [][]byte) (socketAnswer, error) {
	switch {
	case len(before) == 1 && reply["ok"] == true:
		return socketAnswer{reply: reply, response: before[0]}, nil
	case len(before) == 2 && reply["ok"] == false:
		return socketAnswer{reply: reply, silent: before[0], response: before[1]}, nil
	}
	return socketAnswer{}, fmt.Errorf("%q came before the reply %v", before, reply)
}

// socket gives a connection of the call's caller, which is kept for the next.
func (d *doors) socket(call doorCall) (*doorSocket, error) {
	key := call.Caller + " " + call.Arrival
	if known := d.sockets[key]; known != nil {
		return known, nil
	}
	token, query, header := d.tokens[call.Caller], "", http.Header{}
	switch {
	case token == "":
	case call.Arrival == byHeader:
		header.Set("Authorization", "Bearer "+token)
	case call.Arrival == byQuery:
		query = "token=" + url.QueryEscape(token)
	}
	conn, err := client.Dial(context.Background(), d.gateway.SocketURL(query), header)
	if err != nil {
		return nil, err
	}
	opened := &doorSocket{conn: conn}
	if err := opened.settle(call.Arrival, token); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	d.sockets[key] = opened
	return opened, nil
}

// settle reads the connection event and, where it is asked for, becomes the
// caller; the event of that ends it.
func (s *doorSocket) settle(arrival, token string) error {
	if _, err := s.conn.Read(time.Now().Add(testkit.Patience)); err != nil || arrival != byChange {
		return err
	}
	if err := s.conn.Send(testkit.Frame{"type": "change_user", "token": token}); err != nil {
		return err
	}
	for {
		text, err := s.conn.Read(time.Now().Add(testkit.Patience))
		if err != nil {
			return err
		}
		if frame, _ := jsonOf(text).(map[string]any); frame["type"] == "connection" {
			return nil
		}
	}
}

// expiredToken is a token of the same user whose time is over.
func expiredToken(t *testing.T, token, secret string) string {
	t.Helper()
	claims := jwt.MapClaims{}
	if _, _, err := jwt.NewParser().ParseUnverified(token, claims); err != nil {
		t.Fatal(err)
	}
	claims["iat"], claims["exp"] = time.Now().Add(-2*time.Hour).Unix(), time.Now().Add(-time.Hour).Unix()
	expired, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	return expired
}
