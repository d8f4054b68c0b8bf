package socket_test

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/walkergate/walkergate/socket"
)

// Each cut of a text into three fragments, and each cut of that stream into two
// chunks, gives the same text.
func TestTextSurvivesEverySplit(t *testing.T) {
	const message = "é€😀κ"
	for i := range len(message) + 1 {
		for j := i; j <= len(message); j++ {
			stream := bytes.Join([][]byte{
				frame(opText, message[:i]), frame(final|opPing, "é"),
				frame(opContinue, message[i:j]), frame(final|opContinue, message[j:]),
			}, nil)
			for k := range len(stream) + 1 {
				got := socket.Parse(100, stream[:k], stream[k:])
				if got.Failed || !slices.Equal(got.Texts, []string{message}) || !slices.Equal(got.Pings, []string{"é"}) {
					t.Fatalf("fragments at %d and %d, chunks at %d: %+v", i, j, k, got)
				}
			}
		}
	}
}

// Text that is not UTF-8 is refused however it is cut.
func TestBadTextFailsInEverySplit(t *testing.T) {
	for _, message := range []string{
		"\x80", "a\xffb", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80",
		"\xe2\x82", "κ\xe2\x28\xa1", "\xf0\x9f\x98", "a\xf0\x9f\x98b", "\xbf\xbf\xbf\xbf\xbf",
	} {
		for i := range len(message) + 1 {
			stream := append(frame(opText, message[:i]), frame(final|opContinue, message[i:])...)
			for k := range len(stream) + 1 {
				got := socket.Parse(100, stream[:k], stream[k:])
				if !got.Failed || got.Code != 1007 || len(got.Texts) > 0 {
					t.Fatalf("%q, fragments at %d, chunks at %d: %+v", message, i, k, got)
				}
			}
		}
	}
}

// The texts arrive byte by byte over a real connection as well.
func TestTextSurvivesSingleBytes(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			h := &recorder{frames: make(chan string, 1)}
			_, p := open(t, kind, h, socket.Options{})
			stream := append(frame(opText, "κό\xcf"), frame(final|opContinue, "\x83με 😀")...)
			wait := p.sendFrom(slices.Collect(slices.Chunk(stream, 1))...)
			if got := h.next(t); got != "κόσμε 😀" {
				t.Fatalf("got %q", got)
			}
			wait()
		})
	}
}

// A length that is announced but never sent costs nothing.
func TestAnnouncedLengthIsNotReserved(t *testing.T) {
	const bound = 1 << 20
	begun := frame(final|opText, string(make([]byte, bound)))[:14+100]
	if got := socket.Parse(bound, begun); got.Failed || got.Kept > 1000 {
		t.Fatalf("100 bytes of an announced MiB keep %d bytes", got.Kept)
	}
}

func FuzzParser(f *testing.F) {
	for _, c := range conformance {
		if stream := bytes.Join(c.in, nil); len(stream) < 1000 {
			f.Add(stream, uint8(3))
		}
	}
	f.Fuzz(func(t *testing.T, stream []byte, size uint8) {
		const bound = 300
		whole := socket.Parse(bound, stream)
		for _, text := range whole.Texts {
			if !utf8.ValidString(text) {
				t.Fatalf("handed on %q", text)
			}
			if len(text) > bound {
				t.Fatalf("handed on %d bytes", len(text))
			}
		}
		cut := socket.Parse(bound, slices.Collect(slices.Chunk(stream, int(size)+1))...)
		if max(whole.Kept, cut.Kept) > bound {
			t.Fatalf("kept %d bytes, %d when cut", whole.Kept, cut.Kept)
		}
		whole.Kept, cut.Kept = 0, 0
		if !reflect.DeepEqual(whole, cut) {
			t.Fatalf("whole %+v\ncut by %d %+v", whole, size, cut)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	for _, size := range []int{128, 4096} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			feeder := socket.NewFeeder()
			// Feeding unmasks in place, so each frame is brought back first.
			original := text(string(bytes.Repeat([]byte("a"), size)))
			stream := make([]byte, len(original))
			b.ReportAllocs()
			b.SetBytes(int64(size))
			for b.Loop() {
				copy(stream, original)
				if err := feeder.Feed(stream); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
