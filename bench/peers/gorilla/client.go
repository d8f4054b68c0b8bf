package main

import (
	"encoding/json"
	"time"

	"github.com/gorilla/websocket"
)

// client stands between a connection and its hub.
type client struct {
	hubs *hubs
	hub  *hub // nil where it is in no channel
	conn *websocket.Conn
	send chan []byte
}

// readPump carries out the client's frames until the connection ends.
func (c *client) readPump() {
	defer func() {
		if c.hub != nil {
			c.hub.unregister <- c
		} else {
			close(c.send)
		}
		_ = c.conn.Close() // it has ended
	}()
	c.conn.SetReadLimit(maxMessageSize)
	alive := func(string) error { return c.conn.SetReadDeadline(time.Now().Add(pongWait)) }
	c.conn.SetPongHandler(alive)
	if alive("") != nil {
		return
	}
	for {
		_, text, err := c.conn.ReadMessage()
		if err != nil {
			return
		}
		var f frame
		if json.Unmarshal(text, &f) != nil {
			return
		}
		switch f.Type {
		case "channel":
			for _, name := range f.ChannelIDs {
				c.hubs.named(name).broadcast <- f.Data
			}
		case "echo":
			text, err := json.Marshal(reply{Type: "reply", ID: f.ID, OK: true, Data: f.Data})
			if err != nil {
				return
			}
			c.send <- text
		}
	}
}

// writePump writes what is sent to the client, and pings it.
func (c *client) writePump() {
	ticker := time.NewTicker(pingPeriod)
	defer func() {
		ticker.Stop()
		_ = c.conn.Close() // its reader ends too
	}()
	for {
		select {
		case data, open := <-c.send:
			if !open {
				_ = c.conn.WriteMessage(websocket.CloseMessage, nil) // a courtesy
				return
			}
			if c.write(data) != nil {
				return
			}
		case <-ticker.C:
			if c.conn.SetWriteDeadline(time.Now().Add(writeWait)) != nil || c.conn.WriteMessage(websocket.PingMessage, nil) != nil {
				return
			}
		}
	}
}

// write writes a message, and what queued behind it, as one.
func (c *client) write(data []byte) error {
	if err := c.conn.SetWriteDeadline(time.Now().Add(writeWait)); err != nil {
		return err
	}
	w, err := c.conn.NextWriter(websocket.TextMessage)
	if err != nil {
		return err
	}
	if _, err := w.Write(data); err != nil {
		return err
	}
	for range len(c.send) {
		more, open := <-c.send
		if !open {
			break
		}
		if _, err := w.Write([]byte{'\n'}); err != nil {
			return err
		}
		if _, err := w.Write(more); err != nil {
			return err
		}
	}
	return w.Close()
}
