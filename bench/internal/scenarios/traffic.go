package scenarios

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/walkergate/walkergate/bench/internal/ledger"
	"github.com/walkergate/walkergate/bench/internal/load"
	"github.com/walkergate/walkergate/bench/internal/servers"
	"github.com/walkergate/walkergate/bench/internal/stats"
)

// mostMessages bounds what is remembered of one run.
const mostMessages = 20_000_000

// traffic publishes and takes what comes back.
type traffic struct {
	scenario Scenario
	server   servers.Server
	to       netip.AddrPort

	conns      []*load.Conn
	form       *ledger.Form
	ledger     *ledger.Ledger
	publishers []publisher
	cursor     int
	onTheWay   int
	stopped    bool // publishes no more
	total      int

	now         func() time.Duration
	from, until time.Duration // messages published in between are timed
	each, last  stats.Histogram
	published   uint64
	delivered   uint64
	behind      time.Duration // the most that a publish was behind its schedule
	data, text  []byte
}

// publisher is one connection that publishes, with what is on its way.
type publisher struct {
	conn     int
	onTheWay int
	messages []message
}

type message struct {
	sent time.Duration // where there is a schedule: when it was to be sent
	owed int32         // deliveries that have not come
}

func newTraffic(scenario Scenario, server servers.Server, to netip.AddrPort) (*traffic, error) {
	form, err := ledger.NewForm(scenario.Bytes)
	if err != nil {
		return nil, err
	}
	t := &traffic{scenario: scenario, server: server, to: to, form: form}
	members := make([]int, scenario.Connections())
	for i := range members {
		members[i] = i / scenario.Members
	}
	var groups []int
	for channel := range scenario.Channels {
		for i := range scenario.Publishers {
			groups = append(groups, channel)
			t.publishers = append(t.publishers, publisher{conn: channel*scenario.Members + i})
		}
	}
	t.ledger = ledger.New(members, groups)
	return t, nil
}

// channel is the channel of a connection.
func (t *traffic) channel(conn int) string {
	if t.scenario.Kind == Echo || t.scenario.Kind == REST {
		return ""
	}
	return fmt.Sprintf("room-%d", conn/t.scenario.Members)
}

// begin fills the window.
func (t *traffic) begin() error {
	for i := range t.scenario.Window {
		if err := t.publish(t.next(i%len(t.publishers)), t.now()); err != nil {
			return err
		}
	}
	return nil
}

// next is who publishes after this one: it again, or where there are more
// publishers than the window holds, the next that rests.
func (t *traffic) next(publisher int) int {
	if len(t.publishers) <= t.scenario.Window {
		return publisher
	}
	for {
		t.cursor = (t.cursor + 1) % len(t.publishers)
		if t.publishers[t.cursor].onTheWay == 0 {
			return t.cursor
		}
	}
}

// publish sends one message; at is when it counts as sent.
func (t *traffic) publish(who int, at time.Duration) error {
	if t.total++; t.total > mostMessages {
		return errors.New("more messages than can be remembered: measure for less time")
	}
	p := &t.publishers[who]
	conn := t.conns[p.conn]
	stamp := t.ledger.Publish(who)
	p.messages = append(p.messages, message{sent: at, owed: int32(t.scenario.Members)})
	p.onTheWay++
	t.onTheWay++
	t.published++
	t.data = t.form.Append(t.data[:0], stamp)
	switch t.scenario.Kind {
	case Echo:
		t.text = t.server.Dialect.Echo(t.text[:0], stamp.Sequence, t.data)
	case REST:
		body := append(append(append(t.text[:0], `{"value":`...), t.data...), '}')
		t.text = body
		t.data = load.AppendPost(t.data[:0], t.to, t.server.REST, body)
		return conn.SendRaw(t.data)
	default:
		t.text = t.server.Dialect.Publish(t.text[:0], conn.Channel, t.data)
	}
	return conn.Send(t.text)
}

// Message takes what a server sent.
func (t *traffic) Message(c *load.Conn, text []byte, at time.Duration) error {
	ours := false
	for rest := text; ; {
		stamp, behind, whole, ok := t.form.Find(rest)
		if !ok {
			break
		}
		ours, rest = true, behind
		if !whole {
			t.ledger.Damage()
			continue
		}
		if verdict := t.ledger.Deliver(c.ID, stamp); verdict == ledger.Fresh || verdict == ledger.Late {
			if err := t.arrived(stamp, at); err != nil {
				return err
			}
		}
	}
	if ours {
		return nil
	}
	if t.server.Dialect == nil {
		return fmt.Errorf("an answer without what was sent: %.200q", text)
	}
	say, err := t.server.Dialect.Control(text)
	if err != nil || len(say) == 0 {
		return err
	}
	return c.Send(say)
}

// arrived counts one delivery, and publishes on where it was the last.
func (t *traffic) arrived(stamp ledger.Stamp, at time.Duration) error {
	p := &t.publishers[stamp.Publisher]
	m := &p.messages[stamp.Sequence]
	timed := m.sent >= t.from && m.sent < t.until
	t.delivered++
	if timed {
		t.each.Record(int64(at - m.sent))
	}
	if m.owed--; m.owed > 0 {
		return nil
	}
	if timed {
		t.last.Record(int64(at - m.sent))
	}
	p.onTheWay--
	t.onTheWay--
	if t.stopped || t.scenario.Window == 0 {
		return nil
	}
	return t.publish(t.next(int(stamp.Publisher)), t.now())
}
