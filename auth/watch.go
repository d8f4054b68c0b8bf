package auth

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// SoonBefore is how long before a token's end its holder is told.
const SoonBefore = time.Minute

// Watcher is told what becomes of a principal that it lives by. Its methods
// are called from the goroutine of Run or of whoever revokes, possibly both at
// once; they must not block.
type Watcher interface {
	// TokenEndsSoon comes once, SoonBefore the end.
	TokenEndsSoon(left time.Duration)
	// TokenEnded comes once, with the token_invalid fault that tells why. An
	// announcement that was under way may still arrive behind it.
	TokenEnded(why error)
}

// Watch tells a watcher of the end of a principal until stop is called. A call
// that is under way when stop returns may still arrive. For the public user
// nothing ever ends.
func (s *Service) Watch(p Principal, watcher Watcher) (stop func()) {
	if p.IsPublic() {
		return func() {}
	}
	w := &watch{principal: p, watcher: watcher, at: p.ExpiresAt.Add(-SoonBefore), place: -1}
	s.watches.add(w, true)
	if s.revoked.holds(p) { // revoked between its proof and this watch
		s.watches.end(w, errRevoked)
	}
	return func() { s.watches.remove(w) }
}

// While gives a context that also ends when the principal is revoked; its
// cause is then the token_invalid fault. It is for work that takes seconds: the
// natural end of a token does not interrupt it.
func (s *Service) While(ctx context.Context, p Principal) (context.Context, context.CancelFunc) {
	if p.IsPublic() {
		return ctx, func() {}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	w := &watch{principal: p, watcher: canceller(cancel), place: -1}
	s.watches.add(w, false)
	if s.revoked.holds(p) {
		s.watches.end(w, errRevoked)
	}
	return ctx, func() {
		s.watches.remove(w)
		cancel(nil)
	}
}

type canceller context.CancelCauseFunc

func (c canceller) TokenEndsSoon(time.Duration) {}
func (c canceller) TokenEnded(why error)        { c(why) }

// watch is one watched principal. Its fields are guarded by watches.mu.
type watch struct {
	principal Principal
	watcher   Watcher
	at        time.Time // when it is next due
	warned    bool
	place     int // in watches.due; -1 outside
	gone      bool
}

// watches are all that is watched: by user for revocations, by time for the
// ends of tokens.
type watches struct {
	mu     sync.Mutex
	byUser map[string]map[*watch]struct{}
	due    dueList
	wake   chan struct{} // the first due may have changed
}

func newWatches() *watches {
	return &watches{byUser: make(map[string]map[*watch]struct{}), wake: make(chan struct{}, 1)}
}

func (ws *watches) add(w *watch, timed bool) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ofUser := ws.byUser[w.principal.UserID]
	if ofUser == nil {
		ofUser = make(map[*watch]struct{})
		ws.byUser[w.principal.UserID] = ofUser
	}
	ofUser[w] = struct{}{}
	if timed {
		heap.Push(&ws.due, w)
		if w.place == 0 {
			ws.stir()
		}
	}
}

func (ws *watches) stir() {
	select {
	case ws.wake <- struct{}{}:
	default:
	}
}

// remove reports whether the watch was still there.
func (ws *watches) remove(w *watch) bool {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if w.gone {
		return false
	}
	w.gone = true
	ofUser := ws.byUser[w.principal.UserID]
	delete(ofUser, w)
	if len(ofUser) == 0 {
		delete(ws.byUser, w.principal.UserID)
	}
	if w.place >= 0 {
		heap.Remove(&ws.due, w.place)
	}
	return true
}

func (ws *watches) end(w *watch, why error) {
	if ws.remove(w) {
		w.watcher.TokenEnded(why)
	}
}

// ofUsers gives the watches of those users at this moment.
func (ws *watches) ofUsers(userIDs []string) []*watch {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	var found []*watch
	for _, id := range userIDs {
		for w := range ws.byUser[id] {
			found = append(found, w)
		}
	}
	return found
}

// tell tells all that is due, and gives the time until the next is.
func (ws *watches) tell(now time.Time) (next time.Duration) {
	for {
		ws.mu.Lock()
		if len(ws.due) == 0 {
			ws.mu.Unlock()
			return time.Hour
		}
		w := ws.due[0]
		if wait := w.at.Sub(now); wait > 0 {
			ws.mu.Unlock()
			return wait
		}
		left := w.principal.ExpiresAt.Sub(now)
		soon := !w.warned && left > 0
		if soon {
			w.warned, w.at = true, w.principal.ExpiresAt
			heap.Fix(&ws.due, 0)
		}
		ws.mu.Unlock()
		if soon {
			w.watcher.TokenEndsSoon(left)
		} else {
			ws.end(w, errExpired)
		}
	}
}

func (ws *watches) size() int {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	return len(ws.byUser)
}

// dueList is a heap, the next due first.
type dueList []*watch

func (d dueList) Len() int           { return len(d) }
func (d dueList) Less(i, j int) bool { return d[i].at.Before(d[j].at) }
func (d dueList) Swap(i, j int) {
	d[i], d[j] = d[j], d[i]
	d[i].place, d[j].place = i, j
}

func (d *dueList) Push(x any) {
	w := x.(*watch)
	w.place = len(*d)
	*d = append(*d, w)
}

func (d *dueList) Pop() any {
	last := len(*d) - 1
	w := (*d)[last]
	(*d)[last] = nil
	*d = (*d)[:last]
	w.place = -1
	return w
}
