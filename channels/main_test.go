package channels_test

import (
	"bytes"
	"errors"
	"log/slog"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/walkergate/walkergate/auth"
	"github.com/walkergate/walkergate/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	alice = auth.Principal{UserID: "672b35cec309e5ef8469c372", RootID: "n::672b35cec309e5ef8469c372"}
	bob   = auth.Principal{UserID: "672b35cec309e5ef8469c373", RootID: "n::672b35cec309e5ef8469c373"}
)

// expect fails unless the error bears that code and that message, where one is
// given.
func expect(t testing.TB, err error, code fault.Code, message string) *fault.Error {
	t.Helper()
	var f *fault.Error
	if !errors.As(err, &f) {
		t.Fatalf("error is %v, want %s", err, code)
	}
	if f.Code != code || message != "" && f.Message != message {
		t.Fatalf("error is %s %q, want %s %q", f.Code, f.Message, code, message)
	}
	return f
}

// logged gathers what is logged.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *logged) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}
