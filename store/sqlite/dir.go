package sqlite

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/walkergate/walkergate/auth"
)

// lockFile is the name of the file whose lock says who has the directory.
const lockFile = "lock"

// ErrInUse means that another process has the directory open.
var ErrInUse = errors.New("the data directory is in use by another process (is the gateway running already?)")

// prepareDir makes the directory, or sees that it is its owner's alone.
func prepareDir(dir string, log *slog.Logger) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the data directory: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("look at the data directory: %w", err)
	}
	mode := info.Mode().Perm()
	// Windows has no such bits; there the directory's access list decides.
	if mode&0o077 == 0 || runtime.GOOS == "windows" {
		return nil
	}
	ours, err := onlyOurs(dir)
	if err != nil {
		return fmt.Errorf("look into the data directory: %w", err)
	}
	if !ours {
		return fmt.Errorf("the data directory %s is open to others (mode %04o) and holds files of others: name a directory of its own, or chmod 700 this one", dir, mode)
	}
	if err := os.Chmod(dir, 0o700); err != nil { //nolint:gosec // a directory is of no use without the x
		return fmt.Errorf("the data directory %s is open to others (mode %04o) and cannot be narrowed: name a directory below it, which will be made: %w", dir, mode, err)
	}
	log.Warn("data directory narrowed to its owner", slog.String("dir", dir), slog.String("mode", fmt.Sprintf("%04o", mode)))
	return nil
}

// onlyOurs reports whether nothing but files of the gateway lies in dir, so
// that nobody else is shut out by narrowing it.
func onlyOurs(dir string) (bool, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false, err
	}
	for _, entry := range entries {
		name := entry.Name()
		if name != lockFile && !strings.HasPrefix(name, databaseFile) && !strings.HasPrefix(name, auth.SecretFile) {
			return false, nil
		}
	}
	return true, nil
}

// dirLock is the lock of this process on a directory. The system lets it go
// when the process ends, however it ends.
type dirLock struct{ file *os.File }

// lockDir takes the lock, or fails with ErrInUse at once.
func lockDir(dir string) (*dirLock, error) {
	file, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the lock of the data directory: %w", err)
	}
	if err := lockExclusive(file); err != nil {
		if isLocked(err) {
			err = fmt.Errorf("%w: %s", ErrInUse, dir)
		} else {
			err = fmt.Errorf("lock the data directory %s: %w", dir, err)
		}
		return nil, errors.Join(err, file.Close())
	}
	return &dirLock{file: file}, nil
}

// release gives the lock back. The file stays: to remove it would let two
// processes lock two files of the same name.
func (l *dirLock) release() error { return l.file.Close() }
