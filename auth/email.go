package auth

import (
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Bounds of an address in bytes (RFC 5321 4.5.3.1, with its erratum for the
// whole).
const (
	maxEmail       = 254
	maxEmailLocal  = 64
	maxDomainLabel = 63
)

// EmailKey gives the form of an address that is unique: however its letters
// are written, the same account has the same. It reports false for what is no
// address that anybody could register.
func EmailKey(email string) (key string, ok bool) {
	_, key, ok = parseEmail(email)
	return key, ok
}

// parseEmail gives the two forms of an address. The shown one keeps the local
// part as it was typed and has the domain in lower case. The key is the whole
// in lower case: that two users differ in the case of one letter alone would
// be a trap for both, whatever the standard allows. Both are in Unicode's
// composed form, so that the same letters typed on two systems are the same
// address. It reports false for what is no plain address.
func parseEmail(text string) (shown, key string, ok bool) {
	text = strings.TrimSpace(text)
	if len(text) > maxEmail {
		return "", "", false
	}
	text = norm.NFC.String(text)
	if !utf8.ValidString(text) || strings.ContainsFunc(text, unwelcome) {
		return "", "", false
	}
	// The parser knows comments, names and quotes too: what it gives back must
	// be what went in.
	address, err := mail.ParseAddress(text)
	if err != nil || address.Name != "" || address.Address != text {
		return "", "", false
	}
	at := strings.LastIndexByte(text, '@')
	local, domain := text[:at], strings.ToLower(text[at+1:])
	if len(local) > maxEmailLocal || !isDomain(domain) {
		return "", "", false
	}
	// Lower case may be longer than upper case in a few scripts.
	shown, key = local+"@"+domain, strings.ToLower(local)+"@"+domain
	return shown, key, len(shown) <= maxEmail && len(key) <= maxEmail
}

// unwelcome reports runes that no address needs and that could hide in one.
func unwelcome(r rune) bool {
	return unicode.IsSpace(r) || !unicode.IsGraphic(r)
}

// isDomain reports whether text, in lower case, looks like a domain that mail
// is sent to: at least two labels of letters, digits and inner hyphens.
func isDomain(text string) bool {
	labels := strings.Split(text, ".")
	if len(labels) < 2 {
		return false
	}
	for _, label := range labels {
		if label == "" || len(label) > maxDomainLabel || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, r := range label {
			if r != '-' && !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) {
				return false
			}
		}
	}
	return true
}
