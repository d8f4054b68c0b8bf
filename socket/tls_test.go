package socket_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/walkergate/walkergate/socket"
	"github.com/walkergate/walkergate/wire"
)

// spied is what lies under a TLS connection. It counts what is still written
// when a write has run out of time.
type spied struct {
	net.Conn
	late    atomic.Bool
	written atomic.Int64
}

func (c *spied) Write(b []byte) (int, error) {
	if c.late.Load() {
		c.written.Add(1)
	}
	n, err := c.Conn.Write(b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.late.Store(true)
	}
	return n, err
}

// openTLS is open over TLS in process; under is what the session's side of it
// lies upon.
func openTLS(t *testing.T, h socket.Handler, o socket.Options) (s *socket.Session, p *peer, under *spied) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	server, client := connectTCP(t)
	narrow(server)
	narrow(client)
	under = &spied{Conn: server}
	over := tls.Server(under, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{certificate}, PrivateKey: key}}})
	own := tls.Client(client, &tls.Config{InsecureSkipVerify: true}) // the test's own certificate, made above
	shaken := make(chan error, 1)
	go func() { shaken <- over.Handshake() }()
	if err := own.Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := <-shaken; err != nil {
		t.Fatal(err)
	}
	s = socket.Open(over, nil, h, o)
	t.Cleanup(func() { client.Close(); <-s.Done() })
	s.Start(nil)
	return s, newPeer(own), under
}

func TestTLS(t *testing.T) {
	h := &recorder{}
	s, p, _ := openTLS(t, h, socket.Options{CloseTimeout: patience})
	h.mu.Lock()
	h.onText = func(got string) { s.Send(message("re: "+got), nil) }
	h.mu.Unlock()
	long := strings.Repeat("x", 60_000)
	p.send(text("hi"), frame(final|opPing, "p"), text(long))
	p.want(t, "text:re: hi", "pong:p", "text:re: "+long)
	p.send(closing(1000, ""))
	p.want(t, "close:1000", "end")
	p.Close()
	if end := h.ending(t, s); end.Code != wire.CloseNormal || end.Err != nil {
		t.Errorf("ended with %+v", end)
	}
}

// A peer that does not read is gone in time, though TLS can neither take a
// timed-out write up again nor say goodbye to it.
func TestTLSSlowReader(t *testing.T) {
	stats := &socket.Stats{}
	h := &recorder{}
	s, _, under := openTLS(t, h, socket.Options{WriteTimeout: 50 * time.Millisecond, QueueBytes: 64 << 20, Stats: stats})
	s.Send(message(strings.Repeat("x", 20<<20)), nil)
	if end := h.ending(t, s); end.Code != wire.CloseTooSlow || end.Err == nil {
		t.Errorf("ended with %+v", end)
	}
	if n := under.written.Load(); n > 0 || !under.late.Load() {
		t.Errorf("%d writes came behind the one that ran out of time", n) // each may wait for 5 s
	}
	if slow, queued := stats.SlowClosed.Load(), stats.QueuedBytes.Load(); slow != 1 || queued != 0 {
		t.Errorf("counted %d slow, %d bytes queued", slow, queued)
	}
}
