package main_test

import (
	"bufio"
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/walkergate/walkergate/internal/testkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// startChat runs this program until the test ends.
func startChat(t *testing.T) *testkit.Gateway {
	t.Helper()
	program := filepath.Join(t.TempDir(), "chat")
	if output, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, output)
	}
	command := exec.CommandContext(context.Background(), program) // it is ended below
	command.Dir = t.TempDir()                                     // no .env here
	command.Env = append(os.Environ(), "HOST=127.0.0.1", "PORT=-1", "DATA_DIR="+t.TempDir(), "MONGODB_URI=")
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill() // it may be gone
		_ = command.Wait()         // says that it was killed
	})
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		t.Fatalf("it ended before it listened: %v", err)
	}
	g := testkit.At(t, strings.TrimSpace(strings.TrimPrefix(line, "open ")))
	testkit.Until(t, "it to be ready", func() bool { return g.Request(t, http.MethodGet, "/readyz", "", nil).Status == http.StatusOK })
	return g
}

// curl is a call in the README, and the answer that stands below it.
var curl = regexp.MustCompile(`(?m)curl (?:-s )?-X POST localhost:8000(\S+)( -H "Authorization: Bearer \$TOKEN")? -d '([^']+)'.*(?:\n# (.*))?$`)

// frames are a frame in the README, and the answer in the block below it.
var frames = regexp.MustCompile("(?m)^```json\n(.*)\n```\n```json\n(.*)\n```$")

// The calls and frames of the README are answered as it says, in its order, by
// the program that it tells to begin with.
func TestReadmeIsAnsweredAsItSays(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	g := startChat(t)
	g.Dial(t, "channel_id=lobby", "") // the two tabs
	tab := g.Dial(t, "channel_id=lobby", "")
	token, told := "", 0
	calls := curl.FindAllStringSubmatch(string(text), -1)
	for _, call := range calls {
		path, authorized, body, want := call[1], call[2] != "", call[3], call[4]
		with := ""
		if authorized {
			with = token
		}
		got := g.Request(t, http.MethodPost, path, with, body)
		if got.Status != http.StatusOK && got.Status != http.StatusCreated {
			t.Errorf("%s\nis answered %d %s", call[0], got.Status, got.Body)
		}
		if want != "" {
			told++
			if string(got.Body) != want {
				t.Errorf("%s\nis answered %s", call[0], got.Body)
			}
		}
		if found, _ := got.JSON(t)["token"].(string); found != "" {
			token = found
		}
	}
	pairs := frames.FindAllStringSubmatch(string(text), -1)
	for _, pair := range pairs {
		if err := tab.SendText([]byte(pair[1])); err != nil {
			t.Fatal(err)
		}
		got := tab.NextText()
		for strings.Contains(string(got), `"type":"chat"`) { // what was said before
			got = tab.NextText()
		}
		if string(got) != pair[2] {
			t.Errorf("%s\nis answered %s", pair[1], got)
		}
	}
	if len(calls) < 4 || told < 2 || len(pairs) < 1 || token == "" {
		t.Errorf("%d calls, %d of them with an answer, %d frames: this test reads the README no more", len(calls), told, len(pairs))
	}
}
