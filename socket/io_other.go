//go:build !unix

package socket

// openRaw finds nothing: here a descriptor cannot be written without blocking,
// so the session reads and writes through the connection.
func (s *Session) openRaw() {}
