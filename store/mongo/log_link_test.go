package mongo_test

import (
	"bytes"
	"encoding/json"

	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/walkergate/walkergate/channels"
	"github.com/walkergate/walkergate/fault"
	"github.com/walkergate/walkergate/internal/mongoserver"
	"github.com/walkergate/walkergate/store"
	"github.com/walkergate/walkergate/store/mongo"
)

var keep = channels.Retention{Messages: 1000, Age: time.Hour}

func message(id string) channels.Message {
	return channels.Message{ID: id, At: time.Now(), Data: json.RawMessage(`{}`)}
}

func appending(ids ...string) channels.Appending {
	asked := channels.Appending{ChannelID: "room", Retention: keep}
	for _, id := range ids {
		asked.Messages = append(asked.Messages, message(id))
	}
	return asked
}

// isInsert reports whether a command writes messages.
func isInsert(command []byte) bool {
	return bytes.Contains(command, []byte("\x02insert\x00\x09\x00\x00\x00messages\x00"))
}

// behindLink is a store over a link that can be meddled with, and one beside it.
// The driver repeats nothing by itself where plain says so.
func behindLink(t *testing.T, plain bool) (p *proxy, s, beside *mongo.Store) {
	p = newProxy(t)
	p.appear(t, p.listen)
	name := mongoserver.Database(t, p.direct).Name()
	uri := p.uri
	if plain {
		uri += "&retryWrites=false"
	}
	s = open(t, uri, name, mongo.Options{Timeout: generous})
	until(t, "the store", func() bool { return s.Ping(t.Context()) == nil })
	return p, s, open(t, p.direct, name, mongo.Options{Timeout: generous})
}

func logOf(t *testing.T, s store.Store, channelID string) (ids []string) {
	t.Helper()
	page, err := s.Messages(t.Context(), channels.LogQuery{ChannelID: channelID, Limit: channels.MaxPage})
	if err != nil || page.More {
		t.Fatalf("the log cannot be read at once: %v", err)
	}
	for i, message := range page.Messages {
		if message.Seq != int64(i+1) {
			t.Errorf("the seq %d stands at %d", message.Seq, i+1)
		}
		ids = append(ids, message.ID)
	}
	return ids
}

func TestALostAnswerIsReadBack(t *testing.T) {
	for name, what := range map[string]fate{"lost": lost, "unanswered": unanswered, "late": late} {
		for _, plain := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, plain %v", name, plain), func(t *testing.T) {
				p, s, beside := behindLink(t, plain)
				var inserts atomic.Int32
				p.meddle(func(command []byte) fate {
					if isInsert(command) && inserts.Add(1) == 1 {
						return what
					}
					return passes
				})
				_, places, err := s.Append(t.Context(), appending("a", "b", "c"))
				if err != nil {
					t.Fatal(err)
				}
				if inserts.Load() == 0 {
					t.Error("no insert was seen: this test proves nothing")
				}
				for i, place := range places {
					if place != (channels.Place{Seq: int64(i + 1)}) {
						t.Errorf("the place %d is %+v", i, place)
					}
				}
				if ids := logOf(t, beside, "room"); !slices.Equal(ids, []string{"a", "b", "c"}) {
					t.Errorf("the log holds %q", ids)
				}
			})
		}
	}
}

func TestAnUnknownOutcomeIsToldApartFromNone(t *testing.T) {
	for name, what := range map[string]fate{"lost": lost, "unanswered": unanswered, "late": late} {
		t.Run(name, func(t *testing.T) {
			p, s, beside := behindLink(t, true)
			if _, _, err := s.Append(t.Context(), appending("before")); err != nil {
				t.Fatal(err)
			}
			// The insert goes wrong, and nothing that comes after it gets through.
			var gone atomic.Bool
			p.meddle(func(command []byte) fate {
				if gone.Load() {
					return lost
				}
				if isInsert(command) {
					gone.Store(true)
					return what
				}
				return passes
			})
			_, _, err := s.Append(t.Context(), appending("a", "b"))
			if !fault.Is(err, fault.Conflict) || fault.Is(err, fault.Busy) {
				t.Errorf("an append of which nothing is known ended with %v", err)
			}
			_, _, err = s.Append(t.Context(), appending("c"))
			if !fault.Is(err, fault.Busy) {
				t.Errorf("an append that came to nothing ended with %v", err)
			}
			p.meddle(nil)
			// Late writes may come between: none of them in front of what was
			// acknowledged, and none twice.
			_, places, err := s.Append(t.Context(), appending("a", "b", "d"))
			if err != nil {
				t.Fatal(err)
			}
			for i, place := range places {
				if place.Seq != int64(i+2) || place.Before && what == lost || !place.Before && what == unanswered && i < 2 {
					t.Errorf("the place %d is %+v", i, place)
				}
			}
			if ids := logOf(t, beside, "room"); !slices.Equal(ids, []string{"before", "a", "b", "d"}) {
				t.Errorf("the log holds %q", ids)
			}
		})
	}
}

// A writer may be slow between the moment it reads the head and its insert, and
// the seq it goes for be given and let go meanwhile.
func TestASlowWriterFindsTheSeqTakenThoughItsMessageWent(t *testing.T) {
	p, s, beside := behindLink(t, true)
	one := channels.Retention{Messages: 1, Age: time.Hour}
	held, let := make(chan struct{}), make(chan struct{})
	var inserts atomic.Int32
	p.meddle(func(command []byte) fate {
		if isInsert(command) && inserts.Add(1) == 1 {
			close(held)
			<-let
		}
		return passes
	})
	slow := make(chan channels.Place, 1)
	go func() {
		defer close(slow)
		_, places, err := s.Append(t.Context(), appending("slow"))
		if err != nil {
			t.Errorf("the slow writer ended with %v", err)
			return
		}
		slow <- places[0]
	}()
	<-held
	const others = 5
	for n := range others {
		asked := appending(fmt.Sprint(n))
		asked.Retention = one
		if _, _, err := beside.Append(t.Context(), asked); err != nil {
			t.Error(err)
		}
	}
	sweep(t, beside, time.Now())
	close(let)
	if place := <-slow; place != (channels.Place{Seq: others + 1}) {
		t.Errorf("the slow writer got the place %+v", place)
	}
	page, err := beside.Messages(t.Context(), channels.LogQuery{ChannelID: "room", Limit: 10})
	if err != nil || page.Head.Seq != others+1 || len(page.Messages) == 0 || page.Messages[len(page.Messages)-1].ID != "slow" {
		t.Errorf("the log is %+v (%v)", page, err)
	}
}

// TestABadLinkNeitherDoublesNorLoses lets writers come again with the same ids
// until they are answered, over a link that goes wrong all the time.
func TestABadLinkNeitherDoublesNorLoses(t *testing.T) {
	const writers, calls = 6, 8
	p, s, beside := behindLink(t, true)
	p.meddle(func(command []byte) fate {
		if isInsert(command) && rand.IntN(3) == 0 {
			return []fate{lost, unanswered, late}[rand.IntN(3)]
		}
		if rand.IntN(40) == 0 {
			return unanswered
		}
		return passes
	})
	acknowledged := make([][]string, writers)
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			last := int64(0)
			for n := range calls {
				ids := []string{fmt.Sprint(w, " ", n, " a"), fmt.Sprint(w, " ", n, " b")}
				asked := appending(ids...)
				_, places, err := s.Append(t.Context(), asked)
				for try := 0; err != nil && try < 100 && (fault.Is(err, fault.Conflict) || fault.Is(err, fault.Busy)); try++ {
					_, places, err = s.Append(t.Context(), asked)
				}
				if err != nil {
					t.Errorf("an append ended with %v", err)
					return
				}
				for _, place := range places {
					if place.Seq <= last {
						t.Errorf("behind the seq %d came %+v", last, place)
					}
					last = place.Seq
				}
				acknowledged[w] = append(acknowledged[w], ids...)
			}
		})
	}
	all.Wait()
	p.vanish() // whatever is late has arrived by then
	ids := logOf(t, beside, "room")
	if len(ids) != 2*writers*calls {
		t.Errorf("the log holds %d messages, want %d", len(ids), 2*writers*calls)
	}
	for w := range writers {
		prefix := fmt.Sprint(w, " ")
		own := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return !strings.HasPrefix(id, prefix) })
		if !slices.Equal(own, acknowledged[w]) {
			t.Errorf("of the writer %d the log holds %q, want %q", w, own, acknowledged[w])
		}
	}
}
