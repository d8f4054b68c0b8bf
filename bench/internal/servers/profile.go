package servers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

// Profile records where the server's time goes, with perf, until stop is
// called; the file is for perf report.
func (p *Process) Profile(ctx context.Context, file string) (stop func() error, err error) {
	command := exec.CommandContext(ctx, "perf", "record", "-q", "-e", "cpu-clock", "-F", "499", "-g", "-o", file, "-p", strconv.Itoa(p.PID)) //nolint:gosec // the file is the operator's
	command.Stderr = os.Stderr
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	return func() error {
		if err := command.Process.Signal(syscall.SIGINT); err != nil {
			return fmt.Errorf("profile: %w", err)
		}
		err := command.Wait()
		if exit := new(exec.ExitError); errors.As(err, &exit) {
			return nil // perf ends by the signal that stops it
		}
		return err
	}, nil
}
