// Command gws is lxzan/gws on net/http with its Broadcaster, which speaks the
// frames of walkergate: channels by ?channel_id=, publish by a channel frame,
// echo by an echo frame.
package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"sync"

	"github.com/lxzan/gws"
)

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

// server holds the channels and their members.
type server struct {
	gws.BuiltinEventHandler

	mu       sync.RWMutex
	channels map[string]*channel
}

type channel struct {
	mu      sync.Mutex // held while a message is handed out, so that all get the same order
	members map[*gws.Conn]struct{}
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: gws HOST:PORT")
		os.Exit(2)
	}
	s := &server{channels: make(map[string]*channel)}
	upgrader := gws.NewUpgrader(s, &gws.ServerOption{})
	http.HandleFunc("/websocket", func(w http.ResponseWriter, r *http.Request) {
		conn, err := upgrader.Upgrade(w, r)
		if err != nil {
			return // it was answered
		}
		conn.Session().Store("channel_id", r.URL.Query().Get("channel_id"))
		go conn.ReadLoop()
	})
	fmt.Fprintln(os.Stderr, "gws:", http.ListenAndServe(os.Args[1], nil)) //nolint:gosec // a peer on loopback
	os.Exit(1)
}

func (s *server) named(id string) *channel {
	s.mu.RLock()
	c := s.channels[id]
	s.mu.RUnlock()
	if c != nil {
		return c
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.channels[id] == nil {
		s.channels[id] = &channel{members: make(map[*gws.Conn]struct{})}
	}
	return s.channels[id]
}

// of gives the channel of a connection, nil where it is in none.
func (s *server) of(conn *gws.Conn) *channel {
	id, _ := conn.Session().Load("channel_id")
	if name, ok := id.(string); ok && name != "" {
		return s.named(name)
	}
	return nil
}

// OnOpen joins the connection's channel.
func (s *server) OnOpen(conn *gws.Conn) {
	if c := s.of(conn); c != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.members[conn] = struct{}{}
	}
}

// OnClose leaves it.
func (s *server) OnClose(conn *gws.Conn, _ error) {
	if c := s.of(conn); c != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.members, conn)
	}
}

// OnMessage carries a frame out.
func (s *server) OnMessage(conn *gws.Conn, message *gws.Message) {
	defer func() { _ = message.Close() }() // gives its buffer back
	var f frame
	if err := json.Unmarshal(message.Bytes(), &f); err != nil {
		_ = conn.WriteClose(1008, []byte("no frame")) // a courtesy
		return
	}
	switch f.Type {
	case "channel":
		for _, id := range f.ChannelIDs {
			s.named(id).send(f.Data)
		}
	case "echo":
		text, err := json.Marshal(reply{Type: "reply", ID: f.ID, OK: true, Data: f.Data})
		if err != nil {
			_ = conn.WriteClose(1011, nil) // as above
			return
		}
		_ = conn.WriteMessage(gws.OpcodeText, text) // a connection that is gone ends its ReadLoop
	}
}

func (c *channel) send(data []byte) {
	broadcaster := gws.NewBroadcaster(gws.OpcodeText, data)
	defer func() { _ = broadcaster.Close() }() // gives its buffers back
	c.mu.Lock()
	defer c.mu.Unlock()
	for member := range c.members {
		_ = broadcaster.Broadcast(member) // as above
	}
}
