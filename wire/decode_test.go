package wire_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/walkergate/walkergate/wire"
)

func TestDecode(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       wire.Frame
	}{
		{"connection", `{"type":"connection"}`, &wire.Connection{}},
		{"connection with id", `{"type":"connection","id":"1"}`, &wire.Connection{ID: "1"}},
		{"ping", `{"type":"ping"}`, &wire.Ping{}},
		{"ping with id", `{"id":"p","type":"ping"}`, &wire.Ping{ID: "p"}},
		{"walker, name alone", `{"type":"walker","walker":"say"}`, &wire.Walker{Name: "say"}},
		{
			"walker, all fields",
			`{"type":"walker","id":"7","walker":"say","context":{"a":[1,{}]},"node":"n:Room:1","response":true}`,
			&wire.Walker{
				ID: "7", Name: "say", Context: json.RawMessage(`{"a":[1,{}]}`),
				Node: "n:Room:1", HasNode: true, Response: true,
			},
		},
		{"walker, node null", `{"type":"walker","walker":"say","node":null}`, &wire.Walker{Name: "say"}},
		{"walker, node empty", `{"type":"walker","walker":"say","node":""}`, &wire.Walker{Name: "say", HasNode: true}},
		{"walker, response false", `{"type":"walker","walker":"say","response":false}`, &wire.Walker{Name: "say"}},
		{"walker, no name to speak of", `{"type":"walker","walker":""}`, &wire.Walker{}},
		{"walker, escaped text", `{"type":"walker","walker":"s\u0061y\n\ud83d\ude00"}`, &wire.Walker{Name: "say\n😀"}},
		{
			"user", `{"type":"user","root_ids":["n::1","n::2"],"data":{"a":1}}`,
			&wire.Publish{Kind: wire.ToUsers, Targets: []string{"n::1", "n::2"}, Data: json.RawMessage(`{"a":1}`)},
		},
		{
			"channel", `{"type":"channel","id":"1","channel_ids":["r"],"data":{}}`,
			&wire.Publish{ID: "1", Kind: wire.ToChannels, Targets: []string{"r"}, Data: json.RawMessage(`{}`)},
		},
		{
			"client", `{"type":"client","client_ids":["c"],"data":{"type":"chat"}}`,
			&wire.Publish{Kind: wire.ToClients, Targets: []string{"c"}, Data: json.RawMessage(`{"type":"chat"}`)},
		},
		{
			"targets twice and empty", `{"type":"channel","channel_ids":["r","","r"],"data":{}}`,
			&wire.Publish{Kind: wire.ToChannels, Targets: []string{"r", "", "r"}, Data: json.RawMessage(`{}`)},
		},
		{"change_user", `{"type":"change_user","token":"Bearer x"}`, &wire.ChangeUser{Token: "Bearer x"}},
		{"change_user, token absent", `{"type":"change_user"}`, &wire.ChangeUser{}},
		{"change_user, token null", `{"type":"change_user","id":"1","token":null}`, &wire.ChangeUser{ID: "1"}},
		{"change_user, token empty", `{"type":"change_user","token":""}`, &wire.ChangeUser{}},

		{"unknown fields", `{"type":"ping","x":{"type":"walker"},"y":[null],"z":1}`, &wire.Ping{}},
		{"fields of other types, mistyped", `{"type":"ping","data":5,"walker":1,"root_ids":{},"token":[]}`, &wire.Ping{}},
		{"names of another case are unknown", `{"type":"ping","Type":"walker","ID":5,"TYPE":null}`, &wire.Ping{}},
		{"escaped names", `{"ty\u0070e":"w\u0061lker","\u0069d":"7","walk\u0065r":"say"}`, &wire.Walker{ID: "7", Name: "say"}},
		{"white space", " \t\r\n{ \"type\" :\n\"ping\" , \"id\" : \"1\" }\r\n", &wire.Ping{ID: "1"}},
		{"id of one byte", `{"type":"ping","id":" "}`, &wire.Ping{ID: " "}},
		{"id of 64 bytes", `{"type":"ping","id":"` + strings.Repeat("é", 32) + `"}`, &wire.Ping{ID: wire.ID(strings.Repeat("é", 32))}},
		{"id counts bytes unescaped", `{"type":"ping","id":"` + strings.Repeat(`\u0041`, 64) + `"}`, &wire.Ping{ID: wire.ID(strings.Repeat("A", 64))}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, decode(t, test.text)); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	const (
		noObject  = `{"type":"error","status":400,"code":"bad_frame","error":"a frame is a JSON object"}`
		malformed = `{"type":"error","status":400,"code":"bad_frame","error":"malformed JSON"}`
		twice     = `{"type":"error","status":400,"code":"bad_frame","error":"a name stands twice in one object"}`
		badID     = `{"type":"error","status":400,"code":"bad_frame","error":"the id of the frame is not valid",` +
			`"details":[{"field":"id","reason":"expected string of 1 to 64 bytes"}]}`
		unknown = `{"type":"error","status":400,"code":"unknown_type","error":"no frame of this type exists"}`
	)
	for _, test := range []struct{ name, text, want string }{
		{"nothing", ``, malformed},
		{"white space alone", " \n", malformed},
		{"number", `5`, noObject},
		{"string", `"ping"`, noObject},
		{"null", `null`, noObject},
		{"list", `[{"type":"ping"}]`, noObject},
		{"word", `ping`, malformed},
		{"open object", `{"type":"ping"`, malformed},
		{"open string", `{"type":"ping`, malformed},
		{"open list of targets", `{"type":"channel","channel_ids":["r"`, malformed},
		{"open data", `{"type":"channel","data":{"a":1`, malformed},
		{"trailing comma", `{"type":"ping",}`, malformed},
		{"trailing comma in targets", `{"type":"channel","channel_ids":["r",],"data":{}}`, malformed},
		{"no comma in targets", `{"type":"channel","channel_ids":["r" "s"],"data":{}}`, malformed},
		{"trailing comma in data", `{"type":"channel","channel_ids":["r"],"data":{"a":1,}}`, malformed},
		{"name that is no string", `{type:"ping"}`, malformed},
		{"single quotes", `{'type':'ping'}`, malformed},
		{"trailing text", `{"type":"ping"} x`, malformed},
		{"two frames", `{"type":"ping"}{"type":"ping"}`, malformed},
		{"trailing NUL", "{\"type\":\"ping\"}\x00", malformed},
		{"byte order mark", "\ufeff{\"type\":\"ping\"}", malformed},
		{"control character in a string", "{\"type\":\"pi\nng\"}", malformed},
		{"number with leading zero, unread", `{"type":"ping","x":01}`, malformed},
		{"comment", `{"type":"ping"/**/}`, malformed},

		{"not UTF-8 in a value", "{\"type\":\"ping\",\"x\":\"\xff\"}", malformed},
		{"not UTF-8 in a name", "{\"type\":\"ping\",\"\xc3\":1}", malformed},
		{"not UTF-8 in data", "{\"type\":\"channel\",\"channel_ids\":[\"r\"],\"data\":{\"a\":[\"\xed\xa0\x80\"]}}", malformed},
		{"lone high surrogate", `{"type":"ping","x":"\ud800"}`, malformed},
		{"lone low surrogate", `{"type":"ping","x":"\udc00"}`, malformed},
		{"surrogates the wrong way round", `{"type":"ping","x":"\udc00\ud800"}`, malformed},
		{"lone surrogate in a name", `{"type":"ping","\ud83d":1}`, malformed},
		{"lone surrogate in data", `{"type":"channel","channel_ids":["r"],"data":{"a":{"b":"\uD83D!"}}}`, malformed},

		{"type twice", `{"type":"ping","type":"ping"}`, twice},
		{"type twice, once escaped", `{"type":"ping","ty\u0070e":"walker"}`, twice},
		{"unknown name twice", `{"type":"ping","x":1,"x":1}`, twice},
		{"name twice in an unknown field", `{"type":"ping","x":{"a":1,"a":2}}`, twice},
		{"name twice in data", `{"type":"channel","channel_ids":["r"],"data":{"type":"a","type":"reply"}}`, twice},
		{"name twice deep in data", `{"type":"channel","channel_ids":["r"],"data":{"a":[{"b":1,"\u0062":2}]}}`, twice},
		{"name twice and an id", `{"type":"ping","id":"7","id":"8"}`, twice},

		{"id empty", `{"type":"ping","id":""}`, badID},
		{"id of 65 bytes", `{"type":"ping","id":"` + strings.Repeat("a", 65) + `"}`, badID},
		{"id of 64 characters, 65 bytes", `{"type":"ping","id":"` + strings.Repeat("a", 63) + `é"}`, badID},
		{"id null", `{"type":"ping","id":null}`, badID},
		{"id number", `{"type":"ping","id":7}`, badID},
		{"id list", `{"type":"ping","id":["7"]}`, badID},
		{"id of a walker frame", `{"type":"walker","walker":"say","id":7}`, badID},
		{"id bad, all else too", `{"type":5,"id":{}}`, badID},

		{"type absent", `{}`, refusal("error", "", `type`, "required")},
		{"type absent, with id", `{"id":"7"}`, refusal("reply", "7", `type`, "required")},
		{"type null", `{"type":null}`, refusal("error", "", `type`, "expected string")},
		{"type number", `{"type":5,"id":"7"}`, refusal("reply", "7", `type`, "expected string")},
		{"type in another case of name", `{"Type":"ping"}`, refusal("error", "", `type`, "required")},
		{"type unknown", `{"type":"nope"}`, unknown},
		{"type empty", `{"type":""}`, unknown},
		{"type in another case", `{"type":"Ping"}`, unknown},
		{"type of the gateway's own", `{"type":"reply","ok":true}`, unknown},
		{"type not yet of this gateway", `{"type":"subscribe","channels":["r"]}`, unknown},
		{"type unknown, with id", `{"type":"nope","id":"7"}`, `{"type":"reply","id":"7","ok":false,"status":400,"code":"unknown_type","error":"no frame of this type exists"}`},

		{"walker absent", `{"type":"walker"}`, refusal("walker", "", "walker", "required")},
		{"walker absent, with id", `{"type":"walker","id":"7"}`, refusal("reply", "7", "walker", "required")},
		{"walker null", `{"type":"walker","walker":null}`, refusal("walker", "", "walker", "expected string")},
		{"walker number", `{"type":"walker","walker":1}`, refusal("walker", "", "walker", "expected string")},
		{"walker in another case of name", `{"type":"walker","Walker":"say"}`, refusal("walker", "", "walker", "required")},
		{"context null", `{"type":"walker","walker":"say","context":null}`, refusal("walker", "", "context", "expected object")},
		{"context list", `{"type":"walker","walker":"say","context":[]}`, refusal("walker", "", "context", "expected object")},
		{"context text", `{"type":"walker","walker":"say","context":"{}"}`, refusal("walker", "", "context", "expected object")},
		{"node number", `{"type":"walker","walker":"say","node":1}`, refusal("walker", "", "node", "expected string")},
		{"response null", `{"type":"walker","walker":"say","response":null}`, refusal("walker", "", "response", "expected boolean")},
		{"response number", `{"type":"walker","walker":"say","response":1}`, refusal("walker", "", "response", "expected boolean")},
		{"response text", `{"type":"walker","walker":"say","response":"true"}`, refusal("walker", "", "response", "expected boolean")},
		{
			"walker, all wrong at once", `{"type":"walker","id":"7","response":"no","node":[],"context":5}`,
			refusal("reply", "7", "walker", "required", "context", "expected object", "node", "expected string", "response", "expected boolean"),
		},

		{"targets absent", `{"type":"user","data":{}}`, refusal("error", "", "root_ids", "required")},
		{"targets of another type", `{"type":"user","channel_ids":["r"],"data":{}}`, refusal("error", "", "root_ids", "required")},
		{"targets null", `{"type":"channel","channel_ids":null,"data":{}}`, refusal("error", "", "channel_ids", "expected list of strings")},
		{"targets text", `{"type":"client","client_ids":"c","data":{}}`, refusal("error", "", "client_ids", "expected list of strings")},
		{"targets object", `{"type":"client","client_ids":{"0":"c"},"data":{}}`, refusal("error", "", "client_ids", "expected list of strings")},
		{"no target", `{"type":"user","root_ids":[],"data":{}}`, refusal("error", "", "root_ids", "expected 1 to 100 ids")},
		{"101 targets", publishTo(101), refusal("error", "", "channel_ids", "expected 1 to 100 ids")},
		{
			"targets mistyped", `{"type":"channel","channel_ids":["r",1,"s",null,["t"]],"data":{}}`,
			refusal("error", "", "channel_ids[1]", "expected string", "channel_ids[3]", "expected string", "channel_ids[4]", "expected string"),
		},
		{"data absent", `{"type":"channel","channel_ids":["r"]}`, refusal("error", "", "data", "required")},
		{"data null", `{"type":"channel","channel_ids":["r"],"data":null}`, refusal("error", "", "data", "expected object")},
		{"data list", `{"type":"channel","channel_ids":["r"],"data":[{}]}`, refusal("error", "", "data", "expected object")},
		{"data text", `{"type":"channel","channel_ids":["r"],"data":"{}"}`, refusal("error", "", "data", "expected object")},
		{
			"publish, all wrong at once", `{"type":"client","id":"7","client_ids":[true]}`,
			refusal("reply", "7", "client_ids[0]", "expected string", "data", "required"),
		},
		{"what is wrong comes before what is reserved", `{"type":"channel","data":{"type":"reply"}}`, refusal("error", "", "channel_ids", "required")},

		{"token number", `{"type":"change_user","token":5}`, refusal("error", "", "token", "expected string")},
		{"token list, with id", `{"type":"change_user","id":"7","token":["x"]}`, refusal("reply", "7", "token", "expected string")},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, decodeBad(t, test.text)); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
		})
	}
}

func TestDecodeTargetsUpToTheBound(t *testing.T) {
	for _, count := range []int{1, wire.MaxTargets} {
		frame, ok := decode(t, publishTo(count)).(*wire.Publish)
		if !ok || len(frame.Targets) != count {
			t.Errorf("%d targets came as %v", count, frame)
		}
	}
	// What lies beyond the bound is not kept, but still has to be JSON.
	text := strings.Replace(publishTo(150), `"r140"`, `"r140" 1`, 1)
	if answer := decodeBad(t, text); !strings.Contains(answer, "malformed JSON") {
		t.Errorf("got %s", answer)
	}
}

// What is wrong within a context is told by whoever reads the context, after
// it was asked whether there is such a walker and who calls: as over HTTP.
func TestDecodeLeavesTheContextToItsReader(t *testing.T) {
	for name, context := range map[string]string{
		"a name twice":    `{"a":1,"a":1}`,
		"not UTF-8":       "{\"a\":\"\xc0\xaf\"}",
		"half a pair":     `{"a":"\ud800"}`,
		"nested too deep": `{"a":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`,
		// What nests too deep is not read at all.
		"nested deeper than JSON is read":     strings.Repeat(`{"a":`, 20_000) + "1" + strings.Repeat("}", 20_000),
		"nested too deep, and with strings":   `{"\"]}":` + strings.Repeat(`{"a\\":["\"{[","]",`, 100) + "1" + strings.Repeat("]}", 100) + `}`,
		"nested too deep, and a name twice":   `{"a":1,"a":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`,
		"nested too deep, and malformed":      `{"a":` + strings.Repeat("[", 100) + ",," + strings.Repeat("}", 100) + `}`,
		"nested too deep, in text not UTF-8 ": "{\"\xff\":" + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`,
	} {
		t.Run(name, func(t *testing.T) {
			text := `{"type":"walker","id":"7","context":` + context + `,"walker":"say"}`
			frame, ok := decode(t, text).(*wire.Walker)
			if !ok || string(frame.Context) != context || frame.FrameID() != "7" || frame.Name != "say" {
				t.Errorf("got %+v", frame)
			}
		})
	}
	deep := strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100)
	for name, text := range map[string]string{
		"the frame itself says it twice":   `{"type":"walker","context":{"a":1,"a":1},"walker":"say","walker":"other"}`,
		"the context stands twice":         `{"type":"walker","context":{"a":1,"a":1},"context":{},"walker":"say"}`,
		"an unknown member stands twice":   `{"type":"walker","x":1,"context":{"a":1,"a":1},"walker":"say","x":2}`,
		"another frame with a bad context": `{"type":"user","context":{"a":1,"a":1},"root_ids":["r"],"data":{"b":1,"b":1}}`,
		"the frame is too deep elsewhere":  `{"type":"walker","walker":"say","x":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`,
		"it is too deep here and there":    `{"type":"walker","context":` + deep + `,"walker":"say","x":` + deep + `}`,
		"it is too deep there and here":    `{"type":"walker","x":` + deep + `,"context":` + deep + `,"walker":"say"}`,
		"a deep context stands twice":      `{"type":"walker","context":` + deep + `,"walker":"say","context":{}}`,
		"a deep context, and text behind":  `{"type":"walker","context":` + deep + `,"walker":"say"} {}`,
		"a deep context without an end":    `{"type":"walker","walker":"say","context":` + deep[:450] + `}`,
		"a deep context of no frame":       `["context":` + deep + `]`,
		"a deep context of another frame":  `{"type":"ping","context":` + deep + `}`,
		"a deep context in another member": `{"type":"walker","walker":"say","x":{"context":` + deep + `}}`,
		"the context is no JSON":           `{"type":"walker","walker":"say","context":{"a":1,"a":}}`,
	} {
		t.Run(name, func(t *testing.T) { decodeBad(t, text) })
	}
}

func TestDecodeDepth(t *testing.T) {
	nested := func(open, shut string, depth int) string {
		// The frame and its data are the first two levels.
		return `{"type":"channel","channel_ids":["r"],"data":{"a":` +
			strings.Repeat(open, depth-2) + `1` + strings.Repeat(shut, depth-2) + `}}`
	}
	for _, kind := range [][2]string{{"[", "]"}, {`{"a":`, "}"}} {
		if bad, ok := decode(t, nested(kind[0], kind[1], wire.MaxDepth)).(*wire.Bad); ok {
			t.Errorf("depth %d of %s: %v", wire.MaxDepth, kind[0], bad.Fault)
		}
		want := `{"type":"error","status":400,"code":"bad_frame","error":"the frame nests too deep"}`
		if got := decodeBad(t, nested(kind[0], kind[1], wire.MaxDepth+1)); got != want {
			t.Errorf("depth %d of %s: %s", wire.MaxDepth+1, kind[0], got)
		}
	}
	flat := []string{
		`{"type":"channel","channel_ids":["r"],"data":{"a":[` + strings.Repeat(`[],`, 100) + `[]]}}`,
		`{"type":"channel","channel_ids":["r"],"data":{"a":"` + strings.Repeat(`[`, 100) + `"}}`,
		`{"type":"channel","channel_ids":["r"],"data":{"a":"\"` + strings.Repeat(`[`, 100) + `"}}`,
		`{"type":"channel","channel_ids":["r"],"data":{"a":"\\","b":"` + strings.Repeat(`{`, 100) + `"}}`,
	}
	for _, text := range flat {
		if bad, ok := decode(t, text).(*wire.Bad); ok {
			t.Errorf("%s: %v", text, bad.Fault)
		}
	}
}

func TestDecodeKeepsDataToTheByte(t *testing.T) {
	for _, data := range []string{
		`{}`,
		`{ }`,
		"{\r\n\t\"a\" :  1.50 ,\"b\":[ ] }",
		`{"n":123456789012345678901234567890}`,
		`{"n":-0.0e-000,"m":1E400}`,
		`{"a\u0062":"\u00e9\/\ud83d\ude00","é":"😀"}`,
		`{"html":"<b>&amp;\u003c","line":"\u2028` + "\u2028" + `"}`,
	} {
		for _, text := range []string{
			`{"type":"channel","channel_ids":["r"],"data":` + data + `}`,
			`{"data":` + data + `,"type":"user","root_ids":["r"]}`,
			`{"data": ` + data + "\n" + `,"type":"client","client_ids":["r"]}`,
		} {
			frame, ok := decode(t, text).(*wire.Publish)
			if !ok || string(frame.Data) != data {
				t.Errorf("of %s came %v", text, frame)
			}
		}
		frame, ok := decode(t, `{"type":"walker","walker":"say","context": `+data+` }`).(*wire.Walker)
		if !ok || string(frame.Context) != data {
			t.Errorf("of the context %s came %v", data, frame)
		}
	}
}

func TestDecodeReservedTypes(t *testing.T) {
	reserved := []string{
		`{"status":200,"reports":[]}`,
		`{"reports":null,"x":1,"status":null}`,
		`{"st\u0061tus":200,"r\u0065ports":[]}`,
		`{"type":null,"status":200,"reports":[]}`,
		`{"type":false,"status":200,"reports":[]}`,
		`{"type":"","status":200,"reports":[]}`,
		`{"status":200,"reports":[],"type":{"type":"chat"}}`,
	}
	for _, kind := range []string{"connection", "walker", "reply", "error", "channel", "pong"} {
		reserved = append(reserved,
			fmt.Sprintf(`{"type":%q}`, kind),
			fmt.Sprintf(`{"a":{},"type" : %q,"b":[]}`, kind),
			fmt.Sprintf(`{"\u0074ype":%q}`, kind),
			fmt.Sprintf(`{"type":"\u%04x%s"}`, kind[0], kind[1:]),
			fmt.Sprintf(`{"t\u0079pe":"%s\u%04x"}`, kind[:len(kind)-1], kind[len(kind)-1]),
		)
	}
	for _, data := range reserved {
		for _, target := range []string{`"type":"user","root_ids"`, `"type":"channel","channel_ids"`, `"type":"client","client_ids"`} {
			want := `{"type":"reply","id":"7","ok":false,"status":400,"code":"reserved_type","error":"the type of data is one of the gateway's own"}`
			if got := decodeBad(t, `{"id":"7",`+target+`:["x"],"data":`+data+`}`); got != want {
				t.Errorf("%s was answered %s", data, got)
			}
		}
	}
	for _, data := range []string{
		`{}`,
		`{"type":5}`,
		`{"type":null}`,
		`{"type":["reply"]}`,
		`{"type":"chat","status":200,"reports":[]}`,
		`{"status":200}`,
		`{"reports":[]}`,
		`{"status":200,"Reports":[]}`,
		`{"Type":"reply"}`,
		`{"type":"Reply"}`,
		`{"type":"reply "}`,
		`{"type":"user"}`,
		`{"data":{"type":"reply","status":200,"reports":[]}}`,
	} {
		if bad, ok := decode(t, `{"type":"channel","channel_ids":["r"],"data":`+data+`}`).(*wire.Bad); ok {
			t.Errorf("%s was refused: %v", data, bad.Fault)
		}
	}
	// Only what is published is judged.
	if bad, ok := decode(t, `{"type":"ping","data":{"type":"reply"}}`).(*wire.Bad); ok {
		t.Errorf("a ping was refused: %v", bad.Fault)
	}
}

// A bad frame must leave nothing behind for the next one, nor for those that
// are read at the same time.
func TestDecodeAtOnce(t *testing.T) {
	texts := []string{
		string(walkerFrame), `{"type":"ping"`, string(channelFrame), `{"a":{"b":[1,`, `{"type":"ping","id":"1"}`,
	}
	want := make([]wire.Frame, len(texts))
	for i, text := range texts {
		want[i] = wire.Decode([]byte(text))
	}
	done := make(chan struct{})
	for range 4 {
		go func() {
			defer func() { done <- struct{}{} }()
			for i := range 500 {
				i %= len(texts)
				if diff := cmp.Diff(want[i], wire.Decode([]byte(texts[i])), byAnswer); diff != "" {
					t.Errorf("%s: %s", texts[i], diff)
					return
				}
			}
		}()
	}
	for range 4 {
		<-done
	}
}

// byAnswer compares bad frames by what their senders would be told.
var byAnswer = cmp.Transformer("answer", func(bad *wire.Bad) string {
	return string(wire.Failure(bad.FrameID(), bad.OfWalker, bad.Fault).Payload())
})

// decode reads one frame and checks that its text is not touched by it.
func decode(t *testing.T, text string) wire.Frame {
	t.Helper()
	read := []byte(text)
	frame := wire.Decode(read)
	if string(read) != text {
		t.Fatalf("the text was changed to %q", read)
	}
	return frame
}

// decodeBad reads a frame that must be bad, and gives the answer to it.
func decodeBad(t *testing.T, text string) string {
	t.Helper()
	bad, ok := decode(t, text).(*wire.Bad)
	if !ok {
		t.Fatalf("%q was taken", text)
	}
	return string(wire.Failure(bad.FrameID(), bad.OfWalker, bad.Fault).Payload())
}

// refusal writes the answer to a frame with those faults, each a field and
// what is wrong with it.
func refusal(kind, id string, faults ...string) string {
	head := fmt.Sprintf(`{"type":%q,`, kind)
	if id != "" {
		head += fmt.Sprintf(`"id":%q,"ok":false,`, id)
	}
	details := make([]string, 0, len(faults)/2)
	for i := 0; i < len(faults); i += 2 {
		details = append(details, fmt.Sprintf(`{"field":%q,"reason":%q}`, faults[i], faults[i+1]))
	}
	return head + `"status":400,"code":"bad_frame","error":"the frame is not valid","details":[` + strings.Join(details, ",") + `]}`
}

// publishTo writes a frame to that many channels.
func publishTo(count int) string {
	targets := make([]string, count)
	for i := range targets {
		targets[i] = fmt.Sprintf("%q", fmt.Sprint("r", i))
	}
	return `{"type":"channel","channel_ids":[` + strings.Join(targets, ",") + `],"data":{}}`
}
