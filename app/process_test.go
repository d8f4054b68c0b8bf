package app_test

import (
	"bufio"
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/walkergate/walkergate/internal/testkit"
)

// program is the gateway's own command, built once for all tests that need a
// process which can be killed.
var program struct {
	once sync.Once
	dir  string
	path string
	err  error
}

func builtProgram(t *testing.T) string {
	t.Helper()
	program.once.Do(func() {
		// Not t.TempDir, which ends with the first test that asks.
		if program.dir, program.err = os.MkdirTemp("", "walkergate-test-"); program.err != nil { //nolint:usetesting // see above
			return
		}
		program.path = filepath.Join(program.dir, "walkergate")
		build := exec.CommandContext(context.Background(), "go", "build", "-o", program.path, "../cmd/walkergate")
		build.Stderr = os.Stderr
		program.err = build.Run()
	})
	if program.err != nil {
		t.Fatalf("build the command: %v", program.err)
	}
	return program.path
}

func removeProgram() {
	if program.dir != "" {
		_ = os.RemoveAll(program.dir) // a temporary folder: the system clears it one day
	}
}

// process is a gateway in a process of its own.
type process struct {
	*testkit.Gateway
	command *exec.Cmd
	ended   bool
}

// startProcess runs the command over a data folder, or the database that stands
// for it, and waits until it is ready.
func startProcess(t *testing.T, dataDir string) *process {
	t.Helper()
	command := exec.CommandContext(context.Background(), builtProgram(t))
	command.Dir = t.TempDir() // no .env here
	command.Env = append(append(os.Environ(), "HOST=127.0.0.1", "PORT=-1"), testkit.StoreEnviron(t, dataDir)...)
	return started(t, command)
}

// started runs a command that is a gateway and waits until it is ready.
func started(t *testing.T, command *exec.Cmd) *process {
	t.Helper()
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatalf("start the command: %v", err)
	}
	p := &process{command: command}
	t.Cleanup(p.kill)
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		t.Fatalf("the command ended before it listened: %v", err)
	}
	url := strings.TrimSpace(line[strings.Index(line, "http"):])
	p.Gateway = testkit.At(t, url)
	testkit.Until(t, "the process to be ready", func() bool {
		return p.Request(t, http.MethodGet, "/readyz", "", nil).Status == http.StatusOK
	})
	return p
}

// kill ends the process as kill -9 does.
func (p *process) kill() {
	if p.ended {
		return
	}
	p.ended = true
	_ = p.command.Process.Kill() // it may be gone
	_ = p.command.Wait()         // says that it was killed
}
