//go:build unix

package socket

import "syscall"

// openRaw finds the way to read and write without blocking, where there is one.
func (s *Session) openRaw() {
	conn, ok := s.conn.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return // a broken connection; the first read tells
	}
	s.raw = raw
	s.onReadable = s.readReady
	s.onWritable = s.writeReady
}

// readReady is called by RawConn.Read, first at once and then whenever the
// descriptor may be readable; false waits for the next time.
func (s *Session) readReady(fd uintptr) bool {
	buffer := chunks.Get().(*chunk)
	for {
		n, err := syscall.Read(int(fd), buffer[:])
		switch err {
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			chunks.Put(buffer)
			return false
		}
		s.in = inbound{buffer: buffer, n: max(n, 0), err: err}
		return true
	}
}

// writeReady is called by RawConn.Write; it never waits. Under mu.
func (s *Session) writeReady(fd uintptr) bool {
	for {
		n, err := syscall.Write(int(fd), s.out)
		switch err { //nolint:errorlint // a system call gives the bare number
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			err = nil
		}
		s.outN, s.outErr = max(n, 0), err
		return true
	}
}
