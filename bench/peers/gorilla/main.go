// Command gorilla is gorilla/websocket in the manner of its chat example: a hub
// goroutine a channel, a buffered Go channel and a writer goroutine a client,
// messages that queued meanwhile joined into one by newlines, a ping by each
// writer. It speaks the frames of walkergate.
package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

const (
	writeWait      = 10 * time.Second
	pongWait       = 60 * time.Second
	pingPeriod     = pongWait * 9 / 10
	maxMessageSize = 64 << 10 // the example has 512 bytes
	queue          = 256
)

var upgrader = websocket.Upgrader{ReadBufferSize: 1024, WriteBufferSize: 1024}

type frame struct {
	Type       string          `json:"type"`
	ID         string          `json:"id"`
	ChannelIDs []string        `json:"channel_ids"`
	Data       json.RawMessage `json:"data"`
}

type reply struct {
	Type string          `json:"type"`
	ID   string          `json:"id"`
	OK   bool            `json:"ok"`
	Data json.RawMessage `json:"data"`
}

// hubs makes a hub for each channel that is named; the example has one for all.
type hubs struct {
	mu     sync.RWMutex
	byName map[string]*hub
}

func (h *hubs) named(name string) *hub {
	h.mu.RLock()
	found := h.byName[name]
	h.mu.RUnlock()
	if found != nil {
		return found
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.byName[name] == nil {
		h.byName[name] = newHub()
		go h.byName[name].run()
	}
	return h.byName[name]
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: gorilla HOST:PORT")
		os.Exit(2)
	}
	hubs := &hubs{byName: make(map[string]*hub)}
	http.HandleFunc("/websocket", func(w http.ResponseWriter, r *http.Request) {
		conn, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return // it was answered
		}
		c := &client{hubs: hubs, conn: conn, send: make(chan []byte, queue)}
		if name := r.URL.Query().Get("channel_id"); name != "" {
			c.hub = hubs.named(name)
			c.hub.register <- c
		}
		go c.writePump()
		go c.readPump()
	})
	fmt.Fprintln(os.Stderr, "gorilla:", http.ListenAndServe(os.Args[1], nil)) //nolint:gosec // a peer on loopback
	os.Exit(1)
}

// hub keeps the clients of a channel.
type hub struct {
	clients    map[*client]bool
	broadcast  chan []byte
	register   chan *client
	unregister chan *client
}

func newHub() *hub {
	return &hub{
		clients: make(map[*client]bool), broadcast: make(chan []byte),
		register: make(chan *client), unregister: make(chan *client),
	}
}

func (h *hub) run() {
	for {
		select {
		case c := <-h.register:
			h.clients[c] = true
		case c := <-h.unregister:
			h.drop(c)
		case data := <-h.broadcast:
			for c := range h.clients {
				select {
				case c.send <- data:
				default:
					h.drop(c) // too slow
				}
			}
		}
	}
}

func (h *hub) drop(c *client) {
	if h.clients[c] {
		delete(h.clients, c)
		close(c.send)
	}
}
