//go:build browser || clients

package browser

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// Tab is one tab. It fails its test where it cannot do what it is told.
type Tab struct {
	t      testing.TB
	ctx    context.Context
	record record
}

// Do runs one action, and gives its value.
func Do[T any](tab *Tab, what string, action chromedp.Action[T]) T {
	tab.t.Helper()
	ctx, cancel := context.WithTimeout(tab.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, action)
	if err != nil {
		tab.t.Fatalf("%s: %v", what, err)
	}
	return value
}

// Eval evaluates an expression in the page; a promise is waited for.
func Eval[T any](tab *Tab, expression string) T {
	tab.t.Helper()
	return Do(tab, "evaluate "+expression, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// Visit loads a page and waits until it has loaded.
func (tab *Tab) Visit(url string) {
	tab.t.Helper()
	Do(tab, "visit "+url, chromedp.Navigate(url))
}

// Prepare runs a script in every page of this tab before the page's own.
func (tab *Tab) Prepare(script string) {
	tab.t.Helper()
	_, err := chromedp.Call(tab.ctx, page.AddScriptToEvaluateOnNewDocument,
		page.AddScriptToEvaluateOnNewDocumentParams{Source: script})
	if err != nil {
		tab.t.Fatalf("prepare a script: %v", err)
	}
}

// Click clicks the element with that id, once it can be seen.
func (tab *Tab) Click(id string) {
	tab.t.Helper()
	Do(tab, "click #"+id, chromedp.Click(chromedp.ID(id)))
}

// Type types into the input with that id, in place of what stood there.
func (tab *Tab) Type(id, text string) {
	tab.t.Helper()
	Do(tab, "go to #"+id, chromedp.WaitVisible(chromedp.ID(id)))
	Eval[bool](tab, "document.getElementById("+Quote(id)+").select() === undefined")
	Do(tab, "type into #"+id, chromedp.SendKeys(chromedp.ID(id), text))
}

// Text is what the element with that id holds, hidden or not.
func (tab *Tab) Text(id string) string {
	tab.t.Helper()
	return Eval[string](tab, "document.getElementById("+Quote(id)+").textContent")
}

// Texts are what all elements hold that match, in their order.
func (tab *Tab) Texts(selector string) []string {
	tab.t.Helper()
	return Eval[[]string](tab, "[...document.querySelectorAll("+Quote(selector)+")].map((e) => e.textContent)")
}

// Quote writes a text as a literal of JavaScript.
func Quote(text string) string {
	literal, err := json.Marshal(text)
	if err != nil {
		return strconv.Quote(text) // not reached: every string has a JSON text
	}
	return string(literal)
}

// Shoot takes a picture of what the tab shows. go test -artifacts keeps it.
func (tab *Tab) Shoot(name string) {
	tab.t.Helper()
	path, err := tab.shoot(name)
	if err != nil {
		tab.t.Fatalf("picture %s: %v", name, err)
	}
	tab.t.Logf("picture: %s", path)
}

func (tab *Tab) shoot(name string) (string, error) {
	ctx, cancel := context.WithTimeout(tab.ctx, patience)
	defer cancel()
	picture, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		return "", err
	}
	path := filepath.Join(tab.t.ArtifactDir(), name+".png")
	return path, os.WriteFile(path, picture, 0o600)
}

// tellFailure shows what stood there when the test failed.
func (tab *Tab) tellFailure() {
	if !tab.t.Failed() {
		return
	}
	if path, err := tab.shoot("failed"); err == nil {
		tab.t.Logf("picture: %s", path)
	}
	for _, message := range tab.Console() {
		tab.t.Logf("console: %s", message)
	}
	for _, frame := range tab.Frames() {
		tab.t.Logf("frame: %s", frame)
	}
}
