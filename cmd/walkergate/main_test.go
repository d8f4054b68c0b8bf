package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/walkergate/walkergate/app"
)

func help(t *testing.T, arguments ...string) string {
	t.Helper()
	var text bytes.Buffer
	parser, err := kong.New(&program{}, append(description(), kong.Writers(&text, &text), kong.Exit(func(int) {}))...)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = parser.Parse(append(arguments, "--help")) // Exit does not end the test, so that the parser goes on
	return text.String()
}

func TestHelpTellsEverySetting(t *testing.T) {
	text := strings.Join(strings.Fields(help(t)), " ")
	config := reflect.TypeFor[app.Config]()
	for i := range config.NumField() {
		tag := config.Field(i).Tag
		if !strings.Contains(text, "($"+tag.Get("env")) {
			t.Errorf("help does not name %s", tag.Get("env"))
		}
		if !strings.Contains(text, strings.TrimSuffix(tag.Get("help"), ".")) {
			t.Errorf("help does not explain %s", tag.Get("env"))
		}
	}
	if !strings.Contains(text, "serve") {
		t.Error("help does not name serve")
	}
}

func TestServeIsTheDefaultAndTakesFlagsBeforeTheEnvironment(t *testing.T) {
	t.Setenv("PORT", "1234")
	t.Setenv("PUBLISH_POLICY", "none")
	for _, arguments := range [][]string{{"--port", "4321"}, {"serve", "--port", "4321"}} {
		var line program
		parser, err := kong.New(&line, append(description(), kong.BindTo(context.Background(), (*context.Context)(nil)))...)
		if err != nil {
			t.Fatal(err)
		}
		command, err := parser.Parse(arguments)
		if err != nil {
			t.Fatalf("%v: %v", arguments, err)
		}
		if command.Command() != "serve" || line.Port != 4321 || line.PublishPolicy != "none" || !bool(line.BuiltinWalkers) {
			t.Errorf("%v: command %q, settings %+v", arguments, command.Command(), line.Config)
		}
	}
}

func TestExitCodesTellSettingsFromTheRest(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, test := range map[string]struct {
		arguments []string
		env       string
		code      int
	}{
		"an unknown flag":              {arguments: []string{"--nope"}, code: 2},
		"a value of the wrong kind":    {arguments: []string{"--port", "x"}, code: 2},
		"a file .env that is none":     {env: "what\"is this", code: 2},
		"a data folder that is a file": {arguments: []string{"--port=-1", "--data-dir", "/dev/null"}, code: 1},
		"settings that are refused":    {arguments: []string{"--port", "99999"}, code: 2},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(".", ".env")
			if test.env != "" {
				if err := os.WriteFile(path, []byte(test.env), 0o600); err != nil {
					t.Fatal(err)
				}
				defer func() { _ = os.Remove(path) }()
			}
			if code := run(test.arguments); code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
		})
	}
}

func TestEnvironmentForgivesEmptyValuesAndTellsUnknownNames(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("PORT", "")
	t.Setenv("LOG_LEVEL", "warn")
	if err := os.WriteFile(".env", []byte("PORT=4321\nHOST=\nLOG_LEVEL=debug\nPROT=1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	told, line := capture(t, func() program {
		var line program
		parser, err := kong.New(&line, description()...)
		if err != nil {
			t.Fatal(err)
		}
		if err := loadEnvironment(parser.Model); err != nil {
			t.Fatal(err)
		}
		if _, err := parser.Parse(nil); err != nil {
			t.Fatal(err)
		}
		return line
	})
	if line.Port != 4321 || line.Host != "localhost" || line.LogLevel != "warn" {
		t.Errorf("port %d, host %q, level %q", line.Port, line.Host, line.LogLevel)
	}
	if !strings.Contains(told, "PROT is no setting") || strings.Contains(told, "PORT is no") {
		t.Errorf("told %q", told)
	}
}

// capture gives what a function writes to standard error beside its result.
func capture(t *testing.T, do func() program) (string, program) {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	before := os.Stderr
	os.Stderr = file
	result := do()
	os.Stderr = before
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(text), result
}
