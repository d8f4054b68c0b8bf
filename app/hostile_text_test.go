//go:build linux

package app_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// said is a text message that an error must answer.
func said(text string) hostileStrike {
	return socketStrike{text: text}
}

// published is data that must come back as it was written.
func published(data string) hostileStrike {
	text := `{"type":"channel","channel_ids":["` + hostileRoom + `"],"data":` + data + `}`
	return socketStrike{text: text, written: []byte(data)}
}

// echoed is a value that a walker must give back as it was written.
func echoed(value string) hostileStrike { return reported("echo", `{"value":`+value+`}`, value) }

func reported(walker, context, report string) hostileStrike {
	text := `{"type":"walker","walker":"` + walker + `","response":true,"context":` + context + `}`
	return socketStrike{text: text, written: []byte(`{"status":200,"reports":[` + report + `]}`)}
}

// inContext is a call of a walker with a context that is wrong.
func inContext(walker, context string) hostileStrike {
	return said(`{"type":"walker","walker":"` + walker + `","response":true,"context":` + context + `}`)
}

func plainWord(random *rand.Rand, length int) string {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789"
	word := make([]byte, length)
	for i := range word {
		word[i] = letters[random.IntN(len(letters))]
	}
	return string(word)
}

func pingFrame(random *rand.Rand) string {
	return `{"type":"ping","id":"` + plainWord(random, 8) + `"}`
}

// goodFrame is a frame that would be carried out.
func goodFrame(random *rand.Rand) string {
	return pick(random,
		pingFrame(random),
		`{"type":"connection"}`,
		`{"type":"walker","walker":"echo","context":{"value":`+jsonValue(random, 3)+`}}`,
		`{"type":"channel","channel_ids":["`+hostileRoom+`"],"data":{"n":`+jsonValue(random, 3)+`}}`,
		`{"type":"change_user","token":null,"more":`+jsonValue(random, 2)+`}`,
	)
}

// jsonValue is any JSON, compact, with names in order.
func jsonValue(random *rand.Rand, depth int) string {
	switch kind := random.IntN(7); {
	case kind == 0 && depth > 0:
		items := make([]string, random.IntN(4))
		for i := range items {
			items[i] = jsonValue(random, depth-1)
		}
		return "[" + strings.Join(items, ",") + "]"
	case kind == 1 && depth > 0:
		members := make([]string, random.IntN(4))
		for i := range members {
			members[i] = fmt.Sprintf(`"%c%s":%s`, 'a'+i, plainWord(random, 3), jsonValue(random, depth-1))
		}
		return "{" + strings.Join(members, ",") + "}"
	case kind <= 3:
		return strconv.Itoa(random.IntN(1000) - 500)
	case kind == 4:
		return pick(random, "true", "false", "null")
	}
	return `"` + pick(random, "", "é", "😀", `\"`, `\u0000`, "\\\\") + plainWord(random, random.IntN(8)) + `"`
}

func drawBadJSON(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike {
		return said(brokenJSON(random, goodFrame(random)))
	})
}

// brokenJSON is text near that one, and no JSON.
func brokenJSON(random *rand.Rand, text string) string {
	for {
		if broken := damaged(random, text); !json.Valid([]byte(broken)) {
			return broken
		}
	}
}

func damaged(random *rand.Rand, text string) string {
	runes := []rune(text)
	at := random.IntN(len(runes))
	head, tail := string(runes[:at]), string(runes[at:])
	switch random.IntN(9) {
	case 0:
		return head
	case 1:
		return tail
	case 2:
		return head + string(runes[at+1:])
	case 3:
		return head + pick(random, ",", ":", "{", "]", `"`, "'", "\x00", "\n", "/*x*/", "//", "NaN", "Infinity", "undefined", "0x1", "\ufeff") + tail
	case 4:
		return text + pick(random, text, "x", "{}", "]", "}", ",", "\x00", " null", " []")
	case 5:
		return strings.ReplaceAll(text, `"`, pick(random, "'", "`", "", `\"`))
	case 6:
		return pick(random, "", " ", "\n", "\ufeff", "hello", "{", "}", "[", `"`, "tru", "nul", "-", "+1", ".5", "1.", "01", "1e", "\x00") + strings.Repeat(" ", random.IntN(20))
	case 7:
		return strings.Repeat(pick(random, "[", `{"a":`, `[{"a":[`, "{"), 1+random.IntN(8000))
	}
	return `{"type":"ping","id":"` + pick(random, `\x41`, `\u12`, `\u{41}`, "\t", "\n", "\x01", `\`, `\'`, `\0`) + `"}`
}

func drawNoObject(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike {
		for {
			space := strings.Repeat(pick(random, " ", "\n", "\t", "\r"), random.IntN(5))
			if text := jsonValue(random, 4); text[0] != '{' {
				return said(space + text + space)
			}
		}
	})
}

// nest is JSON so many levels deep.
func nest(random *rand.Rand, levels int) string {
	var head, tail strings.Builder
	closers := make([]byte, 0, levels)
	for range levels {
		if random.IntN(2) == 0 {
			head.WriteByte('[')
			closers = append(closers, ']')
		} else {
			head.WriteString(`{"a":`)
			closers = append(closers, '}')
		}
	}
	for i := len(closers) - 1; i >= 0; i-- {
		tail.WriteByte(closers[i])
	}
	return head.String() + "1" + tail.String()
}

const (
	hostileDepth = 64      // of a frame, and of a context
	jsonDepth    = 10_000  // of any JSON that is read at all
	hostileFrame = 1 << 16 // bytes of a message
)

func drawDeepFrames(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike {
		deep := nest(random, hostileDepth+random.IntN(pick(random, 2, 100, 8000)))
		switch random.IntN(4) {
		case 0:
			return said(`{"type":"ping","more":` + deep + `}`)
		case 1:
			return said(`{"type":` + deep + `}`)
		case 2:
			return said(`{"type":"client","client_ids":[` + deep + `],"data":{}}`)
		}
		return said(`{"type":"channel","channel_ids":["` + hostileRoom + `"],"data":{"a":` + deep + `}}`)
	})
}

func drawDeepContexts(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike {
		deep := nest(random, hostileDepth+random.IntN(pick(random, 2, 100, jsonDepth+100)))
		return inContext(pick(random, "echo", "tree", "sum"), `{"`+pick(random, "value", "tree", "unknown")+`":`+deep+`}`)
	})
}

func drawDeepEnough(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike {
		if random.IntN(2) == 0 {
			return echoed(nest(random, hostileDepth-1-random.IntN(3)))
		}
		return published(`{"a":` + nest(random, hostileDepth-2-random.IntN(3)) + `}`)
	})
}

// longNumber is a number that no machine's type holds as it is written.
func longNumber(random *rand.Rand) string {
	digits := fmt.Sprintf("%d", 1+random.IntN(9))
	for range 29 + random.IntN(200) {
		digits += strconv.Itoa(random.IntN(10))
	}
	return pick(random, "", "-") + pick(random, digits, digits, "0."+digits, digits+".0", digits+"e"+plainDigits(random), "1E+"+digits[:5], "1.50e-"+digits[:4], "0.1000", "-0", "-0.0", "1e400")
}

func plainDigits(random *rand.Rand) string { return strconv.Itoa(random.IntN(1000)) }

func unsigned(number string) string { return strings.Replace(number, "--", "-", 1) }

func drawNumbersInData(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike {
		return published(`{"n":` + unsigned(longNumber(random)) + `,"list":[` + unsigned(longNumber(random)) + `, ` + unsigned(longNumber(random)) + `]}`)
	})
}

func drawNumbersInContexts(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike { return echoed(unsigned(longNumber(random))) })
}

func drawNumbersForIntegers(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike {
		number := unsigned(longNumber(random))
		if number == "-0" {
			number = "9223372036854775808"
		}
		return inContext("sum", pick(random, `{"a":`+number+`}`, `{"a":1,"b":`+number+`}`))
	})
}

// half is a string with half of a surrogate pair in it.
func half(random *rand.Rand) string {
	unit := func(from, to int) string {
		text := fmt.Sprintf("%04x", from+random.IntN(to-from))
		if random.IntN(2) == 0 {
			text = strings.ToUpper(text)
		}
		return `\u` + text
	}
	high, low := unit(0xd800, 0xdc00), unit(0xdc00, 0xe000)
	return `"` + plainWord(random, random.IntN(4)) +
		pick(random, high, low, low+high, high+high+low, high+low+low, high+"a"+low, high+`\n`, high+`\u0041`, high+"é") +
		plainWord(random, random.IntN(4)) + `"`
}

func drawSurrogates(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike {
		return said(pick(random,
			`{"type":`+half(random)+`}`,
			`{"type":"ping","id":`+half(random)+`}`,
			`{"type":"ping",`+half(random)+`:1}`,
			`{"type":"client","client_ids":[`+half(random)+`],"data":{}}`,
			`{"type":"channel","channel_ids":["`+hostileRoom+`"],"data":{"a":{"b":[`+half(random)+`]}}}`,
			`{"type":"channel","channel_ids":["`+hostileRoom+`"],"data":{`+half(random)+`:1}}`,
			`{"type":"walker","walker":`+half(random)+`}`,
		))
	})
}

func drawSurrogatesInContexts(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike {
		return inContext(pick(random, "echo", "tree", "sum"), pick(random,
			`{"value":`+half(random)+`}`, `{"tree":{`+half(random)+`:1}}`, `{"a":1,"b":2,"more":[[`+half(random)+`]]}`, `{`+half(random)+`:1}`,
		))
	})
}

// trapped is an object of names that mean something to programs that should
// not listen to them, compact and with the names in order.
func trapped(random *rand.Rand, depth int) string {
	names := []string{"__class__", "__proto__", "constructor", "hasOwnProperty", "length", "prototype", "then", "toJSON", "toString", "valueOf"}
	var members []string
	for _, name := range names {
		if random.IntN(3) > 0 {
			continue
		}
		value := pick(random, `{"admin":true}`, "null", `"x"`, "[1]", `{"__proto__":{"polluted":true}}`, `{"prototype":{"root":"n::000000000000000000000001"}}`)
		if depth > 0 && random.IntN(2) == 0 {
			value = trapped(random, depth-1)
		}
		members = append(members, `"`+name+`":`+value)
	}
	if members == nil {
		members = []string{`"__proto__":{}`}
	}
	return "{" + strings.Join(members, ",") + "}"
}

func drawProtoInData(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike { return published(trapped(random, 3)) })
}

func drawProtoInContexts(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike {
		value := trapped(random, 3)
		switch random.IntN(3) {
		case 0:
			return reported("tree", `{"tree":`+value+`}`, value)
		case 1: // fields that no walker has
			return reported("sum", value[:len(value)-1]+`,"a":1}`, `{"label":"sum","sum":2,"tags":null},null`)
		}
		return echoed(value)
	})
}

// doubled is an object in which a name stands twice.
func doubled(random *rand.Rand) string {
	name := plainWord(random, 1+random.IntN(6))
	again := name
	if random.IntN(2) == 0 {
		again = fmt.Sprintf(`\u%04x`, name[0]) + name[1:]
	}
	object := fmt.Sprintf(`{"%s":%s,"é":1,"%s":%s}`, name, jsonValue(random, 2), again, jsonValue(random, 2))
	for range random.IntN(4) {
		object = pick(random, `{"x":`+object+`}`, `{"x":[1,`+object+`]}`)
	}
	return object
}

func drawDoubled(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike {
		return said(pick(random,
			`{"type":"ping","type":"ping"}`,
			`{"type":"ping","\u0074ype":"connection"}`,
			`{"id":"1","type":"ping","id":"1"}`,
			`{"type":"walker","walker":"echo","context":{"value":1},"context":{"value":1}}`,
			`{"type":"channel","channel_ids":["`+hostileRoom+`"],"channel_ids":["`+hostileRoom+`"],"data":{}}`,
			`{"type":"ping","more":`+doubled(random)+`}`,
			`{"type":"ping",`+doubled(random)[1:],
			`{"type":"channel","channel_ids":["`+hostileRoom+`"],"data":`+doubled(random)+`}`,
			`{"type":"walker","walker":"echo","context":{"value":1},"more":`+doubled(random)+`}`,
		))
	})
}

func drawDoubledInContexts(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike {
		return inContext(pick(random, "echo", "tree", "sum"), pick(random,
			`{"value":1,"tree":{},"a":1,"value":1,"tree":{},"a":1}`, `{"a":1,"\u0061":1,"value":1,"tree":{}}`,
			`{"a":1,"tree":{},"value":`+doubled(random)+`}`, `{"a":1,"value":1,"tree":`+doubled(random)+`}`, `{"a":1,"value":1,"tree":{},"more":`+doubled(random)+`}`,
		))
	})
}

func drawManyTargets(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike {
		kind := pick(random, "user", "channel", "client")
		name := map[string]string{"user": "root_ids", "channel": "channel_ids", "client": "client_ids"}[kind]
		target := pick(random, `"`+hostileRoom+`"`, `""`, `"`+plainWord(random, 8)+`"`, "1", "[]")
		targets := strings.Repeat(target+",", 100+random.IntN(pick(random, 2, 50, 4000))) + target
		return said(`{"type":"` + kind + `","` + name + `":[` + targets + `],"data":{}}`)
	})
}

func drawLongLists(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike {
		item := pick(random, "0", "[]", "{}", `""`, "null", `{"a":[1]}`)
		room := hostileFrame - 200
		if random.IntN(4) > 0 {
			room = 1 + random.IntN(room)
		}
		return echoed("[" + strings.Repeat(item+",", room/(len(item)+1)) + item + "]")
	})
}

func drawUnknownTypes(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike {
		kind := pick(random, "", "Walker", "PING", "ping ", " ping", "reply", "error", "pong", "subscribe", "__proto__", "constructor", "toString",
			`\u0000`, `ping\u0000`, "ｐｉｎｇ", "😀", plainWord(random, 1+random.IntN(300)), strings.Repeat("ping", 5000))
		return said(`{"type":"` + kind + `","walker":"echo","more":` + jsonValue(random, 3) + `}`)
	})
}

// wrongOf is a JSON value of none of those kinds, told by their first bytes.
func wrongOf(random *rand.Rand, kinds string) string {
	for {
		value := pick(random, `"text"`, "1", "0", "-1", "true", "false", "null", "[]", "{}", `["x"]`, `{"a":1}`, `""`, `"true"`)
		if !strings.Contains(kinds, value[:1]) {
			return value
		}
	}
}

func drawWrongFields(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike {
		kind := pick(random, "user", "channel", "client")
		targets := `"` + map[string]string{"user": "root_ids", "channel": "channel_ids", "client": "client_ids"}[kind] + `":`
		good := targets + `["` + hostileRoom + `"]`
		return said(pick(random,
			`{"walker":"echo"}`, `{}`, `{"Type":"ping"}`, `{"TYPE":"ping"}`,
			`{"type":`+wrongOf(random, `"`)+`}`,
			`{"type":"walker"}`, `{"type":"walker","Walker":"echo"}`,
			`{"type":"walker","walker":`+wrongOf(random, `"`)+`}`,
			`{"type":"walker","walker":"echo","context":`+wrongOf(random, "{")+`}`,
			`{"type":"walker","walker":"echo","node":`+wrongOf(random, `"n`)+`}`,
			`{"type":"walker","walker":"echo","response":`+wrongOf(random, "tf")+`}`,
			`{"type":"change_user","token":`+wrongOf(random, `"n`)+`}`,
			`{"type":"`+kind+`","data":{}}`,
			`{"type":"`+kind+`",`+good+`}`,
			`{"type":"`+kind+`",`+good+`,"data":`+wrongOf(random, "{")+`}`,
			`{"type":"`+kind+`",`+targets+wrongOf(random, "[")+`,"data":{}}`,
			`{"type":"`+kind+`",`+targets+`[],"data":{}}`,
			`{"type":"`+kind+`",`+targets+`["x",`+wrongOf(random, `"`)+`],"data":{}}`,
		))
	})
}

func drawWrongIDs(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike {
		long := pick(random, "x", "é", "😀", `\u0041`)
		id := pick(random, wrongOf(random, `"`), `""`, `"`+strings.Repeat(long, 65+random.IntN(1000))+`"`)
		frame := goodFrame(random)
		for strings.Contains(frame, `"id"`) {
			frame = goodFrame(random)
		}
		return said(`{"id":` + id + `,` + frame[1:])
	})
}

func drawReserved(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike {
		kind := pick(random, "connection", "walker", "reply", "error", "channel", "pong")
		if random.IntN(2) == 0 {
			kind = fmt.Sprintf(`\u%04x`, kind[0]) + kind[1:]
		}
		members := []string{
			`"type":"` + kind + `"`, `"more":` + jsonValue(random, 2), `"id":"7"`,
		}
		if random.IntN(3) == 0 { // or what a walker answers
			members = []string{`"status":` + jsonValue(random, 1), `"reports":` + jsonValue(random, 2), `"type":` + pick(random, `""`, "0", "null", "false", "[]")}
		}
		random.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
		return said(`{"type":"channel","channel_ids":["` + hostileRoom + `"],"data":{` + strings.Join(members, ",") + `}}`)
	})
}

func drawForbidden(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike {
		target := `"` + pick(random, publicRoot, plainWord(random, 12), "", "$me", "*", "../"+hostileRoom, hostileRoom+`\u0000`, "Siege", strings.Repeat("x", 5000)) + `"`
		return said(pick(random,
			`{"type":"user","root_ids":[`+target+`],"data":{}}`,
			`{"type":"client","client_ids":[`+target+`],"data":{}}`,
			`{"type":"channel","channel_ids":[`+target+`],"data":{}}`,
			`{"type":"channel","channel_ids":["`+hostileRoom+`",`+target+`],"data":{}}`,
		))
	})
}

func drawUnknownWalkers(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike {
		name := pick(random, "", "Echo", "echo ", "../echo", "echo/", "rest_only", "private_sum", "__proto__", "constructor", `echo\u0000`, `\u0000`,
			"ｅｃｈｏ", plainWord(random, 1+random.IntN(40)), strings.Repeat("echo", 5000), "'; DROP TABLE users; --")
		return said(`{"type":"walker","walker":"` + name + `","context":{"value":` + jsonValue(random, 3) + `}}`)
	})
}

func drawWrongContexts(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike {
		return pick(random,
			inContext("echo", `{}`), inContext("echo", `{"Value":1}`),
			inContext("sum", `{"a":`+wrongOf(random, "-01")+`}`),
			inContext("sum", `{"a":1,"label":`+wrongOf(random, `"`)+`}`),
			inContext("sum", `{"a":1,"label":"`+strings.Repeat("x", 9+random.IntN(9000))+`"}`),
			inContext("sum", `{"a":1,"tags":`+wrongOf(random, "[")+`}`),
			inContext("sum", `{"a":1,"tags":[`+strings.Repeat(wrongOf(random, `"`)+",", random.IntN(3000))+`1]}`),
			inContext("tree", `{"tree":`+wrongOf(random, "{")+`}`),
			inContext("upload", `{"one":`+wrongOf(random, "n")+`}`),
		)
	})
}
