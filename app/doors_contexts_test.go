package app_test

import (
	"fmt"
	"slices"
	"strings"

	"pgregory.net/rapid"
)

// doorField is a field of a walker's context, and texts of JSON for it, most of
// which fit.
type doorField struct {
	name  string
	texts *rapid.Generator[string]
}

// drawContext makes up the text of a context for a walker: whole and right, or
// with something wrong.
func drawContext(rt *rapid.T, row doorRow) string {
	switch {
	case chance(rt, 1, 16, "no context"):
		return ""
	case chance(rt, 1, 16, "an empty context"):
		return "{}"
	}
	spoilt := chance(rt, 2, 5, "something wrong")
	var members []string
	for _, field := range row.fields {
		if text, sent := drawMember(rt, field, spoilt); sent {
			members = append(members, drawName(rt, field.name)+":"+text)
		}
	}
	members = append(members, drawStrangers(rt, row)...)
	if len(members) > 0 && chance(rt, 1, 16, "a name twice") {
		name, _, _ := strings.Cut(members[0], ":")
		members = append(members, name+":1")
	}
	if len(members) > 1 {
		members = rapid.Permutation(members).Draw(rt, "order")
	}
	if chance(rt, 1, 5, "spaces") {
		return "{ " + strings.Join(members, " ,\r\n\t") + "\n}"
	}
	return "{" + strings.Join(members, ",") + "}"
}

func drawMember(rt *rapid.T, field doorField, spoilt bool) (text string, sent bool) {
	if spoilt && chance(rt, 1, 3, "spoil "+field.name) {
		switch rapid.IntRange(0, 3).Draw(rt, "how") {
		case 0:
			return "", false
		case 1:
			return "null", true
		default:
			return anyJSON.Draw(rt, field.name), true
		}
	}
	return field.texts.Draw(rt, field.name), true
}

// drawName writes a name plainly or with an escape, which is the same name.
func drawName(rt *rapid.T, name string) string {
	if chance(rt, 1, 8, "escape "+name) {
		return fmt.Sprintf(`"\u%04x%s"`, name[0], name[1:])
	}
	return asJSON(name)
}

// drawStrangers are names that no walker knows: passed over, whatever they hold.
func drawStrangers(rt *rapid.T, row doorRow) []string {
	var members []string
	if chance(rt, 1, 4, "strange names") {
		names := rapid.SliceOfNDistinct(rapid.SampledFrom(strangeFields), 1, 3, rapid.ID).Draw(rt, "strange names")
		for _, name := range names {
			if slices.ContainsFunc(row.fields, func(field doorField) bool { return field.name == name }) {
				continue
			}
			members = append(members, asJSON(name)+":"+anyJSON.Draw(rt, name))
		}
	}
	if chance(rt, 1, 16, "much") {
		size := rapid.IntRange(50, 40_000).Draw(rt, "much")
		members = append(members, `"much":"`+strings.Repeat("x", size)+`"`)
	}
	if chance(rt, 1, 16, "depth") {
		depth := rapid.OneOf(rapid.IntRange(1, 70), rapid.SampledFrom([]int{1_000, 12_000})).Draw(rt, "depth")
		members = append(members, `"depth":`+strings.Repeat("[", depth)+strings.Repeat("]", depth))
	}
	if chance(rt, 1, 24, "half a pair") {
		members = append(members, `"half":{"a":["\ud800"]}`)
	}
	return members
}

// chance is true in n of so many draws. It shrinks to false.
func chance(rt *rapid.T, n, of int, label string) bool {
	return rapid.IntRange(0, of-1).Draw(rt, label) >= of-n
}

var strangeFields = []string{"extra", "Word", "WORD", "wörd", "", "word ", "reports", "status", "type", "id", "$", "a.b", "0"}

// strangeNames are no walkers' names, but for the private one's.
var strangeNames = []string{
	"private", "nobody_of_that_name", "Open", "open ", "op", "öffne", ".", "..", "a/b", "%", "open%2Fx", "open?x=1", "#", "\"", "\\",
	strings.Repeat("long", 500), "\x01", "open\x00", "healthz",
}

// doorNodes are nodes in forms that a path may stumble over.
func doorNodes() []string {
	return []string{
		"allow:1", "refuse:1", "fault:1", "panic:1", "internal:1",
		"n1", "a b", "a+b", "a/b", "/", "a/", "/a", "..", ".", "100%", "%2F", "%zz", "?x=1", "#x", "a:b", "ünï", "🜁", "null", "n::1", "n:",
		"\x01", "\x00", `"`, `\`, "<b>&", "a;b=c", "*", "{node}", ":node",
		strings.Repeat("x", 256), strings.Repeat("x", 257), strings.Repeat("é", 128), strings.Repeat("é", 129), strings.Repeat("x", 2000),
	}
}

// rootSpellings are a root in forms that all mean it, and in one that does not.
func rootSpellings(root string) []string {
	hex := strings.TrimPrefix(root, "n::")
	return []string{root, "n::" + strings.ToUpper(hex), "n:root:" + hex, "n: / :" + hex, "n::" + hex + "0", hex}
}

// Texts of JSON.
var (
	strangeTexts = rapid.SampledFrom([]string{
		`""`, `"word"`, `" "`, `"é🜁"`, `"\u00e9\ud83d\udf01"`, `"<b>&amp;</b>"`, `"\u2028\u2029"`, `"\u0000\u007f"`, `"a\"\\\/\b\f\n\r\t"`, `"\ufffd"`, `"null"`, `"1"`,
	})
	textsJSON = rapid.OneOf(strangeTexts, rapid.Map(rapid.String(), asJSON))

	integersJSON = rapid.OneOf(
		rapid.Map(rapid.IntRange(-200, 200), func(n int) string { return fmt.Sprint(n) }),
		rapid.SampledFrom([]string{
			"0", "-0", "127", "128", "-128", "-129", "255", "256", "32767", "65535", "65536", "2147483647", "4294967296",
			"9007199254740993", "9223372036854775807", "9223372036854775808", "-9223372036854775809", "18446744073709551615",
			"18446744073709551616", "1" + strings.Repeat("0", 400), "1.0", "1e2", "1E+2", "1.5",
		}))
	smallIntegers = rapid.Map(rapid.IntRange(0, 9), func(n int) string { return fmt.Sprint(n) })
	numbersJSON   = rapid.OneOf(integersJSON, rapid.SampledFrom([]string{
		"0.1", "-0.0", "1e-400", "1e308", "1e309", "3.4028235e38", "3.4028236e38", "1e39", "-1e400", "0.30000000000000004", "123456789.123456789123456789",
	}))
	booleansJSON = rapid.SampledFrom([]string{"true", "false"})

	// anyJSON is any JSON, most of it wrong anywhere.
	anyJSON = rapid.OneOf(textsJSON, numbersJSON, booleansJSON, rapid.SampledFrom([]string{
		"null", "[]", "{}", "[null]", "[[]]", `["a",1]`, `{"a":{"b":[1,{"c":null}]}}`, `{"":""}`, "[1,2,3]", `"true"`, `"3"`,
	}))
)

// listOf writes lists of so many items at most.
func listOf(item *rapid.Generator[string], most int) *rapid.Generator[string] {
	return rapid.Map(rapid.SliceOfN(item, 0, most), func(items []string) string { return "[" + strings.Join(items, ",") + "]" })
}

// mapOf writes objects with any names.
func mapOf(item *rapid.Generator[string]) *rapid.Generator[string] {
	return rapid.Map(rapid.MapOfN(rapid.StringN(0, 5, -1), item, 0, 3), func(items map[string]string) string {
		var members []string
		for name, item := range items {
			members = append(members, asJSON(name)+":"+item)
		}
		slices.Sort(members)
		return "{" + strings.Join(members, ",") + "}"
	})
}

// objectOf writes objects of just these fields, each now and then left out.
func objectOf(fields ...doorField) *rapid.Generator[string] {
	return rapid.Custom(func(rt *rapid.T) string {
		var members []string
		for _, field := range fields {
			if !chance(rt, 1, 8, "without "+field.name) {
				members = append(members, drawName(rt, field.name)+":"+field.texts.Draw(rt, field.name))
			}
		}
		return "{" + strings.Join(members, ",") + "}"
	})
}

// orNull is now and then null.
func orNull(texts *rapid.Generator[string]) *rapid.Generator[string] {
	return rapid.OneOf(texts, texts, texts, rapid.Just("null"))
}
