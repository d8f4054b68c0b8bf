package walkers_test

import (
	"testing"
	"testing/synctest"
	"time"

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
