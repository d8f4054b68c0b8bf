package channels_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/walkergate/walkergate/auth"
	"github.com/walkergate/walkergate/channels"
	"github.com/walkergate/walkergate/fault"
	"github.com/walkergate/walkergate/specs"
)

func exit() { runtime.Goexit() }

// loadOf gives the load of a pattern.
func loadOf(t testing.TB, policies *channels.Policies, pattern string) channels.Load {
	t.Helper()
	loads := policies.Loads()
	i := slices.IndexFunc(loads, func(load channels.Load) bool { return load.Pattern == pattern })
	if i < 0 {
		t.Fatalf("no load of %q in %+v", pattern, loads)
	}
	return loads[i]
}

// hook makes a policy whose hooks all do the same.
func hook(pattern string, do func(context.Context) error) specs.Channel {
	return specs.Channel{
		Pattern: pattern, Auth: specs.NoAuth,
		Subscribe: func(ctx context.Context, _ specs.Join) error { return do(ctx) },
		Receive: func(ctx context.Context, incoming specs.Incoming) (json.RawMessage, error) {
			return incoming.Data, do(ctx)
		},
	}
}

func TestASlowHookIsCut(t *testing.T) {
	for name, test := range map[string]struct {
		options channels.Options
		want    time.Duration
	}{
		"by default":     {channels.Options{}, 5 * time.Second},
		"by the options": {channels.Options{HookTimeout: time.Minute}, time.Minute},
	} {
		synctest.Test(t, func(t *testing.T) {
			var mu sync.Mutex
			var ended []error
			policies := newPolicies(t, test.options, hook("a", func(ctx context.Context) error {
				<-ctx.Done()
				mu.Lock()
				defer mu.Unlock()
				ended = append(ended, ctx.Err())
				return ctx.Err()
			}))
			policy := of(t, policies, "a")
			for range 2 {
				began := time.Now()
				expect(t, policy.Join(t.Context(), join("a", alice)), fault.Timeout, "the channel did not decide in time")
				if took := time.Since(began); took != test.want {
					t.Errorf("%s: took %v", name, took)
				}
				began = time.Now()
				_, err := policy.Receive(t.Context(), specs.Incoming{Join: join("a", alice), Joined: true, Data: []byte(`{}`)})
				expect(t, err, fault.Timeout, "the channel did not decide in time")
				if took := time.Since(began); took != test.want {
					t.Errorf("%s: took %v", name, took)
				}
				synctest.Wait()
			}
			if len(ended) != 4 || !errors.Is(ended[0], context.DeadlineExceeded) {
				t.Errorf("%s: the hooks ended with %v", name, ended)
			}
			if load := loadOf(t, policies, "a"); load != (channels.Load{Pattern: "a"}) {
				t.Errorf("%s: the load is %+v", name, load)
			}
		})
	}
}

// A hook that ignores the end of its time goes on, and is counted. From sixteen
// on its policy decides nothing more, and says so at once; others are served.
func TestDeadHooksClogTheirPolicyAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var logs logged
		policies := newPolicies(t, channels.Options{Log: logs.logger()},
			hook("dead:{id}", func(context.Context) error { <-release; return nil }),
			hook("fine:{id}", func(context.Context) error { <-time.After(time.Second); return nil }))
		dead, fine := of(t, policies, "dead:1"), of(t, policies, "fine:1")
		served := func() {
			t.Helper()
			began := time.Now()
			if err := fine.Join(t.Context(), join("fine:1", alice)); err != nil || time.Since(began) != time.Second {
				t.Errorf("another channel answers %v after %v", err, time.Since(began))
			}
		}
		for n := range 16 {
			began := time.Now()
			err := dead.Join(t.Context(), join("dead:1", alice))
			expect(t, err, fault.Timeout, "the channel did not decide in time")
			if took := time.Since(began); took != 5*time.Second {
				t.Errorf("took %v", took)
			}
			if load := loadOf(t, policies, "dead:{id}"); load.Abandoned != n+1 || load.Running != n+1 {
				t.Errorf("the load is %+v", load)
			}
			served()
		}
		began := time.Now()
		for range 100 {
			err := dead.Join(t.Context(), join("dead:2", alice))
			expect(t, err, fault.Busy, "the channel has too many decisions that do not end")
			_, err = dead.Receive(t.Context(), specs.Incoming{Join: join("dead:1", alice), Joined: true, Data: []byte(`{}`)})
			expect(t, err, fault.Busy, "the channel has too many decisions that do not end")
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("took %v", took)
		}
		served()
		if n := strings.Count(logs.String(), "until abandoned hooks end"); n != 1 || !strings.Contains(logs.String(), "pattern=dead:{id}") {
			t.Errorf("logged is:\n%s", logs.String())
		}
		release <- struct{}{}
		synctest.Wait()
		go func() { release <- struct{}{} }() // the next returns in time
		if err := dead.Join(t.Context(), join("dead:1", alice)); err != nil && !fault.Is(err, fault.Timeout) {
			t.Errorf("one came back: %v", err)
		}
		close(release)
		synctest.Wait()
		if load := loadOf(t, policies, "dead:{id}"); load != (channels.Load{Pattern: "dead:{id}"}) {
			t.Errorf("the load is %+v", load)
		}
		if err := dead.Join(t.Context(), join("dead:1", alice)); err != nil {
			t.Error(err)
		}
	})
}

// A caller who leaves is answered at once and the hook's context ends. The hook
// counts as abandoned only when the time that it was promised is over.
func TestACallerWhoLeavesAHook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		policies := newPolicies(t, channels.Options{}, hook("a", func(ctx context.Context) error {
			<-ctx.Done()
			if !errors.Is(ctx.Err(), context.Canceled) {
				t.Errorf("the context ended with %v", ctx.Err())
			}
			<-release
			return nil
		}))
		policy := of(t, policies, "a")
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		began := time.Now()
		err := policy.Join(ctx, join("a", alice))
		if expect(t, err, fault.Timeout, "the caller has gone"); time.Since(began) != time.Second || !errors.Is(err, context.Canceled) {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		<-time.After(3999 * time.Millisecond)
		if load := loadOf(t, policies, "a"); load != (channels.Load{Pattern: "a", Running: 1}) {
			t.Errorf("within its time the load is %+v", load)
		}
		<-time.After(2 * time.Millisecond)
		if load := loadOf(t, policies, "a"); load != (channels.Load{Pattern: "a", Running: 1, Abandoned: 1}) {
			t.Errorf("past its time the load is %+v", load)
		}
		close(release)
		synctest.Wait()
		if load := loadOf(t, policies, "a"); load != (channels.Load{Pattern: "a"}) {
			t.Errorf("in the end the load is %+v", load)
		}
		expect(t, policy.Join(ctx, join("a", alice)), fault.Timeout, "the caller has gone") // and nothing ran
	})
}

// A hook may return at the very moment its time ends. Whichever is seen first,
// the answer is one of two, and nothing stays counted.
func TestAHookThatReturnsAtTheLastMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		policies := newPolicies(t, channels.Options{}, hook("a", func(context.Context) error {
			<-time.After(5 * time.Second)
			return nil
		}))
		policy := of(t, policies, "a")
		for range 2000 {
			if err := policy.Join(t.Context(), join("a", alice)); err != nil {
				expect(t, err, fault.Timeout, "the channel did not decide in time")
			}
			synctest.Wait()
			if load := loadOf(t, policies, "a"); load != (channels.Load{Pattern: "a"}) {
				t.Fatalf("the load is %+v", load)
			}
		}
	})
}

// So many hooks of a policy run at once; more wait for a place, as long as they
// may take in all.
func TestHooksOfAPolicyAreBounded(t *testing.T) {
	const places = 256
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		running, most := 0, 0
		policies := newPolicies(t, channels.Options{},
			hook("a", func(ctx context.Context) error {
				mu.Lock()
				running++
				most = max(most, running)
				mu.Unlock()
				defer func() {
					mu.Lock()
					defer mu.Unlock()
					running--
				}()
				select {
				case <-time.After(2 * time.Second):
				case <-ctx.Done():
				}
				return ctx.Err()
			}),
			hook("b", func(context.Context) error { return nil }))
		policy := of(t, policies, "a")
		var all sync.WaitGroup
		answers := make(map[string]int)
		for range 3 * places {
			all.Go(func() {
				began := time.Now()
				err := policy.Join(t.Context(), join("a", alice))
				mu.Lock()
				defer mu.Unlock()
				answers[fmt.Sprint(fault.From(err), " ", time.Since(began))]++
			})
		}
		synctest.Wait()
		if err := of(t, policies, "b").Join(t.Context(), join("b", alice)); err != nil {
			t.Errorf("another channel waits: %v", err)
		}
		all.Wait()
		want := map[string]int{
			"<nil> 2s": places, "<nil> 4s": places,
			"timeout: the channel did not decide in time 5s": places,
		}
		if diff := cmp.Diff(want, answers); diff != "" {
			t.Errorf("answers (-want +got):\n%s", diff)
		}
		if most != places {
			t.Errorf("%d ran at once, want %d", most, places)
		}
	})
}

// Where no place comes free in that time, nothing runs.
func TestNoPlaceForAHook(t *testing.T) {
	const places = 256
	synctest.Test(t, func(t *testing.T) {
		var ran atomic.Int64
		policies := newPolicies(t, channels.Options{}, hook("a", func(context.Context) error {
			ran.Add(1)
			<-time.After(7 * time.Second)
			return nil
		}))
		policy := of(t, policies, "a")
		var all sync.WaitGroup
		for range places {
			all.Go(func() {
				if err := policy.Join(t.Context(), join("a", alice)); !fault.Is(err, fault.Timeout) {
					t.Errorf("those who have one are answered %v", err)
				}
			})
		}
		<-time.After(time.Second)
		began := time.Now()
		expect(t, policy.Join(t.Context(), join("a", alice)), fault.Busy, "the channel decides on as much as it can")
		if took := time.Since(began); took != 5*time.Second || ran.Load() != places {
			t.Errorf("took %v, %d ran", took, ran.Load())
		}
		<-time.After(2 * time.Second)
		all.Wait()
		if load := loadOf(t, policies, "a"); load != (channels.Load{Pattern: "a"}) {
			t.Errorf("the load is %+v", load)
		}
	})
}

func TestWhatAHookMakesOfAMessage(t *testing.T) {
	deep := func(n int) string { return strings.Repeat(`{"a":`, n-1) + `{}` + strings.Repeat(`}`, n-1) }
	var logs logged
	var give func(sent json.RawMessage) (json.RawMessage, error)
	policies := newPolicies(t, channels.Options{
		Log: logs.logger(), MaxData: 1000,
		Reserved: func(data json.RawMessage) bool { return strings.Contains(string(data), "walker") },
	}, specs.Channel{Pattern: "a", Receive: func(_ context.Context, incoming specs.Incoming) (json.RawMessage, error) {
		return give(incoming.Data)
	}})
	policy := of(t, policies, "a")
	receive := func(data string) (json.RawMessage, error) {
		return policy.Receive(t.Context(), specs.Incoming{Join: join("a", alice), Joined: true, Data: []byte(data)})
	}
	for name, test := range map[string]struct {
		given string
		code  fault.Code
		logs  string
	}{
		"the same":       {`{"hello": "world"}`, "", ""},
		"another":        {` {"a":[1,"é\n",null], "b":{"a":1}} `, "", ""},
		"empty":          {`{}`, "", ""},
		"as deep":        {deep(64), "", ""},
		"as large":       {`{"a":"` + strings.Repeat("x", 992) + `"}`, "", ""},
		"nothing":        {``, fault.Internal, "not a JSON object"},
		"no object":      {`[{}]`, fault.Internal, "not a JSON object"},
		"two":            {`{} {}`, fault.Internal, "not a JSON object"},
		"text behind":    {`{}x`, fault.Internal, ""},
		"half":           {`{"secret":`, fault.Internal, "malformed JSON"},
		"malformed":      {`{"secret":01}`, fault.Internal, "malformed JSON"},
		"not UTF-8":      {"{\"secret\":\"\xff\"}", fault.Internal, "malformed JSON"},
		"a doubled name": {`{"x":{"secret":1,"secret":2}}`, fault.Internal, "a name stands twice in one object"},
		"too deep":       {deep(65), fault.Internal, "nests too deep"},
		"too large":      {`{"a":"` + strings.Repeat("x", 993) + `"}`, fault.TooLarge, ""},
		"reserved":       {`{"type":"walker"}`, fault.Internal, "looks like a message of the gateway's own"},
	} {
		give = func(json.RawMessage) (json.RawMessage, error) { return json.RawMessage(test.given), nil }
		before := len(logs.String())
		got, err := receive(`{"hello": "world"}`)
		if test.code == "" {
			if err != nil || string(got) != test.given {
				t.Errorf("%s: got %s, %v", name, got, err)
			}
			continue
		}
		expect(t, err, test.code, "")
		if line := logs.String()[before:]; !contains(line, test.logs) || strings.Contains(line, "secret") || got != nil {
			t.Errorf("%s: logged is %s, got %s", name, line, got)
		}
	}

	// What is sent as it came is not judged again.
	give = func(sent json.RawMessage) (json.RawMessage, error) { return sent, nil }
	if got, err := receive(`{"as":"the walker"}`); err != nil || string(got) != `{"as":"the walker"}` {
		t.Errorf("unchanged: %s, %v", got, err)
	}
	// What the hook has is its own: the sender's data does not change with it.
	give = func(sent json.RawMessage) (json.RawMessage, error) {
		copy(sent, `{"x":`)
		return sent, nil
	}
	data := []byte(`{"n":1}`)
	got, err := policy.Receive(t.Context(), specs.Incoming{Join: join("a", alice), Joined: true, Data: data})
	if string(data) != `{"n":1}` || err == nil && string(got) != `{"x":1}` {
		t.Errorf("changed in place: sent is %s, got %s, %v", data, got, err)
	}
	// And what it gives does not change with what the hook does later.
	mine := []byte(`{"m":1}`)
	give = func(json.RawMessage) (json.RawMessage, error) { return mine, nil }
	got, err = receive(`{"n":1}`)
	if mine[5] = '2'; err != nil || string(got) != `{"m":1}` {
		t.Errorf("changed later: %s, %v", got, err)
	}
	for _, stop := range []error{specs.ErrStop, fmt.Errorf("enough: %w", specs.ErrStop)} {
		give = func(json.RawMessage) (json.RawMessage, error) { return json.RawMessage(`{}`), stop }
		if got, err := receive(`{"n":1}`); err != specs.ErrStop || got != nil {
			t.Errorf("stopped: %s, %v", got, err)
		}
	}
}

// Without a hook nothing is asked, and nothing made.
func TestAChannelWithoutHooksCostsNothing(t *testing.T) {
	policies := newPolicies(t, channels.Options{}, specs.Channel{Pattern: "room:{id}", Auth: specs.NoAuth})
	incoming := specs.Incoming{Join: join("room:1", auth.Public()), Data: []byte(`{}`)}
	ctx := t.Context()
	if n := testing.AllocsPerRun(100, func() {
		policy, err := policies.Of("room:1")
		if err != nil || policy.Join(ctx, incoming.Join) != nil {
			t.Error("refused")
		}
		if _, err := policy.Receive(ctx, incoming); err != nil {
			t.Error(err)
		}
		policy.Left(incoming.Join)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkOf(b *testing.B) {
	var declared []specs.Channel
	for i := range 50 {
		declared = append(declared, specs.Channel{Pattern: fmt.Sprintf("app%d:{room}:{part...}", i)})
	}
	policies := newPolicies(b, channels.Options{}, declared...)
	for name, id := range map[string]string{"declared": "app25:room-7:chat", "undeclared": "room-7"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := policies.Of(id); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkHook is a decision with its goroutine.
func BenchmarkHook(b *testing.B) {
	policies := newPolicies(b, channels.Options{}, hook("room:{id}", func(context.Context) error { return nil }))
	policy := of(b, policies, "room:1")
	b.ReportAllocs()
	for b.Loop() {
		if err := policy.Join(b.Context(), join("room:1", alice)); err != nil {
			b.Fatal(err)
		}
	}
}
