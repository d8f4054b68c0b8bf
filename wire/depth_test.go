package wire_test

import (
	"strings"
	"testing"

	"github.com/walkergate/walkergate/wire"
)

// nested are frames of 60 KB that are nothing but brackets from some point on.
func nested() map[string][]byte {
	frame := func(begun, open, shut string) []byte {
		times := 60_000 / len(open+shut)
		return []byte(begun + strings.Repeat(open, times) + "1" + strings.Repeat(shut, times) + "}")
	}
	return map[string][]byte{
		"data":     frame(`{"type":"channel","channel_ids":["r"],"data":`, `{"a":`, "}"),
		"context":  frame(`{"type":"walker","walker":"say","context":`, `{"a":`, "}"),
		"lists":    frame(`{"type":"walker","walker":"say","context":`, "[", "]"),
		"unclosed": frame(`{"type":"walker","walker":"say","context":`, `{"a":[`, ""),
	}
}

// A parser keeps something for each level. What nests too deep is refused, or
// left to its reader, before there is one.
func TestDepthIsJudgedBeforeItIsParsed(t *testing.T) {
	for name, text := range nested() {
		t.Run(name, func(t *testing.T) {
			if allocs := testing.AllocsPerRun(10, func() { wire.Decode(text) }); allocs > 60 {
				t.Errorf("%.0f allocations", allocs)
			}
		})
	}
}
