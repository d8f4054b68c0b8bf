package app_test

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/joho/godotenv"

	"github.com/walkergate/walkergate/app"
)

var update = flag.Bool("update", false, "write .env.example and the table of README.md anew")

// setting is one setting, as its tags declare it.
type setting struct{ env, fallback, help string }

func settings() []setting {
	var all []setting
	config := reflect.TypeFor[app.Config]()
	for i := range config.NumField() {
		tag := config.Field(i).Tag
		all = append(all, setting{tag.Get("env"), tag.Get("default"), tag.Get("help")})
	}
	return all
}

func TestEverySettingIsDeclaredWhole(t *testing.T) {
	seen := make(map[string]bool)
	for _, s := range settings() {
		if s.env == "" || s.help == "" || seen[s.env] {
			t.Errorf("setting %+v lacks a name or a help, or has the name of another", s)
		}
		seen[s.env] = true
	}
}

func TestEnvExampleEqualsTheSettings(t *testing.T) {
	var want strings.Builder
	want.WriteString("# Every setting with its default. Copy this file to .env and change what you need.\n")
	for _, s := range settings() {
		fmt.Fprintf(&want, "\n# %s\n# %s=%s\n", s.help, s.env, s.fallback)
	}
	compare(t, "../.env.example", func(string) string { return want.String() })
}

// What the example says can be said: with every line in force, the settings
// are the defaults.
func TestEnvExampleCanBeUsed(t *testing.T) {
	text, err := os.ReadFile("../.env.example")
	if err != nil {
		t.Fatal(err)
	}
	var inForce strings.Builder
	for line := range strings.Lines(string(text)) {
		if name, _, found := strings.Cut(strings.TrimPrefix(line, "# "), "="); found && name == strings.ToUpper(name) && !strings.Contains(name, " ") {
			line = strings.TrimPrefix(line, "# ")
		}
		inForce.WriteString(line)
	}
	values, err := godotenv.Unmarshal(inForce.String())
	if err != nil {
		t.Fatalf("the example is no env file: %v", err)
	}
	if len(values) != len(settings()) {
		t.Errorf("%d settings can be read, want %d", len(values), len(settings()))
	}
	if got, want := parse(t, nil), parse(t, values); !reflect.DeepEqual(got, want) {
		t.Errorf("with the example in force the settings are %+v, want the defaults %+v", want, got)
	}
}

func TestReadmeTableEqualsTheSettings(t *testing.T) {
	var table strings.Builder
	table.WriteString("| environment | default | meaning |\n|---|---|---|\n")
	for _, s := range settings() {
		fallback := ""
		if s.fallback != "" {
			fallback = "`" + s.fallback + "`"
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s |\n", s.env, fallback, s.help)
	}
	const begin, end = "<!-- settings -->\n", "<!-- /settings -->"
	compare(t, "../README.md", func(readme string) string {
		before, rest, found := strings.Cut(readme, begin)
		_, after, ended := strings.Cut(rest, end)
		if !found || !ended {
			t.Fatal("README.md has no place for the table")
		}
		return before + begin + table.String() + end + after
	})
}

// compare holds a file to what it must be, or writes it so with -update.
func compare(t *testing.T, path string, want func(got string) string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil && !*update {
		t.Fatal(err)
	}
	wanted := want(string(got))
	if *update {
		if err := os.WriteFile(path, []byte(wanted), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(got) != wanted {
		t.Errorf("%s differs from the settings; run go test ./app -run Settings -update", path)
	}
}

func parse(t *testing.T, environment map[string]string) app.Config {
	t.Helper()
	for _, s := range settings() {
		t.Setenv(s.env, environment[s.env])
		if _, given := environment[s.env]; !given {
			if err := os.Unsetenv(s.env); err != nil {
				t.Fatal(err)
			}
		}
	}
	var config app.Config
	parser, err := kong.New(&config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(nil); err != nil {
		t.Fatal(err)
	}
	return config
}

func TestFaultySettingsAreToldAllAtOnce(t *testing.T) {
	config := app.Config{
		Port: 70000, TLSCert: "cert.pem", TokenSecret: "short", TrustedProxies: []string{"here"},
		AllowOrigins: []string{"example.com"}, AuthIssuers: []string{"example.com"}, PublishPolicy: "anyone", FrameRate: -1, DataDir: t.TempDir(),
		PingInterval: time.Minute, DeadAfter: time.Second,
	}
	_, err := app.New(config, nil, nil)
	if err == nil {
		t.Fatal("faulty settings were taken")
	}
	for _, name := range []string{"PORT", "TLS_CERT", "TOKEN_SECRET", "TRUSTED_PROXIES", "ALLOW_ORIGINS", "AUTH_ISSUERS", "PUBLISH_POLICY", "FRAME_RATE", "DEAD_AFTER"} {
		if !strings.Contains(err.Error(), name+":") && !strings.Contains(err.Error(), name+",") {
			t.Errorf("%s is not told: %v", name, err)
		}
	}
	if strings.Contains(err.Error(), "short") && strings.Contains(err.Error(), "\"short\"") {
		t.Error("the error tells the secret")
	}
}
