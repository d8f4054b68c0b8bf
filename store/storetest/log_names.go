package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/walkergate/walkergate/channels"
	"github.com/walkergate/walkergate/store"
)

// keepChannelsApart says one thing more in each of many channels of much the
// same name, and counts along.
func keepChannelsApart(t *testing.T, s store.Store) {
	said := make(map[string]int64)
	var order []string
	say := func(name string) {
		if said[name] == 0 {
			order = append(order, name)
		}
		said[name]++
		message := someMessage(int(said[name]))
		message.Owner = name
		_, places := appendAll(t, s, name, lasting, message)
		if places[0].Seq != said[name] {
			t.Fatalf("the message %d of %q got the seq %d", said[name], name, places[0].Seq)
		}
	}
	for _, name := range slices.Concat(lookalikes, longNames()) {
		say(name)
	}
	rapid.Check(t, func(rt *rapid.T) {
		for _, name := range twins(rapid.StringOfN(channelRunes, 1, 12, -1).Draw(rt, "name")) {
			say(name)
		}
	})
	for asked := range slices.Chunk(order, channels.MaxPage) {
		heads, err := s.Heads(t.Context(), asked)
		must(t, err)
		for i, head := range heads {
			same(t, fmt.Sprintf("the head of %q", asked[i]), head.Seq, said[asked[i]])
		}
	}
	for _, name := range order[:len(lookalikes)+4] {
		for _, message := range wholeLog(t, s, name) {
			same(t, "whose message stands in the log", message.Owner, name)
		}
	}
}

// channelRunes are such as stores trip over, and a few others.
var channelRunes = rapid.OneOf(
	rapid.SampledFrom([]rune("aA\x00 é.$\"'%_\\/:{}\u0301\u200b\ufeff\ufffd🦊ßſıK\u212a")),
	rapid.Rune().Filter(func(r rune) bool { return r < 0xd800 || r > 0xdfff }),
)

// twins are names that differ from one, and from each other, by as little as
// can be.
func twins(name string) []string {
	all := []string{
		name, name + " ", " " + name, name + "\x00", name + "\x00a", name + "\n", name + "\u200b",
		strings.ToUpper(name), strings.ToLower(name), strings.ToTitle(name),
		strings.ReplaceAll(name, "é", "e\u0301"), strings.ReplaceAll(name, "\u212a", "K"),
		strings.TrimSpace(name), strings.Trim(name, "\x00"),
	}
	slices.Sort(all)
	all = slices.Compact(all)
	return slices.DeleteFunc(all, func(name string) bool { return name == "" || len(name) > 300 })
}

// longNames differ in their last byte alone.
func longNames() []string {
	var all []string
	for _, length := range []int{255, 256, 257, 300} {
		for _, last := range []string{"a", "b", "A", " ", "\x00"} {
			all = append(all, strings.Repeat("x", length-1)+last)
		}
	}
	return append(all, strings.Repeat("é", 150), strings.Repeat("e\u0301", 100))
}
