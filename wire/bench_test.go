package wire_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/walkergate/walkergate/fault"
	"github.com/walkergate/walkergate/wire"
)

var channelFrame = []byte(`{"type":"channel","channel_ids":["room-7"],"data":{"type":"chat","data":{"text":"` +
	strings.Repeat("x", 43) + `"}}}`)

var walkerFrame = []byte(`{"type":"walker","id":"7","walker":"say","response":true,"context":{"room":"r1","text":"hi"}}`)

func BenchmarkDecodeChannel(b *testing.B) {
	if len(channelFrame) != 128 {
		b.Fatalf("the frame has %d bytes", len(channelFrame))
	}
	benchmarkDecode(b, channelFrame)
}

func BenchmarkDecodeWalker(b *testing.B) { benchmarkDecode(b, walkerFrame) }

func BenchmarkDecodePing(b *testing.B) { benchmarkDecode(b, []byte(`{"type":"ping"}`)) }

// BenchmarkDecodeLarge is a frame near the default limit, nearly all of it data.
func BenchmarkDecodeLarge(b *testing.B) {
	benchmarkDecode(b, []byte(`{"type":"channel","channel_ids":["room-7"],"data":{"text":"`+strings.Repeat("x", 60<<10)+`"}}`))
}

// BenchmarkDecodeNested is what a frame costs that was made to cost much.
func BenchmarkDecodeNested(b *testing.B) {
	for name, text := range nested() {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				wire.Decode(text)
			}
		})
	}
}

func benchmarkDecode(b *testing.B, text []byte) {
	b.ReportAllocs()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if bad, ok := wire.Decode(text).(*wire.Bad); ok {
			b.Fatal(bad.Fault)
		}
	}
}

func BenchmarkWalkerReply(b *testing.B) {
	reports := json.RawMessage(`[{"room":"r1","text":"hi","at":"2026-11-20T10:00:00.000Z"}]`)
	b.ReportAllocs()
	for b.Loop() {
		wire.WalkerReply("7", 200, reports)
	}
}

func BenchmarkFailure(b *testing.B) {
	refusal := fault.New(fault.InvalidContext, "some fields are not valid",
		fault.Detail{Field: "room", Reason: "required"}, fault.Detail{Field: "text", Reason: "expected string"})
	b.ReportAllocs()
	for b.Loop() {
		wire.Failure("7", true, refusal)
	}
}
