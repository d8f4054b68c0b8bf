//go:build browser || clients

package browser

import (
	"context"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// patience bounds each single thing that a browser is told to do. Nothing
// takes so long but a failure.
const patience = 20 * time.Second

// Chrome is a browser without a window and with a profile of its own, which
// runs until the test ends. Its methods and those of its tabs are for the
// test's own goroutine.
type Chrome struct {
	root context.Context
}

// Open starts a browser, and fails the test where there is no Chromium.
func Open(t testing.TB) *Chrome {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("this test needs Chromium (Debian's package chromium): %v", err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.DisableGPU,
		chromedp.WindowSize(1280, 1200),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		// Whatever the browser itself wants of the world: it has none.
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"),
	)
	// Not the test's context: that one ends before the tabs are closed.
	allocator, freeAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(freeAllocator)
	root, stop := chromedp.NewContext(allocator, chromedp.WithErrorf(t.Logf))
	t.Cleanup(stop)
	if err := chromedp.Do(root); err != nil {
		t.Fatalf("start Chromium: %v", err)
	}
	return &Chrome{root: root}
}

// Tab opens an empty tab that shares nothing with any other: no storage, no
// cookie, no cache. To the gateway it is another person's browser.
func (c *Chrome) Tab(t testing.TB) *Tab {
	t.Helper()
	ctx, closeTab := chromedp.NewContext(c.root, chromedp.WithNewBrowserContext())
	t.Cleanup(closeTab)
	tab := &Tab{t: t, ctx: ctx}
	if err := chromedp.Listen(ctx, tab.record.add); err != nil {
		t.Fatalf("open a tab: %v", err)
	}
	t.Cleanup(tab.tellFailure)
	return tab
}
