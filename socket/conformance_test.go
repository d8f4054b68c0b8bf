package socket_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/walkergate/walkergate/socket"
	"github.com/walkergate/walkergate/wire"
)

// A conformanceCase is a stream of a client and all that must come of it.
type conformanceCase struct {
	name  string
	in    [][]byte
	texts []string       // what the handler gets
	out   []string       // what the peer gets before the close
	code  wire.CloseCode // how it ends; 0: the session lives and answers a close 1000
}

const limit = 70_000 // MaxMessage of the suite: room for 64-bit lengths

var bigText = strings.Repeat("0123456789abcdef", limit/16+1)[:limit]

var conformance = slices.Concat(framing, fragmentation, controls, closes, limits)

var framing = []conformanceCase{
	{name: "text/empty", in: [][]byte{text("")}, texts: []string{""}},
	{name: "text/one byte", in: [][]byte{text("a")}, texts: []string{"a"}},
	{name: "text/two in a row", in: [][]byte{text("a"), text("b")}, texts: []string{"a", "b"}},
	{name: "text/125 bytes", in: [][]byte{text(bigText[:125])}, texts: []string{bigText[:125]}},
	{name: "text/126 bytes, 16-bit length", in: [][]byte{text(bigText[:126])}, texts: []string{bigText[:126]}},
	{name: "text/127 bytes", in: [][]byte{text(bigText[:127])}, texts: []string{bigText[:127]}},
	{name: "text/65535 bytes", in: [][]byte{text(bigText[:65535])}, texts: []string{bigText[:65535]}},
	{name: "text/65536 bytes, 64-bit length", in: [][]byte{text(bigText[:65536])}, texts: []string{bigText[:65536]}},
	{name: "mask/missing", in: [][]byte{{final | opText, 2, 'h', 'i'}}, code: 1002},
	{name: "mask/missing on a ping", in: [][]byte{{final | opPing, 0}}, code: 1002},
	{name: "mask/zero", in: [][]byte{{final | opText, 0x82, 0, 0, 0, 0, 'h', 'i'}}, texts: []string{"hi"}},
	{name: "reserved/rsv1", in: [][]byte{frame(final|0x40|opText, "x")}, code: 1002},
	{name: "reserved/rsv2", in: [][]byte{frame(final|0x20|opText, "x")}, code: 1002},
	{name: "reserved/rsv3", in: [][]byte{frame(final|0x10|opText, "x")}, code: 1002},
	{name: "reserved/rsv1 on a ping", in: [][]byte{frame(final|0x40|opPing, "x")}, code: 1002},
	{name: "reserved/rsv after good text", in: [][]byte{text("ok"), frame(final|0x70|opText, "x")}, texts: []string{"ok"}, code: 1002},
	{name: "opcode/3", in: [][]byte{frame(final|3, "")}, code: 1002},
	{name: "opcode/4", in: [][]byte{frame(final|4, "x")}, code: 1002},
	{name: "opcode/5", in: [][]byte{frame(final|5, "x")}, code: 1002},
	{name: "opcode/6", in: [][]byte{frame(final|6, "x")}, code: 1002},
	{name: "opcode/7", in: [][]byte{frame(final|7, "x")}, code: 1002},
	{name: "opcode/11", in: [][]byte{frame(final|11, "x")}, code: 1002},
	{name: "opcode/12", in: [][]byte{frame(final|12, "x")}, code: 1002},
	{name: "opcode/13", in: [][]byte{frame(final|13, "x")}, code: 1002},
	{name: "opcode/14", in: [][]byte{frame(final|14, "x")}, code: 1002},
	{name: "opcode/15", in: [][]byte{frame(final|15, "x")}, code: 1002},
	{name: "opcode/binary", in: [][]byte{frame(final|opBinary, "x")}, code: 1003},
	{name: "opcode/binary, empty", in: [][]byte{frame(final|opBinary, "")}, code: 1003},
	{name: "opcode/binary fragment", in: [][]byte{frame(opBinary, "x")}, code: 1003},
	{name: "length/16-bit for 125", in: [][]byte{{final | opText, 0x80 | 126, 0, 125, 1, 2, 3, 4}}, code: 1002},
	{name: "length/16-bit for 0", in: [][]byte{{final | opText, 0x80 | 126, 0, 0, 1, 2, 3, 4}}, code: 1002},
	{name: "length/64-bit for 65535", in: [][]byte{{final | opText, 0x80 | 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 1, 2, 3, 4}}, code: 1002},
	{name: "length/highest bit", in: [][]byte{{final | opText, 0x80 | 127, 0x80, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4}}, code: 1002},
}

var fragmentation = []conformanceCase{
	{name: "fragments/two", in: [][]byte{frame(opText, "he"), frame(final|opContinue, "llo")}, texts: []string{"hello"}},
	{name: "fragments/three, then another", in: [][]byte{frame(opText, "a"), frame(opContinue, "b"), frame(final|opContinue, "c"), text("d")}, texts: []string{"abc", "d"}},
	{name: "fragments/all empty", in: [][]byte{frame(opText, ""), frame(opContinue, ""), frame(final|opContinue, "")}, texts: []string{""}},
	{name: "fragments/only the middle filled", in: [][]byte{frame(opText, ""), frame(opContinue, "x"), frame(final|opContinue, "")}, texts: []string{"x"}},
	{name: "fragments/only the last filled", in: [][]byte{frame(opText, ""), frame(final|opContinue, "x")}, texts: []string{"x"}},
	{name: "fragments/ping between", in: [][]byte{frame(opText, "he"), frame(final|opPing, "p"), frame(final|opContinue, "llo")}, texts: []string{"hello"}, out: []string{"pong:p"}},
	{name: "fragments/pings between many", in: [][]byte{
		frame(opText, "a"), frame(final|opPing, "1"), frame(opContinue, "b"), frame(final|opPing, "2"), frame(final|opContinue, "c"),
	}, texts: []string{"abc"}, out: []string{"pong:1", "pong:2"}},
	{name: "fragments/pong between", in: [][]byte{frame(opText, "he"), frame(final|opPong, "p"), frame(final|opContinue, "llo")}, texts: []string{"hello"}},
	{name: "fragments/close between", in: [][]byte{frame(opText, "he"), closing(1000, "")}, code: 1000},
	{name: "fragments/continuation of nothing", in: [][]byte{frame(final|opContinue, "x")}, code: 1002},
	{name: "fragments/continuation of nothing, open", in: [][]byte{frame(opContinue, "x")}, code: 1002},
	{name: "fragments/continuation after the end", in: [][]byte{frame(opText, "a"), frame(final|opContinue, "b"), frame(opContinue, "c")}, texts: []string{"ab"}, code: 1002},
	{name: "fragments/text within text", in: [][]byte{frame(opText, "a"), text("b")}, code: 1002},
	{name: "fragments/text within empty text", in: [][]byte{frame(opText, ""), text("b")}, code: 1002},
	{name: "fragments/binary within text", in: [][]byte{frame(opText, "a"), frame(final|opBinary, "b")}, code: 1002},
	{name: "utf8/whole", in: [][]byte{text("κόσμε €😀")}, texts: []string{"κόσμε €😀"}},
	{name: "utf8/rune over fragments", in: [][]byte{frame(opText, "\xf0\x9f"), frame(final|opContinue, "\x98\x80")}, texts: []string{"😀"}},
	{name: "utf8/noncharacters are allowed", in: [][]byte{text("\uffff\U0010ffff")}, texts: []string{"\uffff\U0010ffff"}},
	{name: "utf8/bad byte", in: [][]byte{text("a\xff")}, code: 1007},
	{name: "utf8/surrogate", in: [][]byte{text("\xed\xa0\x80")}, code: 1007},
	{name: "utf8/overlong", in: [][]byte{text("\xc0\xaf")}, code: 1007},
	{name: "utf8/beyond the last rune", in: [][]byte{text("\xf4\x90\x80\x80")}, code: 1007},
	{name: "utf8/cut at the end", in: [][]byte{text("\xe2\x82")}, code: 1007},
	{name: "utf8/cut at the end of fragments", in: [][]byte{frame(opText, "a\xe2"), frame(final|opContinue, "\x82")}, code: 1007},
	{name: "utf8/cut, then an empty end", in: [][]byte{frame(opText, "a\xe2\x82"), frame(final|opContinue, "")}, code: 1007},
	{name: "utf8/bad first fragment fails at once", in: [][]byte{frame(opText, "\xce\xba\xff")}, code: 1007},
	{name: "utf8/bad begin of a frame fails at once", in: [][]byte{text("\xff" + bigText[:9])[:9]}, code: 1007},
	{name: "utf8/impossible second byte fails at once", in: [][]byte{frame(opText, "\xf4\x90")}, code: 1007},
}

var controls = []conformanceCase{
	{name: "ping/empty", in: [][]byte{frame(final|opPing, "")}, out: []string{"pong:"}},
	{name: "ping/payload", in: [][]byte{frame(final|opPing, "hello")}, out: []string{"pong:hello"}},
	{name: "ping/bytes that are no text", in: [][]byte{frame(final|opPing, "\x00\xff\xfe")}, out: []string{"pong:\x00\xff\xfe"}},
	{name: "ping/125 bytes", in: [][]byte{frame(final|opPing, bigText[:125])}, out: []string{"pong:" + bigText[:125]}},
	{name: "ping/126 bytes", in: [][]byte{frame(final|opPing, bigText[:126])}, code: 1002},
	{name: "ping/fragment", in: [][]byte{frame(opPing, "x")}, code: 1002},
	{name: "ping/ten", in: slices.Repeat([][]byte{frame(final|opPing, "x")}, 10), out: slices.Repeat([]string{"pong:x"}, 10)},
	{name: "pong/unasked", in: [][]byte{frame(final|opPong, "x"), text("a")}, texts: []string{"a"}},
	{name: "pong/126 bytes", in: [][]byte{frame(final|opPong, bigText[:126])}, code: 1002},
	{name: "pong/fragment", in: [][]byte{frame(opPong, "")}, code: 1002},
}

var closes = slices.Concat([]conformanceCase{
	{name: "close/empty", in: [][]byte{frame(final|opClose, "")}, code: wire.CloseNoStatus},
	{name: "close/one byte", in: [][]byte{frame(final|opClose, "x")}, code: 1002},
	{name: "close/reason", in: [][]byte{closing(1000, "bye")}, code: 1000},
	{name: "close/reason of 123 bytes", in: [][]byte{closing(1000, bigText[:123])}, code: 1000},
	{name: "close/reason of 124 bytes", in: [][]byte{closing(1000, bigText[:124])}, code: 1002},
	{name: "close/reason is not text", in: [][]byte{closing(1000, "\xce\xba\xff")}, code: 1007},
	{name: "close/fragment", in: [][]byte{frame(opClose, "")}, code: 1002},
	{name: "close/text behind it is dropped", in: [][]byte{closing(1000, ""), text("late")}, code: 1000},
	{name: "close/ping behind it is not answered", in: [][]byte{closing(1000, ""), frame(final|opPing, "late")}, code: 1000},
	{name: "close/junk behind it", in: [][]byte{closing(1000, ""), {0xff, 0xff, 0xff}}, code: 1000},
},
	closeCodes("valid", true, 1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999),
	closeCodes("invalid", false, 0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535),
)

func closeCodes(group string, valid bool, codes ...int) (cases []conformanceCase) {
	for _, code := range codes {
		want := wire.CloseCode(1002)
		if valid {
			want = wire.CloseCode(code)
		}
		cases = append(cases, conformanceCase{
			name: fmt.Sprintf("close/%s code %d", group, code), in: [][]byte{closing(code, "")}, code: want,
		})
	}
	return cases
}

var limits = []conformanceCase{
	{name: "limit/exactly", in: [][]byte{text(bigText)}, texts: []string{bigText}},
	{name: "limit/exactly, in fragments", in: [][]byte{frame(opText, bigText[:limit-1]), frame(final|opContinue, "x")}, texts: []string{bigText[:limit-1] + "x"}},
	{name: "limit/one over, on the header alone", in: [][]byte{text(bigText + "x")[:14]}, code: 1009},
	{name: "limit/over in the sum of fragments", in: [][]byte{frame(opText, bigText), frame(final|opContinue, "x")[:6]}, code: 1009},
	{name: "limit/63-bit length", in: [][]byte{{final | opText, 0x80 | 127, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4}}, code: 1009},
	{name: "limit/63-bit length on a continuation", in: [][]byte{frame(opText, "a"), {final | opContinue, 0x80 | 127, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4}}, code: 1009},
}

// cuts are the ways in which a stream may arrive.
var cuts = map[string]func(stream []byte) [][]byte{
	"whole": func(stream []byte) [][]byte { return [][]byte{stream} },
	"bytes": func(stream []byte) [][]byte {
		size := 1 + len(stream)/2000 // single bytes, but for streams that would take for ever
		return slices.Collect(slices.Chunk(stream, size))
	},
}

func TestConformance(t *testing.T) {
	for _, kind := range kinds {
		for cut, cutter := range cuts {
			for _, c := range conformance {
				t.Run(kind+"/"+cut+"/"+c.name, func(t *testing.T) {
					t.Parallel()
					conform(t, kind, c, cutter)
				})
			}
		}
	}
}

func conform(t *testing.T, kind string, c conformanceCase, cut func([]byte) [][]byte) {
	h := &recorder{}
	s, p := open(t, kind, h, socket.Options{MaxMessage: limit})
	stream := bytes.Join(c.in, nil)
	code := c.code
	if code == 0 {
		stream = append(stream, closing(1000, "")...)
		code = wire.CloseNormal
	}
	wait := p.sendFrom(cut(stream)...)

	p.want(t, c.out...)
	got := p.next()
	if code == wire.CloseNoStatus {
		if got != "close:" {
			t.Fatalf("got %q, want an empty close", got)
		}
	} else if !strings.HasPrefix(got, fmt.Sprintf("close:%d", code)) {
		t.Fatalf("got %.100q, want close %d", got, code)
	}
	if kind == overTCP { // elsewhere the server cannot end its side alone, and may wait for ours
		p.want(t, "end")
	}
	p.Close()
	wait()

	end := h.ending(t, s)
	if end.Code != code {
		t.Errorf("closed with %d (%v), want %d", end.Code, end.Err, code)
	}
	if texts := h.received(); !slices.Equal(texts, c.texts) {
		t.Errorf("the handler got %.100q, want %.100q", texts, c.texts)
	}
}

// The bytes that were read behind the handshake are the first of the stream,
// even where they end within a frame.
func TestHeadIsReadFirst(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			server, client := connect(t, kind)
			stream := append(text("first"), text("second")...)
			h := &recorder{frames: make(chan string, 2)}
			s := socket.Open(server, stream[:14], h, socket.Options{})
			s.Start(nil)
			p := newPeer(client)
			wait := p.sendFrom(stream[14:])
			for _, want := range []string{"first", "second"} {
				if got := h.next(t); got != want {
					t.Fatalf("got %q, want %q", got, want)
				}
			}
			wait()
			p.Close()
			h.ending(t, s)
		})
	}
}
