package auth

import (
	"container/heap"
	"sync"
	"time"
)

// maxRevokedTokens bounds the single tokens of one user that are remembered as
// ended. Whoever ends more of them within the life of a token ends all.
const maxRevokedTokens = 256

// revoked holds which tokens ended before their time. An entry vanishes when
// no token that it concerns can be alive, at the next entry that comes: memory
// does not grow without one.
type revoked struct {
	now func() time.Time

	mu      sync.RWMutex
	users   map[string]*revokedUser
	endings endings
}

// revokedUser is what ended of one user. It is in the map while something is
// remembered, and each thing remembered stands in endings once.
type revokedUser struct {
	// generation is the first that lives on; zero where no generation ended.
	generation int64
	// endedAt is when the last of the others ended: what counts for tokens of
	// another issuer, which know no generation.
	endedAt time.Time
	until   time.Time
	tokens  map[string]struct{}
}

// ending is when something may be forgotten: a token, or with no token id a
// user's generation.
type ending struct {
	at      time.Time
	userID  string
	tokenID string
}

func newRevoked(now func() time.Time) *revoked {
	return &revoked{now: now, users: make(map[string]*revokedUser)}
}

// holds reports whether the token of the principal ended.
func (r *revoked) holds(p Principal) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	user := r.users[p.UserID]
	if user == nil {
		return false
	}
	if p.Issuer == "" && p.Generation < user.generation || p.Issuer != "" && r.endedElsewhere(user, p) {
		return true
	}
	_, ended := user.tokens[p.TokenID]
	return ended
}

// endedElsewhere reports whether the token of another issuer ended with all
// others of its user: with those of a time or, where the user was deleted, with
// all that come while a token of that time could be alive. The ids of such a
// user may come again, so what is past counts no more, forgotten or not.
func (r *revoked) endedElsewhere(user *revokedUser, p Principal) bool {
	return !p.IssuedAt.After(user.endedAt) || user.generation == EveryGeneration && r.now().Before(user.until)
}

// generation is the first of the user's that lives on, as far as remembered.
func (r *revoked) generation(userID string) int64 {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if user := r.users[userID]; user != nil {
		return user.generation
	}
	return 0
}

// full reports whether no further single token of the user is to be
// remembered.
func (r *revoked) full(userID string) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	user := r.users[userID]
	return user != nil && len(user.tokens) >= maxRevokedTokens
}

// learn remembers revocations and gives the users of those that were new.
// Learning one again changes nothing, in whichever order they come.
func (r *revoked) learn(now time.Time, news ...Revocation) (users []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forget(now)
	for _, revocation := range news {
		if !revocation.Ends.After(now) {
			continue
		}
		user := r.users[revocation.UserID]
		if user == nil {
			user = &revokedUser{}
			r.users[revocation.UserID] = user
		}
		var isNew bool
		if revocation.TokenID == "" {
			isNew = r.endGeneration(user, revocation)
		} else {
			isNew = r.endToken(user, revocation)
		}
		if isNew {
			users = append(users, revocation.UserID)
		}
	}
	return users
}

func (r *revoked) endGeneration(user *revokedUser, revocation Revocation) (isNew bool) {
	if user.until.IsZero() {
		heap.Push(&r.endings, ending{at: revocation.Ends, userID: revocation.UserID})
	}
	isNew = revocation.Generation > user.generation || revocation.At.After(user.endedAt)
	user.generation = max(user.generation, revocation.Generation)
	if revocation.At.After(user.endedAt) {
		user.endedAt = revocation.At
	}
	if revocation.Ends.After(user.until) {
		user.until = revocation.Ends
	}
	return isNew
}

func (r *revoked) endToken(user *revokedUser, revocation Revocation) (isNew bool) {
	if _, known := user.tokens[revocation.TokenID]; known {
		return false
	}
	if user.tokens == nil {
		user.tokens = make(map[string]struct{})
	}
	user.tokens[revocation.TokenID] = struct{}{}
	heap.Push(&r.endings, ending{at: revocation.Ends, userID: revocation.UserID, tokenID: revocation.TokenID})
	return true
}

// forget lets go of all whose time has come.
func (r *revoked) forget(now time.Time) {
	for len(r.endings) > 0 && !r.endings[0].at.After(now) {
		due := heap.Pop(&r.endings).(ending)
		user := r.users[due.userID]
		switch {
		case due.tokenID != "":
			delete(user.tokens, due.tokenID)
		case user.until.After(now): // ended again meanwhile, and so for longer
			heap.Push(&r.endings, ending{at: user.until, userID: due.userID})
		default:
			user.generation, user.endedAt, user.until = 0, time.Time{}, time.Time{}
		}
		if len(user.tokens) == 0 && user.until.IsZero() {
			delete(r.users, due.userID)
		}
	}
}

// size is how many things are remembered.
func (r *revoked) size() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.endings)
}

// endings is a heap, the next to be forgotten first.
type endings []ending

func (e endings) Len() int           { return len(e) }
func (e endings) Less(i, j int) bool { return e[i].at.Before(e[j].at) }
func (e endings) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *endings) Push(x any)        { *e = append(*e, x.(ending)) }
func (e *endings) Pop() any {
	last := len(*e) - 1
	popped := (*e)[last]
	(*e)[last] = ending{}
	*e = (*e)[:last]
	return popped
}
