package socket

import (
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/walkergate/walkergate/wire"
)

// Handler takes what a session receives. Both methods are called from the
// session's reader, never two at once.
type Handler interface {
	// Frame takes each whole text message, in order. The text is valid UTF-8
	// within Options.MaxMessage, and the slice is valid during the call only.
	// While Frame runs nothing else of this connection is read, pings included,
	// so it must not block for long; it may call Send and Close, and must not
	// wait for Done. A panic in it ends the session with 1011, nothing else.
	Frame(text []byte)
	// Closed is called exactly once, after the last Frame, when the connection
	// is gone.
	Closed(end Closure)
}

// Closure tells how a connection ended, for logs and metrics.
type Closure struct {
	// Code is the code that was sent or received first: CloseNoStatus where the
	// peer's close bore none, CloseAbnormal where there was no close at all.
	Code   wire.CloseCode
	Reason string
	// ByPeer is true when the peer began the end, by a close frame or by
	// dropping the connection.
	ByPeer bool
	// Err is what broke the connection or the protocol; nil after a close
	// handshake.
	Err error
}

// Options of a session. Every zero is useful.
type Options struct {
	// MaxMessage bounds an incoming message in bytes, over all its fragments;
	// 64 KiB when 0. A longer one closes with 1009.
	MaxMessage int
	// ControlPerSecond bounds the control frames and fragments of one second,
	// which the handler never sees; 1,000 when 0. More close with 4429.
	ControlPerSecond int
	// QueueBytes bounds what waits to be written, in bytes, where each frame
	// counts 32 more than its length; 1 MiB when 0. One frame of any size always
	// fits an empty queue. A session over the bound is closed with 1013.
	QueueBytes int
	// WriteTimeout is how long a queue may make no progress before the session
	// is closed with 1013; 5 s when 0.
	WriteTimeout time.Duration
	// CloseTimeout is how long the peer has to answer a close; 2 s when 0.
	CloseTimeout time.Duration
	// Heart watches the session for signs of life; nobody does when nil. It is
	// shared by all sessions and must outlive them.
	Heart *Heart
	// Stats counts what the session does; shared, may be nil.
	Stats *Stats
	// Log takes what only a log can use: panics of the handler. Nil drops it.
	Log *slog.Logger
}

var discard = slog.New(slog.DiscardHandler)

func (o Options) withDefaults() Options {
	if o.MaxMessage <= 0 {
		o.MaxMessage = 64 << 10
	}
	if o.ControlPerSecond <= 0 {
		o.ControlPerSecond = 1000
	}
	if o.QueueBytes <= 0 {
		o.QueueBytes = 1 << 20
	}
	if o.WriteTimeout <= 0 {
		o.WriteTimeout = 5 * time.Second
	}
	if o.CloseTimeout <= 0 {
		o.CloseTimeout = 2 * time.Second
	}
	if o.Log == nil {
		o.Log = discard
	}
	return o
}

// Session is one WebSocket connection. Send, Close and Done may be called from
// any goroutine at any time.
type Session struct {
	conn    net.Conn
	handler Handler
	options Options
	done    chan struct{}
	pulse   pulse

	// raw reaches the descriptor for one call at a time, so that it can never be
	// another connection's; nil where reads and writes go through conn. The two
	// callbacks are made once a session.
	raw        syscall.RawConn
	onReadable func(fd uintptr) bool
	onWritable func(fd uintptr) bool

	// The reader's own.
	head    []byte // read behind the handshake, not yet parsed
	parser  parser
	in      inbound
	first   [minFrame]byte
	second  int64 // of the clock, that besides counts in
	besides int
	linger  time.Duration // how long to drain before the connection is closed

	// ending is set, under mu and once, when the session's end has begun: what
	// is sent from then on is refused, what arrives is dropped.
	ending  atomic.Bool
	writers sync.WaitGroup // the transient writer; started under mu before ending is set, or with it

	mu       sync.Mutex // the send lock: spans one non-blocking write at most
	started  bool       // uncorked, the reader runs
	writing  bool       // the transient writer runs; else the queue is empty, once started
	dead     bool       // nothing can be written any more
	queue    queue
	inFlight int    // bytes at the queue's front that the writer is writing
	out      []byte // what onWritable writes
	outN     int
	outErr   error
	room     chan struct{} // closed when an offer may find room; nil where nobody waits
	closure  Closure
	final    time.Time // when all ends, once ending
}

// Open takes a connection over whose handshake is done. head is what was read
// behind the handshake already; it is the session's from now on, and so is the
// connection, whose deadlines are cleared. Where conn is a syscall.Conn, its
// descriptor must carry the very stream that its Read and Write carry.
//
// The session is corked: it does not read, and what is sent waits, until Start
// or Close is called. One of the two must be.
func Open(conn net.Conn, head []byte, h Handler, o Options) *Session {
	s := &Session{conn: conn, head: head, handler: h, options: o.withDefaults(), done: make(chan struct{})}
	s.parser.sink = s
	s.parser.max = s.options.MaxMessage
	s.pulse.session = s
	// A connection that refuses its deadlines is broken; the first read tells.
	_ = conn.SetDeadline(time.Time{})
	s.openRaw()
	return s
}

// Start uncorks the session: the greeting goes out before all that was sent so
// far and will be sent, then the reader begins. A nil greeting sends none. It
// does nothing after a first Start or a Close.
func (s *Session) Start(greeting *wire.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.started {
		return
	}
	s.started = true
	switch {
	case greeting == nil:
	case s.queue.empty():
		s.put(greeting.Frame())
	default:
		s.queue.pushFront(greeting.Frame())
		s.options.Stats.queued(len(greeting.Frame()) + frameCost)
	}
	s.startWriter()
	s.startReader()
}

// startReader begins to read and to watch. Under mu, once.
func (s *Session) startReader() {
	if heart := s.options.Heart; heart != nil {
		heart.add(&s.pulse)
	}
	go s.run()
}

// Send sends a message, at once or behind what waits, and never blocks. It
// returns false, and sends nothing, when the session has closed or is closing,
// when the message finds no room (which closes the session with 1013), or when
// void is not nil and holds true. Void is looked at under the lock that orders
// all messages of the session: once it is set, nothing that it voids follows
// any message sent later.
//
// True means that the message was taken, not that it arrived.
func (s *Session) Send(m *wire.Message, void *atomic.Bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ending.Load() || void != nil && void.Load() {
		return false
	}
	return s.admit(m.Frame())
}

// Close begins the close handshake and never blocks: the close frame goes out
// behind what waits, and the connection ends when the peer has answered, at the
// latest after CloseTimeout. What arrives meanwhile is dropped. The reason is
// cut to what a close frame holds (123 bytes). It does nothing when the session
// is closing already. A session that was not started sends nothing but the
// close frame.
func (s *Session) Close(code wire.CloseCode, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ending.Load() {
		return
	}
	if !s.started {
		s.dropQueue()
	}
	s.end(Closure{Code: code, Reason: cutReason(reason)}, s.options.CloseTimeout)
}

// Done is closed after Closed has returned and all goroutines of the session
// have ended.
func (s *Session) Done() <-chan struct{} { return s.done }
