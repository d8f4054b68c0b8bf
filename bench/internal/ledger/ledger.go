package ledger

// Verdict is what one delivery turned out to be.
type Verdict int

// The verdicts. Only a Fresh delivery is one that was owed, in its place.
const (
	Fresh    Verdict = iota
	Late             // owed, but behind a later one of its publisher
	Repeated         // had already come
	Stray            // never published, or to another group
)

// Counts is what went wrong.
type Counts struct {
	Lost       uint64 `json:"lost"`
	Duplicated uint64 `json:"duplicated"`
	Reordered  uint64 `json:"reordered"`
	Stray      uint64 `json:"stray"`
	Damaged    uint64 `json:"damaged"`
}

// Clean reports whether nothing went wrong.
func (c Counts) Clean() bool { return c == Counts{} }

// Ledger knows what was published and what each member got of it. Members and
// publishers belong to one group each; a member is owed every message of the
// publishers of its group, once, in the order of each publisher. It is for one
// goroutine.
type Ledger struct {
	members    []member
	publishers []publisher
	local      []uint32 // publishers by group
	next       []uint32 // what is expected next, by member and publisher
	missing    map[gap]struct{}
	counts     Counts
}

type member struct {
	group uint32
	first int // its place in next
}

type publisher struct{ group, local, published uint32 }

// gap is a message that was passed over: the place in next, and the sequence.
type gap struct {
	place    int
	sequence uint32
}

// mostGaps bounds the memory for messages that may still come late.
const mostGaps = 1 << 20

// New makes a ledger for members and publishers given by their groups, which
// are numbered from 0.
func New(memberGroups, publisherGroups []int) *Ledger {
	l := &Ledger{missing: make(map[gap]struct{})}
	for _, group := range publisherGroups {
		l.grow(group)
		l.publishers = append(l.publishers, publisher{group: uint32(group), local: l.local[group]})
		l.local[group]++
	}
	places := 0
	for _, group := range memberGroups {
		l.grow(group)
		l.members = append(l.members, member{group: uint32(group), first: places})
		places += int(l.local[group])
	}
	l.next = make([]uint32, places)
	return l
}

func (l *Ledger) grow(group int) {
	for len(l.local) <= group {
		l.local = append(l.local, 0)
	}
}

// Publish gives the stamp of a publisher's next message.
func (l *Ledger) Publish(publisher int) Stamp {
	p := &l.publishers[publisher]
	p.published++
	return Stamp{Publisher: uint32(publisher), Sequence: p.published - 1}
}

// Deliver judges one message that a member got.
func (l *Ledger) Deliver(to int, stamp Stamp) Verdict {
	if int(stamp.Publisher) >= len(l.publishers) {
		l.counts.Stray++
		return Stray
	}
	m, p := l.members[to], l.publishers[stamp.Publisher]
	if m.group != p.group || stamp.Sequence >= p.published {
		l.counts.Stray++
		return Stray
	}
	place := m.first + int(p.local)
	expected := l.next[place]
	if stamp.Sequence == expected {
		l.next[place]++
		return Fresh
	}
	if stamp.Sequence > expected {
		l.pass(place, expected, stamp.Sequence)
		return Fresh
	}
	if _, owed := l.missing[gap{place, stamp.Sequence}]; owed {
		delete(l.missing, gap{place, stamp.Sequence})
		l.counts.Reordered++
		l.counts.Lost--
		return Late
	}
	l.counts.Duplicated++
	return Repeated
}

// pass notes what a delivery left out.
func (l *Ledger) pass(place int, from, to uint32) {
	for sequence := from; sequence < to; sequence++ {
		l.counts.Lost++
		if len(l.missing) < mostGaps {
			l.missing[gap{place, sequence}] = struct{}{}
		}
	}
	l.next[place] = to + 1
}

// Damage counts a delivery that is not as it was sent.
func (l *Ledger) Damage() { l.counts.Damaged++ }

// Counts is what went wrong, where nothing more is to come: what was not
// delivered by now is lost.
func (l *Ledger) Counts() Counts {
	counts := l.counts
	for _, m := range l.members {
		for _, p := range l.publishers {
			if p.group == m.group {
				counts.Lost += uint64(p.published - l.next[m.first+int(p.local)])
			}
		}
	}
	return counts
}
