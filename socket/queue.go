package socket

// frameCost is what a queued frame counts beyond its bytes: its place in the
// queue and what the allocator rounds up. Without it a flood of empty frames
// would hold many times the bound in memory.
const frameCost = 32

// chunk is a buffer that is borrowed while bytes move, in either direction.
type chunk [16 << 10]byte

// queue holds the frames that the kernel did not take yet, oldest first. The
// frames themselves are shared and never change. It is guarded by its session's
// send lock.
type queue struct {
	frames [][]byte
	first  int // frames[:first] are done
	offset int // bytes of the first frame that are written
	cost   int // of all frames held: bytes and frameCost each, the first counted whole
}

func (q *queue) empty() bool { return q.first == len(q.frames) }

// push appends a frame of which the first written bytes have gone out already;
// written is 0 unless the queue is empty.
func (q *queue) push(frame []byte, written int) {
	if q.empty() {
		q.offset = written
	}
	if q.first > 0 && len(q.frames) == cap(q.frames) && q.first >= len(q.frames)/2 {
		n := copy(q.frames, q.frames[q.first:])
		clear(q.frames[n:])
		q.frames, q.first = q.frames[:n], 0
	}
	q.frames = append(q.frames, frame)
	q.cost += len(frame) + frameCost
}

// pushFront puts a frame before all others, none of which has begun.
func (q *queue) pushFront(frame []byte) {
	q.frames = append([][]byte{frame}, q.frames[q.first:]...)
	q.first = 0
	q.cost += len(frame) + frameCost
}

// next gives the bytes to write next, at most a chunk: a part of the first
// frame in place, or several small frames joined in buffer. They stay in the
// queue until advance.
func (q *queue) next(buffer *chunk) []byte {
	rest := q.frames[q.first][q.offset:]
	if len(rest) >= len(buffer)/2 || len(q.frames)-q.first == 1 {
		return rest[:min(len(rest), len(buffer))]
	}
	n := copy(buffer[:], rest)
	for _, frame := range q.frames[q.first+1:] {
		if len(frame) > len(buffer)-n {
			break
		}
		n += copy(buffer[n:], frame)
	}
	return buffer[:n]
}

// advance takes n written bytes off the queue and returns how many frames they
// completed.
func (q *queue) advance(n int) (frames int) {
	for !q.empty() {
		rest := len(q.frames[q.first]) - q.offset
		if n < rest {
			q.offset += n
			return frames
		}
		n -= rest
		q.cost -= len(q.frames[q.first]) + frameCost
		q.frames[q.first] = nil
		q.first++
		q.offset = 0
		frames++
	}
	q.reset()
	return frames
}

// cut drops every frame that has not begun. A frame has begun when some of its
// bytes are written, or are among the inFlight bytes that are being written.
func (q *queue) cut(inFlight int) {
	keep := q.first
	for reach := q.offset + inFlight; keep < len(q.frames) && reach > 0; keep++ {
		reach -= len(q.frames[keep])
	}
	for i := keep; i < len(q.frames); i++ {
		q.cost -= len(q.frames[i]) + frameCost
		q.frames[i] = nil
	}
	q.frames = q.frames[:keep]
	if q.empty() {
		q.reset()
	}
}

// reset makes the queue empty and lets a large backing array go, so that a
// session which once fell behind does not pay for it when it is idle.
func (q *queue) reset() {
	const keep = 4
	if cap(q.frames) > keep {
		q.frames = nil
	}
	clear(q.frames)
	q.frames, q.first, q.offset, q.cost = q.frames[:0], 0, 0, 0
}
