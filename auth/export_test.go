package auth

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
