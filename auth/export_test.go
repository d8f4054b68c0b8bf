package auth

import "slices"

// WatchHashing calls watch before every run of argon2id. It is called before
// the service is used.
func (s *Service) WatchHashing(watch func()) {
	derive := s.passwords.derive
	s.passwords.derive = func(hash argonHash, password string) []byte {
		watch()
		return derive(hash, password)
	}
}

// Watched is how many users are watched.
func (s *Service) Watched() int { return s.watches.size() }

// Learn hears of revocations, as from another node.
func (s *Service) Learn(news ...Revocation) { s.learn(news...) }

// SubjectIDs gives the ids of a subject of an issuer.
func SubjectIDs(issuer, subject string) (userID, rootID string) { return subjectIDs(issuer, subject) }

// ForgetProofs forgets that tokens of other issuers were verified.
func (s *Service) ForgetProofs() {
	s.foreign.proofs.mu.Lock()
	defer s.foreign.proofs.mu.Unlock()
	clear(s.foreign.proofs.young)
	clear(s.foreign.proofs.old)
}

// TryKeys reads keys and reports whether a signature of zeros holds by any.
func TryKeys(text []byte) bool {
	set, err := parseKeys(text)
	if err != nil {
		return false
	}
	for _, key := range set.keys {
		for _, algorithm := range key.algorithms {
			for _, length := range []int{64, 96, 132, 256} {
				if foreignMethods[algorithm].Verify("x", make([]byte, length), key.public) == nil {
					return true
				}
			}
		}
		if fitting, named := set.lookup(key.id, key.algorithms[0]); !named || !slices.ContainsFunc(fitting, func(any) bool { return true }) {
			return true
		}
	}
	return false
}

// Recent is what remembers the last of many.
type Recent struct{ recent *recent[int, struct{}] }

// NewRecent remembers so many at least, and twice as many at most.
func NewRecent(limit int) Recent { return Recent{newRecent[int, struct{}](limit)} }

// Put remembers one.
func (r Recent) Put(n int) { r.recent.put(n, struct{}{}) }

// Knows reports whether one is remembered.
func (r Recent) Knows(n int) bool {
	_, known := r.recent.get(n)
	return known
}

// Size is how many are remembered.
func (r Recent) Size() int { return len(r.recent.young) + len(r.recent.old) }
