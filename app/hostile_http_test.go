//go:build linux

package app_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strings"
)

// asked is a request with those headers and that body.
func asked(line string, headers []string, body string) hostileStrike {
	return httpStrike{request: line + " HTTP/1.1\r\nHost: gateway\r\n" + strings.Join(append(headers, ""), "\r\n") + "\r\n" + body}
}

// posted is a request whose body has the length that it says.
func posted(path, kind, body string, headers ...string) hostileStrike {
	return asked("POST "+path, append(headers, "Content-Type: "+kind, fmt.Sprintf("Content-Length: %d", len(body))), body)
}

// header is one of a handshake.
type header struct{ name, value string }

func (h header) String() string { return h.name + ": " + h.value }

func handshake() []header {
	return []header{
		{"Connection", "Upgrade"}, {"Upgrade", "websocket"}, {"Sec-WebSocket-Version", "13"}, {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="},
	}
}

func shaken(headers []header, more ...string) hostileStrike {
	for _, each := range headers {
		more = append(more, each.String())
	}
	return asked("GET /websocket", more, "")
}

func drawMissingHeaders(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike {
		all := handshake()
		random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		return shaken(all[:random.IntN(len(all))], pick(random, "X-A: b", "Origin: http://gateway", "X-Long: "+plainWord(random, 900)))
	})
}

func drawWrongHeaders(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike {
		all := handshake()
		wrong := random.IntN(len(all))
		all[wrong].value = map[string]string{
			"Connection":            pick(random, "close,", "keep-alive", "Upgraded", "up grade", `"Upgrade"`, ""),
			"Upgrade":               pick(random, "h2c", "websockets", "web socket", "WebSocket/13", ""),
			"Sec-WebSocket-Version": pick(random, "8", "0", "14", "-13", "13.0", "x13", "", plainWord(random, 9)),
			"Sec-WebSocket-Key": pick(random, "", "x", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZQ=!", "dGhlIHNhbXBsZSBub25jZQ== x",
				base64.StdEncoding.EncodeToString([]byte(plainWord(random, 1+random.IntN(15)))), base64.StdEncoding.EncodeToString([]byte(plainWord(random, 17+random.IntN(200))))),
		}[all[wrong].name]
		return shaken(all)
	})
}

func drawForeignOrigins(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike {
		name := plainWord(random, 8)
		return shaken(handshake(), "Origin: "+pick(random, "null", "http://"+name+".example", "https://gateway."+name+".example", "http://gateway:81", "https://gateway:8443",
			"http://gateway@"+name+".example", "file://", name, "http://", "http://gateway.", "http://[::1", "javascript:alert(1)", "http://gateway%00."+name))
	})
}

func drawOffers(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike {
		strike := shaken(handshake(),
			"Sec-WebSocket-Extensions: "+pick(random, "permessage-deflate", "permessage-deflate; client_max_window_bits; server_max_window_bits=8",
				"permessage-deflate, permessage-deflate; client_no_context_takeover", "x-webkit-deflate-frame", "permessage-bzip2", plainWord(random, 50), ";;,,=", "permessage-deflate; "+plainWord(random, 500)),
			"Sec-WebSocket-Protocol: "+pick(random, "chat", "chat, superchat", "graphql-ws", plainWord(random, 20))).(httpStrike)
		strike.upgrade = true
		return strike
	})
}

func drawBadRequestLines(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike {
		path := "/" + plainWord(random, 5)
		line := pick(random, "GET", "GET "+path, path, "GET  HTTP/1.1", " GET "+path+" HTTP/1.1", "GET "+path+" HTTP/1.1 x", "GET "+path+" HTTP/x.y", "GET "+path+" http/1.1",
			"GET "+path+" HTTP/1.", "GET "+path+" HTTP/11.1", "GET "+path+"\x00 HTTP/1.1", "GET "+path+"\x7f HTTP/1.1", "GET "+path+" x HTTP/1.1", "GET\t"+path+"\tHTTP/1.1", "GET x"+path+" HTTP/1.1",
			"\x16\x03\x01"+plainWord(random, 30), "SSH-2.0-"+plainWord(random, 9), "G\x00T "+path+" HTTP/1.1", "G(T) "+path+" HTTP/1.1", "{\"type\":\"ping\"}", strings.Repeat("\x00", 1+random.IntN(50)))
		return httpStrike{request: line + "\r\nHost: gateway\r\n\r\n"}
	})
}

func drawBadMethods(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike {
		method := pick(random, "get", "Get", "FOO", "GETT", "PRI", "SUBSCRIBE", "PROPFIND", "M-SEARCH", "!#$%&'*+-.^_`|~", strings.ToUpper(plainWord(random, 1+random.IntN(100))))
		return asked(method+" "+pick(random, "/walker/echo", "/websocket", "/", "/user/me", "/nothing"), []string{fmt.Sprintf("Content-Length: %d", len(smuggled))}, smuggled)
	})
}

func drawWrongMethods(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike {
		path := pick(random, "/walker/echo", "/walker/sum", "/walker/rest_only", "/user/login", "/user/register", "/user/refresh", "/websocket", "/healthz", "/metrics", "/openapi.json")
		methods := []string{"PUT", "PATCH", "DELETE", "TRACE"}
		return asked(pick(random, methods...)+" "+path+"?x="+plainWord(random, 5), nil, "")
	})
}

func drawPaths(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike {
		up := strings.Repeat(pick(random, "../", "..%2f", "%2e%2e/", "..%5c", ".././", "..;/", "%252e%252e/"), 1+random.IntN(6))
		return asked("GET "+pick(random, "/console/"+up+"etc/passwd", "/"+up+"etc/passwd", "/"+plainWord(random, 1+random.IntN(200)), "/Walker/echo", "/walker/echo/a/b", "/user", "/user/me/x",
			"/.git/config", "/.env", "/console/%00", "/console/"+plainWord(random, 9), "/healthz/x", "//etc/passwd", "/websocket/x", "/%", "/%zz", "/%ff%fe")+pick(random, "", "?"+plainWord(random, 9)), nil, "")
	})
}

func drawBadHeaders(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike {
		name := plainWord(random, 5)
		return httpStrike{request: "GET /healthz HTTP/1.1\r\n" + pick(random,
			"Host: gateway\r\nbad header "+name, "Host: gateway\r\n: "+name, "Host: gateway\r\nX-A : "+name, "Host: gateway\r\nX-A: a\r\n folded", "Host: gateway\r\nX A: "+name,
			"Host: gateway\r\nX-A: \x00"+name, "Host: gateway\r\nX-A: a\rb", "Host: gateway\r\nX\x00A: "+name, "Host: gateway\r\nX-é: "+name, "Host: gateway\r\nX-A: \x7f", "Host: gateway\r\n(x): "+name,
			"X-A: no host", "Host: gateway\r\nHost: "+name, "Host:", " Host: gateway", "Host: gateway\r\ntimeout "+name, "Host: gateway\r\n X-A: b") + "\r\n\r\n"}
	})
}

const hostileHeaders = 16 << 10 // bytes of a request's line and headers

func drawHeaderFloods(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike {
		request := pick(random, "GET /healthz", "POST /walker/echo", "GET /websocket") + " HTTP/1.1\r\nHost: gateway\r\n"
		size := hostileHeaders + 1 + random.IntN(pick(random, 10, 20_000))
		if random.IntN(2) == 0 {
			return httpStrike{request: request + "X-Long: " + plainWord(random, size)}
		}
		for n := 0; len(request) < size; n++ {
			request += fmt.Sprintf("%s%d: %s\r\n", pick(random, "X-", "Cookie", "Accept-"), n, plainWord(random, random.IntN(100)))
		}
		return httpStrike{request: request}
	})
}

func drawLongRequestLines(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike {
		size := hostileHeaders + 1 + random.IntN(pick(random, 10, 20_000))
		return httpStrike{request: pick(random, "GET /", "GET /healthz?", "GET /websocket?channel_id=", "POST /walker/", strings.Repeat("\r\n", 10)+"GET /") + plainWord(random, size)}
	})
}

// smuggled is a request that somebody else on the way might see as another's.
const smuggled = "GET /metrics HTTP/1.1\r\nHost: gateway\r\n\r\n"

func drawTwoLengths(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike {
		chunked := "Transfer-Encoding: " + pick(random, "chunked", "Chunked", "CHUNKED")
		length := fmt.Sprintf("Content-Length: %d", pick(random, 0, 5, 12, 1+random.IntN(50)))
		body := "b\r\n{\"value\":1}\r\n0\r\n\r\n"
		headers := pick(random,
			[]string{length, chunked}, []string{chunked, length}, []string{length, "X-A: b", chunked},
			[]string{"content-length: 5", strings.ToLower(chunked)}, []string{strings.ToUpper("content-length") + ": 5", chunked},
			[]string{length, length}, []string{"Content-Length: 11", "Content-Length: 12"}, []string{"Content-Length: 11", "content-length: 11"},
			[]string{"Content-Length: 1\r\n 1"}, []string{"Content-Length:\r\n\t5"}, []string{"Transfer-Encoding:\r\n chunked"}, []string{"Transfer-Encoding: x,\r\n chunked"},
			[]string{chunked, chunked}, []string{chunked, "Transfer-Encoding: identity"}, []string{"Content-Length: 11, 11"},
		)
		return asked("POST /walker/echo", append(headers, "Content-Type: application/json"), body+pick(random, "", smuggled))
	})
}

func drawBadBodyLengths(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike {
		header := pick(random,
			"Content-Length: "+pick(random, "-1", "+5", "0x5", "5 5", "5,", "1e1", "five", "99999999999999999999999999", "٥", "", "5;", "5.0", "\"5\""),
			"Transfer-Encoding: "+pick(random, "gzip", "gzip, chunked", "chunked, gzip", "xchunked", "chunked;", "\vchunked", "\"chunked\"", "", plainWord(random, 12)))
		return asked("POST /walker/echo", []string{header}, `{"value":1}`+pick(random, "", smuggled))
	})
}

func drawBadChunks(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike {
		chunks := pick(random,
			pick(random, "x", "-1", "+b", "0xb", "g", "", " ", " b", "b b", "ffffffffffffffff", "7fffffffffffffff", "10000000000000000b", strings.Repeat("0", 40)+"b", "b\n", ";", "b ;x")+"\r\n{\"value\":1}\r\n0\r\n\r\n",
			"b\r\n{\"value\":1}0\r\n\r\n", "b\r\n{\"value\":1}xx0\r\n\r\n", "a\r\n{\"value\":1}\r\n0\r\n\r\n", "b\n{\"value\":1}\n0\n\n", "b;x\ny\r\n{\"value\":1}\r\n0\r\n\r\n")
		return asked("POST /walker/echo", []string{"Transfer-Encoding: chunked"}, chunks+smuggled)
	})
}

func drawLongBodies(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike {
		path := pick(random, "POST /walker/echo", "POST /user/login", "POST /walker/upload", "POST /walker/whoami", "POST /nothing", "PUT /walker/echo")
		kind := "Content-Type: " + pick(random, "application/json", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded")
		if random.IntN(3) > 0 {
			length := pick(random, hostileBody+1, hostileBody+1+random.IntN(1000), 1<<31, 1<<40, 1<<62)
			return asked(path, []string{kind, fmt.Sprintf("Content-Length: %d", length), pick(random, "X-A: b", "Expect: 100-continue")}, pick(random, "", "{", hostilePad[:10_000]))
		}
		// Chunks that fit, and one that does not.
		first, second := random.IntN(hostileBody)+1, hostileBody
		return asked(path, []string{kind, "Transfer-Encoding: chunked"},
			fmt.Sprintf("%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n", first, hostilePad[:first], second, hostilePad[:second]))
	})
}

var hostilePad = strings.Repeat("x", hostileBody)

func drawCompressedBodies(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike {
		var packed bytes.Buffer
		writer := gzip.NewWriter(&packed)
		_, _ = writer.Write([]byte(`{"value":"` + strings.Repeat("x", random.IntN(1<<20)) + `"}`)) // into memory
		_ = writer.Close()
		encoding := pick(random, "gzip", "GZIP", "x-gzip", "deflate", "br", "zstd", "gzip, gzip", "identity, gzip", plainWord(random, 6))
		path := pick(random, "/walker/echo", "/walker/upload", "/user/login", "/user/register", "/nothing")
		return posted(path, "application/json", packed.String(), "Content-Encoding: "+encoding)
	})
}

func drawMultipartBombs(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike {
		boundary := plainWord(random, 10)
		part := func(headers, content string) string {
			return "--" + boundary + "\r\n" + headers + "\r\n\r\n" + content + "\r\n"
		}
		named := func(name string) string { return `Content-Disposition: form-data; name="` + name + `"` }
		end := "--" + boundary + "--\r\n"
		file := part(named("one")+`; filename="a"`, "hello")
		body := pick(random,
			func() string { return file + strings.Repeat(part(named("x"), ""), 1001+random.IntN(500)) + end },
			func() string { return file + part(named("many")+strings.Repeat("\r\nX-A: b", 10_001), "") + end },
			func() string { return file },
			func() string { return file[:random.IntN(len(file))] },
			func() string { return plainWord(random, random.IntN(300)) },
			func() string { return file + strings.Repeat("--"+boundary+"\r\n", 100+random.IntN(900)) },
			func() string { return part("no header", "x") + end },
			func() string { return file + part(named("body"), nest(random, 100+random.IntN(900))) + end },
			func() string { return file + part(named("body"), `{"note":`+wrongOf(random, `"`)+`}`) + end },
			func() string { return strings.Repeat(file, 2+random.IntN(500)) + end },
			func() string { return file + part(named("note"), "\xff") + end },
		)()
		return posted("/walker/upload", "multipart/form-data; boundary="+boundary, body)
	})
}

func drawBadBodies(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike {
		context := pick(random, brokenJSON(random, `{"value":1,"a":`+jsonValue(random, 3)+`}`), doubled(random), `{"value":`+half(random)+`}`, nest(random, hostileDepth+1+random.IntN(9000)),
			`{"a":1,"email":"a@example.com","password":"long enough","value":"`+pick(random, "\xff", "\xed\xa0\x80", "\xc3")+`"}`, `[1]`, `"x"`, `1`, `{}`, ``)
		path := pick(random, "/walker/sum", "/walker/tree", "/user/login", "/user/register")
		return posted(path, pick(random, "application/json", "text/plain", "application/x-www-form-urlencoded", "x", ""), context)
	})
}

func drawBadQueries(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike {
		query := pick(random, "a=%zz", "%", "a=%f", "a=1;b=2", "a=%", "%zz=1", ";", "x=1&y=%u0041", plainWord(random, 5)+"=%"+plainWord(random, 1)+"g")
		return asked("POST /walker/echo?"+query, []string{"Content-Length: 11"}, `{"value":1}`)
	})
}

func drawBadTokens(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike {
		part := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
		claims := part(`{"sub":"` + plainWord(random, 24) + `","exp":99999999999}`)
		token := pick(random,
			part(`{"alg":"none"}`)+"."+claims+".", part(`{"alg":"HS256"}`)+"."+claims+"."+part(plainWord(random, 32)), part(`{"alg":"RS256","kid":"../../dev/null"}`)+"."+claims+"."+part("x"),
			"..", "...", "x", plainWord(random, 1+random.IntN(5000)), strings.Repeat(".", 1+random.IntN(1000)), part(nest(random, 500))+"."+claims+".x", part("{}")+"."+part("{}")+".", "Bearer", "Bearer Bearer x", "Basic dTpw")
		path := pick(random, "POST /walker/whoami", "GET /user/me", "POST /user/refresh", "POST /user/logout", "DELETE /user/me", "POST /user/change_password")
		return asked(path, []string{"Authorization: " + pick(random, "Bearer ", "bearer ", "") + token, "Content-Length: 0"}, "")
	})
}
