package notify_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/walkergate/walkergate/channels"
	"github.com/walkergate/walkergate/notify"
	"github.com/walkergate/walkergate/socket"
	"github.com/walkergate/walkergate/wire"
)

// mute is a client that says nothing.
type mute struct{ end chan socket.Closure }

func (h *mute) Frame([]byte)              {}
func (h *mute) Closed(end socket.Closure) { h.end <- end }

// connected gives a member over a real session, and the client's end.
func connected(t *testing.T, g *gateway, options socket.Options) (*notify.Member, net.Conn, *mute) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	client, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	for _, end := range []net.Conn{client, server} { // the kernel hides a slow reader else
		_ = end.(*net.TCPConn).SetReadBuffer(16 << 10)
		_ = end.(*net.TCPConn).SetWriteBuffer(16 << 10)
	}
	h := &mute{end: make(chan socket.Closure, 1)}
	session := socket.Open(server, nil, h, options)
	session.Start(nil)
	t.Cleanup(func() { client.Close(); <-session.Done() })
	return g.Add(notify.Joining{ClientID: "c", RootID: "ann", Conn: session}), client, h
}

// A receiver that takes its time gets thousands of messages over a small queue,
// in its own time and each once, while others publish; nothing of that closes
// its connection as too slow.
func TestASlowReceiverCatchesUp(t *testing.T) {
	g := start(t, newLogs(), settings{})
	defer g.stop()
	const messages = 3000
	padding := strings.Repeat("x", 700)
	say := func(n int) {
		data := fmt.Appendf(nil, `{"n":%d,"x":%q}`, n, padding[:n%700])
		if _, err := g.Channels(context.Background(), []string{"room"}, notify.Message{Data: data, Store: true}); err != nil {
			t.Errorf("publish: %v", err)
		}
	}
	for n := 1; n < messages; n++ {
		say(n)
	}
	stats := &socket.Stats{}
	const queue = 16 << 10
	member, client, h := connected(t, g, socket.Options{QueueBytes: queue, WriteTimeout: time.Minute, Stats: stats})
	sub := subscribe(t, member, "room")
	if recovered, err := sub.Resume(t.Context(), "", 0); !recovered || err != nil {
		t.Fatalf("resume: %t, %v", recovered, err)
	}
	member.Open(reply, "room")
	caught := make(chan error, 1)
	go func() { caught <- sub.Catch(context.Background()) }()

	next := int64(1)
	for first := true; next <= messages; first = false {
		header, err := ws.ReadHeader(client)
		if err != nil || header.OpCode != ws.OpText {
			t.Fatalf("%+v, %v, at %d", header, err, next)
		}
		payload := make([]byte, header.Length)
		if _, err := io.ReadFull(client, payload); err != nil {
			t.Fatal(err)
		}
		if first {
			continue // the reply
		}
		e := parse(t, string(payload))
		var data struct{ N int64 }
		if err := json.Unmarshal(e.Data, &data); err != nil || e.Seq != next || data.N != next {
			t.Fatalf("%d came where %d was due", e.Seq, next)
		}
		if queued := stats.QueuedBytes.Load(); queued > queue/4 {
			t.Errorf("%d bytes are queued", queued)
		}
		if next++; next == messages/2 {
			say(messages)
		}
	}
	if err := <-caught; err != nil {
		t.Errorf("catch up: %v", err)
	}
	if len(h.end) != 0 || stats.SlowClosed.Load() != 0 {
		t.Error("the connection was closed")
	}
	member.Remove()
}

// sized is a connection of which only the cost of bookkeeping is left.
type sized struct{ notify.Conn }

func (sized) Send(_ *wire.Message, void *atomic.Bool) bool { return !void.Load() }

func (sized) SendNext(_ *wire.Message, void *atomic.Bool, next *atomic.Int64, seq int64) bool {
	return !void.Load() && next.CompareAndSwap(seq, seq+1)
}

func (sized) SendOpening(_ *wire.Message, open func()) bool { open(); return true }

// A thousand subscribers: what a delivery costs beside the connection.
func BenchmarkEnvelopes1000(b *testing.B) {
	for _, bench := range []struct {
		name  string
		store bool
	}{{"stored", true}, {"notes", false}} {
		b.Run(bench.name, func(b *testing.B) {
			const members = 1000
			m := notify.New(notify.Options{NodeID: "node", Store: newStore(), Channels: channels.NewLog(newLogs(), channels.LogOptions{})})
			for i := range members {
				member := m.Add(notify.Joining{ClientID: fmt.Sprint(i), RootID: "r", Conn: sized{}})
				opened(b, member, "lobby")
			}
			data := json.RawMessage(`{"type":"chat","data":{"text":"hello"}}`)
			targets := []string{"lobby"}
			at, seq := time.Now(), int64(0)
			b.ReportAllocs()
			for b.Loop() {
				if !bench.store {
					if _, err := m.Channels(context.Background(), targets, notify.Message{Data: data}); err != nil {
						b.Fatal(err)
					}
					continue
				}
				seq++
				m.Committed("lobby", "e1", []channels.Message{{Seq: seq, At: at, Data: data}})
			}
			if bench.store { // what is in line is delivered before a note behind it
				if _, err := m.Channels(context.Background(), targets, notify.Message{Data: data}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/members, "ns/delivery")
		})
	}
}
