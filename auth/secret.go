package auth

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

const (
	// SecretFile is the name of the file that LoadOrCreateSecret keeps.
	SecretFile = "token.secret"
	// minSecret is what HS256 asks of its key, in bytes (RFC 7518 3.2).
	minSecret = 32
	// maxSecretFile bounds what is read of the file.
	maxSecretFile = 4 << 10
)

// CheckSecret refuses a secret that is too short to sign tokens with.
func CheckSecret(secret []byte) error {
	if len(secret) < minSecret {
		return fmt.Errorf("the token secret (TOKEN_SECRET) has %d bytes: at least %d are needed", len(secret), minSecret)
	}
	return nil
}

// LoadOrCreateSecret gives the secret of a node that stands alone: the text in
// the file SecretFile of dir, or, where there is none, a random one that is
// written there first. The text can be moved into TOKEN_SECRET as it is. dir
// is made where it is missing, for its owner alone. A file that others than
// its owner may read or write is refused: who read it can be any user.
//
// Racing calls, in one process or several, give the same secret.
func LoadOrCreateSecret(dir string) (secret []byte, created bool, err error) {
	path := filepath.Join(dir, SecretFile)
	secret, err = loadSecret(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return secret, false, err
	}
	if err = os.MkdirAll(dir, 0o700); err != nil {
		return nil, false, fmt.Errorf("make the directory of the token secret: %w", err)
	}
	secret = newSecret()
	switch err = writeSecret(path, secret); {
	case errors.Is(err, fs.ErrExist): // another was faster, and theirs counts
		secret, err = loadSecret(path)
		return secret, false, err
	case err != nil:
		return nil, false, fmt.Errorf("write the token secret: %w", err)
	}
	return secret, true, nil
}

func newSecret() []byte {
	random := make([]byte, minSecret)
	_, _ = rand.Read(random) // never fails: crypto/rand ends the process instead
	return hex.AppendEncode(nil, random)
}

func loadSecret(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err // names the path
	}
	defer func() { _ = file.Close() }() // it was only read
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a file", path)
	}
	// Windows has no such bits; there the directory's access list decides.
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return nil, fmt.Errorf("%s: others than its owner may use it (mode %04o); chmod 600 it, and replace it if somebody read it", path, mode)
	}
	text, err := io.ReadAll(io.LimitReader(file, maxSecretFile))
	if err != nil {
		return nil, err
	}
	text = bytes.TrimSpace(text)
	if err := CheckSecret(text); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return text, nil
}

// writeSecret brings the file into being whole or not at all, and never over
// one that is there: fs.ErrExist then.
func writeSecret(path string, secret []byte) error {
	draft, err := os.CreateTemp(filepath.Dir(path), SecretFile+".*") // exclusive, mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(draft.Name()) }() // a leftover is harmless: nobody reads it
	_, err = draft.Write(append(bytes.Clone(secret), '\n'))
	if err == nil {
		err = draft.Sync()
	}
	if err = errors.Join(err, draft.Close()); err != nil {
		return err
	}
	// A link, unlike a rename, does not replace what is there.
	err = os.Link(draft.Name(), path)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		err = renameIfMissing(draft.Name(), path) // a file system without links
	}
	return err
}

func renameIfMissing(from, to string) error {
	if _, err := os.Lstat(to); err == nil {
		return fs.ErrExist
	}
	return os.Rename(from, to)
}
