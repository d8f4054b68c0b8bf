package archtest

import (
	"bytes"
	"path"
	"regexp"
	"unicode"
	"unicode/utf8"
)

// A ban is text that may stand in no file. Its texts are put together from
// pieces, so that this file does not hold what it forbids.
type ban struct {
	texts []string
	whole bool // only where no letter or digit stands at either side
	why   string
}

var bans = []ban{
	{
		texts: []string{"TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK", "not " + "implemented", "un" + "implemented"},
		whole: true,
		why:   "left undone in words",
	},
	{
		texts: []string{"/wo" + "rk/", "/ro" + "ot/", "../" + "shared/"},
		why:   "a path of one machine",
	},
	{
		texts: []string{"proxy." + "golang.org", "registry." + "npmjs.org", "registry." + "yarnpkg.com", "deb." + "debian.org"},
		why:   "the address of a registry: its client knows where to ask",
	},
}

// Words finds what no tracked text may hold: unfinished work, paths of one
// machine, addresses of registries.
func Words(tree *Tree) []Violation {
	var found []Violation
	for _, file := range tree.Files {
		for _, ban := range bans {
			for _, text := range ban.texts {
				for _, at := range places(file.Text, text, ban.whole) {
					found = append(found, Violation{file.Path, lineOf(file.Text, at), ban.why + ": " + text})
				}
			}
		}
	}
	return ordered(found)
}

// places are the offsets at which the word stands in the text.
func places(text []byte, word string, whole bool) []int {
	var found []int
	for from := 0; ; {
		at := bytes.Index(text[from:], []byte(word))
		if at < 0 {
			return found
		}
		at += from
		from = at + len(word)
		before, _ := utf8.DecodeLastRune(text[:at])
		after, _ := utf8.DecodeRune(text[from:])
		if !whole || !wordy(before) && !wordy(after) {
			found = append(found, at)
		}
	}
}

func wordy(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }

// download is where a lock file says a package was fetched from.
var download = regexp.MustCompile(`"resolved":\s*"http`)

// LockFiles finds npm lock files that say where packages were fetched from. The
// integrity hashes they keep are what makes an install repeatable; an address
// would tie it to one registry.
func LockFiles(tree *Tree) []Violation {
	const why = "an address: npm config set omit-lockfile-registry-resolved true, and write the file again"
	var found []Violation
	for _, file := range tree.Files {
		switch path.Base(file.Path) {
		case "package-lock.json", "npm-shrinkwrap.json":
			for _, at := range download.FindAllIndex(file.Text, -1) {
				found = append(found, Violation{file.Path, lineOf(file.Text, at[0]), why})
			}
		}
	}
	return ordered(found)
}

func lineOf(text []byte, at int) int { return bytes.Count(text[:at], []byte("\n")) + 1 }
