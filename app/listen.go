package app

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"strconv"
)

// listen binds the configured addresses, so that their faults come at the
// start. On localhost it binds both loopbacks to one port.
func listen(config Config, log *slog.Logger) ([]net.Listener, error) {
	required, optional := config.addresses()
	first, err := net.Listen("tcp", required)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	listeners := []net.Listener{first}
	if optional != "" {
		port := first.Addr().(*net.TCPAddr).Port
		second, err := net.Listen("tcp", optional+":"+strconv.Itoa(port))
		if err != nil {
			log.Warn("not listening on IPv6", slog.Any("error", err))
		} else {
			listeners = append(listeners, second)
		}
	}
	if config.TLSCert == "" {
		return listeners, nil
	}
	certificate, err := tls.LoadX509KeyPair(config.TLSCert, config.TLSKey)
	if err != nil {
		closeAll(listeners)
		return nil, fmt.Errorf("load TLS_CERT and TLS_KEY: %w", err)
	}
	// No HTTP/2: the server speaks HTTP/1.1, which WebSocket upgrades.
	settings := &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
	for i, listener := range listeners {
		listeners[i] = tls.NewListener(listener, settings)
	}
	return listeners, nil
}

func closeAll(listeners []net.Listener) {
	for _, listener := range listeners {
		_ = listener.Close() // it accepted nothing; there is nobody to tell
	}
}
