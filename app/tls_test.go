package app_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/walkergate/walkergate/app"
	"github.com/walkergate/walkergate/internal/testkit"
)

// selfSigned writes a certificate for 127.0.0.1 and its key, and gives who
// trusts it.
func selfSigned(t *testing.T) (certFile, keyFile string, trust *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature, IsCA: true, BasicConstraintsValid: true,
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyBytes, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, kind string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	trust = x509.NewCertPool()
	parsed, err := x509.ParseCertificate(certificate)
	if err != nil {
		t.Fatal(err)
	}
	trust.AddCert(parsed)
	return write("cert.pem", "CERTIFICATE", certificate), write("key.pem", "PRIVATE KEY", keyBytes), trust
}

func TestTLS(t *testing.T) {
	t.Parallel()
	certFile, keyFile, trust := selfSigned(t)
	h := newHold()
	g := testkit.Start(t, testkit.Walkers(h.register), testkit.Config(func(c *app.Config) { c.TLSCert, c.TLSKey = certFile, keyFile }))
	settings := &tls.Config{RootCAs: trust, MinVersion: tls.VersionTLS12}
	g.HTTP.Transport = &http.Transport{TLSClientConfig: settings}
	if !strings.HasPrefix(g.URL, "https://") {
		t.Fatalf("listens at %s", g.URL)
	}

	t.Run("https", func(t *testing.T) {
		if got := g.Post(t, "echo", "", testkit.Frame{"value": "é"}); got.Status != 200 || string(got.Body) != `{"status":200,"reports":["é"]}` {
			t.Errorf("%d %s", got.Status, got.Body)
		}
	})
	user := g.NewUser(t)

	t.Run("wss, with frames right behind the handshake", func(t *testing.T) {
		dialer := tls.Dialer{Config: settings}
		conn, err := dialer.DialContext(t.Context(), "tcp", strings.TrimPrefix(g.URL, "https://"))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		var behind []byte
		for n := range 20 { // some 40 KB: more than one TLS record, and more than any buffer
			behind = append(behind, testkit.ClientFrame(`{"type":"ping","id":"`+strconv.Itoa(n)+`","pad":"`+strings.Repeat("x", 2000)+`"}`)...)
		}
		ws := testkit.Shake(t, conn, behind, "Authorization", "Bearer "+user.Token)
		if first := ws.Next(t); !bytes.Contains(first, []byte(user.RootID)) {
			t.Fatalf("the first frame was %s", first)
		}
		for n := range 20 {
			if got, want := string(ws.Next(t)), `{"type":"reply","id":"`+strconv.Itoa(n)+`","ok":true}`; got != want {
				t.Fatalf("got %s, want %s", got, want)
			}
		}
		// And it goes on: messages of the server's own, and frames in both
		// directions while a walker runs.
		write := func(text string) {
			if _, err := conn.Write(testkit.ClientFrame(text)); err != nil {
				t.Fatal(err)
			}
		}
		write(`{"type":"walker","walker":"hold","response":true,"context":{"say":"over tls"}}`)
		h.running(t)
		if got := g.Post(t, "send_chat_to_user", user.Token, testkit.Frame{"root_id": user.RootID, "message": strings.Repeat("y", 50_000)}); got.Status != 200 {
			t.Fatalf("%d %s", got.Status, got.Body)
		}
		if got := ws.Next(t); len(got) < 50_000 {
			t.Fatalf("got %d bytes", len(got))
		}
		write(`{"type":"ping"}`)
		if got := string(ws.Next(t)); got != `{"type":"pong"}` {
			t.Fatalf("got %s", got)
		}
		h.release <- struct{}{}
		if got := string(ws.Next(t)); got != `{"status":200,"reports":["over tls"]}` {
			t.Fatalf("got %s", got)
		}
	})
	t.Run("no other version of HTTP", func(t *testing.T) {
		offer := settings.Clone()
		offer.NextProtos = []string{"h2", "http/1.1"}
		dialer := tls.Dialer{Config: offer}
		conn, err := dialer.DialContext(t.Context(), "tcp", strings.TrimPrefix(g.URL, "https://"))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		if err := conn.SetDeadline(time.Now().Add(testkit.Patience)); err != nil {
			t.Fatal(err)
		}
		if agreed := conn.(*tls.Conn).ConnectionState().NegotiatedProtocol; agreed == "h2" {
			t.Errorf("%s was agreed on", agreed)
		}
		if _, err := conn.Write([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		answer := make([]byte, len("HTTP/1.1 400 "))
		if _, err := io.ReadFull(conn, answer); err != nil || string(answer) != "HTTP/1.1 400 " {
			t.Errorf("answered %q, %v", answer, err)
		}
	})
	t.Run("plain text is not served", func(t *testing.T) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+strings.TrimPrefix(g.URL, "https://")+"/healthz", nil)
		if err != nil {
			t.Fatal(err)
		}
		if response, err := g.HTTP.Do(request); err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				t.Error("served without TLS")
			}
		}
	})
}
