package channels_test

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/walkergate/walkergate/channels"
	"github.com/walkergate/walkergate/fault"
	"github.com/walkergate/walkergate/store/sqlite"
)

// embedded opens the embedded engine, and closes it with the test.
func embedded(t testing.TB, dir string) *sqlite.Store {
	t.Helper()
	store, err := sqlite.Open(t.Context(), dir, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

// counted counts the writes of a store.
type counted struct {
	channels.Store
	writes atomic.Int64
}

func (c *counted) Append(ctx context.Context, appending channels.Appending) (string, []channels.Place, error) {
	c.writes.Add(1)
	return c.Store.Append(ctx, appending)
}

// all reads a whole log by pages.
func all(t *testing.T, log *channels.Log, id string) (messages []channels.Message) {
	t.Helper()
	for more, after := true, int64(0); more; {
		page, err := log.Page(t.Context(), channels.LogQuery{ChannelID: id, After: after, Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		messages = append(messages, page.Messages...)
		if more = page.More; more {
			after = messages[len(messages)-1].Seq
		}
	}
	return messages
}

// Over a real engine: many publishers, keys that come twice, callers who leave;
// what was told is what is stored, and what is stored is there when the engine
// is opened again.
func TestALogOnDisk(t *testing.T) {
	const publishers, rounds = 64, 2
	dir := t.TempDir()
	ids := []string{"a", "b", "room:é", channels.StreamOf(alice.RootID)}
	witness := &told{}
	func() {
		store := embedded(t, dir)
		defer store.Close()
		counting := &counted{Store: store}
		log := channels.NewLog(counting, channels.LogOptions{Committed: witness.committed, Suspect: witness.suspected})
		publish(t, log, ids, publishers, rounds)
		if err := log.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if writes := counting.writes.Load(); writes >= int64(publishers*rounds*len(ids)) {
			t.Errorf("%d writes for as many messages: none shared one", writes)
		}
		if suspects := witness.suspects(); suspects != nil {
			t.Errorf("suspect are %q", suspects)
		}
	}()

	log, _ := newLog(t, embedded(t, dir), channels.LogOptions{})
	for _, id := range ids {
		seqs, messages := witness.of(id)
		stored := all(t, log, id)
		if !slices.Equal(seqs, ascending(len(stored))) {
			t.Fatalf("%s: told of %v, stored are %d", id, seqs, len(stored))
		}
		next := make(map[int]int)
		for i, message := range stored {
			var said struct{ P, N int }
			if err := json.Unmarshal(message.Data, &said); err != nil {
				t.Fatal(err)
			}
			if said.N < next[said.P] {
				t.Fatalf("%s: publisher %d's %d follows %d", id, said.P, said.N, next[said.P])
			}
			next[said.P] = said.N
			same := message.ID == messages[i].ID && string(message.Data) == string(messages[i].Data) &&
				message.At.Equal(messages[i].At) && reflect.DeepEqual(message.From, messages[i].From)
			if !same {
				t.Fatalf("%s: stored is %+v, told was %+v", id, message, messages[i])
			}
		}
		again := keyed(id, 0, 0) // also of an earlier life a key is known
		got, err := log.Append(t.Context(), again)
		if err != nil || !got.Before || string(stored[got.Seq-1].Data) != string(again.Data) {
			t.Errorf("%s: again gives %+v, %v", id, got, err)
		}
		got, err = log.Append(t.Context(), entry(id, "one more"))
		if err != nil || got.Before || got.Seq != int64(len(stored))+1 {
			t.Errorf("%s: one more behind %d gives %+v, %v", id, len(stored), got, err)
		}
	}
}

// keyed is the message that a publisher repeats.
func keyed(id string, publisher, n int) channels.Entry {
	return channels.Entry{
		ChannelID: id, Data: fmt.Appendf(nil, `{"p":%d,"n":%d}`, publisher, n),
		From:  &channels.Sender{ClientID: fmt.Sprint(publisher), RootID: alice.RootID},
		Scope: fmt.Sprint(publisher), Key: fmt.Sprint(n), Owner: alice.RootID,
	}
}

// publish has publishers say all they have: every second one says all twice,
// and every fourth leaves at times before it is answered.
func publish(t *testing.T, log *channels.Log, ids []string, publishers, rounds int) {
	t.Helper()
	var all sync.WaitGroup
	for p := range publishers {
		all.Go(func() {
			for n := range rounds {
				for _, id := range ids {
					e := keyed(id, p, n)
					ctx, cancel := context.WithCancel(t.Context())
					if p%4 == 1 && n%2 == 1 {
						time.AfterFunc(time.Millisecond, cancel)
					}
					first, err := log.Append(ctx, e)
					left := ctx.Err() != nil
					cancel()
					if err != nil {
						if !left || !fault.Is(err, fault.Timeout) {
							t.Errorf("publisher %d: %v", p, err)
						}
						continue
					}
					if p%2 != 0 {
						continue
					}
					first.Before = true
					if again, err := log.Append(t.Context(), e); err != nil || again != first {
						t.Errorf("publisher %d: again gives %+v, %v, want %+v", p, again, err, first)
					}
				}
			}
		})
	}
	all.Wait()
}

func TestTheQuotaOnDisk(t *testing.T) {
	log, witness := newLog(t, embedded(t, t.TempDir()), channels.LogOptions{Quota: 2 * (channels.MessageCost + 15)})
	say := func(id string) error {
		e := entry(id, "hey!")
		e.Owner = alice.RootID
		_, err := log.Append(t.Context(), e)
		return err
	}
	for _, id := range []string{"a", "b"} {
		if err := say(id); err != nil {
			t.Error(err)
		}
	}
	expect(t, say("a"), fault.TooLarge, channels.ErrQuota.Message)
	if _, err := log.Append(t.Context(), entry("a", "of nobody")); err != nil {
		t.Error(err)
	}
	if seqs, _ := witness.of("a"); !slices.Equal(seqs, ascending(2)) {
		t.Errorf("told of %v", seqs)
	}
	if err := log.Mark(t.Context(), alice.RootID, "a", 100); err != nil {
		t.Error(err)
	}
	if seq, err := log.Marked(t.Context(), alice.RootID, "a"); err != nil || seq != 2 {
		t.Errorf("marked is %d, %v", seq, err)
	}
	if err := log.Forget(t.Context(), alice.RootID); err != nil {
		t.Error(err)
	}
	if seq, err := log.Marked(t.Context(), alice.RootID, "a"); err != nil || seq != 0 {
		t.Errorf("marked is %d, %v", seq, err)
	}
	if err := say("b"); err != nil {
		t.Errorf("forgotten, and still out of room: %v", err)
	}
}
