package scenarios_test

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/walkergate/walkergate/bench/internal/scenarios"
	"github.com/walkergate/walkergate/bench/internal/servers"
)

// TestEveryServerPlaysEveryScenario builds each server and plays each kind of
// scenario with it, in small.
func TestEveryServerPlaysEveryScenario(t *testing.T) {
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	places := servers.Places{Module: dir, Binaries: t.TempDir()}
	patient := brief()
	patient.Settle, patient.Drain = 200*time.Millisecond, 20*time.Second // a busy machine is no fault of the server
	all := scenarios.All()
	for i := range all {
		all[i].Channels, all[i].Members = min(all[i].Channels, 8), min(all[i].Members, 8)
		all[i].Window = min(all[i].Window, 16)
	}
	for _, server := range servers.All() {
		t.Run(server.Name, func(t *testing.T) {
			err := server.Prepare(t.Context(), places)
			if server.Name == "centrifugo" && errors.Is(err, servers.ErrMissing) {
				t.Log(err) // the one that nothing here installs
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, scenario := range all {
				if !scenario.Suits(server) {
					continue
				}
				result, err := scenarios.Play(t.Context(), scenario, server, scenarios.Conditions{Places: places, Timing: patient})
				if err != nil {
					t.Fatal(err)
				}
				if result.Failure != "" {
					t.Errorf("%s: %s", scenario.Name, result.Failure)
				}
				if result.PerSecond <= 0 || result.Resident <= 0 || result.Peak < result.Resident {
					t.Errorf("%s: %+v", scenario.Name, result)
				}
			}
		})
	}
}

func TestScenariosFitTheMachine(t *testing.T) {
	seen := make(map[string]bool)
	for _, scenario := range scenarios.All() {
		if seen[scenario.Name] {
			t.Errorf("%s twice", scenario.Name)
		}
		seen[scenario.Name] = true
		if scenario.Connections() > 10_000 {
			t.Errorf("%s opens %d connections: a process may have 20,000 descriptors", scenario.Name, scenario.Connections())
		}
		if scenario.Publishers > scenario.Members {
			t.Errorf("%s: publishers are members", scenario.Name)
		}
		if (scenario.Window > 0) == (scenario.Rate > 0) && scenario.Kind != scenarios.Idle {
			t.Errorf("%s: either a window or a rate", scenario.Name)
		}
	}
}
