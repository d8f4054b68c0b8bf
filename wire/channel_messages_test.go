package wire_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/walkergate/walkergate/fault"
	"github.com/walkergate/walkergate/wire"
)

// goldenChannel makes a message of each shape that channels send.
func goldenChannel() map[string]*wire.Message {
	said := wire.ChannelMessage{
		ChannelID: "room:1",
		From:      &wire.Sender{ClientID: "1763600000:9c0f2d5b7a1e4c3d8b6a5f4e3d2c1b0a", RootID: "n::68aa00112233445566778899"},
		At:        time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC),
		Data:      json.RawMessage(`{"type":"chat","data":{"text":"hi"}}`),
	}
	stored := said
	stored.Epoch, stored.Seq = "k3f9a1c07d5e2b84", 18
	byREST := stored
	byREST.From = &wire.Sender{RootID: said.From.RootID}
	byServer := stored
	byServer.From = nil
	own := stored
	own.ChannelID = "$me"
	return map[string]*wire.Message{
		"channel-message.json":        wire.Envelope(said),
		"channel-message-stored.json": wire.Envelope(stored),
		"channel-message-rest.json":   wire.Envelope(byREST),
		"channel-message-server.json": wire.Envelope(byServer),
		"channel-message-own.json":    wire.Envelope(own),
		"channel-ended.json":          wire.Ended("room:1", fault.New(fault.Forbidden, "you are not of this room")),
	}
}

func TestChannelMessages(t *testing.T) {
	at := time.Date(2026, 11, 20, 12, 0, 0, 7_999_999, time.FixedZone("", 2*60*60))
	for _, test := range []struct {
		name    string
		message *wire.Message
		want    string
	}{
		{
			"not stored", wire.Envelope(wire.ChannelMessage{ChannelID: "r", At: at, Data: json.RawMessage(`{"b":1, "a":2.0}`)}),
			`{"type":"channel","event":"message","channel_id":"r","from":null,"at":"2026-11-20T10:00:00.007Z","data":{"b":1, "a":2.0}}`,
		},
		{
			"stored", wire.Envelope(wire.ChannelMessage{ChannelID: "r", Epoch: "e", Seq: 1<<63 - 1, From: &wire.Sender{ClientID: "c", RootID: "u"}, At: at, Data: json.RawMessage(`{}`)}),
			`{"type":"channel","event":"message","channel_id":"r","epoch":"e","seq":9223372036854775807,"from":{"client_id":"c","root_id":"u"},"at":"2026-11-20T10:00:00.007Z","data":{}}`,
		},
		{
			"names that need escapes", wire.Envelope(wire.ChannelMessage{ChannelID: "\"\\\n</é\x00", Epoch: `"`, Seq: 1, From: &wire.Sender{RootID: `"`}, At: at, Data: json.RawMessage(`{}`)}),
			`{"type":"channel","event":"message","channel_id":"\"\\\n</é\u0000","epoch":"\"","seq":1,"from":{"root_id":"\""},"at":"2026-11-20T10:00:00.007Z","data":{}}`,
		},
		{
			"ended", wire.Ended("\"\xff", fault.New(fault.Conflict, `"`)),
			`{"type":"channel","event":"ended","channel_id":"\"` + "\ufffd" + `","code":"conflict","error":"\""}`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, string(test.message.Payload())); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
			checkFrame(t, test.message)
		})
	}
}

func BenchmarkEnvelope(b *testing.B) {
	message := wire.ChannelMessage{
		ChannelID: "room:1", Epoch: "k3f9a1c07d5e2b84", Seq: 18,
		From: &wire.Sender{ClientID: "1763600000:9c0f2d5b7a1e4c3d8b6a5f4e3d2c1b0a", RootID: "n::68aa00112233445566778899"},
		At:   time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC),
		Data: json.RawMessage(`{"type":"chat","data":{"text":"hi"}}`),
	}
	b.ReportAllocs()
	for b.Loop() {
		wire.Envelope(message)
	}
}
