package wire_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/walkergate/walkergate/fault"
	"github.com/walkergate/walkergate/wire"
)

func TestMessages(t *testing.T) {
	info := wire.ConnectionInfo{ClientID: "1:a", RootID: "n::1", ChannelID: "r"}
	many := wire.ConnectionInfo{ClientID: "1:a", RootID: "n::1", ChannelID: "r", ChannelIDs: []string{"r", "s"}, AuthError: "expired"}
	plain := fault.New(fault.Forbidden, "no")
	full := &fault.Error{
		Code: fault.Internal, Message: "internal error", Ref: "0a",
		Details: []fault.Detail{{Field: "a", Reason: "required"}, {Field: "b[0]", Reason: "expected string"}},
	}
	const fullBody = `"status":500,"code":"internal","error":"internal error",` +
		`"details":[{"field":"a","reason":"required"},{"field":"b[0]","reason":"expected string"}],"ref":"0a"}`
	for _, test := range []struct {
		name    string
		message *wire.Message
		want    string
	}{
		{
			"connection", wire.ConnectionEvent("", info),
			`{"type":"connection","data":{"client_id":"1:a","root_id":"n::1","channel_id":"r"}}`,
		},
		{
			"connection with all", wire.ConnectionEvent("7", many),
			`{"type":"connection","id":"7","data":{"client_id":"1:a","root_id":"n::1","channel_id":"r","channel_ids":["r","s"],"auth_error":"expired"}}`,
		},
		{"pong", wire.Pong(""), `{"type":"pong"}`},
		{"pong as a reply", wire.Pong("7"), `{"type":"reply","id":"7","ok":true}`},
		{"reached", wire.Reached("7", 12), `{"type":"reply","id":"7","ok":true,"reached":12}`},
		{"reached nobody", wire.Reached("7", 0), `{"type":"reply","id":"7","ok":true,"reached":0}`},
		{
			"walker reply", wire.WalkerReply("7", 201, json.RawMessage(`[{"a":1}]`)),
			`{"type":"reply","id":"7","ok":true,"status":201,"reports":[{"a":1}]}`,
		},
		{
			"walker body", wire.WalkerBody("7", 200, json.RawMessage(`"done"`)),
			`{"type":"reply","id":"7","ok":true,"status":200,"body":"done"}`,
		},
		{"failure", wire.Failure("", false, plain), `{"type":"error","status":403,"code":"forbidden","error":"no"}`},
		{"failure of a walker", wire.Failure("", true, plain), `{"type":"walker","status":403,"code":"forbidden","error":"no"}`},
		{"failure with id", wire.Failure("7", false, plain), `{"type":"reply","id":"7","ok":false,"status":403,"code":"forbidden","error":"no"}`},
		{"failure of a walker with id", wire.Failure("7", true, plain), `{"type":"reply","id":"7","ok":false,"status":403,"code":"forbidden","error":"no"}`},
		{"failure with all", wire.Failure("", false, full), `{"type":"error",` + fullBody},
		{"failure with all and id", wire.Failure("7", false, full), `{"type":"reply","id":"7","ok":false,` + fullBody},
		{"id that needs escapes", wire.Pong("\"\\\n</é\x00"), `{"type":"reply","id":"\"\\\n</é\u0000","ok":true}`},
		{"any text", wire.Text([]byte(`{"b":1, "a":2}`)), `{"b":1, "a":2}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, string(test.message.Payload())); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
			checkFrame(t, test.message)
		})
	}
	if got := string(wire.ErrorBody(full)); got != "{"+fullBody {
		t.Errorf("the body is %s", got)
	}
}

func TestFailureKeepsTheCauseToItself(t *testing.T) {
	failure := fault.New(fault.Conflict, "taken").Because(errors.New("secret"))
	if got := string(wire.Failure("", false, failure).Payload()); got != `{"type":"error","status":409,"code":"conflict","error":"taken"}` {
		t.Errorf("got %s", got)
	}
}

// An error about an error would reach nobody: whatever the text, the frame is
// JSON, and what can be read of the text is there.
func TestFailureOfAnyText(t *testing.T) {
	for text, want := range map[string]string{
		"bad \xff text":                "bad \ufffd text",
		"\xed\xa0\x80":                 "\ufffd\ufffd\ufffd", // a surrogate in UTF-8's clothes
		"cut \xf0\x9f\x98":             "cut \ufffd\ufffd\ufffd",
		"\x00\x1f\x7f\u2028\u2029":     "\x00\x1f\x7f\u2028\u2029",
		`quotes " and \ and </script>`: `quotes " and \ and </script>`,
	} {
		failure := &fault.Error{Code: fault.Code(text), Message: text, Ref: text, Details: []fault.Detail{{Field: text, Reason: text}}}
		type detail struct{ Field, Reason string }
		type answer struct {
			ID, Code, Error, Ref string
			Status               int
			Details              []detail
		}
		wanted := answer{ID: want, Code: want, Error: want, Ref: want, Status: 500, Details: []detail{{want, want}}}
		payload := wire.Failure(text, false, failure).Payload()
		if !utf8.Valid(payload) {
			t.Errorf("%q is no UTF-8", payload)
		}
		var got answer
		if err := json.Unmarshal(payload, &got); err != nil {
			t.Errorf("%q: %v", payload, err)
		} else if diff := cmp.Diff(wanted, got); diff != "" {
			t.Errorf("want -, got +:\n%s", diff)
		}
		wanted.ID = ""
		got = answer{}
		if err := json.Unmarshal(wire.ErrorBody(failure), &got); err != nil || !cmp.Equal(wanted, got) {
			t.Errorf("the body of %q: %v, %v", text, got, err)
		}
	}
}

func TestConnectionEventOfAnyText(t *testing.T) {
	channel := "a\xffb<&>\u2028\""
	var got struct {
		Data wire.ConnectionInfo `json:"data"`
	}
	message := wire.ConnectionEvent("\xff", wire.ConnectionInfo{ChannelID: channel})
	if err := json.Unmarshal(message.Payload(), &got); err != nil || got.Data.ChannelID != strings.ToValidUTF8(channel, "\ufffd") {
		t.Errorf("got %+v, %v", got, err)
	}
	checkFrame(t, message)
}
