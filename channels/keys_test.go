package channels_test

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/walkergate/walkergate/auth"
	"github.com/walkergate/walkergate/channels"
	"github.com/walkergate/walkergate/fault"
)

func contains(text string, parts ...string) bool {
	return !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(text, part) })
}

func TestARepetitionEndsWhereTheFirstDid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory()
		log, witness := newLog(t, store, channels.LogOptions{})
		say := func(channelID, scope, key, data, sent string) (channels.Stored, error) {
			e := channels.Entry{ChannelID: channelID, Data: []byte(data), Scope: scope, Key: key}
			if sent != "" {
				e.Sent = []byte(sent)
			}
			defer func() { <-time.After(time.Second) }()
			return log.Append(t.Context(), e)
		}
		began := time.Now().UTC()
		for i, test := range []struct {
			channelID, scope, key, data, sent string
			want                              int64 // 0: another message has the key
			before                            bool
		}{
			{"a", "alice", "k", `{"n":1}`, "", 1, false},
			{"a", "alice", "k", `{"n":1}`, "", 1, true},
			{"a", "alice", "k", `{"n":2}`, "", 0, false},
			{"a", "alice", "k", `{"n":1} `, "", 0, false},
			{"a", "bob", "k", `{"n":2}`, "", 2, false}, // keys of others are other keys
			{"b", "alice", "k", `{"n":2}`, "", 1, false},
			{"a", "alice", "K", `{"n":1}`, "", 3, false},
			{"a", "alice", "", `{"n":1}`, "", 4, false}, // and none is none
			{"a", "alice", "", `{"n":1}`, "", 5, false},
			// A hook may make something else of it each time.
			{"a", "alice", "h", `{"at":1}`, `{"n":3}`, 6, false},
			{"a", "alice", "h", `{"at":2}`, `{"n":3}`, 6, true},
			{"a", "alice", "h", `{"at":1}`, `{"n":4}`, 0, false},
		} {
			got, err := say(test.channelID, test.scope, test.key, test.data, test.sent)
			if test.want == 0 {
				f := expect(t, err, fault.InvalidContext, "another message under this key")
				if len(f.Details) != 1 || f.Details[0].Field != "idempotency_key" {
					t.Errorf("%d: details are %+v", i, f.Details)
				}
				continue
			}
			if err != nil || got.Seq != test.want || got.Before != test.before || got.Epoch != "epoch of "+test.channelID {
				t.Errorf("%d: got %+v, %v; want %d (before: %t)", i, got, err, test.want, test.before)
			}
			if at := began.Add(time.Duration(i) * time.Second); got.At.Equal(at) == test.before {
				t.Errorf("%d: the time is %v, now %v", i, got.At, at)
			}
		}
		if seqs, _ := witness.of("a"); !slices.Equal(seqs, ascending(6)) {
			t.Errorf("told of %v", seqs)
		}
		if got := string(store.stored("a")[5].Data); got != `{"at":1}` {
			t.Errorf("stored is %s", got)
		}
	})
}

// Repetitions may race: one is written.
func TestRepetitionsRace(t *testing.T) {
	store := newMemory()
	log, witness := newLog(t, store, channels.LogOptions{})
	var racers sync.WaitGroup
	var mu sync.Mutex
	first := 0
	for range 64 {
		racers.Go(func() {
			e := entry("a", "x")
			e.Key = "k"
			got, err := log.Append(context.Background(), e)
			if err != nil || got.Seq != 1 {
				t.Errorf("got %+v, %v", got, err)
			}
			mu.Lock()
			defer mu.Unlock()
			if !got.Before {
				first++
			}
		})
	}
	racers.Wait()
	if seqs, _ := witness.of("a"); first != 1 || !slices.Equal(seqs, ascending(1)) {
		t.Errorf("%d were first, told of %v", first, seqs)
	}
}

// idOf gives the id that a message of that scope and key gets.
func idOf(t testing.TB, log *channels.Log, store *memory, scope, key string) string {
	t.Helper()
	e := entry("a", "x")
	e.Scope, e.Key = scope, key
	if _, err := log.Append(context.Background(), e); err != nil {
		t.Fatal(err)
	}
	calls := store.asked()
	return calls[len(calls)-1].Messages[0].ID
}

func TestTheFormOfIDs(t *testing.T) {
	store := newMemory()
	log, _ := newLog(t, store, channels.LogOptions{})
	keyed := idOf(t, log, store, alice.RootID, "k")
	if !regexp.MustCompile(`^k[0-9a-f]{40}$`).MatchString(keyed) || idOf(t, log, store, alice.RootID, "k") != keyed {
		t.Errorf("the id of a key is %q", keyed)
	}
	random := idOf(t, log, store, alice.RootID, "")
	if !regexp.MustCompile(`^r[0-9a-f]{32}$`).MatchString(random) || idOf(t, log, store, alice.RootID, "") == random {
		t.Errorf("the id without a key is %q", random)
	}
	digest := store.asked()[0].Messages[0].Digest
	if !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(digest) {
		t.Errorf("the digest is %q", digest)
	}
}

// Two pairs of a scope and a key never have one id, however their texts run
// into each other, and one pair has one.
func TestKeysNeverMeet(t *testing.T) {
	store := newMemory()
	log, _ := newLog(t, store, channels.LogOptions{})
	text := rapid.OneOf(rapid.StringOfN(rapid.SampledFrom([]rune("k\x00\x01a:0")), 0, 6, -1), rapid.StringN(0, 20, -1),
		rapid.SampledFrom([]string{alice.RootID, auth.PublicRoot, "1730887348:f46d"}))
	rapid.Check(t, func(r *rapid.T) {
		a := [2]string{text.Draw(r, "scope"), text.Filter(func(s string) bool { return s != "" }).Draw(r, "key")}
		// The other pair is drawn, or the same letters cut elsewhere.
		b := [2]string{text.Draw(r, "other scope"), text.Draw(r, "other key")}
		if whole := a[0] + a[1]; rapid.Bool().Draw(r, "cut") {
			at := rapid.IntRange(0, len(whole)-1).Draw(r, "at")
			b = [2]string{whole[:at], whole[at:]}
		}
		if b[1] == "" {
			return
		}
		if one, other := idOf(t, log, store, a[0], a[1]), idOf(t, log, store, b[0], b[1]); (one == other) != (a == b) {
			t.Fatalf("%q has %s, %q has %s", a, one, b, other)
		}
	})
}

// Two channels never share an appender, however alike their names are: each
// gets its own messages, all are written at the same time, and none waits for
// another.
func TestChannelsNeverShareAnAppender(t *testing.T) {
	name := rapid.OneOf(rapid.StringOfN(rapid.SampledFrom([]rune("aA\x00: é$/")), 1, 4, -1), rapid.StringN(1, 30, 300),
		rapid.SampledFrom([]string{channels.StreamOf(alice.RootID), channels.StreamOf(bob.RootID), "$me"}))
	rapid.Check(t, func(r *rapid.T) {
		names := rapid.SliceOfNDistinct(name, 1, 20, rapid.ID).Draw(r, "names")
		store := newMemory()
		var all sync.WaitGroup
		all.Add(len(names))
		store.before = func(_ context.Context, _ int, appending channels.Appending) error {
			if want := fmt.Sprintf(`{"text":"%x"}`, appending.ChannelID); string(appending.Messages[0].Data) != want || len(appending.Messages) != 1 {
				return fmt.Errorf("channel %q is given %s", appending.ChannelID, appending.Messages[0].Data)
			}
			all.Done()
			all.Wait() // for the writes of all the others
			return nil
		}
		log := channels.NewLog(store, channels.LogOptions{})
		var publishers sync.WaitGroup
		for _, name := range names {
			publishers.Go(func() {
				if _, err := log.Append(context.Background(), entry(name, fmt.Sprintf("%x", name))); err != nil {
					t.Error(err)
				}
			})
		}
		publishers.Wait()
		if err := log.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
}
