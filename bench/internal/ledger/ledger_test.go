package ledger_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/walkergate/walkergate/bench/internal/ledger"
)

func form(t *testing.T, size int) *ledger.Form {
	t.Helper()
	f, err := ledger.NewForm(size)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestPayloadsAreObjectsOfTheirSizeAndComeBack(t *testing.T) {
	for _, size := range []int{ledger.SmallestForm, 128, 4096} {
		f := form(t, size)
		for _, stamp := range []ledger.Stamp{{}, {Publisher: 7, Sequence: 42}, {Publisher: 99_999, Sequence: 1<<32 - 1}} {
			payload := f.Append(nil, stamp)
			if len(payload) != size || !json.Valid(payload) {
				t.Fatalf("%d bytes of %q, want %d of JSON", len(payload), payload, size)
			}
			around := append(append([]byte(`42["m",`), payload...), `]`...)
			got, rest, whole, ok := f.Find(around)
			if !ok || !whole || got != stamp || string(rest) != "]" {
				t.Errorf("found %v, whole %v, ok %v, rest %q", got, whole, ok, rest)
			}
		}
	}
	if _, err := ledger.NewForm(ledger.SmallestForm - 1); err == nil {
		t.Error("a payload without room for its stamp")
	}
}

func TestSeveralPayloadsInOneMessage(t *testing.T) {
	f := form(t, 64)
	text := f.Append(nil, ledger.Stamp{Sequence: 1})
	text = f.Append(append(text, '\n'), ledger.Stamp{Sequence: 2})
	var seen []uint32
	for {
		stamp, rest, whole, ok := f.Find(text)
		if !ok {
			break
		}
		if !whole {
			t.Fatalf("damaged: %q", text)
		}
		seen, text = append(seen, stamp.Sequence), rest
	}
	if len(seen) != 2 || seen[0] != 1 || seen[1] != 2 {
		t.Errorf("found %v", seen)
	}
}

func TestDamageIsSeen(t *testing.T) {
	f := form(t, 64)
	payload := f.Append(nil, ledger.Stamp{Sequence: 1})
	for name, bad := range map[string][]byte{
		"cut short":        payload[:len(payload)-1],
		"cut in the stamp": payload[:12],
		"a changed filler": bytes.Replace(payload, []byte("xx"), []byte("xy"), 1),
		"no number":        bytes.Replace(payload, []byte("00"), []byte("0?"), 1),
	} {
		if _, _, whole, ok := f.Find(bad); whole || !ok {
			t.Errorf("%s: whole %v, ok %v", name, whole, ok)
		}
	}
	if _, _, _, ok := f.Find([]byte(`{"type":"pong"}`)); ok {
		t.Error("a payload where there is none")
	}
}

// script has two members of one group and one of another; publishers 0 and 1
// publish four messages each to the first group, publisher 2 to the second.
func script() *ledger.Ledger {
	l := ledger.New([]int{0, 0, 1}, []int{0, 0, 1})
	for range 4 {
		for publisher := range 3 {
			l.Publish(publisher)
		}
	}
	return l
}

// deliver gives the sequences of every publisher to its members, but for
// member 0 and publisher 0, which get what is said.
func deliver(l *ledger.Ledger, odd ...uint32) {
	for sequence := range uint32(4) {
		l.Deliver(1, ledger.Stamp{Publisher: 0, Sequence: sequence})
		l.Deliver(1, ledger.Stamp{Publisher: 1, Sequence: sequence})
		l.Deliver(2, ledger.Stamp{Publisher: 2, Sequence: sequence})
		l.Deliver(0, ledger.Stamp{Publisher: 1, Sequence: sequence})
	}
	for _, sequence := range odd {
		l.Deliver(0, ledger.Stamp{Publisher: 0, Sequence: sequence})
	}
}

func TestWhatGoesWrongIsCounted(t *testing.T) {
	for name, test := range map[string]struct {
		odd  []uint32
		want ledger.Counts
	}{
		"all in order":          {odd: []uint32{0, 1, 2, 3}},
		"the first lost":        {odd: []uint32{1, 2, 3}, want: ledger.Counts{Lost: 1}},
		"two lost in between":   {odd: []uint32{0, 3}, want: ledger.Counts{Lost: 2}},
		"the last lost":         {odd: []uint32{0, 1, 2}, want: ledger.Counts{Lost: 1}},
		"all lost":              {want: ledger.Counts{Lost: 4}},
		"twice":                 {odd: []uint32{0, 1, 1, 2, 3}, want: ledger.Counts{Duplicated: 1}},
		"twice, later":          {odd: []uint32{0, 1, 2, 3, 0}, want: ledger.Counts{Duplicated: 1}},
		"two exchanged":         {odd: []uint32{0, 2, 1, 3}, want: ledger.Counts{Reordered: 1}},
		"late and twice":        {odd: []uint32{1, 0, 0, 2, 3}, want: ledger.Counts{Reordered: 1, Duplicated: 1}},
		"one late and one lost": {odd: []uint32{2, 0, 3}, want: ledger.Counts{Reordered: 1, Lost: 1}},
		"never published":       {odd: []uint32{0, 1, 2, 3, 4}, want: ledger.Counts{Stray: 1}},
	} {
		l := script()
		deliver(l, test.odd...)
		if got := l.Counts(); got != test.want {
			t.Errorf("%s: %+v, want %+v", name, got, test.want)
		}
		if got := l.Counts(); got.Clean() != (test.want == ledger.Counts{}) {
			t.Errorf("%s: clean %v", name, got.Clean())
		}
	}
}

func TestStraysAreNoDeliveries(t *testing.T) {
	l := script()
	deliver(l, 0, 1, 2, 3)
	for _, stamp := range []ledger.Stamp{{Publisher: 2, Sequence: 1}, {Publisher: 3}, {Publisher: 99_999}} {
		if got := l.Deliver(0, stamp); got != ledger.Stray {
			t.Errorf("%v: verdict %v", stamp, got)
		}
	}
	l.Damage()
	if got, want := l.Counts(), (ledger.Counts{Stray: 3, Damaged: 1}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}
