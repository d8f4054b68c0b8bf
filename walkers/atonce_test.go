package walkers_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/walkergate/walkergate/auth"
	"github.com/walkergate/walkergate/fault"
	"github.com/walkergate/walkergate/specs"
	"github.com/walkergate/walkergate/walkers"
)

func TestRunsOfAllWalkersAreBounded(t *testing.T) {
	for name, test := range map[string]struct{ atOnce, room int }{
		"by default":     {0, 1000},
		"by the options": {2, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, release := stuck(t, walkers.Options{AtOnce: test.atOnce, Timeout: time.Hour}, specs.Walker{})
				results := make(chan error, test.room)
				run := func() {
					_, err := r.Run(t.Context(), overSocket(""))
					results <- err
				}
				for range test.room {
					go run()
				}
				synctest.Wait()
				for range 3 { // a refusal takes no room, and gives none back
					_, err := r.Run(t.Context(), overSocket("[]"))
					expect(t, err, fault.Busy, "too many walkers run")
				}
				if running := r.Loads()[0].Running; running != test.room {
					t.Errorf("%d run, want %d", running, test.room)
				}
				close(release)
				for range test.room {
					if err := <-results; err != nil {
						t.Errorf("a run that was let in gave %v", err)
					}
				}
				synctest.Wait()
				for range test.room + 1 { // one after the other there is room for any number
					if _, err := r.Run(t.Context(), overSocket("")); err != nil {
						t.Fatal(err)
					}
				}
			})
		})
	}
}

// Whoever has an answer has left the room that the run took, and so has a
// decision on the node before the run that it lets in.
func TestAnAnsweredRunHasLeftItsRoom(t *testing.T) {
	r := runner(t, walkers.Options{AtOnce: 1}, func(registry *walkers.Registry) {
		spec := specs.Walker{
			Name: "take", Methods: []specs.Method{specs.WebSocket},
			Enter: func(context.Context, auth.Principal, string) error { return nil },
		}
		walkers.Register(registry, spec, func(context.Context, *walkers.Call, struct{}) error { return nil })
	})
	inv := overSocket("")
	for n := range 5000 {
		inv.Node, inv.HasNode = "n", n%2 == 0
		if _, err := r.Run(t.Context(), inv); err != nil {
			t.Fatalf("run %d, alone: %v", n, err)
		}
	}
}

func TestWhatWasAbandonedStillTakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, release := stuck(t, walkers.Options{AtOnce: 1, Timeout: time.Second}, specs.Walker{})
		_, err := r.Run(t.Context(), overSocket(""))
		expect(t, err, fault.Timeout, "")
		_, err = r.Run(t.Context(), overSocket(""))
		expect(t, err, fault.Busy, "too many walkers run")
		close(release)
		synctest.Wait()
		if _, err := r.Run(t.Context(), overSocket("")); err != nil {
			t.Errorf("after the end: %v", err)
		}
	})
}
