// Package mongoserver runs a server that speaks MongoDB's protocol, for tests
// on machines that have no mongod: SecantusDB, of PyPI, which stores in
// WiredTiger as mongod does. It is a process of its own, is linked with nothing
// of ours and shipped with nothing (its licence is GPL-2.0). What passes on it
// has been tested with SecantusDB, and not with MongoDB.
//
// Tried beside it: mongo-java-server 1.47, under a version of wire protocol
// that it does not claim itself. It failed the contract of the stores in that
// concurrent findAndModify calls were answered with the same document, in that
// its order is that of UTF-16, and in that parallel calls sometimes ended in an
// unknown error.
package mongoserver

import (
	"bufio"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

//go:embed requirements.txt
var requirements string

//go:embed serve.py
var program string

// ErrNotInstalled means that Install has not been run on this machine.
var ErrNotInstalled = errors.New("no server is installed: go run ./internal/mongoserver/run installs one")

// Install fetches the server by pip into the cache of this user, once for each
// change of what is to be fetched. It needs python3, 3.11 or newer, with pip;
// what pip says goes to log.
func Install(ctx context.Context, log io.Writer) error {
	dir, err := installDir()
	if err != nil {
		return err
	}
	if installed(dir) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil { //nolint:gosec // a cache of public packages, as pip's own
		return err
	}
	// Beside its place and moved there when whole: another run may install too.
	fresh, err := os.MkdirTemp(filepath.Dir(dir), "installing-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(fresh) }() // moved, or of no use
	list := filepath.Join(fresh, "requirements.txt")
	if err := os.WriteFile(list, []byte(requirements), 0o600); err != nil {
		return err
	}
	pip := exec.CommandContext(ctx, "python3", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--root-user-action=ignore", //nolint:gosec // nothing of it is input
		"--no-deps", "--target", filepath.Join(fresh, "packages"), "--requirement", list)
	pip.Stdout, pip.Stderr = log, log
	if err := pip.Run(); err != nil {
		return fmt.Errorf("install the server by pip: %w", err)
	}
	if err := os.Rename(fresh, dir); err != nil && !installed(dir) {
		return err
	}
	return nil
}

// Server is a running server.
type Server struct {
	// URI is where it listens, on a free port of 127.0.0.1.
	URI string
	// Name is what it is, with its version.
	Name string

	process *exec.Cmd
	stdin   io.WriteCloser
}

// Start runs what Install has installed, with an empty store that vanishes with
// it. The server ends by Stop, and also when this process does, however that
// ends.
func Start() (*Server, error) {
	dir, err := installDir()
	if err != nil {
		return nil, err
	}
	if !installed(dir) {
		return nil, ErrNotInstalled
	}
	// What it says goes to a file and not to this process's own standard error:
	// a test is over when nobody can write to that any more. The file is of use
	// until the server listens.
	said, err := os.CreateTemp("", "walkergate-mongoserver-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = errors.Join(said.Close(), os.Remove(said.Name())) }() // a temporary file: the system clears it one day
	s := &Server{}
	if err := s.start(dir, said); err != nil {
		_ = s.Stop() // the first error says what happened
		return nil, err
	}
	return s, nil
}

func (s *Server) start(dir string, said *os.File) error {
	// Its life is bound to its standard input, and not to a context.
	s.process = exec.CommandContext(context.Background(), "python3", "-c", program) //nolint:gosec // the program is embedded
	s.process.Env = append(os.Environ(), "PYTHONPATH="+filepath.Join(dir, "packages"), "PYTHONDONTWRITEBYTECODE=1")
	s.process.Stderr = said
	var err error
	if s.stdin, err = s.process.StdinPipe(); err != nil {
		return err
	}
	stdout, err := s.process.StdoutPipe()
	if err != nil {
		return err
	}
	if err := s.process.Start(); err != nil {
		return fmt.Errorf("start the server: %w", err)
	}
	lines := bufio.NewScanner(stdout)
	for _, into := range []*string{&s.URI, &s.Name} {
		if !lines.Scan() {
			text, _ := os.ReadFile(said.Name()) // all that there is to say
			return fmt.Errorf("the server ended before it listened: %s", strings.TrimSpace(string(text)))
		}
		*into = lines.Text()
	}
	return nil
}

// Stop ends the server and waits for its end.
func (s *Server) Stop() error {
	var failed []error
	if s.stdin != nil {
		failed = append(failed, s.stdin.Close())
	}
	if s.process != nil && s.process.Process != nil {
		failed = append(failed, s.process.Wait())
	}
	return errors.Join(failed...)
}

// installDir has a name of its own for each list of packages.
func installDir() (string, error) {
	cache := os.Getenv("XDG_CACHE_HOME")
	if cache == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		cache = filepath.Join(home, ".cache")
	}
	sum := sha256.Sum256([]byte(requirements))
	return filepath.Join(cache, "walkergate-ci", "mongoserver-"+hex.EncodeToString(sum[:6])), nil
}

func installed(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "packages"))
	return !errors.Is(err, fs.ErrNotExist)
}
