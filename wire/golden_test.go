package wire_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/walkergate/walkergate/fault"
	"github.com/walkergate/walkergate/wire"
)

var update = flag.Bool("update", false, "write testdata/frames/out from the code")

// goldenIn is a file of testdata/frames/in: what a client sends, and what it
// is decoded to or answered.
type goldenIn struct {
	About string `json:"about"`
	// Send is the frame; Text is it where the exact text matters.
	Send json.RawMessage `json:"send"`
	Text *string         `json:"text"`
	// Frame is what it means, with all defaults filled in.
	Frame json.RawMessage `json:"frame"`
	// Answer is the error that it is answered with.
	Answer json.RawMessage `json:"answer"`
}

func (g goldenIn) text() []byte {
	if g.Text != nil {
		return []byte(*g.Text)
	}
	return g.Send
}

func TestGoldenIn(t *testing.T) {
	for name, golden := range readGoldenIn(t) {
		t.Run(name, func(t *testing.T) {
			if golden.About == "" || (golden.Text == nil) == (golden.Send == nil) || (golden.Frame == nil) == (golden.Answer == nil) {
				t.Fatal("a file holds about, either send or text, and either frame or answer")
			}
			frame := wire.Decode(golden.text())
			bad, refused := frame.(*wire.Bad)
			if !refused {
				sameJSON(t, golden.Frame, normalForm(t, frame))
				// What a frame means is itself a frame, and means the same.
				sameJSON(t, golden.Frame, normalForm(t, wire.Decode(golden.Frame)))
				return
			}
			sameJSON(t, golden.Answer, wire.Failure(bad.FrameID(), bad.OfWalker, bad.Fault).Payload())
		})
	}
}

func TestGoldenInCoversEveryShape(t *testing.T) {
	covered := make(map[string]bool)
	for _, golden := range readGoldenIn(t) {
		if golden.Answer != nil {
			covered[shapeOfAnswer(t, golden.Answer)] = true
		} else {
			covered[shapeOf(wire.Decode(golden.text()))] = true
		}
	}
	want := []string{
		"error bad_frame", "error bad_frame details", "walker bad_frame details", "reply bad_frame details",
		"error unknown_type", "reply unknown_type", "error reserved_type", "reply reserved_type",
	}
	for _, kind := range []string{"connection", "ping", "walker", "user", "channel", "client", "change_user"} {
		want = append(want, kind, kind+" with id")
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(covered))); diff != "" {
		t.Errorf("shapes that need a file -, that have one +:\n%s", diff)
	}
}

// shapeOf tells frames apart by type and by whether they bear an id.
func shapeOf(frame wire.Frame) string {
	kind := kindOf(frame)
	if frame.FrameID() != "" {
		kind += " with id"
	}
	return kind
}

func shapeOfAnswer(t *testing.T, answer []byte) string {
	t.Helper()
	var read struct {
		Type, Code string
		Details    []any
	}
	if err := json.Unmarshal(answer, &read); err != nil {
		t.Fatal(err)
	}
	shape := read.Type + " " + read.Code
	if len(read.Details) > 0 {
		shape += " details"
	}
	return shape
}

func TestGoldenOut(t *testing.T) {
	const dir = "testdata/frames/out"
	messages := goldenOut(t)
	if *update {
		for name, payload := range messages {
			if err := os.WriteFile(filepath.Join(dir, name), append(payload, '\n'), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, name := range filesIn(t, dir) {
		if messages[name] == nil {
			t.Errorf("%s is read by nobody", name)
		}
	}
	for name, want := range messages {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
			continue
		}
		if diff := cmp.Diff(string(got), string(want)+"\n"); diff != "" {
			t.Errorf("%s: file -, code +:\n%s", name, diff)
		}
	}
}

// goldenOut makes one message of each shape that the gateway sends, by the
// name of its file.
func goldenOut(t *testing.T) map[string][]byte {
	t.Helper()
	const (
		client = "1763600000:9c0f2d5b7a1e4c3d8b6a5f4e3d2c1b0a"
		user   = "n::68aa00112233445566778899"
		public = "n::000000000000000000000001"
	)
	alone := wire.ConnectionInfo{ClientID: client, RootID: user, ChannelID: "room-7"}
	several := alone
	several.ChannelIDs = []string{"room-7", "room-8"}
	refused := wire.ConnectionInfo{ClientID: client, RootID: public, ChannelID: "1763600000:0b1c2d3e4f5a6b7c8d9e0f1a2b3c4d5e", AuthError: "expired"}

	ending := wire.ConnectionInfo{
		ClientID: "1763600000:9c0f2d5b7a1e4c3d8b6a5f4e3d2c1b0a", RootID: "n::68aa00112233445566778899",
		ChannelID: "room-7", TokenExpiresIn: 60,
	}
	reports := json.RawMessage(`[{"text":"hi","at":"2026-11-20T10:00:00.000Z"}]`)
	body := json.RawMessage(`{"room":"r1","members":2}`)

	plain := fault.New(fault.Forbidden, "nobody may send to the public user")
	unknown := fault.New(fault.UnknownWalker, "Invalid request! Please use valid walker event!")
	frame := fault.New(fault.BadFrame, "the frame is not valid", fault.Detail{Field: "data", Reason: "required"})
	context := fault.New(fault.InvalidContext, "the context does not fit the walker",
		fault.Detail{Field: "room", Reason: "required"}, fault.Detail{Field: "lines[2].text", Reason: "expected string"})
	internal := &fault.Error{Code: fault.Internal, Message: "internal error", Ref: "8f14e45fceea167a"}

	messages := map[string][]byte{
		"connection.json":            wire.ConnectionEvent("", alone).Payload(),
		"connection-id.json":         wire.ConnectionEvent("1", alone).Payload(),
		"connection-channels.json":   wire.ConnectionEvent("", several).Payload(),
		"connection-auth_error.json": wire.ConnectionEvent("", refused).Payload(),
		"connection-ending.json":     wire.ConnectionEvent("", ending).Payload(),
		"pong.json":                  wire.Pong("").Payload(),
		"data.json":                  wire.Text([]byte(`{"type":"chat","data":{"text":"hi"}}`)).Payload(),
		"result.json":                wire.Text([]byte(`{"status":200,"reports":` + string(reports) + `}`)).Payload(),
		"result-body.json":           wire.Text(body).Payload(),
		"result-body-text.json":      wire.Text([]byte(`"done"`)).Payload(),
		"reply-pong.json":            wire.Pong("2").Payload(),
		"reply-reached.json":         wire.Reached("9", 12).Payload(),
		"reply-result.json":          wire.WalkerReply("7", 200, reports).Payload(),
		"reply-body.json":            wire.WalkerBody("7", 200, body).Payload(),
		"reply-body-text.json":       wire.WalkerBody("7", 200, json.RawMessage(`"done"`)).Payload(),
		"error.json":                 wire.Failure("", false, plain).Payload(),
		"error-details.json":         wire.Failure("", false, frame).Payload(),
		"error-ref.json":             wire.Failure("", false, internal).Payload(),
		"walker.json":                wire.Failure("", true, unknown).Payload(),
		"walker-details.json":        wire.Failure("", true, context).Payload(),
		"walker-ref.json":            wire.Failure("", true, internal).Payload(),
		"reply-error.json":           wire.Failure("9", false, plain).Payload(),
		"reply-error-details.json":   wire.Failure("7", true, context).Payload(),
		"reply-error-ref.json":       wire.Failure("7", true, internal).Payload(),
		"rest-error.json":            wire.ErrorBody(unknown),
		"rest-error-details.json":    wire.ErrorBody(context),
		"rest-error-ref.json":        wire.ErrorBody(internal),
	}
	for name, message := range goldenChannel() {
		messages[name] = message.Payload()
	}
	for code, message := range goldenCodes {
		f := fault.New(code, message)
		if code == fault.Internal {
			f = internal
		}
		messages["code-"+string(code)+".json"] = wire.ErrorBody(f)
	}
	return messages
}

// goldenCodes are all codes, each with a message that stands beside it.
var goldenCodes = map[fault.Code]string{
	fault.BadFrame:         "malformed JSON",
	fault.BadCredentials:   "Invalid Email/Password!",
	fault.UnknownType:      "no frame of this type exists",
	fault.ReservedType:     "the type of data is one of the gateway's own",
	fault.Unauthenticated:  "Event say requires to be authenticated!",
	fault.TokenInvalid:     "the token has expired",
	fault.Forbidden:        "You don't have access on target entry n:Room:1!",
	fault.UnknownWalker:    "Invalid request! Please use valid walker event!",
	fault.NotFound:         "there is nothing here",
	fault.MethodNotAllowed: "this method is not allowed here",
	fault.Conflict:         "Already Exists!",
	fault.TooLarge:         "the body is too large",
	fault.InvalidContext:   "malformed JSON",
	fault.RateLimited:      "too many frames",
	fault.Internal:         "internal error",
	fault.Busy:             "too many frames wait",
	fault.Timeout:          "walker say did not end in time",
}

func TestGoldenCodesAreAll(t *testing.T) {
	source, err := os.ReadFile("../fault/codes.go")
	if err != nil {
		t.Fatal(err)
	}
	if declared := bytes.Count(source, []byte(" Code = \"")); declared != len(goldenCodes) {
		t.Errorf("%d codes are declared, %d have a golden file", declared, len(goldenCodes))
	}
}

// readGoldenIn reads all files of what clients send.
func readGoldenIn(t testing.TB) map[string]goldenIn {
	t.Helper()
	const dir = "testdata/frames/in"
	all := make(map[string]goldenIn)
	for _, name := range filesIn(t, dir) {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		strict := json.NewDecoder(bytes.NewReader(content))
		strict.DisallowUnknownFields()
		var golden goldenIn
		if err := strict.Decode(&golden); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all[name] = golden
	}
	return all
}

func filesIn(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	names := make([]string, 0, len(entries))
	for _, entry := range entries {
		if entry.IsDir() || !strings.HasSuffix(entry.Name(), ".json") {
			t.Errorf("%s is read by nobody", filepath.Join(dir, entry.Name()))
			continue
		}
		names = append(names, entry.Name())
	}
	return names
}

// kindOf is the type of a frame as it stands in JSON.
func kindOf(frame wire.Frame) string {
	switch f := frame.(type) {
	case *wire.Connection:
		return "connection"
	case *wire.Ping:
		return "ping"
	case *wire.Walker:
		return "walker"
	case *wire.Publish:
		return string(f.Kind)
	case *wire.ChangeUser:
		return "change_user"
	}
	return fmt.Sprintf("%T", frame)
}

// normalForm writes a frame out again, with all of its defaults. Raw JSON goes
// in as it is.
func normalForm(t testing.TB, frame wire.Frame) []byte {
	t.Helper()
	if bad, ok := frame.(*wire.Bad); ok {
		t.Fatalf("refused: %v", bad.Fault)
	}
	b := append([]byte(`{"type":`), quote(t, kindOf(frame))...)
	if id := frame.FrameID(); id != "" {
		b = append(append(b, `,"id":`...), quote(t, id)...)
	}
	switch f := frame.(type) {
	case *wire.Walker:
		node, context := []byte("null"), f.Context
		if f.HasNode {
			node = quote(t, f.Node)
		}
		if context == nil {
			context = json.RawMessage("{}")
		}
		b = fmt.Appendf(b, `,"walker":%s,"context":%s,"node":%s,"response":%t`, quote(t, f.Name), context, node, f.Response)
	case *wire.Publish:
		field := map[wire.TargetKind]string{
			wire.ToUsers: "root_ids", wire.ToChannels: "channel_ids", wire.ToClients: "client_ids",
		}[f.Kind]
		b = fmt.Appendf(b, `,%q:%s,"data":%s`, field, quote(t, f.Targets), f.Data)
	case *wire.ChangeUser:
		b = fmt.Appendf(b, `,"token":%s`, quote(t, f.Token))
	}
	return append(b, '}')
}

func quote(t testing.TB, value any) []byte {
	t.Helper()
	quoted, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return quoted
}

// sameJSON compares two JSON texts by what they mean, numbers as written.
func sameJSON(t *testing.T, want, got []byte) {
	t.Helper()
	if diff := cmp.Diff(parse(t, want), parse(t, got)); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

func parse(t testing.TB, text []byte) any {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return value
}
