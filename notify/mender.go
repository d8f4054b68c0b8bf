package notify

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/walkergate/walkergate/channels"
)

const (
	// compareEvery is how often the heads of logs are compared with what came
	// by the bus. A last message that was lost shows in no other way.
	compareEvery = 5 * time.Second
	// lingerEvery is how often streams that nobody needs are looked for.
	lingerEvery = 5 * time.Second
	// mendersAtOnce bounds the streams whose holes are read at the same time,
	// mendPage the messages of one read.
	mendersAtOnce = 4
	mendPage      = 128
	// doubtful is how often the log of a suspect channel is asked, each time
	// after twice the wait before, beginning with doubtWait: in all for as long
	// as a write may be under way.
	doubtful  = 6
	doubtWait = time.Second
)

// mending is what a stream needs of the mender. It is guarded by the stream's
// lock.
type mending struct {
	planned bool // the mender will look at it, or does
	busy    bool // it does
	news    bool // something came up since the read that is under way was begun
	doubts  int  // how often the log is still to be asked, hole or not
	tries   int  // how often in a row that led to nothing
}

// mender reads from the logs what does not come by itself.
type mender struct {
	streams *streams
	slots   chan struct{}
	wake    chan struct{}
	compare chan struct{}

	mu   sync.Mutex
	due  map[*stream]time.Time
	next time.Time // when it wakes by itself
}

func newMender(m *streams) *mender {
	return &mender{
		streams: m, slots: make(chan struct{}, mendersAtOnce),
		wake: make(chan struct{}, 1), compare: make(chan struct{}, 1),
		due: make(map[*stream]time.Time),
	}
}

// at asks to look at a stream at a time, or sooner.
func (d *mender) at(s *stream, when time.Time) {
	d.mu.Lock()
	if planned, there := d.due[s]; !there || when.Before(planned) {
		d.due[s] = when
	}
	sooner := when.Before(d.next)
	d.mu.Unlock()
	if sooner {
		rouse(d.wake)
	}
}

func rouse(wake chan struct{}) {
	select {
	case wake <- struct{}{}:
	default: // it is roused already
	}
}

// run mends until ctx ends, and waits for what it has begun.
func (d *mender) run(ctx context.Context) {
	var mending sync.WaitGroup
	defer mending.Wait()
	if d.streams.shared {
		mending.Go(func() { d.keepComparing(ctx) })
	}
	mending.Go(func() { d.keepVanishing(ctx) })
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-d.wake:
		}
		due, next := d.take(time.Now())
		timer.Reset(time.Until(next))
		for _, s := range due {
			select {
			case d.slots <- struct{}{}:
			case <-ctx.Done():
				return
			}
			mending.Go(func() {
				defer func() { <-d.slots }()
				d.mend(ctx, s)
			})
		}
	}
}

// take gives the streams that are due, and when the next ones are.
func (d *mender) take(now time.Time) (due []*stream, next time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.next = now.Add(time.Hour)
	for s, when := range d.due {
		if when.After(now) {
			if when.Before(d.next) {
				d.next = when
			}
			continue
		}
		delete(d.due, s)
		due = append(due, s)
	}
	return due, d.next
}

// mend reads what a stream lacks, one at a time for each stream.
func (d *mender) mend(ctx context.Context, s *stream) {
	if !s.beginMending() {
		return
	}
	defer s.endMending()
	for {
		after, epoch, lacks := s.lacks()
		if !lacks {
			return
		}
		page, err := d.streams.page(ctx, channels.LogQuery{ChannelID: s.channelID, After: after, Limit: mendPage})
		if err != nil {
			if s.again() == 1 && ctx.Err() == nil {
				d.streams.log.Warn("missing messages cannot be read",
					slog.String("channel_id", s.channelID), slog.Any("error", err))
			}
			return
		}
		if epoch != page.Head.Epoch {
			d.streams.retire(s, page.Head.Epoch)
			return
		}
		if !s.fill(after, page) {
			return
		}
	}
}

// beginMending reports whether nobody mends the stream now. Whoever does looks
// once more.
func (s *stream) beginMending() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mend.busy {
		s.mend.news = true
		return false
	}
	s.mend.busy = true
	return true
}

func (s *stream) endMending() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mend.busy = false
	if s.mend.news {
		s.mendIn(0)
	}
}

// lacks tells behind which seq the log is to be read, if so.
func (s *stream) lacks() (after int64, epoch string, lacks bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mend.news = false
	if !s.closed && !s.begun && len(s.held) > 0 {
		s.beginAtHeld(s.known) // what would have come before has had its time
	}
	switch {
	case s.closed:
	case s.begun && (s.hole() || s.mend.doubts > 0):
		return s.tail, s.epoch, true
	case s.mend.doubts > 0: // somebody is about to read where it begins
		s.mend.doubts--
		s.mendIn(doubtWait)
		return 0, "", false
	}
	s.mend.planned, s.mend.tries = false, 0
	return 0, "", false
}

// again has a stream looked at later, after a time that grows, and gives the
// how manieth time in a row that is.
func (s *stream) again() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	wait := backoff{s.mend.tries}
	s.mendIn(wait.next())
	s.mend.tries++
	return s.mend.tries
}

// fill takes in what was read behind a seq. It reports whether more is to be
// read at once.
func (s *stream) fill(after int64, page channels.Page) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := page.Head.Seq + 1 // of what is kept behind after
	if len(page.Messages) > 0 {
		first = page.Messages[0].Seq
	}
	if s.tail == after && first > after+1 {
		s.of.log.Warn("messages were let go of before they were delivered here",
			slog.String("channel_id", s.channelID), slog.Int64("messages", first-1-after))
		s.jump(first - 1)
	}
	for i := range page.Messages {
		if !s.takeIn(&page.Messages[i], true) {
			return false
		}
	}
	s.of.mended.Add(uint64(len(page.Messages)))
	s.known = max(s.known, page.Head.Seq)
	return s.filled(s.tail > after)
}

// filled says what comes behind a read that took in something, or nothing.
func (s *stream) filled(something bool) (more bool) {
	switch {
	case s.mend.news, s.hole() && something:
		return true
	case s.hole():
		// The log does not show yet what has arrived from behind it.
		wait := backoff{s.mend.tries}
		s.mendIn(wait.next())
		s.mend.tries++
	case s.mend.doubts > 1:
		s.mendIn(doubtWait << (doubtful - s.mend.doubts))
		s.mend.doubts--
	default:
		s.mend = mending{busy: true}
		s.foreign, s.foreignBytes = nil, 0 // the log has the stream's epoch
	}
	return false
}

// suspect has the log of a channel asked now and for a while: something may be
// in it, or come into it, that nobody tells of.
func (m *streams) suspect(channelID string) {
	s := m.get(channelID)
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mend.doubts = doubtful
	s.mend.news = true
	s.mendIn(0)
}

// lost has the heads of all logs compared soon.
func (d *mender) lost() { rouse(d.compare) }

// keepComparing compares the heads of logs every so often, and when the bus has
// lost something.
func (d *mender) keepComparing(ctx context.Context) {
	tick := time.NewTicker(compareEvery)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-d.compare:
		}
		err := d.compareHeads(ctx)
		if err != nil && !failing && ctx.Err() == nil {
			d.streams.log.Warn("the heads of logs cannot be compared", slog.Any("error", err))
		}
		if failing = err != nil; failing && pause(ctx, retryMost) {
			d.lost()
		}
	}
}

// compareHeads reads where the logs stand that somebody here listens to. What a
// stream lacks it learns from that.
func (d *mender) compareHeads(ctx context.Context) error {
	listened := slices.DeleteFunc(d.streams.all(), func(s *stream) bool { return !d.streams.inhabited(s.channelID) })
	for some := range slices.Chunk(listened, channels.MaxPage) {
		if err := d.streams.readHeads(ctx, some, 0); err != nil {
			return err
		}
	}
	return nil
}

// keepVanishing takes out streams that nobody has needed for a while.
func (d *mender) keepVanishing(ctx context.Context) {
	for pause(ctx, lingerEvery) {
		for _, s := range d.streams.all() {
			d.streams.vanish(s, lingerTime)
		}
	}
}
