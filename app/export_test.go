package app

import "time"

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
