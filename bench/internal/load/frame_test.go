package load_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/walkergate/walkergate/bench/internal/load"
)

// sink notes what a parser gives.
type sink struct{ got []string }

func (s *sink) Message(text []byte) error {
	s.got = append(s.got, "message "+string(text))
	return nil
}

func (s *sink) Control(opcode byte, payload []byte) error {
	s.got = append(s.got, fmt.Sprintf("control %d %s", opcode, payload))
	return nil
}

// decoder is a Parser or Responses.
type decoder interface {
	Feed(data []byte, to load.Sink) error
}

// feed gives a stream in pieces of the sizes that next tells.
func feed(d decoder, stream []byte, next func() int) ([]string, error) {
	var s sink
	for len(stream) > 0 {
		n := min(max(next(), 1), len(stream))
		piece := bytes.Clone(stream[:n]) // a parser may not keep what it was given
		err := d.Feed(piece, &s)
		clear(piece)
		if err != nil {
			return s.got, err
		}
		stream = stream[n:]
	}
	return s.got, nil
}

// conversation writes random frames of a server with gobwas, and tells what
// they mean.
func conversation(t testing.TB, random *rand.Rand) (stream []byte, meaning []string) {
	t.Helper()
	var out bytes.Buffer
	write := func(op ws.OpCode, final bool, payload []byte) {
		if err := ws.WriteFrame(&out, ws.NewFrame(op, final, payload)); err != nil {
			t.Fatal(err)
		}
	}
	control := func() {
		op := []ws.OpCode{ws.OpPing, ws.OpPong, ws.OpClose}[random.IntN(3)]
		payload := letters(random, random.IntN(126))
		write(op, true, payload)
		meaning = append(meaning, fmt.Sprintf("control %d %s", op, payload))
	}
	for range 1 + random.IntN(12) {
		if random.IntN(4) == 0 {
			control()
			continue
		}
		size := []int{0, 1, 125, 126, 127, 1 << 10, 1<<16 - 1, 1 << 16, 1<<16 + 7}[random.IntN(9)]
		payload := letters(random, size)
		op := []ws.OpCode{ws.OpText, ws.OpBinary}[random.IntN(2)]
		meaning = append(meaning, "message "+string(payload))
		at := len(meaning) - 1
		for random.IntN(3) == 0 {
			n := random.IntN(len(payload) + 1)
			write(op, false, payload[:n])
			op, payload = ws.OpContinuation, payload[n:]
			if random.IntN(2) == 0 {
				control() // may come inside a message, and is told before it
				meaning[at], meaning[at+1] = meaning[at+1], meaning[at]
				at++
			}
		}
		write(op, true, payload)
	}
	return out.Bytes(), meaning
}

func letters(random *rand.Rand, n int) []byte {
	text := make([]byte, n)
	for i := range text {
		text[i] = byte('a' + random.IntN(26))
	}
	return text
}

func pieces(random *rand.Rand) func() int {
	most := []int{1, 3, 100, 5000, 1 << 20}[random.IntN(5)]
	return func() int { return 1 + random.IntN(most) }
}

func FuzzParserUnderstandsWhatGobwasWrites(f *testing.F) {
	for seed := range uint64(64) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		random := rand.New(rand.NewPCG(seed, 7))
		stream, meaning := conversation(t, random)
		got, err := feed(&load.Parser{}, stream, pieces(random))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, meaning) {
			t.Fatalf("seed %d: %d things understood, %d said; first difference: %s", seed, len(got), len(meaning), difference(got, meaning))
		}
	})
}

func difference(got, want []string) string {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return fmt.Sprintf("%d: %.60q, want %.60q", i, got[i], want[i])
		}
	}
	return "the length"
}

// FuzzParserTakesAnything: what is understood does not depend on how the bytes
// come, and nothing makes it panic.
func FuzzParserTakesAnything(f *testing.F) {
	for seed := range uint64(16) {
		stream, _ := conversation(f, rand.New(rand.NewPCG(seed, 8)))
		f.Add(stream[:min(len(stream), 3000)], uint8(seed))
	}
	f.Add([]byte{0x81, 0x85, 1, 2, 3, 4, 5, 6, 7, 8, 9}, uint8(1)) // masked
	f.Add([]byte{0x81, 127, 0, 0, 1, 0, 0, 0, 0, 0}, uint8(3))     // endless
	f.Add([]byte{0x80, 1, 'x'}, uint8(1))                          // continues nothing
	f.Add([]byte{0x01, 1, 'x', 0x81, 1, 'y'}, uint8(2))            // two at once
	f.Add([]byte{0x09, 0}, uint8(1))                               // a ping in pieces
	f.Add([]byte{0xC1, 0}, uint8(1))                               // compressed
	f.Fuzz(func(t *testing.T, stream []byte, size uint8) {
		whole, wholeErr := feed(&load.Parser{}, stream, func() int { return len(stream) })
		cut, cutErr := feed(&load.Parser{}, stream, func() int { return int(size) })
		if !slices.Equal(whole, cut) || (wholeErr == nil) != (cutErr == nil) {
			t.Fatalf("whole: %d things, %v; in pieces of %d: %d things, %v", len(whole), wholeErr, size, len(cut), cutErr)
		}
	})
}

func TestParserRefusesWhatNoServerMaySend(t *testing.T) {
	for name, stream := range map[string][]byte{
		"a masked frame":            {0x81, 0x81, 1, 2, 3, 4, 5},
		"reserved bits":             {0xC1, 0},
		"an unknown kind":           {0x83, 0},
		"a ping in pieces":          {0x09, 0},
		"a long ping":               append([]byte{0x89, 126, 0, 126}, make([]byte, 126)...),
		"a continuation of nothing": {0x80, 0},
		"two messages at once":      {0x01, 0, 0x81, 0},
		"an endless frame":          {0x81, 127, 0, 0, 1, 0, 0, 0, 0, 0},
	} {
		if got, err := feed(&load.Parser{}, stream, func() int { return len(stream) }); err == nil || len(got) > 0 {
			t.Errorf("%s: understood as %q, %v", name, got, err)
		}
	}
}

func TestClientFramesAreReadByGobwas(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for _, size := range []int{0, 1, 125, 126, 1<<16 - 1, 1 << 16} {
		payload := letters(random, size)
		frame := load.AppendFrame([]byte("before"), byte(ws.OpText), [4]byte{1, 2, 3, 4}, payload)
		got, err := ws.ReadFrame(bytes.NewReader(frame[len("before"):]))
		if err != nil {
			t.Fatal(err)
		}
		if !got.Header.Masked || !got.Header.Fin || got.Header.OpCode != ws.OpText {
			t.Fatalf("%d bytes: header %+v", size, got.Header)
		}
		if got = ws.UnmaskFrame(got); !bytes.Equal(got.Payload, payload) {
			t.Errorf("%d bytes come back changed", size)
		}
	}
}

func TestResponsesComeInAnyPieces(t *testing.T) {
	const stream = "HTTP/1.1 200 OK\r\nServer: x\r\ncontent-length: 5\r\n\r\nhello" +
		"HTTP/1.1 200 OK\r\nContent-Length:0\r\n\r\n" +
		"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX: y\r\n\r\nyou"
	for size := 1; size <= len(stream); size++ {
		got, err := feed(&load.Responses{}, []byte(stream), func() int { return size })
		if err != nil || !slices.Equal(got, []string{"message hello", "message ", "message you"}) {
			t.Fatalf("in pieces of %d: %q, %v", size, got, err)
		}
	}
	for name, bad := range map[string]string{
		"another status":  "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy",
		"no length":       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"no HTTP":         "SSH-2.0-x\r\n\r\n",
		"an endless head": "HTTP/1.1 200 OK\r\n" + strings.Repeat("A: b\r\n", 4000),
	} {
		if got, err := feed(&load.Responses{}, []byte(bad), func() int { return len(bad) }); err == nil {
			t.Errorf("%s: understood as %q", name, got)
		}
	}
}

func TestPostsAreRead(t *testing.T) {
	post := string(load.AppendPost(nil, netip.MustParseAddrPort("127.0.0.1:80"), "/walker/echo", []byte(`{}`)))
	if !strings.HasPrefix(post, "POST /walker/echo HTTP/1.1\r\nHost: 127.0.0.1:80\r\n") ||
		!strings.Contains(post, "\r\nContent-Length: 2\r\n") || !strings.HasSuffix(post, "\r\n\r\n{}") {
		t.Errorf("%q", post)
	}
}
