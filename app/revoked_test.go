package app_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/walkergate/walkergate/app"
	"github.com/walkergate/walkergate/auth"
	"github.com/walkergate/walkergate/internal/client"
	"github.com/walkergate/walkergate/internal/mongoserver"
	"github.com/walkergate/walkergate/internal/testkit"
	"github.com/walkergate/walkergate/store"
	"github.com/walkergate/walkergate/store/mongo"
	"github.com/walkergate/walkergate/store/sqlite"
	"github.com/walkergate/walkergate/walkers"
	"github.com/walkergate/walkergate/wire"
)

// revokedWithin is how long the last socket of a revoked user may stay theirs,
// where the test has the machine to itself; beside others it is judged only
// that each hears of it.
func revokedWithin() time.Duration {
	if testkit.Alone() && revokedIsTimed {
		return time.Second
	}
	return testkit.Patience
}

// TestRevocationReachesAThousandSocketsWithinASecond measures, and so does not
// run beside others.
func TestRevocationReachesAThousandSocketsWithinASecond(t *testing.T) {
	stores := map[string]func(t *testing.T) (first, second store.Store){
		"SQLite":  sharedFile,
		"MongoDB": sharedDatabase,
	}
	for name, open := range stores {
		for _, expiry := range []string{"public", "close"} {
			t.Run(name+", "+expiry, func(t *testing.T) {
				first, second := open(t)
				near := startBeside(t, first, expiry)
				far := startBeside(t, second, expiry)
				other := near.NewUser(t)
				for _, n := range []*neighbour{near, far} {
					n.canary = n.Dial(t, "channel_id=canary", other.Token)
				}
				// The machine may be busy with something else once or twice.
				const tries = 3
				for try := 1; ; try++ {
					late := revokeTheCrowd(t, near, far, expiry == "close")
					if late < revokedWithin() {
						return
					}
					if try == tries {
						t.Fatalf("the last socket ended after %s, want less than %s", late, revokedWithin())
					}
				}
			})
		}
	}
}

// sharedFile is one handle for both: no second one can be had of the embedded
// store.
func sharedFile(t *testing.T) (first, second store.Store) {
	t.Helper()
	opened, err := sqlite.Open(t.Context(), t.TempDir(), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = opened.Close() })
	return opened, opened
}

func sharedDatabase(t *testing.T) (first, second store.Store) {
	t.Helper()
	uri := mongoserver.URI(t)
	database := mongoserver.Database(t, uri).Name()
	open := func() store.Store {
		opened, err := mongo.Open(t.Context(), uri, database, mongo.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = opened.Close() })
		return opened
	}
	return open(), open()
}

// watchedStore is the store as one node sees it. It tells when that node has
// asked what was revoked.
type watchedStore struct {
	store.Store
	asked chan struct{}
	// holdFor makes the next change of a user wait until the node of that store
	// has asked. When it went on stands in changing.
	holdFor  atomic.Pointer[watchedStore]
	changing atomic.Pointer[time.Time]
}

func (s *watchedStore) ChangeUser(ctx context.Context, change auth.UserChange) (auth.User, error) {
	if other := s.holdFor.Swap(nil); other != nil {
		<-other.asked
		now := time.Now()
		s.changing.Store(&now)
	}
	return s.Store.ChangeUser(ctx, change)
}

func (s *watchedStore) RevocationsSince(ctx context.Context, since time.Time) ([]auth.Revocation, error) {
	found, err := s.Store.RevocationsSince(ctx, since)
	select {
	case s.asked <- struct{}{}:
	default:
	}
	return found, err
}

// Close leaves the store to the test, which has two nodes over it.
func (s *watchedStore) Close() error { return nil }

// neighbour is one of two gateways over one store.
type neighbour struct {
	*testkit.Gateway
	store  *watchedStore
	canary *testkit.Socket
}

func startBeside(t *testing.T, shared store.Store, expiry string) *neighbour {
	t.Helper()
	watched := &watchedStore{Store: shared, asked: make(chan struct{})}
	gate, err := app.NewBeside(watched, app.Config{
		Host: "127.0.0.1", Port: -1, TokenSecret: tokenSecret, AuthExpiry: expiry,
		MaxConnectionsPerUser: revokedOnEach + 1, LoginTriesPerAddress: 1_000_000,
		FrameRate: 10_000, FrameBurst: 10_000,
	}, walkers.NewRegistry(), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- gate.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the gateway ended with %v", err)
		}
	})
	g := testkit.At(t, gate.URL())
	testkit.Until(t, "the gateway to be ready", func() bool {
		return g.Request(t, http.MethodGet, "/readyz", "", nil).Status == http.StatusOK
	})
	return &neighbour{Gateway: g, store: watched}
}

// revokeTheCrowd ends all tokens of a user in each way there is, through one of
// the two gateways, and each time demands that all sockets of the user learn of
// it, on both, and that those of another user notice nothing. It gives the
// longest that a socket was still the user's.
func revokeTheCrowd(t *testing.T, near, far *neighbour, closes bool) (longest time.Duration) {
	t.Helper()
	user := near.NewUser(t)
	const changed = "another one"
	ends := []struct {
		name, method, path string
		body               any
		// hashes says that the call computes two hashes before it ends anything.
		// They are slow on purpose, so its second begins behind them; that of the
		// others begins when the call is sent.
		hashes bool
	}{
		{"logout of all", http.MethodPost, "/user/logout?all=true", nil, false},
		{"change_password", http.MethodPost, "/user/change_password", testkit.Frame{"old_password": user.Password, "new_password": changed}, true},
		{"delete", http.MethodDelete, "/user/me", nil, false},
	}
	var crowd []*onlooker
	for _, end := range ends {
		if end.name == "delete" {
			user.Password = changed
		}
		user = near.Login(t, user)
		if crowd == nil || closes {
			crowd = gather(t, near, far, user)
		} else {
			rejoin(t, crowd, user)
		}
		songs := []*song{sing(near.canary), sing(far.canary)}
		var watching errgroup.Group
		for _, o := range crowd {
			watching.Go(func() error { return o.awaitEnd(closes) })
		}

		// The longest that it can take: the other gateway has just asked.
		if end.hashes {
			near.store.holdFor.Store(far.store)
		} else {
			<-far.store.asked
		}
		from := time.Now()
		got := near.Request(t, end.method, end.path, user.Token, end.body)
		if end.hashes {
			from = *near.store.changing.Load()
		}
		if got.Status != http.StatusOK {
			t.Fatalf("%s: %d %s", end.name, got.Status, got.Body)
		}
		if err := watching.Wait(); err != nil {
			t.Fatalf("%s: %v", end.name, err)
		}
		onNear, onFar := last(crowd[:revokedOnEach]).Sub(from), last(crowd[revokedOnEach:]).Sub(from)
		t.Logf("%s: the last of %d sockets ended after %s here and %s there", end.name, len(crowd), onNear, onFar)
		longest = max(longest, onNear, onFar)
		for _, s := range songs {
			s.stop(t)
		}
		for _, n := range []*neighbour{near, far} {
			n.canary.Same(n.canary.Ask(users(user.RootID)), reached(0))
			n.canary.Same(n.canary.Ask(testkit.Frame{"type": "connection"}), event(n.canary, n.canary.RootID))
		}
	}
	return longest
}

// onlooker is one socket of the user.
type onlooker struct {
	conn     *client.Conn
	greeting told
	ended    time.Time
}

// told is what these tests read of a frame.
type told struct {
	Type string `json:"type"`
	Code string `json:"code"`
	Data struct {
		ClientID  string `json:"client_id"`
		RootID    string `json:"root_id"`
		ChannelID string `json:"channel_id"`
	} `json:"data"`
}

// gather connects the user on both gateways, those of the first one first.
func gather(t *testing.T, near, far *neighbour, user testkit.User) []*onlooker {
	t.Helper()
	crowd := make([]*onlooker, 2*revokedOnEach)
	var dialing errgroup.Group
	dialing.SetLimit(32)
	for i := range crowd {
		dialing.Go(func() error {
			g := near
			if i >= revokedOnEach {
				g = far
			}
			conn, err := client.Dial(t.Context(), g.SocketURL("channel_id=crowd"), http.Header{"Authorization": {user.Token}})
			if err != nil {
				return err
			}
			t.Cleanup(func() { _ = conn.Raw().Close() })
			crowd[i] = &onlooker{conn: conn}
			crowd[i].greeting, err = crowd[i].next()
			return err
		})
	}
	if err := dialing.Wait(); err != nil {
		t.Fatalf("connect: %v", err)
	}
	for _, o := range crowd {
		if o.greeting.Data.RootID != user.RootID {
			t.Fatalf("connected as %+v", o.greeting)
		}
	}
	return crowd
}

// rejoin makes all the user's again.
func rejoin(t *testing.T, crowd []*onlooker, user testkit.User) {
	t.Helper()
	for _, o := range crowd {
		if err := o.conn.Send(become(user.Token)); err != nil {
			t.Fatal(err)
		}
	}
	for _, o := range crowd {
		if got, err := o.next(); err != nil || got != o.greeting {
			t.Fatalf("became %+v (%v), want %+v", got, err, o.greeting)
		}
	}
}

func (o *onlooker) next() (frame told, err error) {
	text, err := o.conn.Read(time.Now().Add(testkit.Patience))
	if err != nil {
		return frame, err
	}
	return frame, json.Unmarshal(text, &frame)
}

// awaitEnd reads what a socket is told of the end of its user, to the last of
// it: why, and then that it is the public user's, or the close.
func (o *onlooker) awaitEnd(closes bool) error {
	first, err := o.next()
	o.ended = time.Now()
	if closes {
		var closed *client.Closed
		if !errors.As(err, &closed) || closed.Code != wire.CloseAuthEnded {
			return fmt.Errorf("got %+v (%v), want a close with %d", first, err, wire.CloseAuthEnded)
		}
		return nil
	}
	if err != nil || first.Type != "error" || first.Code != "token_invalid" {
		return fmt.Errorf("told %+v (%v), want why", first, err)
	}
	want := o.greeting
	want.Data.RootID = publicRoot
	second, err := o.next()
	o.ended = time.Now()
	if err != nil || second != want {
		return fmt.Errorf("told %+v (%v), want %+v", second, err, want)
	}
	return nil
}

func last(crowd []*onlooker) (ended time.Time) {
	for _, o := range crowd {
		if o.ended.After(ended) {
			ended = o.ended
		}
	}
	return ended
}

// song is what a canary sings: messages to its own channel, one when the last
// has come back.
type song struct {
	quit chan struct{}
	over sync.WaitGroup
	sung int
	gap  time.Duration // the longest that one took
	err  error
}

func sing(canary *testkit.Socket) *song {
	s := &song{quit: make(chan struct{})}
	s.over.Go(func() {
		beat := time.NewTicker(5 * time.Millisecond)
		defer beat.Stop()
		for s.err == nil {
			select {
			case <-s.quit:
				return
			case <-beat.C:
			}
			begun := time.Now()
			s.err = verse(canary.Conn, s.sung)
			s.sung, s.gap = s.sung+1, max(s.gap, time.Since(begun))
		}
	})
	return s
}

// verse sends one message, and demands it and its acknowledgement back and
// nothing else.
func verse(conn *client.Conn, n int) error {
	data := testkit.Frame{"n": n}
	if err := conn.Send(testkit.Frame{"type": "channel", "id": "verse", "channel_ids": []string{"canary"}, "data": data}); err != nil {
		return err
	}
	for _, want := range []string{fmt.Sprintf(`{"n":%d}`, n), `{"type":"reply","id":"verse","ok":true,"reached":1}`} {
		text, err := conn.Read(time.Now().Add(testkit.Patience))
		if err != nil || string(text) != want {
			return fmt.Errorf("got %q (%v), want %q", text, err, want)
		}
	}
	return nil
}

func (s *song) stop(t *testing.T) {
	t.Helper()
	close(s.quit)
	s.over.Wait()
	if s.err != nil || s.sung == 0 {
		t.Errorf("the canary was disturbed at message %d: %v", s.sung, s.err)
	}
	t.Logf("the canary sang %d messages, the slowest came back after %s", s.sung, s.gap)
}
