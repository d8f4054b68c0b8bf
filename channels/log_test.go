package channels_test

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/walkergate/walkergate/channels"
	"github.com/walkergate/walkergate/fault"
)

func ascending(n int) []int64 {
	seqs := make([]int64, n)
	for i := range seqs {
		seqs[i] = int64(i) + 1
	}
	return seqs
}

func TestAMessageIsStoredAndTold(t *testing.T) {
	store := newMemory()
	at := time.Date(2026, 11, 20, 10, 0, 0, 123_456_789, time.FixedZone("elsewhere", 3600))
	log, witness := newLog(t, store, channels.LogOptions{Now: func() time.Time { return at }})
	from := &channels.Sender{ClientID: "c", RootID: alice.RootID}
	for seq := int64(1); seq <= 3; seq++ {
		e := entry("room:1", fmt.Sprint("text ", seq))
		e.From, e.Owner = from, alice.RootID
		e.Retention = channels.Retention{Messages: 10, Age: time.Hour}
		got, err := log.Append(t.Context(), e)
		want := channels.Stored{Epoch: "epoch of room:1", Seq: seq, At: at.UTC().Truncate(time.Millisecond)}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Fatalf("%v (-want +got):\n%s", err, diff)
		}
	}
	seqs, messages := witness.of("room:1")
	if !slices.Equal(seqs, ascending(3)) {
		t.Errorf("told of %v", seqs)
	}
	if diff := cmp.Diff(store.stored("room:1"), messages); diff != "" {
		t.Errorf("what was told is not what is stored:\n%s", diff)
	}
	last := messages[2]
	if string(last.Data) != `{"text":"text 3"}` || *last.From != *from || last.Owner != alice.RootID || last.Keyed {
		t.Errorf("stored is %+v", last)
	}
	if got := store.asked()[0].Retention; got != (channels.Retention{Messages: 10, Age: time.Hour}) {
		t.Errorf("the retention is %+v", got)
	}
}

func TestWithoutARetentionTheDefaultHolds(t *testing.T) {
	store := newMemory()
	log, _ := newLog(t, store, channels.LogOptions{})
	e := entry("a", "x")
	e.Retention.Age = time.Minute
	if _, err := log.Append(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	if got := store.asked()[0].Retention; got != (channels.Retention{Messages: channels.DefaultMessages, Age: time.Minute}) {
		t.Errorf("the retention is %+v", got)
	}
}

// Callers may use their slices again at once, also where they left.
func TestNothingOfAnEntryIsKept(t *testing.T) {
	store := newMemory()
	began, gate := make(chan struct{}, 2), make(chan struct{})
	store.before = func(context.Context, int, channels.Appending) error {
		began <- struct{}{}
		<-gate
		return nil
	}
	log, _ := newLog(t, store, channels.LogOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	e := entry("a", "mine")
	cancelled := make(chan error)
	go func() {
		_, err := log.Append(ctx, e)
		cancelled <- err
	}()
	<-began
	cancel()
	expect(t, <-cancelled, fault.Timeout, "the caller has gone")
	copy(e.Data, `{"text":"your"}`)
	close(gate)
	if _, err := log.Append(t.Context(), entry("a", "next")); err != nil {
		t.Fatal(err)
	}
	if got := string(store.stored("a")[0].Data); got != `{"text":"mine"}` {
		t.Errorf("stored is %s", got)
	}
}

func TestWhatCannotBeStoredIsRefused(t *testing.T) {
	store := newMemory()
	log, _ := newLog(t, store, channels.LogOptions{})
	for name, test := range map[string]struct {
		entry channels.Entry
		code  fault.Code
	}{
		"no channel":    {entry("", "x"), fault.BadFrame},
		"long channel":  {entry(strings.Repeat("x", 301), "x"), fault.BadFrame},
		"no UTF-8":      {entry("a\xff", "x"), fault.BadFrame},
		"too much data": {entry("a", strings.Repeat("x", channels.MaxMessage)), fault.TooLarge},
	} {
		_, err := log.Append(t.Context(), test.entry)
		if !fault.Is(err, test.code) {
			t.Errorf("%s: %v, want %s", name, err, test.code)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := log.Append(ctx, entry("a", "x"))
	expect(t, err, fault.Timeout, "the caller has gone")
	if calls := store.asked(); len(calls) != 0 {
		t.Errorf("the store was asked for %+v", calls)
	}
	most := entry(channels.StreamOf(alice.RootID), "")
	most.Data = []byte(`{"text":"` + strings.Repeat("x", channels.MaxMessage-11) + `"}`)
	if _, err := log.Append(t.Context(), most); err != nil || len(most.Data) != channels.MaxMessage {
		t.Errorf("%d bytes: %v", len(most.Data), err)
	}
}

// Many publish to several channels at once: what each of them says stays in its
// order, and what is told of a channel has no hole and no double.
func TestPublishersOfSeveralChannels(t *testing.T) {
	const publishers, rounds = 64, 25
	store := newMemory()
	log, witness := newLog(t, store, channels.LogOptions{})
	ids := []string{"a", "b", "c", "d"}
	var all sync.WaitGroup
	for p := range publishers {
		all.Go(func() {
			last := make(map[string]int64)
			for n := range rounds {
				for _, id := range ids {
					e := entry(id, "")
					e.Data = fmt.Appendf(nil, `{"p":%d,"n":%d}`, p, n)
					got, err := log.Append(t.Context(), e)
					if err != nil || got.Seq <= last[id] || got.Before {
						t.Errorf("publisher %d, message %d: %+v behind %d, %v", p, n, got, last[id], err)
						return
					}
					last[id] = got.Seq
				}
			}
		})
	}
	all.Wait()
	for _, id := range ids {
		seqs, messages := witness.of(id)
		if !slices.Equal(seqs, ascending(publishers*rounds)) {
			t.Fatalf("channel %s: told of %v", id, seqs)
		}
		if !reflect.DeepEqual(store.stored(id), messages) {
			t.Fatalf("channel %s: what was told is not what is stored", id)
		}
		var next [publishers]int
		for _, message := range messages {
			var said struct{ P, N int }
			if err := json.Unmarshal(message.Data, &said); err != nil {
				t.Fatal(err)
			}
			if said.N != next[said.P] {
				t.Fatalf("channel %s: publisher %d's %d follows its %d", id, said.P, said.N, next[said.P]-1)
			}
			next[said.P]++
		}
	}
}

// sizes gives how many messages each write had.
func sizes(calls []channels.Appending) (sizes []int) {
	for _, call := range calls {
		sizes = append(sizes, len(call.Messages))
	}
	return sizes
}

// slowly makes each write take a second of the fake clock.
func slowly(ctx context.Context, _ int, _ channels.Appending) error {
	select {
	case <-time.After(time.Second):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// appendAll appends entries in their order, each as soon as the one before it
// waits, and gives what became of them.
func appendAll(t *testing.T, log *channels.Log, entries []channels.Entry) (stored []channels.Stored, errs []error) {
	t.Helper()
	stored, errs = make([]channels.Stored, len(entries)), make([]error, len(entries))
	var all sync.WaitGroup
	for i, e := range entries {
		all.Go(func() { stored[i], errs[i] = log.Append(t.Context(), e) })
		synctest.Wait()
	}
	all.Wait()
	return stored, errs
}

func TestWhatComesMeanwhileGoesIntoTheNextWrite(t *testing.T) {
	large := strings.Repeat("x", 1<<20-300)
	keyed := func(key string) channels.Entry {
		e := entry("a", "x")
		e.Key = key
		return e
	}
	for name, test := range map[string]struct {
		entries func() []channels.Entry
		want    []int
	}{
		"a few": {func() []channels.Entry { return slices.Repeat([]channels.Entry{entry("a", "x")}, 5) }, []int{1, 4}},
		"more than a page": {func() []channels.Entry {
			return slices.Repeat([]channels.Entry{entry("a", "x")}, 1+2*channels.MaxPage+3)
		}, []int{1, channels.MaxPage, channels.MaxPage, 3}},
		"many bytes": {func() []channels.Entry { return slices.Repeat([]channels.Entry{entry("a", large)}, 10) }, []int{1, 4, 4, 1}},
		"a key twice": {func() []channels.Entry {
			return []channels.Entry{keyed("0"), keyed("1"), keyed("2"), keyed("1"), keyed("3")}
		}, []int{1, 2, 2}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newMemory()
				store.before = slowly
				log, witness := newLog(t, store, channels.LogOptions{})
				entries := test.entries()
				stored, errs := appendAll(t, log, entries)
				var doubled int
				for i, err := range errs {
					if stored[i].Before {
						doubled++
					} else if want := int64(i - doubled + 1); stored[i].Seq != want {
						t.Errorf("message %d has seq %d, want %d", i, stored[i].Seq, want)
					}
					if err != nil {
						t.Error(err)
					}
				}
				if got := sizes(store.asked()); !slices.Equal(got, test.want) {
					t.Errorf("writes have %v messages, want %v", got, test.want)
				}
				if seqs, _ := witness.of("a"); !slices.Equal(seqs, ascending(len(entries)-doubled)) {
					t.Errorf("told of %v", seqs)
				}
			})
		})
	}
}

// One write a channel is under way at a time, those of several channels beside
// one another.
func TestChannelsDoNotWaitForOneAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory()
		var mu sync.Mutex
		underWay := make(map[string]int)
		store.before = func(ctx context.Context, call int, appending channels.Appending) error {
			mu.Lock()
			underWay[appending.ChannelID]++
			if n := underWay[appending.ChannelID]; n > 1 {
				t.Errorf("%d writes of a channel are under way", n)
			}
			mu.Unlock()
			defer func() {
				mu.Lock()
				defer mu.Unlock()
				underWay[appending.ChannelID]--
			}()
			return slowly(ctx, call, appending)
		}
		log, _ := newLog(t, store, channels.LogOptions{})
		began := time.Now()
		var entries []channels.Entry
		for i := range 100 {
			entries = append(entries, entry(fmt.Sprint("channel ", i%10), "x"))
		}
		_, errs := appendAll(t, log, entries)
		if err := errs[99]; err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("took %v, want two writes of each channel, side by side", took)
		}
	})
}

// What was committed is told before anybody is answered, and also where nobody
// waits any more.
func TestCommittedComesBeforeTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory()
		store.before = slowly
		var seqs []int64
		answered := false
		log, _ := newLog(t, store, channels.LogOptions{Committed: func(channelID, epoch string, messages []channels.Message) {
			<-time.After(time.Second) // who is told may take its time
			if answered || channelID != "a" || epoch != "epoch of a" {
				t.Errorf("told of %s in %q, answered before: %t", channelID, epoch, answered)
			}
			for _, message := range messages {
				seqs = append(seqs, message.Seq)
			}
		}})
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		_, err := log.Append(ctx, entry("a", "x"))
		expect(t, err, fault.Timeout, "the message was not stored in time; it may be yet")
		_, err = log.Append(t.Context(), entry("a", "y"))
		answered = true
		if err != nil || !slices.Equal(seqs, ascending(2)) {
			t.Errorf("told of %v, %v", seqs, err)
		}
	})
}

func TestTheQuotaRefusesOneAndNotTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory()
		store.before = slowly
		log, witness := newLog(t, store, channels.LogOptions{Quota: channels.MessageCost + 20})
		entries := []channels.Entry{entry("a", "0"), entry("a", "1"), entry("a", "2"), entry("a", "3"), entry("a", "4")}
		entries[1].Owner, entries[2].Owner, entries[3].Owner = alice.RootID, alice.RootID, bob.RootID
		stored, errs := appendAll(t, log, entries)
		for i, want := range []int64{1, 2, 0, 3, 4} {
			if stored[i].Seq != want || (errs[i] == nil) == (want == 0) {
				t.Errorf("message %d has seq %d, want %d (%v)", i, stored[i].Seq, want, errs[i])
			}
		}
		expect(t, errs[2], fault.TooLarge, channels.ErrQuota.Message)
		if seqs, _ := witness.of("a"); !slices.Equal(seqs, ascending(4)) {
			t.Errorf("told of %v", seqs)
		}
	})
}

func TestWhatWaitsIsBounded(t *testing.T) {
	fill := func(log *channels.Log, id, text string, n int) (errs []error) {
		errs = make([]error, n)
		for i := range n {
			go func() { _, errs[i] = log.Append(context.Background(), entry(id, text)) }()
		}
		synctest.Wait() // they wait, or were refused
		return errs
	}
	refused := func(t *testing.T, errs []error) (n int) {
		for _, err := range errs {
			if err != nil {
				expect(t, err, fault.Busy, "too many messages wait to be stored")
				n++
			}
		}
		return n
	}
	for name, test := range map[string]struct {
		text      string
		oneHas    int // how many of one channel may wait
		channels  int // how many channels then have room
		waitBytes int64
	}{
		"in number": {"", 2500, 4, 11 + channels.MessageCost},
		"in bytes":  {strings.Repeat("x", 1<<20-channels.MessageCost-11), 16, 4, 1 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newMemory()
				gate := make(chan struct{})
				store.before = func(context.Context, int, channels.Appending) error { <-gate; return nil }
				log, _ := newLog(t, store, channels.LogOptions{})
				var all []error
				for c := range test.channels {
					errs := fill(log, fmt.Sprint("channel ", c), test.text, test.oneHas+3)
					if n := refused(t, errs); n != 3 {
						t.Errorf("of channel %d %d messages were refused, want 3", c, n)
					}
					all = append(all, errs...)
				}
				if n := refused(t, fill(log, "one more", test.text, 1)); n != 1 {
					t.Error("one more channel has room")
				}
				waiting := test.channels * test.oneHas
				want := channels.LogLoad{Channels: test.channels, Messages: waiting, Bytes: int64(waiting) * test.waitBytes}
				if load := log.Load(); load != want {
					t.Errorf("the load is %+v, want %+v", load, want)
				}
				close(gate)
				synctest.Wait()
				if load := log.Load(); load != (channels.LogLoad{}) {
					t.Errorf("the load is %+v in the end", load)
				}
				if n := refused(t, append(all, fill(log, "one more", test.text, 1)...)); n != 3*test.channels {
					t.Errorf("%d messages were refused in all", n)
				}
			})
		})
	}
}

// A channel that is never idle has its room back as it is written.
func TestABusyChannelHasItsRoomBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory()
		store.before = slowly
		log, witness := newLog(t, store, channels.LogOptions{})
		var all sync.WaitGroup
		const waves, wave = 12, 400
		for range waves {
			for range wave {
				all.Go(func() {
					if _, err := log.Append(t.Context(), entry("a", "x")); err != nil {
						t.Error(err)
					}
				})
			}
			<-time.After(900 * time.Millisecond) // the write under way takes longer
			if load := log.Load(); load.Channels != 1 {
				t.Errorf("the load is %+v", load)
			}
		}
		all.Wait()
		if seqs, _ := witness.of("a"); !slices.Equal(seqs, ascending(waves*wave)) {
			t.Errorf("told of %d", len(seqs))
		}
	})
}

func TestNothingIsLeftOfAnIdleChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, _ := newLog(t, newMemory(), channels.LogOptions{})
		for i := range 1000 {
			if _, err := log.Append(t.Context(), entry(fmt.Sprint("channel ", i), "x")); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if load := log.Load(); load != (channels.LogLoad{}) {
				t.Fatalf("the load is %+v", load)
			}
		}
	})
}

func TestCloseDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory()
		store.before = slowly
		log, witness := newLog(t, store, channels.LogOptions{})
		errs := make([]error, 10)
		for i := range errs {
			go func() { _, errs[i] = log.Append(context.Background(), entry("a", "x")) }()
			synctest.Wait() // the first is being written, the others wait
		}
		began := time.Now()
		time.AfterFunc(500*time.Millisecond, func() {
			_, err := log.Append(context.Background(), entry("a", "too late"))
			if !fault.Is(err, fault.Busy) || time.Since(began) != 500*time.Millisecond {
				t.Errorf("one more is answered %v after %v", err, time.Since(began))
			}
		})
		if err := log.Close(t.Context()); err != nil || time.Since(began) != 2*time.Second {
			t.Errorf("closed after %v: %v", time.Since(began), err)
		}
		synctest.Wait()
		for _, err := range errs {
			if err != nil {
				t.Error(err)
			}
		}
		if seqs, _ := witness.of("a"); !slices.Equal(seqs, ascending(10)) {
			t.Errorf("told of %v", seqs)
		}
		_, err := log.Append(t.Context(), entry("a", "x"))
		expect(t, err, fault.Busy, "the log is closing")
		if err := log.Close(t.Context()); err != nil {
			t.Errorf("closed again: %v", err)
		}
	})
}

func TestCloseCutsOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory()
		store.before = func(ctx context.Context, _ int, _ channels.Appending) error {
			<-ctx.Done()
			return ctx.Err()
		}
		log, witness := newLog(t, store, channels.LogOptions{})
		errs := make([]error, 3)
		for i := range errs {
			go func() { _, errs[i] = log.Append(context.Background(), entry("a", "x")) }()
			synctest.Wait()
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := log.Close(ctx); err == nil || !strings.HasPrefix(err.Error(), "3 messages wait to be stored: ") {
			t.Errorf("closed with %v", err)
		}
		synctest.Wait()
		expect(t, errs[0], fault.Conflict, channels.ErrUnknown.Message)
		expect(t, errs[1], fault.Busy, "")
		expect(t, errs[2], fault.Busy, "")
		if got := witness.suspects(); !slices.Equal(got, []string{"a"}) {
			t.Errorf("suspect are %q", got)
		}
	})
}
