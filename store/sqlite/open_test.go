package sqlite_test

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/walkergate/walkergate/auth"
	"github.com/walkergate/walkergate/notify"
	"github.com/walkergate/walkergate/store/sqlite"
)

func TestReopeningKeepsAllButRecords(t *testing.T) {
	dir := newDir(t)
	s := open(t, dir)
	revocation := auth.Revocation{UserID: "u", TokenID: "t", At: time.UnixMilli(1).UTC(), Ends: time.UnixMilli(2).UTC()}
	_, err := s.HoldLease(t.Context(), notify.Lease{NodeID: "left behind"})
	err = errors.Join(err,
		s.CreateUser(t.Context(), user(1)),
		s.RevokeToken(t.Context(), revocation),
		s.WriteRecords(t.Context(), []notify.Record{record("left behind")}, nil),
		s.Close(),
	)
	if err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	if _, err := s.FindUser(t.Context(), auth.UserKey{EmailKey: user(1).EmailKey}); err != nil {
		t.Errorf("the user: %v", err)
	}
	kept, err := s.RevocationsSince(t.Context(), time.Time{})
	if err != nil || !cmp.Equal(kept, []auth.Revocation{revocation}) {
		t.Errorf("the revocations: %v (%v)", kept, err)
	}
	for _, query := range []notify.RecordQuery{{}, {ChannelID: "room"}} {
		if left, err := s.Records(t.Context(), query, 10); err != nil || len(left) != 0 {
			t.Errorf("the records for %+v: %v (%v)", query, left, err)
		}
	}
	if left, err := s.Leases(t.Context()); err != nil || len(left) != 0 {
		t.Errorf("the leases: %v (%v)", left, err)
	}
}

func TestADirectoryIsOneProcesssAlone(t *testing.T) {
	dir := newDir(t)
	s := open(t, dir)
	second, err := sqlite.Open(t.Context(), dir, sqlite.Options{})
	if !errors.Is(err, sqlite.ErrInUse) || !strings.Contains(err.Error(), dir) {
		t.Errorf("the second Open ended with %v", err)
	}
	if err == nil {
		shut(t, second)
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("the first store after the second Open: %v", err)
	}
	shut(t, s)
	open(t, dir)
}

func TestANewerSchemaIsRefused(t *testing.T) {
	dir := newDir(t)
	shut(t, open(t, dir))
	known := userVersion(t, dir)
	alter(t, dir, "PRAGMA user_version = 4711")
	for range 2 { // a failed Open lets the directory go
		_, err := sqlite.Open(t.Context(), dir, sqlite.Options{})
		if !errors.Is(err, sqlite.ErrNewer) || !strings.Contains(err.Error(), "4711") {
			t.Errorf("Open ended with %v", err)
		}
	}
	alter(t, dir, fmt.Sprint("PRAGMA user_version = ", known))
	open(t, dir)
}

func userVersion(t *testing.T, dir string) (version int) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "walkergate.db"))
	if err != nil {
		t.Fatal(err)
	}
	err = db.QueryRow("PRAGMA user_version").Scan(&version)
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	return version
}

func alter(t *testing.T, dir, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "walkergate.db"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.Exec(statement)
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestADamagedDatabaseIsRefused(t *testing.T) {
	dir := newDir(t)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "walkergate.db"), []byte(strings.Repeat("not a database ", 500)), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := sqlite.Open(t.Context(), dir, sqlite.Options{})
	if err == nil {
		shut(t, s)
	}
	if err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("Open ended with %v", err)
	}
}

func TestEveryPathWorks(t *testing.T) {
	for _, name := range []string{"a b", "100%20", "q?mode=memory", "hash#tag", "ünï", "a&b=c;d", "file:x"} {
		if runtime.GOOS == "windows" && strings.ContainsAny(name, "?:") {
			continue
		}
		dir := filepath.Join(t.TempDir(), name)
		s := open(t, dir)
		if err := s.CreateUser(t.Context(), user(1)); err != nil {
			t.Errorf("%q: %v", name, err)
		}
		shut(t, s)
		info, err := os.Stat(filepath.Join(dir, "walkergate.db"))
		if err != nil || info.Size() == 0 {
			t.Errorf("%q holds no database (%v)", name, err)
		}
	}
}

func TestFilesAreTheirOwnersAlone(t *testing.T) {
	skipWithoutModes(t)
	dir := newDir(t)
	s := open(t, dir)
	if err := s.CreateUser(t.Context(), user(1)); err != nil {
		t.Fatal(err)
	}
	seen := 0
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has the mode %v", path, info.Mode())
		}
		seen++
		return err
	})
	if err != nil || seen < 5 { // the directory, lock, database, its log, its index
		t.Errorf("%d files were seen (%v)", seen, err)
	}
}

func TestAWideDirectory(t *testing.T) {
	skipWithoutModes(t)
	for _, test := range []struct {
		name, file string
		refused    bool
	}{
		{name: "empty", file: ""},
		{name: "of the gateway", file: "walkergate.db"},
		{name: "with its secret", file: auth.SecretFile},
		{name: "with files of others", file: "homework.txt", refused: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := newDir(t)
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if test.file != "" {
				if err := os.WriteFile(filepath.Join(dir, test.file), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Chmod(dir, 0o755); err != nil { // not masked, as Mkdir's mode is
				t.Fatal(err)
			}
			s, err := sqlite.Open(t.Context(), dir, sqlite.Options{})
			if err == nil {
				shut(t, s)
			}
			info, statErr := os.Stat(dir)
			if statErr != nil {
				t.Fatal(statErr)
			}
			mode := info.Mode().Perm()
			if test.refused && (err == nil || !strings.Contains(err.Error(), dir) || mode != 0o755) {
				t.Errorf("Open ended with %v and left the mode %v", err, mode)
			}
			if !test.refused && (err != nil || mode != 0o700) {
				t.Errorf("Open ended with %v and left the mode %v", err, mode)
			}
		})
	}
}

func skipWithoutModes(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes of files say nothing here")
	}
}

func TestRevocationsThatEndedAreForgotten(t *testing.T) {
	s := open(t, newDir(t))
	at := func(second int64) time.Time { return time.Unix(second, 0).UTC() }
	for second := range int64(100) {
		err := s.RevokeToken(t.Context(), auth.Revocation{
			UserID: "u", TokenID: fmt.Sprint(second), At: at(second), Ends: at(second + 10),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	wantKept := func(want int) {
		t.Helper()
		if kept, err := s.RevocationsSince(t.Context(), time.Time{}); err != nil || len(kept) != want {
			t.Errorf("%d revocations are kept (%v), want %d", len(kept), err, want)
		}
	}
	wantKept(10)
	ann := user(1)
	ann.ID = "u"
	if err := s.CreateUser(t.Context(), ann); err != nil {
		t.Fatal(err)
	}
	end := &auth.EndTokens{At: at(100), Ends: at(200)}
	if _, err := s.ChangeUser(t.Context(), auth.UserChange{UserID: "u", End: end}); err != nil {
		t.Fatal(err)
	}
	wantKept(10) // that of the user, and nine of tokens which may be younger
}

func TestNoQueryScansATable(t *testing.T) {
	plans, err := open(t, newDir(t)).Plan()
	if err != nil {
		t.Fatal(err)
	}
	for query, steps := range plans {
		for _, step := range steps {
			if !strings.HasPrefix(step, "SEARCH ") {
				t.Errorf("%s\nis answered by %s", query, step)
			}
		}
	}
}

// killedWriter tells the process that is to be killed where to write.
const killedWriter = "SQLITE_TEST_KILLED_WRITER"

// TestWhatWasAnsweredSurvivesAKill runs itself as a second process, which
// writes users for ever, tells each one after its answer, and is killed.
func TestWhatWasAnsweredSurvivesAKill(t *testing.T) {
	if dir := os.Getenv(killedWriter); dir != "" {
		writeForEver(dir)
	}
	dir := newDir(t)
	process := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	process.Env = append(os.Environ(), killedWriter+"="+dir)
	process.Stderr = os.Stderr
	out, err := process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	told := 0
	for told < 50 && lines.Scan() {
		told++
	}
	if err := process.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() { // what was told before the kill
		told++
	}
	_ = process.Wait() // says that it was killed
	s := open(t, dir)
	for n := range told {
		if _, err := s.FindUser(t.Context(), auth.UserKey{ID: user(n).ID}); err != nil {
			t.Errorf("user %d of %d: %v", n, told, err)
		}
	}
	if left, err := s.Records(t.Context(), notify.RecordQuery{}, 10); err != nil || len(left) != 0 {
		t.Errorf("records of the killed process: %v (%v)", left, err)
	}
}

func writeForEver(dir string) {
	s, err := sqlite.Open(context.Background(), dir, sqlite.Options{})
	if err != nil {
		panic(err)
	}
	for n := 0; ; n++ {
		err := s.CreateUser(context.Background(), user(n))
		if err == nil {
			err = s.WriteRecords(context.Background(), []notify.Record{record(fmt.Sprint(n))}, nil)
		}
		if err != nil {
			panic(err)
		}
		fmt.Println(n)
	}
}
