package wire_test

import (
	"bytes"
	"encoding/json"
	"io"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/walkergate/walkergate/fault"
	"github.com/walkergate/walkergate/wire"
)

func FuzzDecode(f *testing.F) {
	for _, golden := range readGoldenIn(f) {
		f.Add(golden.text())
	}
	for _, text := range []string{
		`null`, `{}`, `{"":{"":[{}]}}`, "\xff", `{"type":"ping"} {}`, `{"type":"pi\u006eg","id":"\u0000"}`,
		publishTo(101), string(channelFrame), string(walkerFrame),
		`{"data":{"n":123456789012345678901234567890},"type":"user","root_ids":["a"]}`,
		`{"type":"walker","walker":"say","context":` + strings.Repeat(`{"a":[`, 40) + strings.Repeat(`]}`, 40) + `,"node":"n"}`,
		`{"type":"walker","walker":"say","cont\u0065xt": ` + strings.Repeat(`{"a":[`, 40) + strings.Repeat(`}]`, 40) + `,"node":1}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		original := bytes.Clone(text)
		frame := wire.Decode(text)
		if !bytes.Equal(text, original) {
			t.Fatalf("the text was changed to %q", text)
		}
		if bad, ok := frame.(*wire.Bad); ok {
			checkBad(t, text, bad)
			return
		}
		if walker, ok := frame.(*wire.Walker); ok && mayBeTooDeep(walker.Context) {
			text, frame = withEmptyContext(text, walker) // nobody has looked into it yet
		}
		checkAgainstStandardLibrary(t, text, frame)
		again := wire.Decode(normalForm(t, frame))
		if bad, ok := again.(*wire.Bad); ok {
			t.Fatalf("%s was refused the second time: %v", normalForm(t, frame), bad.Fault)
		}
		if diff := cmp.Diff(withDefaults(frame), withDefaults(again)); diff != "" {
			t.Errorf("first time -, second time +:\n%s", diff)
		}
	})
}

// checkBad holds a refusal to what the standard library says of the text, and
// its answer to the form that clients read.
func checkBad(t *testing.T, text []byte, bad *wire.Bad) {
	var answer struct {
		Type, ID, Code string
		OK             *bool
		Status         int
	}
	payload := wire.Failure(bad.FrameID(), bad.OfWalker, bad.Fault).Payload()
	if err := json.Unmarshal(payload, &answer); err != nil || !utf8.Valid(payload) {
		t.Fatalf("the answer %q: %v", payload, err)
	}
	if answer.ID != bad.FrameID() || len(answer.ID) > wire.MaxID || (answer.Type == "reply") != (answer.ID != "") || answer.Status != 400 {
		t.Errorf("the answer is %s", payload)
	}
	// Escapes of half pairs are refused as well; the standard library mends
	// them, so it cannot tell.
	ofForm := bad.Fault.Code == fault.BadFrame && bad.Fault.Details == nil
	text = withoutContext(text)
	if ofForm && wellFormed(text) && !surrogates.Match(text) {
		t.Errorf("nothing is wrong with the form of %q, and it was refused: %v", text, bad.Fault)
	}
	if !ofForm && !wellFormed(text) && !mayBeTooDeep(text) {
		t.Errorf("%q is not well formed, and was refused for %v", text, bad.Fault)
	}
}

// mayBeTooDeep says of all that nests too deep that it may, and of little else.
func mayBeTooDeep(text []byte) bool {
	return bytes.Count(text, []byte("{"))+bytes.Count(text, []byte("[")) > wire.MaxDepth
}

// withEmptyContext gives the frame, and its text, with another context.
func withEmptyContext(text []byte, frame *wire.Walker) ([]byte, wire.Frame) {
	start := cap(text) - cap(frame.Context)
	other := append(append(bytes.Clone(text[:start]), "{}"...), text[start+len(frame.Context):]...)
	filled := *frame
	filled.Context = other[start : start+2]
	return other, &filled
}

var surrogates = regexp.MustCompile(`(?i)\\ud[89a-f]`)

// checkAgainstStandardLibrary reads a frame that was taken once more, without
// any code of ours, and compares.
func checkAgainstStandardLibrary(t *testing.T, text []byte, frame wire.Frame) {
	if !wellFormed(withoutContext(text)) {
		t.Fatalf("%q was taken", text)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		t.Fatalf("%q was taken: %v", text, err)
	}
	same := func(name, got string) {
		t.Helper()
		var want *string
		if raw, ok := members[name]; ok {
			if err := json.Unmarshal(raw, &want); err != nil {
				t.Fatalf("%s was taken: %v", name, err)
			}
		}
		if want == nil {
			want = new(string)
		}
		if *want != got {
			t.Errorf("%s is %q, want %q", name, got, *want)
		}
	}
	same("type", kindOf(frame))
	same("id", frame.FrameID())
	switch f := frame.(type) {
	case *wire.Walker:
		same("walker", f.Name)
		same("node", f.Node)
		checkRaw(t, text, members["context"], f.Context)
		if f.Response != (string(members["response"]) == "true") {
			t.Errorf("response is %t of %s", f.Response, members["response"])
		}
	case *wire.Publish:
		checkRaw(t, text, members["data"], f.Data)
		var targets []string
		field := map[wire.TargetKind]string{wire.ToUsers: "root_ids", wire.ToChannels: "channel_ids", wire.ToClients: "client_ids"}[f.Kind]
		if err := json.Unmarshal(members[field], &targets); err != nil || !cmp.Equal(targets, f.Targets) {
			t.Errorf("the targets are %q, want %s", f.Targets, members[field])
		}
		checkNotReserved(t, f.Data)
	case *wire.ChangeUser:
		same("token", f.Token)
	}
}

// checkRaw holds a raw part to the bytes that it came as, in place.
func checkRaw(t *testing.T, text []byte, want, got json.RawMessage) {
	t.Helper()
	if !bytes.Equal(want, got) {
		t.Errorf("raw part: want %q, got %q", want, got)
	}
	if len(got) == 0 {
		return
	}
	for i := range text {
		if &text[i] == &got[0] && len(text)-i >= len(got) {
			return
		}
	}
	t.Errorf("%q is no part of the text", got)
}

func checkNotReserved(t *testing.T, data json.RawMessage) {
	t.Helper()
	var members map[string]json.RawMessage // numbers stay text: 1E700 is JSON and no float64
	if err := json.Unmarshal(data, &members); err != nil {
		t.Fatalf("the data %q: %v", data, err)
	}
	var kind string
	_ = json.Unmarshal(members["type"], &kind) // a type that is no string counts as none
	_, status := members["status"]
	_, reports := members["reports"]
	switch kind {
	case "connection", "walker", "reply", "error", "channel", "pong":
		t.Errorf("the data %s was taken", data)
	case "":
		if status && reports {
			t.Errorf("the data %s was taken", data)
		}
	}
}

// withoutContext puts a number in place of a walker frame's context, which is
// for the walker's own reading to judge.
func withoutContext(text []byte) []byte {
	decoder := json.NewDecoder(bytes.NewReader(text))
	if open, err := decoder.Token(); err != nil || open != json.Delim('{') {
		return text
	}
	var isWalker bool
	var from, to int64
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return text
		}
		var raw json.RawMessage
		if decoder.Decode(&raw) != nil {
			return text
		}
		switch name {
		case "type":
			var kind any
			isWalker = json.Unmarshal(raw, &kind) == nil && kind == "walker"
		case "context":
			to = decoder.InputOffset()
			from = to - int64(len(raw))
		}
	}
	if !isWalker || to == 0 {
		return text
	}
	return append(append(bytes.Clone(text[:from]), '0'), text[to:]...)
}

// wellFormed says, by the standard library, whether a text is UTF-8 and one
// JSON object within the depth in which no name stands twice.
func wellFormed(text []byte) bool {
	if !utf8.Valid(text) || !json.Valid(text) || !strings.HasPrefix(strings.TrimLeft(string(text), " \t\r\n"), "{") {
		return false
	}
	type level struct {
		names   map[string]bool // nil in a list
		isValue bool
	}
	var levels []level
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	for {
		token, err := decoder.Token()
		if err != nil {
			return err == io.EOF
		}
		if token == json.Delim('}') || token == json.Delim(']') {
			levels = levels[:len(levels)-1]
			continue
		}
		if len(levels) > 0 {
			top := &levels[len(levels)-1]
			if name, ok := token.(string); ok && top.names != nil && !top.isValue {
				if top.names[name] {
					return false
				}
				top.names[name], top.isValue = true, true
				continue
			}
			top.isValue = false
		}
		switch token {
		case json.Delim('{'):
			levels = append(levels, level{names: make(map[string]bool)})
		case json.Delim('['):
			levels = append(levels, level{})
		}
		if len(levels) > wire.MaxDepth {
			return false
		}
	}
}

// withDefaults gives a frame of which an absent context is an empty one.
func withDefaults(frame wire.Frame) wire.Frame {
	if f, ok := frame.(*wire.Walker); ok && f.Context == nil {
		filled := *f
		filled.Context = json.RawMessage("{}")
		return &filled
	}
	return frame
}
