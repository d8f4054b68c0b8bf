//go:build clients

package clients_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/walkergate/walkergate/internal/testkit"
)

// process is a client in Node. What drives it stands behind it in one module.
type process struct {
	t     testing.TB
	input io.WriteCloser

	mu     sync.Mutex
	frames []string
	lines  []string
}

// newProcess runs a client as an ES module beside node_modules; its code
// declares client.
func newProcess(t testing.TB, code ...string) *process {
	t.Helper()
	modules(t, "ws", "package.json")
	driver, err := os.ReadFile(filepath.Join("node", "drive.js"))
	if err != nil {
		t.Fatal(err)
	}
	module := strings.Join(append(code, string(driver)), "\n")
	// Not the test's context: that one ends before the client may say goodbye.
	ctx, cancel := context.WithTimeout(context.Background(), 3*testkit.Patience)
	t.Cleanup(cancel)
	command := exec.CommandContext(ctx, "node", "--input-type=module", "--eval", module)
	var complaints bytes.Buffer
	command.Stderr = &complaints
	p := &process{t: t}
	if p.input, err = command.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatalf("this test needs Node 20: %v", err)
	}
	read := make(chan error, 1)
	go func() { read <- p.read(output) }()
	t.Cleanup(func() {
		_ = p.input.Close() // the client closes, and Node ends
		if err := <-read; err != nil {
			t.Errorf("read what Node says: %v", err)
		}
		if err := command.Wait(); err != nil || complaints.Len() > 0 {
			t.Errorf("Node ended with %v, and said\n%s", err, complaints.String())
		}
	})
	return p
}

func (p *process) read(output io.Reader) error {
	scanner := bufio.NewScanner(output)
	for scanner.Scan() {
		line := scanner.Text()
		p.mu.Lock()
		if frame, ok := strings.CutPrefix(line, "frame "); ok {
			p.frames = append(p.frames, frame)
		} else {
			p.lines = append(p.lines, line)
		}
		p.mu.Unlock()
	}
	return scanner.Err()
}

func (p *process) received() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.frames)
}

func (p *process) logged() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.lines)
}

func (p *process) run(script string) {
	p.t.Helper()
	line, err := json.Marshal(script)
	if err == nil {
		_, err = p.input.Write(append(line, '\n'))
	}
	if err != nil {
		p.t.Fatalf("hand a script to Node: %v", err)
	}
}

func TestPackageWSConnectsWithHeader(t *testing.T) {
	s := newStage(t)
	user := s.NewUser(t)
	client := newProcess(t, seed(t, "authenticated_ws", fillHost, host(s.Gateway), fillToken, user.Token))
	who := connection(t, client, 0)
	if who.RootID != user.RootID {
		t.Errorf("the first event tells the root %s, want %s", who.RootID, user.RootID)
	}
	s.reach(t, who, 1)
	receives(t, client, 3, `{"type":"hello"}`, `{"type":"hello"}`)
}

func TestPackageWSConsumesAndPublishes(t *testing.T) {
	s := newStage(t)
	user := s.NewUser(t)
	client := newProcess(t,
		seed(t, "authenticated_ws", fillHost, host(s.Gateway), fillToken, user.Token),
		seed(t, "consume"))
	publishes(t, s, client, connection(t, client, 0), chatInNode)
}
