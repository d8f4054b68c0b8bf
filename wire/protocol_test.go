package wire_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/walkergate/walkergate/wire"
)

const protocolFile = "../docs/PROTOCOL.md"

// The examples say behind "json" whose they are: a client's frames, messages
// of the gateway, or bodies of REST.
func TestProtocolExamples(t *testing.T) {
	golden := goldenOut(t)
	isGolden := func(example json.RawMessage) bool {
		for _, message := range golden {
			if string(message) == string(example) {
				return true
			}
		}
		return false
	}
	sent := make(map[string]bool)
	for _, block := range jsonBlocks(t) {
		for _, example := range block.examples {
			switch block.kind {
			case "client":
				frame := wire.Decode(example)
				if bad, ok := frame.(*wire.Bad); ok {
					t.Errorf("line %d: %s is refused: %v", block.line, example, bad.Fault)
				}
				sent[kindOf(frame)] = true
			case "gateway":
				if !isGolden(example) {
					t.Errorf("line %d: %s stands in no file of testdata/frames/out", block.line, example)
				}
			case "rest":
				if strings.Contains(string(example), `"code":`) && !isGolden(example) {
					t.Errorf("line %d: %s stands in no file of testdata/frames/out", block.line, example)
				}
			default:
				t.Errorf("line %d: an example of %q", block.line, block.kind)
			}
		}
	}
	for _, kind := range []string{"walker", "user", "channel", "client", "change_user", "ping"} {
		if !sent[kind] {
			t.Errorf("no example of a %s frame", kind)
		}
	}
}

func TestProtocolListsAllCodes(t *testing.T) {
	var want []string
	for code := range goldenCodes {
		want = append(want, fmt.Sprintf("| `%s` | %d |", code, code.Status()))
	}
	for _, code := range []wire.CloseCode{
		wire.CloseNormal, wire.CloseGoingAway, wire.CloseProtocol, wire.CloseUnsupported, wire.CloseInvalidText,
		wire.CloseTooBig, wire.CloseInternal, wire.CloseTooSlow, wire.CloseAuthEnded, wire.CloseNoSignOfLife,
		wire.CloseOverLimits,
	} {
		want = append(want, fmt.Sprintf("| %d |", code))
	}
	rows := regexp.MustCompile("(?m)^\\| (`[a-z_]+` \\| [0-9]{3}|[0-9]{4}) \\|").FindAllString(protocol(t), -1)
	slices.Sort(want)
	slices.Sort(rows)
	if !slices.Equal(want, rows) {
		t.Errorf("the tables have\n%s\nwant\n%s", strings.Join(rows, "\n"), strings.Join(want, "\n"))
	}
}

// block is one example block of the document.
type block struct {
	kind     string
	line     int
	examples []json.RawMessage
}

// jsonBlocks gives the blocks of JSON, each a row of texts.
func jsonBlocks(t *testing.T) []block {
	t.Helper()
	var blocks []block
	var open *block
	var text strings.Builder
	for i, line := range strings.Split(protocol(t), "\n") {
		fence, isFence := strings.CutPrefix(line, "```")
		switch {
		case !isFence && open != nil:
			text.WriteString(line + "\n")
		case !isFence:
		case open == nil:
			language, kind, _ := strings.Cut(fence, " ")
			if language != "json" {
				t.Errorf("line %d: a block of %q, whose examples no test reads", i+1, language)
			}
			open = &block{kind: kind, line: i + 1}
		default:
			open.examples = texts(t, open.line, text.String())
			blocks = append(blocks, *open)
			open = nil
			text.Reset()
		}
	}
	if open != nil || len(blocks) == 0 {
		t.Fatalf("%d blocks, the last open: %t", len(blocks), open != nil)
	}
	return blocks
}

// texts cuts a block into its JSON texts, as they stand there.
func texts(t *testing.T, line int, block string) []json.RawMessage {
	t.Helper()
	var all []json.RawMessage
	decoder := json.NewDecoder(strings.NewReader(block))
	for {
		var one json.RawMessage
		err := decoder.Decode(&one)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("line %d: %v", line, err)
		}
		all = append(all, one)
	}
}

func protocol(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile(protocolFile)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
