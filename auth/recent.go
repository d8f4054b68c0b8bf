package auth

import "sync"

// recent remembers values by key, and of too many the last ones: those put or
// asked for since max others were, and at most twice max. It may be used
// concurrently.
type recent[K comparable, V any] struct {
	max int

	mu         sync.Mutex
	young, old map[K]V
}

func newRecent[K comparable, V any](limit int) *recent[K, V] {
	return &recent[K, V]{max: limit, young: make(map[K]V)}
}

func (r *recent[K, V]) get(key K) (value V, known bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if value, known = r.young[key]; known {
		return value, true
	}
	if value, known = r.old[key]; known {
		r.set(key, value)
	}
	return value, known
}

func (r *recent[K, V]) put(key K, value V) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.set(key, value)
}

// set is called with the lock held.
func (r *recent[K, V]) set(key K, value V) {
	if _, there := r.young[key]; !there && len(r.young) >= r.max {
		r.old, r.young = r.young, make(map[K]V)
	}
	r.young[key] = value
}
