package notify_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// step is one thing of a schedule: a packet that arrives, somebody who
// subscribes, or time that passes.
type step struct {
	packet int // from 0 on; -1 for none
	after  int // where a subscriber resumes; -1 for none
	wait   time.Duration
}

// schedule is what one publisher on another node sends, and how it arrives.
type schedule struct {
	stored []bool // of each message, whether it is
	steps  []step
}

func (s schedule) head(sent int) (head int) {
	for _, stored := range s.stored[:sent] {
		if stored {
			head++
		}
	}
	return head
}

func drawSchedule(t *rapid.T) schedule {
	s := schedule{stored: rapid.SliceOfN(rapid.Bool(), 1, 40).Draw(t, "stored")}
	order := rapid.Permutation(indexes(len(s.stored))).Draw(t, "order")
	for _, packet := range order {
		switch rapid.IntRange(0, 9).Draw(t, "fate") {
		case 0: // lost
			continue
		case 1: // twice, the other one perhaps much later
			s.steps = append(s.steps, step{packet: rapid.SampledFrom(order).Draw(t, "double"), after: -1})
		case 2:
			s.steps = append(s.steps, step{packet: -1, after: rapid.IntRange(0, s.head(len(s.stored))).Draw(t, "after")})
		case 3:
			s.steps = append(s.steps, step{packet: -1, after: -1, wait: time.Duration(rapid.IntRange(1, 70).Draw(t, "wait")) * time.Millisecond})
		}
		s.steps = append(s.steps, step{packet: packet, after: -1})
	}
	return s
}

func indexes(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// follower is a subscriber, and where it began.
type follower struct {
	*conn
	after int
}

// play runs a schedule: node a sends, and the test carries its packets to node
// b, where the followers are. It says what is wrong with what they got.
func play(t *testing.T, s schedule) (wrong string) {
	synctest.Test(t, func(t *testing.T) {
		shared := newLogs()
		from, to := &tap{}, &tap{}
		a, b := start(t, shared, settings{bus: from}), start(t, shared, settings{bus: to})
		defer a.stop()
		defer b.stop()
		synctest.Wait()

		var followers []follower
		follow := func(after int) {
			c, member := add(b.Manager, fmt.Sprint("f", len(followers)), "ann")
			sub := subscribe(t, member, "room")
			recovered, err := sub.Resume(t.Context(), "", int64(after))
			if !recovered || err != nil {
				t.Fatalf("recovered %t, %v", recovered, err)
			}
			live(t, member, sub)
			followers = append(followers, follower{c, after})
		}
		follow(0)
		raw, _ := add(b.Manager, "raw", "bob", "room")
		var packets [][]byte
		for n, stored := range s.stored {
			publish(t, a, "room", numbered(n, stored))
			packets = append(packets, from.take()...)
		}
		if len(packets) != len(s.stored) {
			t.Fatalf("%d packets for %d messages", len(packets), len(s.stored))
		}
		arrived := make(map[int]bool)
		for _, step := range s.steps {
			switch {
			case step.packet >= 0:
				to.receive(packets[step.packet])
				arrived[step.packet] = true
			case step.after >= 0:
				follow(step.after)
			default:
				<-time.After(step.wait)
			}
		}
		<-time.After(7 * time.Second) // the heads are compared, and the hole that shows is read
		synctest.Wait()
		for i, f := range followers {
			if fault := judge(t, s, short(t, f.take())[1:], f.after, i == 0, arrived); wrong == "" && fault != "" {
				wrong = fmt.Sprintf("follower %d from %d on: %s", i, f.after, fault)
			}
		}
		if fault := judgeRaw(t, s, raw.take(), arrived); wrong == "" && fault != "" {
			wrong = "raw: " + fault
		}
	})
	return wrong
}

// judge holds what a follower got to the log and to the order of the publisher.
// Whoever was live from the beginning has got all notes that arrived, each once
// and behind what was stored before it; later ones may get a note early.
func judge(t *testing.T, s schedule, got []string, after int, fromTheBeginning bool, arrived map[int]bool) string {
	seq := after
	notes := make(map[int]bool)
	for _, text := range got {
		var at, n int
		if _, err := fmt.Sscanf(text, `room:%d {"n":%d}`, &at, &n); err == nil {
			seq++
			if at != seq || s.head(n+1) != at || !s.stored[n] {
				return fmt.Sprintf("%s came where %d was due: %q", text, seq, got)
			}
			continue
		}
		if _, err := fmt.Sscanf(text, `room {"n":%d}`, &n); err != nil {
			return "not known: " + text
		}
		if s.stored[n] || notes[n] || !arrived[n] {
			return fmt.Sprintf("%s came again or from nowhere: %q", text, got)
		}
		notes[n] = true
		if fromTheBeginning && s.head(n) > seq {
			return fmt.Sprintf("%s came in front of what was stored before it, at %d: %q", text, seq, got)
		}
	}
	if head := s.head(len(s.stored)); seq != head {
		return fmt.Sprintf("the log has %d, it got up to %d: %q", head, seq, got)
	}
	for n := range arrived {
		if fromTheBeginning && !s.stored[n] && !notes[n] {
			return fmt.Sprintf("note %d never came: %q", n, got)
		}
	}
	return ""
}

// judgeRaw holds raw data to the same: everything once, stored or not, and in
// the order in which it was sent.
func judgeRaw(t *testing.T, s schedule, got []string, arrived map[int]bool) string {
	stored := 0
	seen := make(map[int]bool)
	for _, text := range got {
		var data struct{ N int }
		if err := json.Unmarshal([]byte(text), &data); err != nil || seen[data.N] {
			return fmt.Sprintf("%s came again, or is broken: %q", text, got)
		}
		seen[data.N] = true
		if s.stored[data.N] {
			stored++
			if s.head(data.N+1) != stored {
				return fmt.Sprintf("%s came where %d was due: %q", text, stored, got)
			}
		} else if s.head(data.N) > stored || !arrived[data.N] {
			return fmt.Sprintf("%s came too early: %q", text, got)
		}
	}
	if head := s.head(len(s.stored)); stored != head {
		return fmt.Sprintf("the log has %d, it got %d: %q", head, stored, got)
	}
	return ""
}

// Whatever arrives, in whatever order and however often: each subscription gets
// the log, from its first seq on.
func TestEachSubscriptionGetsTheLog(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		if wrong := play(t, drawSchedule(rt)); wrong != "" {
			rt.Fatal(wrong)
		}
	})
}
