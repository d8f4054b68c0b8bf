//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package sqlite

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// lockExclusive does not wait. The lock belongs to the open file, so a second
// one in the same process is refused too.
func lockExclusive(file *os.File) error {
	for {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

func isLocked(err error) bool { return errors.Is(err, unix.EWOULDBLOCK) }
