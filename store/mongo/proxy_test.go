package mongo_test

import (
	"context"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/walkergate/walkergate/internal/mongoserver"
)

// fate is what becomes of a command on its way to the server.
type fate int

const (
	passes     fate = iota
	lost            // it never arrives
	unanswered      // it arrives, and its answer is lost
	late            // whoever sent it hears that the link is gone, and then it arrives
)

// proxy stands between a store and its server: it can be absent, or take what
// comes and pass nothing on, or lose single commands and answers.
type proxy struct {
	uri    string // of the server, by way of the proxy
	direct string // of the server itself
	server string
	listen string

	mu       sync.Mutex
	listener net.Listener
	conns    map[net.Conn]bool
	stalled  chan struct{} // closed: pass on
	judge    func(command []byte) fate
	running  sync.WaitGroup
}

// newProxy is a proxy that is absent.
func newProxy(t *testing.T) *proxy {
	t.Helper()
	uri := mongoserver.URI(t)
	hosts := options.Client().ApplyURI(uri).Hosts
	p := &proxy{direct: uri, server: hosts[0], conns: make(map[net.Conn]bool), stalled: make(chan struct{})}
	close(p.stalled)
	p.appear(t, "127.0.0.1:0")
	p.listen = p.listener.Addr().String()
	p.vanish()
	// With all its options, but to one address and to no other that the
	// server may name.
	before, after, _ := strings.Cut(uri, strings.Join(hosts, ","))
	rest, query, _ := strings.Cut(after, "?")
	p.uri = before + p.listen + "/" + strings.TrimPrefix(rest, "/") + "?directConnection=true&" + query
	p.uri = strings.TrimSuffix(p.uri, "&")
	t.Cleanup(p.vanish)
	return p
}

// appear makes the proxy listen.
func (p *proxy) appear(t *testing.T, address string) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	p.listener = listener
	p.mu.Unlock()
	p.running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			p.running.Go(func() { p.serve(conn) })
		}
	})
}

// vanish ends all connections and listens no more.
func (p *proxy) vanish() {
	p.resume()
	p.mu.Lock()
	if p.listener != nil {
		_ = p.listener.Close()
		p.listener = nil
	}
	for conn := range p.conns {
		_ = conn.Close()
	}
	p.mu.Unlock()
	p.running.Wait()
}

// stall passes nothing on until resume.
func (p *proxy) stall() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stalled = make(chan struct{})
}

func (p *proxy) resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.stalled:
	default:
		close(p.stalled)
	}
}

func (p *proxy) serve(near net.Conn) {
	defer near.Close()
	far, err := new(net.Dialer).DialContext(context.Background(), "tcp", p.server)
	if err != nil {
		return
	}
	defer far.Close()
	forget := p.keep(near, far)
	defer forget()
	var both sync.WaitGroup
	var deaf atomic.Bool // what the server says is not heard any more
	both.Go(func() {
		_, _ = io.Copy(&commands{passage{far, p}, near, &deaf}, near) // its end is that of the connection
		_ = far.Close()
	})
	both.Go(func() {
		_, _ = io.Copy(answers{passage{near, p}, &deaf}, far)
		_ = near.Close()
	})
	both.Wait()
}

// meddle lets judge decide on each command from now on; nil lets all pass.
func (p *proxy) meddle(judge func(command []byte) fate) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.judge = judge
}

// commands writes what its fate lets through. A command is one piece here, as
// long as it is short.
type commands struct {
	passage
	near net.Conn
	deaf *atomic.Bool
}

func (w *commands) Write(data []byte) (int, error) {
	w.proxy.mu.Lock()
	judge := w.proxy.judge
	w.proxy.mu.Unlock()
	if judge == nil {
		return w.passage.Write(data)
	}
	switch judge(data) {
	case lost:
		return 0, io.ErrClosedPipe
	case unanswered:
		w.deaf.Store(true)
	case late:
		w.deaf.Store(true)
		_ = w.near.Close()
		<-time.After(rand.N(30 * time.Millisecond))
	case passes:
	}
	return w.passage.Write(data)
}

// answers writes until nobody is to hear it.
type answers struct {
	passage
	deaf *atomic.Bool
}

func (w answers) Write(data []byte) (int, error) {
	if w.deaf.Load() {
		return 0, io.ErrClosedPipe
	}
	return w.passage.Write(data)
}

func (p *proxy) keep(conns ...net.Conn) (forget func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range conns {
		p.conns[conn] = true
	}
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, conn := range conns {
			delete(p.conns, conn)
		}
	}
}

// passage writes where the proxy is not stalled.
type passage struct {
	io.Writer
	proxy *proxy
}

func (w passage) Write(data []byte) (int, error) {
	w.proxy.mu.Lock()
	stalled := w.proxy.stalled
	w.proxy.mu.Unlock()
	<-stalled
	return w.Writer.Write(data)
}
