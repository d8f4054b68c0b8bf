package channels_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/walkergate/walkergate/channels"
	"github.com/walkergate/walkergate/fault"
)

type injected = func(ctx context.Context, call int, appending channels.Appending) error

// fails gives an error for those calls.
func fails(err error, calls ...int) injected {
	return func(_ context.Context, call int, _ channels.Appending) error {
		if slices.Contains(calls, call) {
			return err
		}
		return nil
	}
}

// hangs until the engine is given up on, from the first call to that one.
func hangs(until int) injected {
	return func(ctx context.Context, call int, _ channels.Appending) error {
		if call > until {
			return nil
		}
		<-ctx.Done()
		return ctx.Err()
	}
}

var errBusy = fault.New(fault.Busy, "the engine has no room")

func TestOutcomesThatTheStoreDoesNotTell(t *testing.T) {
	for name, test := range map[string]struct {
		before, after injected
		key           string
		code          fault.Code // of the error; else it is stored
		calls, stored int
		took          time.Duration
		suspect       bool
	}{
		"no room":                 {before: fails(errBusy, 1), code: fault.Busy, calls: 1},
		"not written":             {before: fails(errBroken, 1), calls: 2, stored: 1, took: 50 * time.Millisecond},
		"written":                 {after: fails(errBroken, 1), calls: 2, stored: 1, took: 50 * time.Millisecond},
		"written under a key":     {after: fails(errBroken, 1), key: "k", calls: 2, stored: 1, took: 50 * time.Millisecond},
		"written, then no answer": {after: fails(errBroken, 1, 2, 3), calls: 4, stored: 1, took: 350 * time.Millisecond},
		"written, then no room": {
			after: fails(errBroken, 1), before: fails(errBusy, 2, 3, 4, 5), calls: 6, stored: 1, took: 1550 * time.Millisecond,
		},
		"written, and never told": {
			after: fails(errBroken, 1, 2, 3, 4, 5, 6), code: fault.Conflict, calls: 6, stored: 1, took: 1550 * time.Millisecond, suspect: true,
		},
		"never written": {
			before: fails(errors.New("broken"), 1, 2, 3, 4, 5, 6), code: fault.Conflict, calls: 6, took: 1550 * time.Millisecond, suspect: true,
		},
		"no answer once":  {before: hangs(1), calls: 2, stored: 1, took: 10050 * time.Millisecond},
		"no answer ever":  {before: hangs(9), code: fault.Conflict, calls: 2, took: 20 * time.Second, suspect: true},
		"written, silent": {after: hangs(9), code: fault.Conflict, calls: 2, stored: 1, took: 20 * time.Second, suspect: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newMemory()
				store.before, store.after = test.before, test.after
				log, witness := newLog(t, store, channels.LogOptions{})
				began := time.Now()
				e := entry("a", "x")
				e.Scope, e.Key = alice.RootID, test.key
				got, err := log.Append(t.Context(), e)
				if took := time.Since(began); took != test.took {
					t.Errorf("took %v, want %v", took, test.took)
				}
				told := 0
				if test.code != "" {
					expect(t, err, test.code, "")
				} else {
					told = 1
					if want := (channels.Stored{Epoch: "epoch of a", Seq: 1, At: began.UTC()}); err != nil || got != want {
						t.Errorf("got %+v, %v; want %+v", got, err, want)
					}
				}
				if seqs, _ := witness.of("a"); !slices.Equal(seqs, ascending(told)) {
					t.Errorf("told of %v, want %d", seqs, told)
				}
				if calls, stored := len(store.asked()), len(store.stored("a")); calls != test.calls || stored != test.stored {
					t.Errorf("%d calls, %d messages are stored; want %d and %d", calls, stored, test.calls, test.stored)
				}
				if suspects := witness.suspects(); slices.Contains(suspects, "a") != test.suspect || len(suspects) > 1 {
					t.Errorf("suspect are %q", suspects)
				}
			})
		})
	}
}

// What waits behind a write of which nothing is known was not written, and is
// told so at once: to try each would take its time for each.
func TestWhatWaitsBehindAnUnknownOutcomeIsBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory()
		store.before = func(ctx context.Context, call int, appending channels.Appending) error {
			if call == 1 {
				return slowly(ctx, call, appending)
			}
			return hangs(3)(ctx, call, appending)
		}
		var logs logged
		log, witness := newLog(t, store, channels.LogOptions{Log: logs.logger()})
		began := time.Now()
		var later sync.WaitGroup
		time.AfterFunc(3*time.Second, func() { // while the write of a page hangs, and a page waits behind it
			for range 10 {
				later.Go(func() {
					if _, err := log.Append(t.Context(), entry("a", "secret")); !fault.Is(err, fault.Busy) {
						t.Errorf("a later one: %v", err)
					}
				})
			}
		})
		_, errs := appendAll(t, log, slices.Repeat([]channels.Entry{entry("a", "secret")}, 1+2*channels.MaxPage))
		later.Wait()
		for i, err := range errs {
			switch {
			case i == 0 && err != nil:
				t.Error(err)
			case i > channels.MaxPage:
				expect(t, err, fault.Busy, "the log of this channel does not answer")
			case i > 0:
				expect(t, err, fault.Conflict, channels.ErrUnknown.Message)
			}
		}
		if took := time.Since(began); took != 21*time.Second {
			t.Errorf("took %v", took)
		}
		got, err := log.Append(t.Context(), entry("a", "x"))
		if seqs, _ := witness.of("a"); err != nil || got.Seq != 2 || !slices.Equal(seqs, ascending(2)) {
			t.Errorf("then %+v, %v; told of %v", got, err, seqs)
		}
		text := logs.String()
		if !contains(text, "it is not known whether messages were stored", "messages=500 ") || contains(text, "secret") {
			t.Errorf("logged is:\n%s", text)
		}
	})
}

// A store that is slow, but answers, holds nobody for longer than they can know
// what became of their message.
func TestWhatWaitsForTooLongIsBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory()
		store.before = func(context.Context, int, channels.Appending) error {
			<-time.After(4500 * time.Millisecond)
			return nil
		}
		log, witness := newLog(t, store, channels.LogOptions{})
		began := time.Now()
		_, errs := appendAll(t, log, slices.Repeat([]channels.Entry{entry("a", "x")}, 5*channels.MaxPage))
		stored := 1 + 4*channels.MaxPage // begun after 0, 4.5, 9, 13.5 and 18 s
		for i, err := range errs {
			if i < stored && err != nil {
				t.Errorf("message %d: %v", i, err)
			} else if i >= stored {
				expect(t, err, fault.Busy, "the log of this channel does not answer")
			}
		}
		if took := time.Since(began); took != 22500*time.Millisecond {
			t.Errorf("took %v", took)
		}
		if seqs, _ := witness.of("a"); !slices.Equal(seqs, ascending(stored)) || len(store.stored("a")) != stored {
			t.Errorf("told of %d, stored are %d", len(seqs), len(store.stored("a")))
		}
	})
}

// A message that was there before the first try stays one that was there
// before, and is not told again.
func TestARepetitionWithinARepeatedWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory()
		store.after = fails(errBroken, 2)
		log, witness := newLog(t, store, channels.LogOptions{})
		keyed := entry("a", "x")
		keyed.Key = "k"
		first, err := log.Append(t.Context(), keyed)
		if err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Second)
		again, err := log.Append(t.Context(), keyed)
		first.Before = true
		if err != nil || again != first {
			t.Errorf("got %+v, %v; want %+v", again, err, first)
		}
		if seqs, _ := witness.of("a"); !slices.Equal(seqs, ascending(1)) || len(store.asked()) != 3 {
			t.Errorf("told of %v after %d calls", seqs, len(store.asked()))
		}
	})
}

func TestAStoreThatMiscountsIsNotTrusted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, witness := newLog(t, miscounting{newMemory()}, channels.LogOptions{})
		_, err := log.Append(t.Context(), entry("a", "x"))
		expect(t, err, fault.Conflict, channels.ErrUnknown.Message)
		if seqs, _ := witness.of("a"); len(seqs) != 0 {
			t.Errorf("told of %v", seqs)
		}
		if _, err := log.Heads(t.Context(), []string{"a"}); err == nil {
			t.Error("no error for heads that are missing")
		}
	})
}

type miscounting struct{ *memory }

func (miscounting) Append(context.Context, channels.Appending) (string, []channels.Place, error) {
	return "e", nil, nil
}

func (miscounting) Heads(context.Context, []string) ([]channels.Head, error) { return nil, nil }

// Whatever a store does, what callers and receivers are told holds: a message
// that is acknowledged stands once, where they were told; one that is refused
// stands nowhere; and receivers hear of each once, in order.
func TestWhatIsToldHoldsWhateverTheStoreDoes(t *testing.T) {
	for seed := range uint64(60) {
		synctest.Test(t, func(t *testing.T) { faultyStore(t, seed) })
	}
}

func faultyStore(t *testing.T, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 0))
	var mu sync.Mutex
	chance := func(n int) bool {
		mu.Lock()
		defer mu.Unlock()
		return random.IntN(n) == 0
	}
	store := newMemory()
	failing := func(written bool) injected {
		return func(ctx context.Context, call int, appending channels.Appending) error {
			switch {
			case chance(6):
				return errBroken
			case chance(12):
				return hangs(1<<30)(ctx, call, appending)
			case !written && chance(6):
				return errBusy
			}
			<-time.After(time.Duration(call%5) * time.Millisecond)
			return nil
		}
	}
	store.before, store.after = failing(false), failing(true)
	log, witness := newLog(t, store, channels.LogOptions{})
	type said struct {
		data   string
		stored channels.Stored
		err    error
	}
	var all []said
	var publishers sync.WaitGroup
	for p := range 8 {
		publishers.Go(func() {
			for n := range 12 {
				e := entry("a", fmt.Sprintf("%d of %d", n, p))
				if p%2 == 0 { // says everything twice, under a key
					e = entry("a", fmt.Sprintf("%d of %d", n/2, p))
					e.Scope, e.Key = fmt.Sprint(p), fmt.Sprint(n/2)
				}
				stored, err := log.Append(t.Context(), e)
				mu.Lock()
				all = append(all, said{string(e.Data), stored, err})
				mu.Unlock()
				<-time.After(time.Duration(p+1) * time.Millisecond) // a repetition has a later time
			}
		})
	}
	publishers.Wait()

	count := make(map[string]int)
	bySeq := make(map[int64]string)
	for _, message := range store.stored("a") {
		count[string(message.Data)]++
		bySeq[message.Seq] = string(message.Data)
	}
	acknowledged := make(map[int64]bool)
	may := make(map[string]bool) // be stored
	for _, s := range all {
		if s.err == nil || fault.Is(s.err, fault.Conflict) {
			may[s.data] = true
		} else {
			expect(t, s.err, fault.Busy, "")
		}
		if s.err == nil {
			acknowledged[s.stored.Seq] = true
			if bySeq[s.stored.Seq] != s.data || count[s.data] != 1 {
				t.Errorf("seed %d: %s was acknowledged as %d, which is %s, and stands %d times", seed, s.data, s.stored.Seq, bySeq[s.stored.Seq], count[s.data])
			}
		}
	}
	for data := range count {
		if !may[data] {
			t.Errorf("seed %d: %s is stored, and was refused", seed, data)
		}
	}
	seqs, messages := witness.of("a")
	heard := make(map[int64]bool)
	for i, message := range messages {
		heard[message.Seq] = true
		if i > 0 && message.Seq <= seqs[i-1] || bySeq[message.Seq] != string(message.Data) {
			t.Errorf("seed %d: told of %v, of %d as %s", seed, seqs, message.Seq, message.Data)
		}
	}
	for seq := range acknowledged {
		// What was found under a key may have been written by a try of which
		// nothing was known, and then it was never told.
		if !heard[seq] && len(witness.suspects()) == 0 {
			t.Errorf("seed %d: %d was acknowledged and never told", seed, seq)
		}
	}
}
