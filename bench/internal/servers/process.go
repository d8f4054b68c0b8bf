package servers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

const (
	readyWithin = 15 * time.Second
	stopWithin  = 20 * time.Second
)

// Prepare builds or installs what the server needs. ErrMissing says that it is
// to be left out on this machine.
func (s Server) Prepare(ctx context.Context, places Places) error {
	if err := s.prepare(ctx, places); err != nil {
		return fmt.Errorf("%s: %w", s.Name, err)
	}
	return nil
}

// Process is a server that runs.
type Process struct {
	Address netip.AddrPort
	PID     int

	name    string
	command *exec.Cmd
	ended   chan struct{} // closed when it has ended, with err set
	err     error
	said    string // the file of what it printed
	folder  string
}

// Start starts the server on a free port and waits until it is ready.
func (s Server) Start(ctx context.Context, places Places) (*Process, error) {
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "walkergate-bench-")
	if err != nil {
		return nil, err
	}
	p := &Process{
		name: s.Name, Address: netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port),
		ended: make(chan struct{}), folder: folder, said: filepath.Join(folder, "said"),
	}
	what := s.command(places, strconv.Itoa(int(port)), filepath.Join(folder, "data"))
	if err := p.launch(what); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", s.Name, err), os.RemoveAll(folder))
	}
	if err := p.ready(ctx, what.ready); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w; it said: %s", s.Name, err, p.words()), p.Stop())
	}
	return p, nil
}

// launch starts the program and the goroutine that waits for its end.
func (p *Process) launch(what command) error {
	said, err := os.Create(p.said)
	if err != nil {
		return err
	}
	defer func() { _ = said.Close() }()                  // the program has its own descriptor of it
	p.command = exec.Command(what.program, what.args...) //nolint:noctx,gosec // a program of ours; Stop ends it, with its own patience
	p.command.Dir, p.command.Stdout, p.command.Stderr = p.folder, said, said
	p.command.Env = append(os.Environ(), what.env...)
	if err := p.command.Start(); err != nil {
		return err
	}
	p.PID = p.command.Process.Pid
	go func() {
		p.err = p.command.Wait()
		close(p.ended)
	}()
	return nil
}

// ready asks until the server answers.
func (p *Process) ready(ctx context.Context, path string) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	every := time.NewTicker(10 * time.Millisecond)
	defer every.Stop()
	for {
		err := p.answers(ctx, path)
		if err == nil {
			return nil
		}
		select {
		case <-every.C:
		case <-p.ended:
			return fmt.Errorf("it ended before it was ready: %w", p.err)
		case <-ctx.Done():
			return fmt.Errorf("it was not ready in time: %w", err)
		}
	}
}

func (p *Process) answers(ctx context.Context, path string) error {
	if path == "" {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", p.Address.String())
		if err != nil {
			return err
		}
		return conn.Close()
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.Address.String()+path, http.NoBody)
	if err != nil {
		return err
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %d", path, response.StatusCode)
	}
	return errors.Join(err, response.Body.Close())
}

// Ended reports whether the server has ended by itself, and what it said.
func (p *Process) Ended() (string, bool) {
	select {
	case <-p.ended:
		return p.words(), true
	default:
		return "", false
	}
}

// words are the last of what it printed.
func (p *Process) words() string {
	text, err := os.ReadFile(p.said)
	if err != nil {
		return err.Error()
	}
	return string(text[max(len(text)-2000, 0):])
}

// Stop ends the server, kindly at first, and removes what it kept.
func (p *Process) Stop() error {
	patience := time.NewTimer(stopWithin)
	defer patience.Stop()
	_ = p.command.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-p.ended:
	case <-patience.C:
		_ = p.command.Process.Kill() // as above
		<-p.ended
	}
	return os.RemoveAll(p.folder)
}

// freePort is a port that was free a moment ago.
func freePort(ctx context.Context) (uint16, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	port := listener.Addr().(*net.TCPAddr).AddrPort().Port()
	return port, listener.Close()
}

// build builds a program the way releases are built, but for its symbols, which
// a profiler wants and which are not in memory while it runs.
func build(ctx context.Context, dir string, places Places, name, pkg string) error {
	return run(ctx, dir, "go", "build", "-trimpath", "-o", filepath.Join(places.Binaries, name), pkg)
}

func run(ctx context.Context, dir, program string, args ...string) error {
	command := exec.CommandContext(ctx, program, args...) //nolint:gosec // programs named here
	command.Dir = dir
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %v: %w: %s", program, args, err, text)
	}
	return nil
}
