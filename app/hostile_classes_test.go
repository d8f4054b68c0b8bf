//go:build linux

package app_test

import "math/rand/v2"

// A hostileClass is a kind of input with the one answer that it may be given.
// docs/HOSTILE.md has the same table, with a word on each.
type hostileClass struct {
	name   string
	answer string
	draw   func(random *rand.Rand) []hostileStrike
	slow   bool // its inputs are sent at once: each takes as long as a limit
}

func hostileClasses() []hostileClass {
	return []hostileClass{
		// Text that is well framed.
		{name: "bad JSON", answer: "`bad_frame`, kept", draw: drawBadJSON},
		{name: "no object", answer: "`bad_frame`, kept", draw: drawNoObject},
		{name: "nested too deep", answer: "`bad_frame`, kept", draw: drawDeepFrames},
		{name: "nested too deep, in a context", answer: "`invalid_context`, kept", draw: drawDeepContexts},
		{name: "nested just deep enough", answer: "as written, kept", draw: drawDeepEnough},
		{name: "long numbers in data", answer: "as written, kept", draw: drawNumbersInData},
		{name: "long numbers in a context", answer: "as written, kept", draw: drawNumbersInContexts},
		{name: "numbers that are no integers of Go", answer: "`invalid_context`, kept", draw: drawNumbersForIntegers},
		{name: "half surrogate pairs", answer: "`bad_frame`, kept", draw: drawSurrogates},
		{name: "half surrogate pairs, in a context", answer: "`invalid_context`, kept", draw: drawSurrogatesInContexts},
		{name: "names of JavaScript in data", answer: "as written, kept", draw: drawProtoInData},
		{name: "names of JavaScript in a context", answer: "as written, kept", draw: drawProtoInContexts},
		{name: "names that stand twice", answer: "`bad_frame`, kept", draw: drawDoubled},
		{name: "names that stand twice, in a context", answer: "`invalid_context`, kept", draw: drawDoubledInContexts},
		{name: "too many targets", answer: "`bad_frame`, kept", draw: drawManyTargets},
		{name: "long lists in a context", answer: "as written, kept", draw: drawLongLists},
		{name: "unknown types", answer: "`unknown_type`, kept", draw: drawUnknownTypes},
		{name: "fields missing or mistyped", answer: "`bad_frame`, kept", draw: drawWrongFields},
		{name: "ids that are none", answer: "`bad_frame`, kept", draw: drawWrongIDs},
		{name: "messages of the gateway's own", answer: "`reserved_type`, kept", draw: drawReserved},
		{name: "sending where one may not", answer: "`forbidden`, kept", draw: drawForbidden},
		{name: "walkers that are none", answer: "`unknown_walker`, kept", draw: drawUnknownWalkers},
		{name: "contexts of the wrong types", answer: "`invalid_context`, kept", draw: drawWrongContexts},

		// Bytes below the text.
		{name: "UTF-8 cut anywhere", answer: "as written, kept", draw: drawGoodSplits},
		{name: "bad UTF-8, cut anywhere", answer: "close 1007", draw: drawBadSplits},
		{name: "binary messages", answer: "close 1003", draw: drawBinary},
		{name: "frames without a mask", answer: "close 1002", draw: drawUnmasked},
		{name: "reserved bits", answer: "close 1002", draw: drawReservedBits},
		{name: "compressed messages", answer: "close 1002", draw: drawDeflated},
		{name: "reserved opcodes", answer: "close 1002", draw: drawReservedOpcodes},
		{name: "bad fragments", answer: "close 1002", draw: drawBadFragments},
		{name: "lengths that are none", answer: "close 1002", draw: drawBadLengths},
		{name: "a message too long, announced", answer: "close 1009", draw: drawOversize},
		{name: "a message too long, by fragments", answer: "close 1009", draw: drawOversizeByFragments},
		{name: "control frames too long or fragmented", answer: "close 1002", draw: drawBadControl},
		{name: "closes with a bad payload", answer: "close 1002", draw: drawBadCloses},
		{name: "closes whose reason is no text", answer: "close 1007", draw: drawBadReasons},
		{name: "floods of control frames and fragments", answer: "close 4429", draw: drawFrameFloods},
		{name: "anything behind a close", answer: "close 1000", draw: drawBehindClose},
		{name: "an end without a close", answer: "ended", draw: drawEnded},
		{name: "a reset", answer: "forgotten", draw: drawReset},

		// HTTP.
		{name: "handshakes with a header missing", answer: "400 `bad_frame`, kept", draw: drawMissingHeaders},
		{name: "handshakes with a header wrong", answer: "400 `bad_frame`, kept", draw: drawWrongHeaders},
		{name: "handshakes of foreign pages", answer: "403 `forbidden`, kept", draw: drawForeignOrigins},
		{name: "extensions and subprotocols offered", answer: "101, nothing negotiated", draw: drawOffers},
		{name: "request lines that are none", answer: "400 `bad_frame`, closed", draw: drawBadRequestLines},
		{name: "methods that are none", answer: "400 `bad_frame`, closed", draw: drawBadMethods},
		{name: "methods that do not fit", answer: "405 `method_not_allowed`, kept", draw: drawWrongMethods},
		{name: "paths that lead nowhere", answer: "404 `not_found`, kept", draw: drawPaths},
		{name: "headers that are none", answer: "400 `bad_frame`, closed", draw: drawBadHeaders},
		{name: "floods of headers", answer: "413 `too_large`, closed", draw: drawHeaderFloods},
		{name: "long request lines", answer: "413 `too_large`, closed", draw: drawLongRequestLines},
		{name: "two lengths of one body", answer: "400 `bad_frame`, closed", draw: drawTwoLengths},
		{name: "lengths and codings that are none", answer: "400 `bad_frame`, closed", draw: drawBadBodyLengths},
		{name: "bad chunks", answer: "400 `bad_frame`, closed", draw: drawBadChunks},
		{name: "a body too long", answer: "413 `too_large`, closed", draw: drawLongBodies},
		{name: "compressed bodies", answer: "422 `invalid_context`, kept", draw: drawCompressedBodies},
		{name: "multipart bombs", answer: "422 `invalid_context`, kept", draw: drawMultipartBombs},
		{name: "bodies that are no context", answer: "422 `invalid_context`, kept", draw: drawBadBodies},
		{name: "queries that are none", answer: "422 `invalid_context`, kept", draw: drawBadQueries},
		{name: "tokens that are none", answer: "401 `token_invalid`, kept", draw: drawBadTokens},

		// Time.
		{name: "a client that falls silent", answer: "close 4408", draw: drawSilent, slow: true},
		{name: "a message that trickles", answer: "as written, kept", draw: drawTrickledFrames, slow: true},
		{name: "a connection that says nothing", answer: "400 `bad_frame`, closed", draw: drawNothingSaid, slow: true},
		{name: "empty lines before a request", answer: "ended", draw: drawEmptyLines, slow: true},
		{name: "headers that trickle", answer: "400 `bad_frame`, closed", draw: drawTrickledHeaders, slow: true},
		{name: "a body that trickles", answer: "400 `bad_frame`, closed", draw: drawTrickledBodies, slow: true},
	}
}

// repeatedly draws a class's inputs one by one.
func repeatedly(draw func() hostileStrike) []hostileStrike {
	strikes := make([]hostileStrike, hostileInputs)
	for i := range strikes {
		strikes[i] = draw()
	}
	return strikes
}

// pick gives one of several.
func pick[T any](random *rand.Rand, from ...T) T { return from[random.IntN(len(from))] }
