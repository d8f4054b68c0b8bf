//go:build browser || clients

package browser

import (
	"slices"
	"strings"
	"sync"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
)

// Message is what a page wrote to the console, or the browser of the page: an
// exception that nobody caught, a refused resource, a broken policy.
type Message struct {
	Level string // log, debug, info, warning, error, …
	Text  string
}

func (m Message) String() string { return m.Level + ": " + m.Text }

// Bad reports whether it tells of something that should not be.
func (m Message) Bad() bool {
	return m.Level == "error" || m.Level == "warning" || m.Level == "assert"
}

// Frame is a text message of a WebSocket of the page, as it went over the
// wire.
type Frame struct {
	Sent bool // by the page; else received by it
	Text string
}

func (f Frame) String() string {
	if f.Sent {
		return "> " + f.Text
	}
	return "< " + f.Text
}

// record is all that the browser told of one tab, seen from outside its pages.
// The browser tells an event before the answer to a command that came after
// it, so what a page had done by an Eval is here when the Eval returns.
type record struct {
	mu       sync.Mutex
	console  []Message
	requests []string
	frames   []Frame
}

// Console is all that was written to the console.
func (tab *Tab) Console() []Message {
	tab.record.mu.Lock()
	defer tab.record.mu.Unlock()
	return slices.Clone(tab.record.console)
}

// Requests are the URLs that the pages asked for, WebSockets among them.
func (tab *Tab) Requests() []string {
	tab.record.mu.Lock()
	defer tab.record.mu.Unlock()
	return slices.Clone(tab.record.requests)
}

// Frames are the frames of all WebSockets, in their order.
func (tab *Tab) Frames() []Frame {
	tab.record.mu.Lock()
	defer tab.record.mu.Unlock()
	return slices.Clone(tab.record.frames)
}

func (r *record) add(event any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		r.requests = append(r.requests, e.Request.URL)
	case *network.EventWebSocketCreated:
		r.requests = append(r.requests, e.URL)
	case *network.EventWebSocketFrameReceived:
		r.addFrame(false, e.Response)
	case *network.EventWebSocketFrameSent:
		r.addFrame(true, e.Response)
	case *runtime.EventConsoleAPICalled:
		r.console = append(r.console, Message{Level: string(e.Type), Text: spellAll(e.Args)})
	case *runtime.EventExceptionThrown:
		text := e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			text += " " + e.ExceptionDetails.Exception.Description
		}
		r.console = append(r.console, Message{Level: "error", Text: text})
	case *log.EventEntryAdded:
		r.console = append(r.console, Message{Level: string(e.Entry.Level), Text: e.Entry.Text + " " + e.Entry.URL})
	}
}

func (r *record) addFrame(sent bool, frame *network.WebSocketFrame) {
	const text = 1 // the opcode
	if frame.Opcode == text {
		r.frames = append(r.frames, Frame{Sent: sent, Text: string(frame.PayloadData)})
	}
}

// spellAll spells what was given to the console: a string as it is, an object
// by its properties.
func spellAll(values []*runtime.RemoteObject) string {
	spelt := make([]string, len(values))
	for i, value := range values {
		spelt[i] = spell(value)
	}
	return strings.Join(spelt, " ")
}

func spell(value *runtime.RemoteObject) string {
	switch {
	case value.Type == runtime.RemoteObjectTypeString:
		return strings.Trim(string(value.Value), `"`)
	case value.Preview == nil || value.Subtype == runtime.RemoteObjectSubtypeError:
		return value.Description + string(value.Value)
	}
	properties := make([]string, len(value.Preview.Properties))
	for i, property := range value.Preview.Properties {
		properties[i] = property.Name + ": " + property.Value
	}
	return "{" + strings.Join(properties, ", ") + "}"
}
