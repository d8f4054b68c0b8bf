package gateway_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"go.uber.org/goleak"

	"github.com/walkergate/walkergate/auth"
	"github.com/walkergate/walkergate/fault"
	"github.com/walkergate/walkergate/gateway"
	"github.com/walkergate/walkergate/internal/testkit"
	"github.com/walkergate/walkergate/notify"
	"github.com/walkergate/walkergate/specs"
	"github.com/walkergate/walkergate/walkers"
	"github.com/walkergate/walkergate/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// members is a store of users without ended tokens.
type members struct {
	auth.Store
	mu    sync.Mutex
	users map[string]auth.User // by EmailKey
}

func (m *members) RevocationsSince(context.Context, time.Time) ([]auth.Revocation, error) {
	return nil, nil
}

func (m *members) CreateUser(_ context.Context, user auth.User) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.users[user.EmailKey] = user
	return nil
}

func (m *members) FindUser(_ context.Context, key auth.UserKey) (auth.User, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if user, found := m.users[key.EmailKey]; found {
		return user, nil
	}
	return auth.User{}, fault.New(fault.NotFound, "no such user")
}

// world is a gateway without any HTTP in front of it.
type world struct {
	*gateway.Gateway
	auth    *auth.Service
	notify  *notify.Manager
	started chan struct{} // a run of the walker hold has begun
	release chan struct{} // lets one end
}

func newWorld(t *testing.T, limits gateway.Limits) *world {
	t.Helper()
	service, err := auth.New(t.Context(), &members{users: make(map[string]auth.User)}, auth.Options{
		Secret: []byte(strings.Repeat("s", 32)), Argon: auth.ArgonCost{MemoryKiB: 8, Passes: 1, Lanes: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{
		auth: service,
		// Records are written while Run runs, which nobody here asks for.
		notify:  notify.New(notify.Options{NodeID: gateway.NewNodeID()}),
		started: make(chan struct{}, 8), release: make(chan struct{}, 8),
	}
	registry := walkers.NewRegistry()
	walkers.Register(registry, specs.Walker{Name: "hold", Methods: []specs.Method{specs.WebSocket}, Auth: specs.NoAuth},
		func(ctx context.Context, call *walkers.Call, _ struct{}) error {
			select {
			case w.started <- struct{}{}:
			default: // nobody waits for so many
			}
			select {
			case <-w.release:
				call.Report("held")
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	runner, err := registry.Runner(walkers.Options{Notifier: w.notify})
	if err != nil {
		t.Fatal(err)
	}
	w.Gateway = gateway.New(gateway.Options{Auth: service, Runner: runner, Notify: w.notify, Limits: limits})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
		defer cancel()
		if err := errors.Join(w.Close(ctx), runner.Close(ctx)); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return w
}

// peer is the client's end of a connection.
type peer struct {
	net.Conn
	t *testing.T
}

// reserve takes a place that there has to be.
func (w *world) reserve(t *testing.T, arrival gateway.Arrival) *gateway.Place {
	t.Helper()
	place, err := w.Reserve(arrival)
	if err != nil {
		t.Fatalf("there is no room: %v", err)
	}
	return place
}

// full demands that there is no place, and tells why.
func (w *world) full(t *testing.T, arrival gateway.Arrival) string {
	t.Helper()
	place, err := w.Reserve(arrival)
	if err == nil {
		place.Release()
		t.Fatal("there is room")
	}
	if !fault.Is(err, fault.Busy) {
		t.Fatalf("refused with %v", err)
	}
	return fault.From(err).Message
}

// stranger is an arrival of the public user.
func stranger(channelIDs ...string) gateway.Arrival {
	return gateway.Arrival{Principal: auth.Public(), ChannelIDs: channelIDs}
}

// open takes a place and a connection.
func (w *world) open(t *testing.T, channelIDs ...string) *peer {
	t.Helper()
	return openAt(t, w.reserve(t, stranger(channelIDs...)))
}

func openAt(t *testing.T, place *gateway.Place) *peer {
	t.Helper()
	client, server := connect(t)
	if !place.Open(server, nil) {
		t.Fatal("the place is gone")
	}
	return &peer{client, t}
}

// connect gives the two ends of a TCP connection. What the test does not hand
// on it closes.
func connect(t *testing.T) (client, server net.Conn) {
	t.Helper()
	var listening net.ListenConfig
	listener, err := listening.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	var dialer net.Dialer
	client, err = dialer.DialContext(t.Context(), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	if err := client.SetDeadline(time.Now().Add(testkit.Patience)); err != nil {
		t.Fatal(err)
	}
	if server, err = listener.Accept(); err != nil {
		t.Fatal(err)
	}
	return client, server
}

// next is the next text message; a close ends the test.
func (p *peer) next() map[string]any {
	p.t.Helper()
	kind, payload, err := testkit.ReadFrame(p)
	if err != nil || kind != ws.OpText {
		p.t.Fatalf("frame of kind %v: %v", kind, err)
	}
	var message map[string]any
	if err := json.Unmarshal(payload, &message); err != nil {
		p.t.Fatal(err)
	}
	return message
}

// closed reads until the close, and answers it.
func (p *peer) closed() (code wire.CloseCode, reason string) {
	p.t.Helper()
	for {
		kind, payload, err := testkit.ReadFrame(p)
		if err != nil {
			p.t.Fatalf("waiting for the close: %v", err)
		}
		if kind != ws.OpClose {
			continue
		}
		code, reason := ws.ParseCloseFrameData(payload)
		answer := ws.MaskFrameInPlace(ws.NewCloseFrame(ws.NewCloseFrameBody(code, "")))
		if err := ws.WriteFrame(p, answer); err != nil {
			p.t.Fatal(err)
		}
		return wire.CloseCode(code), reason
	}
}

// leave says goodbye and gives how that was answered.
func (p *peer) leave() (code wire.CloseCode, reason string) {
	p.t.Helper()
	goodbye := ws.MaskFrameInPlace(ws.NewCloseFrame(ws.NewCloseFrameBody(ws.StatusNormalClosure, "")))
	if err := ws.WriteFrame(p, goodbye); err != nil {
		p.t.Fatal(err)
	}
	for {
		kind, payload, err := testkit.ReadFrame(p)
		if err != nil {
			p.t.Fatalf("waiting for the goodbye: %v", err)
		}
		if kind == ws.OpClose {
			code, reason := ws.ParseCloseFrameData(payload)
			_ = p.Close() // both have said goodbye
			return wire.CloseCode(code), reason
		}
	}
}

func (p *peer) say(text string) {
	p.t.Helper()
	if _, err := p.Write(testkit.ClientFrame(text)); err != nil {
		p.t.Fatal(err)
	}
}
