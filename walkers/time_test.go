package walkers_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/walkergate/walkergate/auth"
	"github.com/walkergate/walkergate/fault"
	"github.com/walkergate/walkergate/specs"
	"github.com/walkergate/walkergate/walkers"
)

// stuck makes a runner whose walker "take" goes on until release is closed,
// whatever its context says.
func stuck(t *testing.T, options walkers.Options, spec specs.Walker) (r *walkers.Runner, release chan struct{}) {
	t.Helper()
	release = make(chan struct{})
	spec.Name, spec.Methods = "take", []specs.Method{specs.WebSocket}
	return runner(t, options, func(registry *walkers.Registry) {
		walkers.Register(registry, spec, func(context.Context, *walkers.Call, struct{}) error {
			<-release
			return nil
		})
	}), release
}

func TestARunEndsInTime(t *testing.T) {
	for name, test := range map[string]struct {
		options walkers.Options
		spec    specs.Walker
		want    time.Duration
	}{
		"by default":     {walkers.Options{}, specs.Walker{}, 30 * time.Second},
		"by the options": {walkers.Options{Timeout: time.Minute}, specs.Walker{}, time.Minute},
		"by the spec":    {walkers.Options{Timeout: time.Minute}, specs.Walker{Timeout: time.Second}, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, release := stuck(t, test.options, test.spec)
				began := time.Now()
				_, err := r.Run(t.Context(), overSocket(""))
				expect(t, err, fault.Timeout, "walker take did not end in time")
				if took := time.Since(began); took != test.want || walkers.Gone(err) {
					t.Errorf("took %v, want %v (gone: %t)", took, test.want, walkers.Gone(err))
				}
				if load := r.Loads()[0]; load != (walkers.Load{Walker: "take", Running: 1, Abandoned: 1}) {
					t.Errorf("load is %+v", load)
				}
				close(release)
				synctest.Wait()
				if load := r.Loads()[0]; load != (walkers.Load{Walker: "take"}) {
					t.Errorf("load is %+v after the end", load)
				}
			})
		})
	}
}

func TestAHandlerThatHeedsItsContextTellsNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := runner(t, walkers.Options{}, func(registry *walkers.Registry) {
			walkers.Register(registry, specs.Walker{Name: "take", Methods: []specs.Method{specs.WebSocket}},
				func(ctx context.Context, _ *walkers.Call, _ struct{}) error {
					<-ctx.Done()
					return ctx.Err()
				})
		})
		_, err := r.Run(t.Context(), overSocket(""))
		expect(t, err, fault.Timeout, "walker take did not end in time")
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_, err = r.Run(ctx, overSocket(""))
		if expect(t, err, fault.Timeout, ""); !walkers.Gone(err) || !errors.Is(err, context.Canceled) {
			t.Errorf("%v does not tell that the caller has gone", err)
		}
		synctest.Wait()
	})
}

func TestNothingIsRunForACallerWhoHasGone(t *testing.T) {
	ran := false
	r := runner(t, walkers.Options{}, func(registry *walkers.Registry) {
		walkers.Register(registry, specs.Walker{Name: "take", Methods: []specs.Method{specs.WebSocket}},
			func(context.Context, *walkers.Call, struct{}) error {
				ran = true
				return nil
			})
	})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := r.Run(ctx, overSocket("")); !walkers.Gone(err) {
		t.Errorf("error is %v", err)
	}
	if err := r.Close(context.Background()); err != nil || ran {
		t.Errorf("ran: %t; Close gave %v", ran, err)
	}
}

// A handler may return at the very moment its context ends. Whichever is seen
// first, the answer is one of two, and nothing stays counted.
func TestReturningAtTheLastMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		heed := func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}
		coincide := func(ctx context.Context) error {
			<-time.After(time.Millisecond) // as long as the caller stays
			return ctx.Err()
		}
		handlers := map[string]func(context.Context) error{
			"in time": func(ctx context.Context) error {
				<-ctx.Done()
				return nil
			},
			"with its end":  heed,
			"at that time":  coincide,
			"with its word": func(ctx context.Context) error { return fault.New(fault.Conflict, "taken").Because(heed(ctx)) },
		}
		for name, handle := range handlers {
			spec := specs.Walker{
				Name: "take", Methods: []specs.Method{specs.WebSocket},
				Enter: func(ctx context.Context, _ auth.Principal, _ string) error {
					if err := coincide(ctx); err != nil {
						return err
					}
					return heed(ctx)
				},
			}
			r := runner(t, walkers.Options{Timeout: time.Second}, func(registry *walkers.Registry) {
				walkers.Register(registry, spec, func(ctx context.Context, _ *walkers.Call, _ struct{}) error { return handle(ctx) })
			})
			for i := range 3000 {
				ctx, cancel := context.WithCancel(t.Context())
				if i%2 == 0 {
					time.AfterFunc(time.Millisecond, cancel)
				}
				inv := overSocket("")
				inv.Node, inv.HasNode = "n", i%3 == 0 // to end while the node is decided on
				_, err := r.Run(ctx, inv)
				switch {
				case err == nil && (name == "in time" || name == "at that time") && !inv.HasNode:
				case fault.Is(err, fault.Conflict) && name == "with its word" && !inv.HasNode:
				case fault.Is(err, fault.Timeout) && walkers.Gone(err) == (i%2 == 0):
				default:
					t.Fatalf("%s, run %d: %v", name, i, err)
				}
				cancel()
				synctest.Wait()
				if load := r.Loads()[0]; load != (walkers.Load{Walker: "take"}) {
					t.Fatalf("%s, run %d: load is %+v", name, i, load)
				}
			}
		}
	})
}

func TestAnInnerTimeoutIsNotTheEndOfTheCaller(t *testing.T) {
	r := runner(t, walkers.Options{}, func(registry *walkers.Registry) {
		walkers.Register(registry, specs.Walker{Name: "take", Methods: []specs.Method{specs.WebSocket}},
			func(context.Context, *walkers.Call, struct{}) error { return context.Canceled })
	})
	_, err := r.Run(context.Background(), overSocket(""))
	if expect(t, err, fault.Internal, "internal error"); walkers.Gone(err) {
		t.Error("the caller is still there")
	}
}

func TestAnEndedCallIsInert(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p post
		var late error
		release := make(chan struct{})
		r := runner(t, walkers.Options{Notifier: &p, Timeout: time.Second}, func(registry *walkers.Registry) {
			walkers.Register(registry, specs.Walker{Name: "take", Methods: []specs.Method{specs.WebSocket}},
				func(_ context.Context, call *walkers.Call, _ struct{}) error {
					<-release
					call.Report("late")
					call.Status(201)
					_, late = call.Notify.Self(context.Background(), map[string]any{})
					return errors.New("nobody hears this")
				})
		})
		inv := overSocket("")
		inv.ClientID = "c1"
		answer, err := r.Run(t.Context(), inv)
		expect(t, err, fault.Timeout, "")
		close(release)
		synctest.Wait()
		if !errors.Is(late, walkers.ErrOver) || len(p.all()) != 0 || answer.Reports != nil {
			t.Errorf("notify gave %v and sent %v; answer %+v", late, p.all(), answer)
		}
	})
}

func TestAbandonedRunsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var written journal
		r, release := stuck(t, walkers.Options{Timeout: time.Second, Log: slog.New(slog.NewTextHandler(&written, nil))}, specs.Walker{})
		for range 16 {
			_, err := r.Run(t.Context(), overSocket(""))
			expect(t, err, fault.Timeout, "")
		}
		began := time.Now()
		_, err := r.Run(t.Context(), overSocket(""))
		expect(t, err, fault.Busy, "")
		if time.Since(began) != 0 || r.Loads()[0].Abandoned != 16 {
			t.Errorf("took %v with %+v", time.Since(began), r.Loads())
		}
		if lines := written.lines(); len(lines) != 1 || !strings.Contains(lines[0], "walker=take") {
			t.Errorf("log is %q, want one line", lines)
		}
		close(release)
		synctest.Wait()
		if _, err := r.Run(t.Context(), overSocket("")); err != nil {
			t.Errorf("after all have ended: %v", err)
		}
	})
}

func TestEnterIsBoundToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		spec := specs.Walker{
			Name: "take", Methods: []specs.Method{specs.WebSocket}, Timeout: time.Second,
			Enter: func(ctx context.Context, _ auth.Principal, node string) error {
				if node == "heeds" {
					<-ctx.Done()
					return ctx.Err()
				}
				<-release
				return nil
			},
		}
		ran := false
		r := runner(t, walkers.Options{}, func(registry *walkers.Registry) {
			walkers.Register(registry, spec, func(context.Context, *walkers.Call, struct{}) error {
				ran = true
				return nil
			})
		})
		inv := overSocket("")
		inv.HasNode = true
		for _, inv.Node = range []string{"heeds", "stuck"} {
			_, err := r.Run(t.Context(), inv)
			expect(t, err, fault.Timeout, "")
		}
		close(release)
		synctest.Wait()
		if ran || r.Loads()[0].Abandoned != 0 {
			t.Errorf("ran: %t, load %+v", ran, r.Loads())
		}
	})
}

func TestConcurrentRunsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, release := stuck(t, walkers.Options{Timeout: time.Second}, specs.Walker{Limits: specs.Limits{Concurrent: 2}})
		results := make(chan error, 2)
		for range 2 {
			go func() {
				_, err := r.Run(t.Context(), overSocket(""))
				results <- err
			}()
		}
		synctest.Wait()
		_, err := r.Run(t.Context(), overSocket("[]"))
		expect(t, err, fault.Busy, "") // before the context is looked at
		for range 2 {
			expect(t, <-results, fault.Timeout, "")
		}
		_, err = r.Run(t.Context(), overSocket(""))
		expect(t, err, fault.Busy, "") // what was abandoned still takes its room
		close(release)
		synctest.Wait()
		for range 10 {
			if _, err := r.Run(t.Context(), overSocket("")); err != nil {
				t.Fatalf("one after the other: %v", err)
			}
		}
		_, err = r.Run(t.Context(), overSocket("[]"))
		expect(t, err, fault.InvalidContext, "")
		if _, err := r.Run(t.Context(), overSocket("")); err != nil {
			t.Errorf("a context that does not fit keeps its room: %v", err)
		}
	})
}

func TestManyRunsAtOnceKeepApart(t *testing.T) {
	var running, most atomic.Int64
	r := runner(t, walkers.Options{}, func(registry *walkers.Registry) {
		spec := specs.Walker{Name: "take", Methods: []specs.Method{specs.WebSocket}}
		walkers.Register(registry, spec, func(_ context.Context, call *walkers.Call, in takes) error {
			if n := running.Add(1); n > most.Load() {
				most.Store(n)
			}
			defer running.Add(-1)
			call.Report(in.N)
			return nil
		})
	})
	results := make(chan string)
	for i := range 200 {
		go func() {
			digits := strings.Repeat("1", i%9+1)
			answer, err := r.Run(context.Background(), overSocket(`{"n":`+digits+`}`))
			if err != nil || string(answer.JSON()) != `{"status":200,"reports":[`+digits+`]}` {
				results <- string(answer.JSON())
				return
			}
			results <- ""
		}()
	}
	for range 200 {
		if wrong := <-results; wrong != "" {
			t.Errorf("answer is %s", wrong)
		}
	}
}

func TestCloseWaitsForWhatRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, release := stuck(t, walkers.Options{Timeout: time.Hour}, specs.Walker{})
		results := make(chan error, 3)
		for range 3 {
			go func() {
				_, err := r.Run(t.Context(), overSocket(""))
				results <- err
			}()
		}
		synctest.Wait()
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := r.Close(short); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close gave %v", err)
		}
		_, err := r.Run(t.Context(), overSocket(""))
		expect(t, err, fault.Busy, "")
		time.AfterFunc(time.Minute, func() { close(release) })
		began := time.Now()
		if err := r.Close(t.Context()); err != nil || time.Since(began) != time.Minute {
			t.Errorf("Close gave %v after %v", err, time.Since(began))
		}
		for range 3 {
			if err := <-results; err != nil {
				t.Errorf("a run that was waited for gave %v", err)
			}
		}
	})
}

// Callers who leave do not shut a walker for the others: a run counts as
// abandoned from its own deadline on.
func TestHangingUpDoesNotShutAWalker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		free := make(chan struct{})
		r := runner(t, walkers.Options{Timeout: 10 * time.Second}, func(registry *walkers.Registry) {
			walkers.Register(registry, specs.Walker{Name: "take", Auth: specs.NoAuth}, func(context.Context, *walkers.Call, struct{}) error {
				<-free // looks at no context
				return nil
			})
		})
		for range 20 {
			ctx, hangUp := context.WithCancel(t.Context())
			go func() { <-time.After(time.Second); hangUp() }()
			if _, err := r.Run(ctx, overREST("")); !walkers.Gone(err) {
				t.Fatalf("the caller who left was told %v", err)
			}
		}
		// The first have passed their deadline by now, the last have not. The
		// half second keeps the question apart from the eleventh's deadline.
		<-time.After(500 * time.Millisecond)
		synctest.Wait()
		if load := r.Loads()[0]; load.Running != 20 || load.Abandoned != 11 {
			t.Errorf("load %+v", load)
		}
		close(free)
		synctest.Wait()
		if load := r.Loads()[0]; load.Running != 0 || load.Abandoned != 0 {
			t.Errorf("in the end %+v", load)
		}
	})
}
