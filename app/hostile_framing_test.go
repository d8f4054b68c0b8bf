//go:build linux

package app_test

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"strings"
)

const (
	final       = 0x80
	kindMore    = 0x0
	kindText    = 0x1
	kindBinary  = 0x2
	kindClose   = 0x8
	kindPing    = 0x9
	kindPong    = 0xa
	longControl = 125 // bytes of the longest control frame
)

// sent is a stream of bytes behind a handshake.
func sent(stream ...[]byte) hostileStrike {
	return socketStrike{segments: [][]byte{bytes.Join(stream, nil)}}
}

// anyPayload is text or noise.
func anyPayload(random *rand.Rand, most int) []byte {
	payload := make([]byte, random.IntN(most+1))
	for i := range payload {
		payload[i] = byte(random.Uint32())
	}
	if random.IntN(2) == 0 {
		return []byte(plainWord(random, len(payload)))
	}
	return payload
}

// cuts are so many places to cut a text at, in order.
func cuts(random *rand.Rand, length, count int) []int {
	at := make([]int, count)
	for i := range at {
		at[i] = random.IntN(length + 1)
	}
	slices.Sort(at)
	return at
}

// fragmented is a message in fragments, cut at those places.
func fragmented(text string, at []int) []byte {
	var stream []byte
	first, from := byte(kindText), 0
	for _, to := range at {
		stream = append(stream, rawFrame(first, []byte(text[from:to]))...)
		first, from = kindMore, to
	}
	return append(stream, rawFrame(first|final, []byte(text[from:]))...)
}

// splits are all cuts of a message into two fragments, each with all cuts of
// that stream into two segments.
func splits(text string) [][][]byte {
	var all [][][]byte
	for fragment := range len(text) + 1 {
		stream := fragmented(text, []int{fragment})
		for segment := range len(stream) - 1 {
			all = append(all, [][]byte{stream[:segment+1], stream[segment+1:]})
		}
	}
	return all
}

func drawGoodSplits(random *rand.Rand) []hostileStrike {
	var strikes []hostileStrike
	id := pick(random, "é€😀", "κό😀", "\u07ff\uffff\U0010ffff") + plainWord(random, 2)
	for _, segments := range splits(`{"type":"ping","id":"` + id + `"}`) {
		strikes = append(strikes, socketStrike{segments: segments, written: []byte(`{"type":"reply","id":"` + id + `","ok":true}`)})
	}
	return strikes
}

func drawBadSplits(random *rand.Rand) []hostileStrike {
	var strikes []hostileStrike
	for _, bad := range []string{
		"é€\x80", "€\xff", "é\xc0\xaf€", "\xed\xa0\x80é", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "é€\xe2\x82", "κ\xe2\x28\xa1", "é\xf0\x9f\x98",
		pick(random, "\xe0\x80\xaf", "\xf0\x8f\xbf\xbf", "\xfe\xfe", "\xc1\xbf", "\xed\xbf\xbf", "\xbf\xbf\xbf"),
	} {
		for _, segments := range splits(bad) {
			strikes = append(strikes, socketStrike{segments: segments})
		}
	}
	for range 50 { // and within what would be a frame
		text := `{"type":"ping","id":"` + pick(random, "\xff", "\xc3", "\xed\xa0\x80", "\xf0\x9f\x98") + plainWord(random, 4) + `"}`
		strikes = append(strikes, sent(fragmented(text, cuts(random, len(text), random.IntN(5)))))
	}
	return strikes
}

func drawBinary(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike {
		payload := pick(random, []byte(goodFrame(random)), anyPayload(random, 300), nil)
		return sent(rawFrame(kindBinary|pick[byte](random, 0, final), payload))
	})
}

func drawUnmasked(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike {
		kind := pick[byte](random, kindText, kindBinary, kindPing, kindPong, kindClose)
		payload := pick(random, []byte(goodFrame(random)), anyPayload(random, 120))
		return sent(rawHeader(kind|final, uint64(len(payload)), false), payload)
	})
}

func drawReservedBits(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike {
		kind := pick[byte](random, kindText, kindBinary, kindPing, kindPong, kindClose)
		bits := byte(1+random.IntN(7)) << 4
		frame := rawFrame(kind|final|bits, anyPayload(random, 120))
		if random.IntN(3) == 0 {
			return sent(rawFrame(kindText, []byte("{")), rawFrame(kindMore|bits|pick[byte](random, 0, final), anyPayload(random, 120)))
		}
		return sent(frame)
	})
}

// drawDeflated compresses as permessage-deflate would, some of it a bomb.
func drawDeflated(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike {
		text := goodFrame(random)
		if random.IntN(4) == 0 {
			text = `{"type":"ping","id":"` + strings.Repeat("x", random.IntN(1<<20)) + `"}`
		}
		const rsv1 = 0x40
		packed := deflated(text)
		return sent(rawFrame(kindText|rsv1|final, packed[:min(len(packed), hostileFrame)]))
	})
}

func deflated(text string) []byte {
	var packed bytes.Buffer
	writer, err := flate.NewWriter(&packed, flate.BestSpeed)
	if err != nil {
		panic(err) // of a level that there is
	}
	_, _ = writer.Write([]byte(text)) // into memory
	_ = writer.Flush()
	return bytes.TrimSuffix(packed.Bytes(), []byte{0, 0, 0xff, 0xff})
}

func drawReservedOpcodes(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike {
		kind := pick[byte](random, 3, 4, 5, 6, 7, 11, 12, 13, 14, 15)
		return sent(rawFrame(kind|pick[byte](random, 0, final), anyPayload(random, 120)))
	})
}

// unanswered is a frame that is carried out in silence.
const unanswered = `{"type":"walker","walker":"echo","context":{"value":1}}`

func drawBadFragments(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike {
		text := goodFrame(random)
		begun := rawFrame(kindText, []byte(text[:random.IntN(len(text))]))
		for range random.IntN(4) { // which is nothing wrong
			begun = append(begun, rawFrame(pick[byte](random, kindMore, final|kindPong), nil)...)
		}
		return pick(random,
			sent(rawFrame(kindMore, []byte(text))),
			sent(rawFrame(final|kindMore, []byte(text))),
			sent(fragmented(unanswered, cuts(random, len(unanswered), 2)), rawFrame(kindMore|pick[byte](random, 0, final), nil)),
			sent(begun, rawFrame(kindText, nil)),
			sent(begun, rawFrame(final|kindText, []byte(text))),
			sent(begun, rawFrame(kindBinary, []byte(text))),
			sent(begun, rawFrame(final|kindBinary, nil)),
		)
	})
}

func drawBadLengths(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike {
		first := pick[byte](random, final|kindText, kindText)
		short := uint64(random.IntN(126))
		middle := uint64(random.IntN(1 << 16))
		return pick(random,
			sent(rawLength(first, 126, short, true), make([]byte, short)),
			sent(rawLength(first, 127, short, true), make([]byte, short)),
			sent(rawLength(first, 127, middle, true)),
			sent(rawLength(first, 127, 1<<63|random.Uint64(), true)),
		)
	})
}

func drawOversize(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike {
		length := pick(random, hostileFrame+1, hostileFrame+1+random.Uint64N(1000), random.Uint64N(1<<40)+hostileFrame+1, 1<<63-1, 1<<32, 1<<31)
		return sent(rawHeader(kindText|pick[byte](random, 0, final), length, true), bytes.Repeat([]byte("x"), random.IntN(100)))
	})
}

func drawOversizeByFragments(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike {
		room := hostileFrame
		var stream []byte
		first := byte(kindText)
		for range 1 + random.IntN(4) {
			length := random.IntN(min(room, pick(random, 10, 1000, 20_000)))
			stream = append(stream, rawFrame(first, bytes.Repeat([]byte("x"), length))...)
			first, room = kindMore, room-length
		}
		return sent(stream, rawHeader(kindMore|pick[byte](random, 0, final), uint64(room+1+random.IntN(1000)), true))
	})
}

func drawBadControl(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike {
		kind := pick[byte](random, kindPing, kindPong, kindClose)
		if random.IntN(2) == 0 {
			return sent(rawFrame(kind, anyPayload(random, longControl)))
		}
		length := longControl + 1 + random.IntN(2000)
		return sent(rawFrame(kind|final, bytes.Repeat([]byte{byte(random.Uint32())}, length)))
	})
}

// closePayload is the payload of a close frame.
func closePayload(code uint16, reason string) []byte {
	return append(binary.BigEndian.AppendUint16(nil, code), reason...)
}

func drawBadCloses(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike {
		code := pick(random, 0, 999, 1004, 1005, 1006, 1015, 1016+uint16(random.IntN(1984)), 5000+uint16(random.IntN(60_000)), uint16(random.IntN(1000)))
		payload := closePayload(code, plainWord(random, random.IntN(100)))
		if random.IntN(4) == 0 {
			payload = []byte{byte(random.Uint32())}
		}
		return sent(rawFrame(kindClose|final, payload))
	})
}

func drawBadReasons(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike {
		code := pick(random, 1000, 1001, 3000+uint16(random.IntN(2000)))
		reason := plainWord(random, random.IntN(60)) + pick(random, "\xff", "\xc0\xaf", "\xed\xa0\x80", "\xe2\x82", "\xf0\x9f\x98") + plainWord(random, random.IntN(60))
		return sent(rawFrame(kindClose|final, closePayload(code, reason)))
	})
}

func drawBehindClose(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike {
		behind := pick(random, anyPayload(random, 3000), rawFrame(kindText|final, []byte(goodFrame(random))), rawFrame(kindClose|final, closePayload(1002, "")))
		return sent(rawFrame(kindClose|final, closePayload(1000, "")), behind)
	})
}

// frameFlood is more than twice as many frames without a message as one second
// allows, so that one second has too many wherever it begins.
const frameFlood = 2002

func drawFrameFloods(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike {
		stream := rawFrame(kindText, nil)
		frames := [][]byte{
			rawFrame(kindMore, nil), rawFrame(kindMore, []byte("x")), rawFrame(kindPong|final, nil), rawFrame(kindPing|final, nil), rawFrame(kindPing|final, anyPayload(random, 4)),
		}
		frames = frames[random.IntN(len(frames)):]
		for range frameFlood {
			stream = append(stream, pick(random, frames...)...)
		}
		return socketStrike{segments: [][]byte{stream}, bare: true}
	})
}
