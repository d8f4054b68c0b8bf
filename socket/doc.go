// Package socket runs one WebSocket session (RFC 6455, server side) over a
// connection whose handshake is done and which was taken over from whoever did
// it. A session hands whole text messages to its Handler in order, sends
// messages without ever blocking its callers, answers pings, watches for signs
// of life and carries out the close handshake.
//
// An idle session costs one small goroutine and no buffer. There is no writer
// goroutine either: a message is written at once, without blocking, by whoever
// sends it; what the kernel does not take is queued, within a bound in bytes,
// and a goroutine lives for as long as that queue does. Connections that cannot
// be written without blocking (TLS in process, pipes, systems other than unix)
// always queue.
package socket
