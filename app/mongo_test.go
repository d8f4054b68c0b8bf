package app_test

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/walkergate/walkergate/app"
	"github.com/walkergate/walkergate/internal/mongoserver"
	"github.com/walkergate/walkergate/internal/testkit"
	"github.com/walkergate/walkergate/notify"
	"github.com/walkergate/walkergate/store/mongo"
)

const tokenSecret = "0123456789abcdef0123456789abcdef"

func TestMongoNeedsASecretOfItsOwn(t *testing.T) {
	_, err := app.New(app.Config{MongodbURI: "mongodb://zelda:hunter2@localhost"}, nil, nil)
	if err == nil || !strings.Contains(err.Error(), "TOKEN_SECRET: is required with MONGODB_URI") {
		t.Errorf("New ended with %v", err)
	}
	_, err = app.New(app.Config{MongodbURI: "mongodb://zelda:hunter2%zz@localhost", TokenSecret: tokenSecret}, nil, nil)
	if err == nil || !strings.Contains(err.Error(), "MONGODB_URI") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("with a URI that cannot be read New ended with %v", err)
	}
}

// mongoProcess is the command over a database, which outlives it.
func mongoProcess(t *testing.T, uri, database, lease string) *exec.Cmd {
	t.Helper()
	command := exec.CommandContext(context.Background(), builtProgram(t))
	command.Dir = t.TempDir() // no .env here, and no data
	command.Env = append(os.Environ(), "HOST=127.0.0.1", "PORT=-1", "MONGODB_URI="+uri, "MONGODB_DATABASE="+database,
		"TOKEN_SECRET="+tokenSecret, "NODE_LEASE="+lease)
	return command
}

func TestMongoOutlivesAProcessAndIsSweptByTheNext(t *testing.T) {
	t.Parallel()
	uri := mongoserver.URI(t)
	database := mongoserver.Database(t, uri).Name()
	records, err := mongo.Open(t.Context(), uri, database, mongo.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = records.Close() })
	const lease = 2 * time.Second
	stands := func(clientID string) bool {
		found, err := records.Records(t.Context(), notify.RecordQuery{ClientID: clientID}, 1)
		if err != nil {
			t.Fatal(err)
		}
		return len(found) == 1
	}

	first := started(t, mongoProcess(t, uri, database, lease.String()))
	user := first.NewUser(t)
	old := first.Dial(t, "channel_id=room", user.Token)
	testkit.Until(t, "the record", func() bool { return stands(old.ClientID) })

	// A second one beside it would lose messages.
	second := mongoProcess(t, uri, database, lease.String())
	var said bytes.Buffer
	second.Stderr = &said
	if err := second.Run(); second.ProcessState.ExitCode() != 1 || !strings.Contains(said.String(), notify.ErrNotAlone.Error()) {
		t.Errorf("a second process ended with %v, saying\n%s", err, &said)
	}
	if got := first.Request(t, http.MethodGet, "/readyz", "", nil); got.Status != http.StatusOK {
		t.Errorf("the first is not ready: %s", got.Body)
	}

	first.kill()
	if !stands(old.ClientID) {
		t.Fatal("the record did not outlive the killed process: this test proves nothing")
	}
	begun := time.Now()
	third := started(t, mongoProcess(t, uri, database, lease.String()))
	s := third.Dial(t, "channel_id=room", user.Token) // waits until it serves
	if took := time.Since(begun); took > lease+testkit.Patience/2 {
		t.Errorf("the next process served after %s", took)
	}
	if s.RootID != user.RootID {
		t.Errorf("came back as %s, want %s", s.RootID, user.RootID)
	}
	if stands(old.ClientID) {
		t.Error("the record of the killed process is left")
	}
	testkit.Until(t, "the record", func() bool { return stands(s.ClientID) })
	third.Login(t, user)
}

func TestMongoThatIsGoneIsBusyAndNotReady(t *testing.T) {
	t.Parallel()
	server, err := mongoserver.Start()
	if err != nil {
		t.Skipf("NOT TESTED without a MongoDB: %v", err)
	}
	stopped := false
	t.Cleanup(func() {
		if !stopped {
			_ = server.Stop()
		}
	})
	g := testkit.Start(t, testkit.Config(func(c *app.Config) {
		c.MongodbURI, c.TokenSecret, c.ShutdownTimeout = server.URI, tokenSecret, 5*time.Second
	}))
	user := g.NewUser(t)
	testkit.Until(t, "readiness", func() bool { return g.Request(t, http.MethodGet, "/readyz", "", nil).Status == http.StatusOK })
	stopped = true
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	credentials := map[string]string{"email": user.Email, "password": user.Password}
	got := g.Request(t, http.MethodPost, "/user/login", "", credentials)
	if got.Status != http.StatusServiceUnavailable || !strings.Contains(string(got.Body), `"busy"`) || strings.Contains(string(got.Body), "127.0.0.1") {
		t.Errorf("a login was answered %d %s", got.Status, got.Body)
	}
	for path, want := range map[string]int{"/readyz": http.StatusServiceUnavailable, "/healthz": http.StatusOK} {
		if got := g.Request(t, http.MethodGet, path, "", nil); got.Status != want {
			t.Errorf("%s was answered %d %s, want %d", path, got.Status, got.Body, want)
		}
	}
	// What needs no store goes on.
	if got := g.Post(t, "echo", "", map[string]string{"value": "hello"}); got.Status != http.StatusOK {
		t.Errorf("echo was answered %d %s", got.Status, got.Body)
	}
}
