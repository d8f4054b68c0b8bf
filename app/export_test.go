package app

import (
	"log/slog"
	"time"

	"github.com/walkergate/walkergate/notify/membus"
	"github.com/walkergate/walkergate/store"
	"github.com/walkergate/walkergate/walkers"
)

// NewBeside makes an App over a store that others of this process use too. They
// are let in together because each has a bus, on which it is alone: from one to
// the other goes what is in the store, of which a node reads nothing but users
// and revocations.
func NewBeside(shared store.Store, config Config, registry *walkers.Registry, log *slog.Logger) (*App, error) {
	return newAmong(company{store: shared, bus: membus.New().Node()}, config, registry, log)
}

// MaxTried is how many names one generation of tries remembers.
const MaxTried = maxTried

// Tries counts tries without HTTP in front.
type Tries struct{ tries *tries }

// NewTries lets each name be tried so often a minute.
func NewTries(perMinute int) Tries { return Tries{newTries(perMinute)} }

// Begin begins a try.
func (t Tries) Begin(name string) (end func(succeeded bool), wait time.Duration) {
	return t.tries.begin(name)
}

// Remembered is how many names are remembered.
func (t Tries) Remembered() int {
	t.tries.mu.Lock()
	defer t.tries.mu.Unlock()
	return len(t.tries.young) + len(t.tries.old)
}
