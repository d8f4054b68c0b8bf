package report

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
)

// Machine is where a run took place. It has no name: the figures tell of its
// kind.
type Machine struct {
	Cores  int    `json:"cores"`
	CPU    string `json:"cpu"`
	Memory int64  `json:"memory"` // bytes
	Kernel string `json:"kernel"`
	Go     string `json:"go"`
	Node   string `json:"node"`
}

// ThisMachine looks at the machine; what it cannot find out is "unknown".
func ThisMachine(ctx context.Context) Machine {
	return Machine{
		Cores: runtime.NumCPU(), CPU: word(field("/proc/cpuinfo", "model name")),
		Memory: kibibytes(field("/proc/meminfo", "MemTotal")),
		Kernel: word(contents("/proc/sys/kernel/osrelease")), Go: runtime.Version(),
		Node: word(output(ctx, "node", "--version")),
	}
}

// Short is the machine in a file's name.
func (m Machine) Short() string {
	cpu := regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(m.CPU), "-")
	return strings.Trim(cpu[:min(len(cpu), 24)], "-") + "-" + strconv.Itoa(m.Cores) + "cpu"
}

// Commit is the commit that is measured, with a plus where there are changes
// on top.
func Commit(ctx context.Context) string {
	commit := output(ctx, "git", "rev-parse", "--short", "HEAD")
	if commit == "" {
		return "unknown"
	}
	if output(ctx, "git", "--no-optional-locks", "status", "--porcelain") != "" {
		commit += "+"
	}
	return commit
}

// Load is how busy the machine has been for 1, 5 and 15 minutes.
func Load() string {
	fields := strings.Fields(contents("/proc/loadavg"))
	return word(strings.Join(fields[:min(len(fields), 3)], " "))
}

func word(text string) string {
	if text == "" {
		return "unknown"
	}
	return text
}

// contents of a file, empty where it cannot be read: a report says so.
func contents(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

func field(path, name string) string {
	for line := range strings.Lines(contents(path)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func kibibytes(text string) int64 {
	number, err := strconv.ParseInt(strings.TrimSuffix(text, " kB"), 10, 64)
	if err != nil {
		return 0
	}
	return number << 10
}

// output of a program, empty where it fails, as contents.
func output(ctx context.Context, program string, args ...string) string {
	text, err := exec.CommandContext(ctx, program, args...).Output() //nolint:gosec // programs named here
	if err != nil {
		return ""
	}
	return string(bytes.TrimSpace(text))
}
