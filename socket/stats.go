package socket

import "sync/atomic"

// Stats counts what the sessions that share it do. All fields may be read at
// any time; a nil *Stats in Options counts nothing.
type Stats struct {
	FramesIn        atomic.Int64 // frames received whole, control frames included
	BytesIn         atomic.Int64 // bytes received, headers included
	FramesOut       atomic.Int64 // frames handed to the kernel whole, control frames included
	BytesOut        atomic.Int64 // bytes handed to the kernel, headers included
	SlowClosed      atomic.Int64 // sessions ended because their peer did not keep up (1013)
	HeartbeatClosed atomic.Int64 // sessions ended for want of a sign of life (4408)
	QueuedBytes     atomic.Int64 // gauge: what all queues hold now, as Options.QueueBytes counts it
}

func (t *Stats) received(bytes, frames int) {
	if t == nil {
		return
	}
	t.BytesIn.Add(int64(bytes))
	if frames > 0 {
		t.FramesIn.Add(int64(frames))
	}
}

func (t *Stats) sent(bytes, frames int) {
	if t == nil {
		return
	}
	t.BytesOut.Add(int64(bytes))
	if frames > 0 {
		t.FramesOut.Add(int64(frames))
	}
}

func (t *Stats) queued(change int) {
	if t != nil && change != 0 {
		t.QueuedBytes.Add(int64(change))
	}
}

func (t *Stats) slow() {
	if t != nil {
		t.SlowClosed.Add(1)
	}
}

func (t *Stats) silent() {
	if t != nil {
		t.HeartbeatClosed.Add(1)
	}
}
