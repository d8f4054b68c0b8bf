package console_test

import (
	"encoding/xml"
	"errors"
	"io"
	"io/fs"
	"os/exec"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/walkergate/walkergate/app/console"
)

// tag is one start tag of a page, and the text between it and the next tag.
type tag struct {
	name       string
	attributes map[string]string
	text       string
}

// served lists the addresses outside the console that its pages may name: the
// gateway serves them itself.
var served = map[string]bool{"/": true, "/openapi.json": true}

func TestEverythingThatThePagesNameIsThere(t *testing.T) {
	files := console.Files()
	for _, page := range named(t, files, ".html") {
		for _, tag := range tags(t, files, page) {
			for _, attribute := range []string{"src", "href"} {
				address, ok := tag.attributes[attribute]
				if !ok || served[address] || strings.HasPrefix(address, "#") {
					continue
				}
				file, inside := strings.CutPrefix(address, "/console/")
				if !inside {
					t.Errorf("%s: <%s> names %q, which is not below /console/", page, tag.name, address)
					continue
				}
				if _, err := fs.Stat(files, file); err != nil {
					t.Errorf("%s: <%s> names %q: %v", page, tag.name, address, err)
				}
			}
		}
	}
}

func TestEveryImportOfAModuleIsThere(t *testing.T) {
	files := console.Files()
	imports := regexp.MustCompile(`(?m)(?:\bfrom|^import|\bimport\()\s*["']([^"']+)["']`)
	found := 0
	for _, module := range named(t, files, ".js") {
		for _, match := range imports.FindAllStringSubmatch(read(t, files, module), -1) {
			found++
			if _, err := fs.Stat(files, path.Join(path.Dir(module), match[1])); err != nil || !strings.HasPrefix(match[1], "./") {
				t.Errorf("%s imports %q: %v", module, match[1], err)
			}
		}
	}
	if found == 0 {
		t.Error("no import was found at all")
	}
}

// What a strict Content-Security-Policy would stop in the browser is stopped here.
func TestThePagesRunUnderAStrictPolicy(t *testing.T) {
	files := console.Files()
	for _, page := range named(t, files, ".html") {
		for _, tag := range tags(t, files, page) {
			switch {
			case tag.name == "style":
				t.Errorf("%s: a <style> element", page)
			case tag.name == "script" && tag.attributes["src"] == "":
				t.Errorf("%s: a <script> without src", page)
			case tag.name == "script" && strings.TrimSpace(tag.text) != "":
				t.Errorf("%s: a <script> with text", page)
			}
			for name, value := range tag.attributes {
				scheme := strings.ToLower(strings.TrimSpace(value))
				if name == "style" || strings.HasPrefix(name, "on") || strings.HasPrefix(scheme, "javascript:") {
					t.Errorf("%s: <%s %s=%q> is inline", page, tag.name, name, value)
				}
			}
		}
	}
}

func TestNothingComesFromAnotherHost(t *testing.T) {
	files := console.Files()
	external := regexp.MustCompile(`(?i)\b(?:https?|wss?)://|["'(]//|@import`)
	for _, extension := range []string{".html", ".css", ".js"} {
		for _, name := range named(t, files, extension) {
			if found := external.FindString(read(t, files, name)); found != "" {
				t.Errorf("%s holds %q", name, found)
			}
		}
	}
}

// Texts of strangers are shown by textContent alone, and nothing reaches the
// browser's log, where a token could end up.
func TestTheModulesTouchNeitherMarkupNorTheLog(t *testing.T) {
	files := console.Files()
	forbidden := regexp.MustCompile(
		`innerHTML|outerHTML|insertAdjacentHTML|setHTMLUnsafe|createContextualFragment|document\.write|\beval\(|new Function|console\.|localStorage|document\.cookie`)
	for _, module := range named(t, files, ".js") {
		if found := forbidden.FindString(read(t, files, module)); found != "" {
			t.Errorf("%s uses %s", module, found)
		}
	}
}

// Browser tests and the modules find the page's parts by these ids.
func TestTheIdsOfThePageAreStableAndUnique(t *testing.T) {
	files := console.Files()
	seen := map[string]int{}
	for _, tag := range tags(t, files, "index.html") {
		if id := tag.attributes["id"]; id != "" {
			seen[id]++
		}
	}
	for id, count := range seen {
		if count > 1 {
			t.Errorf("id %q stands %d times", id, count)
		}
	}
	for _, id := range strings.Fields(`email password register login logout account-message who
		status status-note reconnect client-id root-id channel-ids
		room join leave room-now name message send to-root direct-message send-direct log clear-log
		frames frame-list frame send-frame docs openapi`) {
		if seen[id] == 0 {
			t.Errorf("id %q is gone", id)
		}
	}
	asked := regexp.MustCompile(`\bfind\("([^"]+)"\)`)
	for _, module := range named(t, files, ".js") {
		for _, match := range asked.FindAllStringSubmatch(read(t, files, module), -1) {
			if seen[match[1]] == 0 {
				t.Errorf("%s asks for id %q, which the page does not hold", module, match[1])
			}
		}
	}
}

func TestEveryFieldHasALabel(t *testing.T) {
	page := tags(t, console.Files(), "index.html")
	labelled := map[string]bool{}
	for _, tag := range page {
		if tag.name == "label" {
			labelled[tag.attributes["for"]] = true
		}
	}
	for _, tag := range page {
		if (tag.name == "input" || tag.name == "textarea") && !labelled[tag.attributes["id"]] {
			t.Errorf("<%s id=%q> has no label", tag.name, tag.attributes["id"])
		}
	}
}

func TestModules(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed")
	}
	if out, err := exec.CommandContext(t.Context(), node, "--test").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func named(t *testing.T, files fs.FS, extension string) []string {
	t.Helper()
	names, err := fs.Glob(files, "*"+extension)
	if err != nil {
		t.Fatal(err)
	}
	if len(names) == 0 {
		t.Fatalf("no file ends with %s", extension)
	}
	return names
}

func read(t *testing.T, files fs.FS, name string) string {
	t.Helper()
	text, err := fs.ReadFile(files, name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// tags reads a page as XML. The pages are written so that this works, which
// also finds a forgotten end tag.
func tags(t *testing.T, files fs.FS, page string) []tag {
	t.Helper()
	decoder := xml.NewDecoder(strings.NewReader(read(t, files, page)))
	decoder.Entity = xml.HTMLEntity
	var found []tag
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatalf("%s: %v", page, err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			next := tag{name: strings.ToLower(token.Name.Local), attributes: map[string]string{}}
			for _, attribute := range token.Attr {
				next.attributes[strings.ToLower(attribute.Name.Local)] = attribute.Value
			}
			found = append(found, next)
		case xml.CharData:
			if len(found) > 0 {
				found[len(found)-1].text += string(token)
			}
		}
	}
}
