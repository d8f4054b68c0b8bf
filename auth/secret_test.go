package auth_test

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/walkergate/walkergate/auth"
)

func TestASecretIsMadeOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	first, created, err := auth.LoadOrCreateSecret(dir)
	if err != nil || !created {
		t.Fatalf("the first call: created %v, %v", created, err)
	}
	if err := auth.CheckSecret(first); err != nil {
		t.Error(err)
	}
	second, created, err := auth.LoadOrCreateSecret(dir)
	if err != nil || created || !bytes.Equal(first, second) {
		t.Errorf("the second call: created %v, the same %v, %v", created, bytes.Equal(first, second), err)
	}
	other, _, err := auth.LoadOrCreateSecret(t.TempDir())
	if err != nil || bytes.Equal(first, other) {
		t.Errorf("another directory: the same %v, %v", bytes.Equal(first, other), err)
	}
	text, err := os.ReadFile(filepath.Join(dir, auth.SecretFile))
	if err != nil || strings.TrimSpace(string(text)) != string(first) {
		t.Errorf("the file holds another text than the secret (%v)", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("the directory holds %v (%v)", entries, err)
	}
}

func TestRacingCallsGetOneSecret(t *testing.T) {
	dir := t.TempDir()
	const racers = 16
	var secrets [racers]string
	var makers [racers]bool
	var racing sync.WaitGroup
	for i := range racers {
		racing.Go(func() {
			secret, created, err := auth.LoadOrCreateSecret(dir)
			if err != nil {
				t.Error(err)
			}
			secrets[i], makers[i] = string(secret), created
		})
	}
	racing.Wait()
	made := 0
	for i := range racers {
		if secrets[i] != secrets[0] {
			t.Error("two calls got two secrets")
		}
		if makers[i] {
			made++
		}
	}
	if made != 1 {
		t.Errorf("%d calls made the secret", made)
	}
}

func TestTheModeOfASecret(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes of files say nothing here")
	}
	dir := filepath.Join(t.TempDir(), "data")
	if _, _, err := auth.LoadOrCreateSecret(dir); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, auth.SecretFile)
	for path, want := range map[string]os.FileMode{dir: 0o700, file: 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has the mode %v (%v), want %v", path, info.Mode(), err, want)
		}
	}
	for _, wide := range []os.FileMode{0o640, 0o604, 0o660, 0o644} {
		if err := os.Chmod(file, wide); err != nil {
			t.Fatal(err)
		}
		secret, created, err := auth.LoadOrCreateSecret(dir)
		if err == nil || created || secret != nil || !strings.Contains(err.Error(), file) {
			t.Errorf("mode %v: created %v, %v", wide, created, err)
		}
	}
	if err := os.Chmod(file, 0o400); err != nil {
		t.Fatal(err)
	}
	if _, _, err := auth.LoadOrCreateSecret(dir); err != nil {
		t.Errorf("a file that its owner may only read: %v", err)
	}
}

func TestASecretThatIsNone(t *testing.T) {
	for name, content := range map[string]string{"empty": "", "short": strings.Repeat("x", 31) + "\n"} {
		dir := t.TempDir()
		file := filepath.Join(dir, auth.SecretFile)
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, created, err := auth.LoadOrCreateSecret(dir); err == nil || created || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: created %v, %v", name, created, err)
		}
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, auth.SecretFile), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, created, err := auth.LoadOrCreateSecret(dir); err == nil || created {
		t.Errorf("a directory: created %v, %v", created, err)
	}
}

func TestCheckSecret(t *testing.T) {
	if err := auth.CheckSecret(secret); err != nil {
		t.Error(err)
	}
	if err := auth.CheckSecret(secret[:31]); err == nil || !strings.Contains(err.Error(), "TOKEN_SECRET") ||
		strings.Contains(err.Error(), string(secret[:31])) {
		t.Errorf("31 bytes: %v", err)
	}
}
