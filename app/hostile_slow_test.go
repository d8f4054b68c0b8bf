//go:build linux

package app_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"time"
)

// tricklePace is how far apart the bytes of those that trickle are: many fit
// into every limit, so that it is not silence that ends them.
const tricklePace = 100 * time.Millisecond

// trickledHTTP writes the beginning of a request at once, and more of it byte
// by byte, for ever.
type trickledHTTP struct {
	begun string
	more  string // again and again
}

func (s trickledHTTP) String() string {
	return fmt.Sprintf("%q, then %q byte by byte", s.begun, s.more)
}

func (s trickledHTTP) strike(lane *hostileLane) string {
	dialled := time.Now()
	connection, err := lane.opened()
	if err != nil {
		return "no connection: " + err.Error()
	}
	begun := time.Now()
	if _, err := io.WriteString(connection.conn, s.begun); err != nil {
		return err.Error()
	}
	answered := make(chan struct{})
	var trickling sync.WaitGroup
	if s.more != "" {
		trickling.Go(func() { trickle(connection.conn, s.more, answered) })
	}
	answer, _ := connection.answer(false)
	close(answered)
	trickling.Wait()
	return answer + late(dialled, begun, hostileRead)
}

// trickle writes byte by byte until it is told to stop or nobody listens.
func trickle(conn net.Conn, text string, stop <-chan struct{}) {
	pace := time.NewTicker(tricklePace)
	defer pace.Stop()
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		case <-pace.C:
			if _, err := conn.Write([]byte{text[i%len(text)]}); err != nil {
				return
			}
		}
	}
}

// late tells that an end came much too late, or before its time. The gateway
// counts from some moment after the dial, and on a busy machine that may be long
// before the client has gone on.
func late(dialled, begun time.Time, limit time.Duration) string {
	if took := time.Since(dialled); took < limit-tricklePace {
		return fmt.Sprintf(", already after %s", took)
	}
	if took := time.Since(begun); took > limit+hostileLate {
		return fmt.Sprintf(", only after %s", took)
	}
	return ""
}

// silentSocket says something and then nothing more, not even to pings.
type silentSocket struct{ begun []byte }

func (s silentSocket) String() string { return fmt.Sprintf("%q, then silence", s.begun) }

func (s silentSocket) strike(lane *hostileLane) string {
	dialled := time.Now()
	socket, err := lane.connected()
	if err != nil {
		return "no connection: " + err.Error()
	}
	socket.pings = false
	begun := time.Now()
	if _, err := socket.conn.Write(s.begun); err != nil {
		return err.Error()
	}
	op, payload, err := socket.next()
	answer, over := closeAnswer(op, payload, err)
	if !over {
		return fmt.Sprintf("%q", payload)
	}
	return answer + late(dialled, begun, hostileDead)
}

// trickledSocket writes a message byte by byte for longer than silence is
// borne, and then the rest of it.
type trickledSocket struct {
	stream []byte
	answer socketStrike
}

func (s trickledSocket) String() string { return fmt.Sprintf("%q, byte by byte", s.stream) }

func (s trickledSocket) strike(lane *hostileLane) string {
	socket, err := lane.connected()
	if err != nil {
		return "no connection: " + err.Error()
	}
	slow := int(hostileDead/tricklePace) + 3
	pace := time.NewTicker(tricklePace)
	defer pace.Stop()
	for _, single := range s.stream[:slow] {
		<-pace.C
		if _, err := socket.conn.Write([]byte{single}); err != nil {
			return err.Error()
		}
	}
	s.answer.segments = [][]byte{s.stream[slow:]}
	return s.answer.strike(lane)
}

// endedSocket ends its own side of the connection, and says nothing about it.
type endedSocket struct{ begun []byte }

func (s endedSocket) String() string { return fmt.Sprintf("%q, then its end", s.begun) }

func (s endedSocket) strike(lane *hostileLane) string {
	socket, err := lane.connected()
	if err != nil {
		return "no connection: " + err.Error()
	}
	defer lane.leaveSocket()
	if _, err := socket.conn.Write(s.begun); err != nil {
		return err.Error()
	}
	if err := socket.conn.(*net.TCPConn).CloseWrite(); err != nil {
		return err.Error()
	}
	op, payload, err := socket.next()
	answer, over := closeAnswer(op, payload, err)
	if !over {
		return fmt.Sprintf("%q", payload)
	}
	return answer
}

// resetSocket breaks the connection off. Nobody is there to see an answer; that
// nothing is left of it is seen in the end.
type resetSocket struct{ begun []byte }

func (s resetSocket) String() string { return fmt.Sprintf("%q, then a reset", s.begun) }

func (s resetSocket) strike(lane *hostileLane) string {
	socket, err := lane.connected()
	if err != nil {
		return "no connection: " + err.Error()
	}
	defer lane.leaveSocket()
	if _, err := socket.conn.Write(s.begun); err != nil {
		return err.Error()
	}
	if err := socket.conn.(*net.TCPConn).SetLinger(0); err != nil {
		return err.Error()
	}
	return "forgotten"
}

func drawSilent(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike {
		text := []byte(pingFrame(random))
		whole := rawFrame(0x81, text)
		switch random.IntN(4) {
		case 0:
			return silentSocket{}
		case 1: // within a header or a payload
			return silentSocket{whole[:1+random.IntN(len(whole)-1)]}
		case 2: // within a message
			return silentSocket{rawFrame(0x01, text)}
		default: // within as much as a message may have
			return silentSocket{rawHeader(0x81, hostileFrame, true)}
		}
	})
}

func drawTrickledFrames(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike {
		id := plainWord(random, 30)
		text := `{"type":"ping","id":"` + id + `"}`
		stream := rawFrame(0x81, []byte(text))
		if random.IntN(2) == 0 {
			stream = fragmented(text, cuts(random, len(text), 1+random.IntN(8)))
		}
		return trickledSocket{stream, socketStrike{written: []byte(`{"type":"reply","id":"` + id + `","ok":true}`)}}
	})
}

func drawEnded(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike { return endedSocket{unfinished(random)} })
}

func drawReset(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike { return resetSocket{unfinished(random)} })
}

// unfinished is a beginning that nothing can be answered to.
func unfinished(random *rand.Rand) []byte {
	whole := rawFrame(0x81, []byte(pingFrame(random)))
	return whole[:random.IntN(len(whole))]
}

func drawTrickledHeaders(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike {
		whole := "POST /walker/echo HTTP/1.1\r\nHost: gateway\r\nX-" + plainWord(random, 10) + ": " + plainWord(random, 40) + "\r\n"
		return trickledHTTP{whole[:1+random.IntN(len(whole)-1)], plainWord(random, 20)}
	})
}

func drawTrickledBodies(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike {
		head := "POST " + pick(random, "/walker/echo", "/user/login", "/user/register") + " HTTP/1.1\r\nHost: gateway\r\n"
		value := `{"value":"` + strings.Repeat("x", random.IntN(50))
		if random.IntN(2) == 0 {
			return trickledHTTP{head + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", pick(random, 1000+random.IntN(4000), hostileBody), value), "x"}
		}
		return trickledHTTP{head + fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s", 1000+random.IntN(4000), value), "x"}
	})
}

func drawNothingSaid(*rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike { return trickledHTTP{} })
}

func drawEmptyLines(random *rand.Rand) []hostileStrike {
	return repeatedly(func() hostileStrike {
		return trickledHTTP{strings.Repeat("\r\n", 1+random.IntN(100)), pick(random, "", "\r\n", "\n")}
	})
}
