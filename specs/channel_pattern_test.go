package specs_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/walkergate/walkergate/specs"
)

func pattern(t testing.TB, text string) specs.Pattern {
	t.Helper()
	p, err := specs.ParsePattern(text)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return p
}

func TestPatternsMatch(t *testing.T) {
	type vars = map[string]string
	for text, ids := range map[string]map[string]vars{ // nil: no match
		"lobby": {"lobby": {}, "lobby2": nil, "lobb": nil, "": nil, "Lobby": nil, "xlobby": nil},
		"room:{id}": {
			"room:1": {"id": "1"}, "room:é{}$ x": {"id": "é{}$ x"}, "room:\x00": {"id": "\x00"},
			"room:": nil, "room": nil, "room:1:2": nil, "room::": nil, "broom:1": nil,
		},
		"room:{id...}": {"room:1": {"id": "1"}, "room:1:2": {"id": "1:2"}, "room::": {"id": ":"}, "room:": nil},
		"{all...}":     {"x": {"all": "x"}, ":": {"all": ":"}, "": nil},
		"{a}":          {"x": {"a": "x"}, "a:b": nil, ":": nil},
		"{org}/room:{id}:state": {
			"acme/room:7:state": {"org": "acme", "id": "7"}, "acme/room::state": nil, "acme/room:7:8:state": nil,
			"a:b/room:7:state": nil, "acme/room:7:stat": nil, "/room:7:state": nil, "acme/room:7:state:": nil,
		},
		"{a}-{b}": {"1-2": {"a": "1", "b": "2"}, "1-2-3": {"a": "1", "b": "2-3"}, "--": nil, "---": {"a": "-", "b": "-"}, "-1": nil, "1-": nil},
		"{a}x{b}x": {
			"1x2x": {"a": "1", "b": "2"}, "xxxx": {"a": "x", "b": "x"}, "xxx": nil, "1x2": nil,
			"1x2x3x": {"a": "1", "b": "2x3"}, "1:x2x": nil, "1x2:x": nil,
		},
		"{a}x:{b...}":  {"1x2x:3": {"a": "1x2", "b": "3"}, "1x:2x:3": {"a": "1", "b": "2x:3"}, "1:x:2": nil},
		"q-{a}-{r...}": {"q-1-2:3-4": {"a": "1", "r": "2:3-4"}, "q-1:2-3": nil},
		"日{x}本":        {"日曜本": {"x": "曜"}, "日本": nil, "本日本": nil},
	} {
		p := pattern(t, text)
		if p.String() != text {
			t.Errorf("%q became %q", text, p)
		}
		for id, want := range ids {
			got, ok := p.Match(id)
			if want == nil {
				if ok || p.Matches(id) {
					t.Errorf("%q matches %q", text, id)
				}
				continue
			}
			if len(want) == 0 {
				want = nil
			}
			if diff := cmp.Diff(want, got); !ok || !p.Matches(id) || diff != "" {
				t.Errorf("%q and %q (%t, -want +got):\n%s", text, id, ok, diff)
			}
		}
	}
}

func TestFaultyPatterns(t *testing.T) {
	for text, want := range map[string][]string{
		"":                       {"must have 1 to 256 bytes"},
		strings.Repeat("x", 257): {"must have 1 to 256 bytes"},
		"a\xff":                  {"is not UTF-8"},
		"$me:{x}":                {"begins with $, as the gateway's own channels do"},
		"a{":                     {`"{" is malformed`},
		"a}b":                    {`"}" is malformed`},
		"a{b":                    {`"{b" is malformed`},
		"{}":                     {`"{}" is malformed`},
		"{...}":                  {`"{...}" is malformed`},
		"{a..}":                  {`"{a..}" is malformed`},
		"{a....}":                {`"{a....}" is malformed`},
		"{a b}":                  {`"{a b}" is malformed`},
		"{1a}":                   {`"{1a}" is malformed`},
		"{é}":                    {`"{é}" is malformed`},
		"{{a}}":                  {`"{{a}" is malformed`, `"}" is malformed`},
		"{a}:{a}":                {"variable {a} stands twice"},
		"{a}{b}":                 {"{b} follows another variable with nothing between"},
		"{a}{b...}":              {"{b...} follows another variable with nothing between"},
		"{a...}x":                {"{a...} may stand at the end only"},
		"{a...}:{b}":             {"{a...} may stand at the end only"},
		"$a{b}{c}-{b}}":          {"begins with $", "{c} follows another", "variable {b} stands twice", `"}" is malformed`},
	} {
		_, err := specs.ParsePattern(text)
		if err == nil {
			t.Errorf("%q is no fault", text)
			continue
		}
		got := strings.Split(err.Error(), "\n")
		if !slices.EqualFunc(got, want, strings.HasPrefix) {
			t.Errorf("%q is told as %q, want %q", text, got, want)
		}
	}
}

// Whatever the order in which they were given, patterns are asked in one.
func TestTheOrderOfPatterns(t *testing.T) {
	want := []string{
		"team:a:lobby", "team:a:{room}", "team:{x}:lobby", "team:{x}:{y}", "team:{x}:{y...}", "team:{x}", "team:{x...}",
		"{x}-lobby", "{x}-{y}", "{a}", "{b...}",
	}
	rapid.Check(t, func(t *rapid.T) {
		var patterns []specs.Pattern
		for _, text := range rapid.Permutation(want).Draw(t, "patterns") {
			p, err := specs.ParsePattern(text)
			if err != nil {
				t.Fatal(err)
			}
			patterns = append(patterns, p)
		}
		slices.SortFunc(patterns, specs.Pattern.Compare)
		var got []string
		for _, p := range patterns {
			got = append(got, p.String())
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("order (-want +got):\n%s", diff)
		}
	})
}

// readings finds each way to read an id by a pattern, trying all.
func readings(parts []string, id string) [][]string {
	if len(parts) == 0 {
		if id == "" {
			return [][]string{nil}
		}
		return nil
	}
	part := parts[0]
	if !strings.HasPrefix(part, "{") {
		if rest, ok := strings.CutPrefix(id, part); ok {
			return readings(parts[1:], rest)
		}
		return nil
	}
	var all [][]string
	for n := 1; n <= len(id); n++ {
		if id[n-1] == ':' && !strings.HasSuffix(part, "...}") {
			break
		}
		for _, behind := range readings(parts[1:], id[n:]) {
			all = append(all, append([]string{id[:n]}, behind...))
		}
	}
	return all
}

// What is found without trying again is what is found by trying everything:
// the first way, which takes the shortest text for each variable.
func TestPatternsMatchAsIfAllWereTried(t *testing.T) {
	alphabet := rapid.StringOfN(rapid.SampledFrom([]rune("ab:-")), 1, 3, -1)
	rapid.Check(t, func(t *rapid.T) {
		var parts []string
		variables := rapid.IntRange(0, 4).Draw(t, "variables")
		if variables == 0 || rapid.Bool().Draw(t, "prefix") {
			parts = append(parts, alphabet.Draw(t, "literal"))
		}
		for i := range variables {
			last := i == variables-1
			if last && rapid.Bool().Draw(t, "open") {
				parts = append(parts, fmt.Sprintf("{v%d...}", i))
				break
			}
			parts = append(parts, fmt.Sprintf("{v%d}", i))
			if !last || rapid.Bool().Draw(t, "suffix") {
				parts = append(parts, alphabet.Draw(t, "literal"))
			}
		}
		p, err := specs.ParsePattern(strings.Join(parts, ""))
		if err != nil {
			t.Fatal(err)
		}
		// Half of the ids are made to match.
		var id strings.Builder
		for _, part := range parts {
			if strings.HasPrefix(part, "{") || rapid.IntRange(0, 9).Draw(t, "spoil") == 0 {
				part = alphabet.Draw(t, "text")
			}
			id.WriteString(part)
		}
		all := readings(parts, id.String())
		got, ok := p.Match(id.String())
		if ok != (len(all) > 0) || p.Matches(id.String()) != ok {
			t.Fatalf("%q and %q: %t, by trying all %q", p, id.String(), ok, all)
		}
		if !ok {
			return
		}
		for i, want := range all[0] {
			if name := fmt.Sprintf("v%d", i); got[name] != want {
				t.Fatalf("%q and %q: {%s} is %q, want %q", p, id.String(), name, got[name], want)
			}
		}
	})
}

func TestNothingIsAllocatedToMatch(t *testing.T) {
	p := pattern(t, "room:{a}-{b}-{c}:{d...}")
	for _, id := range []string{"room:" + strings.Repeat("-", 250), "room:1-2-3:4", "lobby"} {
		if n := testing.AllocsPerRun(100, func() { p.Matches(id) }); n != 0 {
			t.Errorf("%q: %v allocations", id, n)
		}
	}
	if n := testing.AllocsPerRun(100, func() { p.Match("room:" + "no match") }); n != 0 {
		t.Errorf("%v allocations where there is no match", n)
	}
}

func FuzzPattern(f *testing.F) {
	for _, seed := range [][2]string{{"room:{id}", "room:1"}, {"{a}-{b...}", "1-2:3"}, {"{a}{b}", "x"}, {"{", "}"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, text, id string) {
		p, err := specs.ParsePattern(text)
		if err != nil {
			return
		}
		variables, ok := p.Match(id)
		if ok != p.Matches(id) {
			t.Fatalf("%q and %q: Match says %t", text, id, ok)
		}
		if !ok {
			return
		}
		// Put back in their places, the variables give the id.
		var places []string
		for name, value := range variables {
			if value == "" {
				t.Fatalf("%q and %q: {%s} is empty", text, id, name)
			}
			places = append(places, "{"+name+"}", value, "{"+name+"...}", value)
		}
		if back := strings.NewReplacer(places...).Replace(text); back != id {
			t.Fatalf("%q and %q: the variables %v give %q", text, id, variables, back)
		}
	})
}

func BenchmarkPattern(b *testing.B) {
	for name, id := range map[string]string{
		"match": "acme:room:42:state", "no match": "acme:room:42:log", "other prefix": "lobby",
		"hard": "acme:" + strings.Repeat("-", 250),
	} {
		b.Run(name, func(b *testing.B) {
			p := pattern(b, "acme:{kind}:{id}:state")
			if name == "hard" {
				p = pattern(b, "acme:{a}-{b}-{c}-{d}:x")
			}
			b.ReportAllocs()
			for b.Loop() {
				p.Matches(id)
			}
		})
	}
}
