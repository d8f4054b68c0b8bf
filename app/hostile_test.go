//go:build linux

package app_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/walkergate/walkergate/app"
	"github.com/walkergate/walkergate/internal/testkit"
	"github.com/walkergate/walkergate/specs"
	"github.com/walkergate/walkergate/walkers"
)

const (
	// hostileSeed names the variable that repeats a run: it takes the seed that
	// the run logged.
	hostileSeed = "WALKERGATE_HOSTILE_SEED"
	// hostileInputs is the least that a class draws.
	hostileInputs = 200
	// slowPace is how far apart those begin that take long.
	slowPace = time.Millisecond
	// hostileRounds is how often the canary's lateness is measured at most.
	hostileRounds = 4
	// hostileTold is how many wrong answers of a class are told one by one.
	hostileTold = 5

	// Limits of the gateway under attack: short, so that what has to wait for
	// them does not wait long.
	hostilePing = time.Second
	hostileDead = 2500 * time.Millisecond
	hostileRead = 1500 * time.Millisecond
	hostileBody = 256 << 10
	// hostileLate is how much later than its limit an end may come.
	hostileLate = 3 * time.Second
)

// The canary's p99 while the gateway is attacked may be twice that of the quiet
// between attacks, or this, where that is more. It is one slice of Go's
// scheduler: attackers, canary and gateway are one program, and where each core
// has something to do, that is how long a goroutine may wait for its turn.
const hostileFloor = 10 * time.Millisecond

// TestHostileInput attacks one gateway with everything in hostileClasses, drawn
// from a seed, and demands of each input the one answer of its class. Beside it
// a canary echoes: it loses nothing and, where the test is alone on the machine,
// is hardly held up. Nothing is left in the end: no connection, no goroutine, no
// memory. On MongoDB neither time nor
// memory is judged: the server takes its part of the processors, and as many
// connections are kept open to it as were ever needed at once.
func TestHostileInput(t *testing.T) {
	allowFiles(t, 4000)
	seed := hostileSeedOf(t)
	var dir string
	g := testkit.Start(t, testkit.Walkers(hostileWalkers), testkit.Walkers(fixtures), testkit.Config(func(c *app.Config) {
		dir = c.DataDir
		c.PingInterval, c.DeadAfter, c.ReadTimeout = hostilePing, hostileDead, hostileRead
		c.MaxBodyBytes = hostileBody
		// Else it would soon be the answer to all that there is too much of it.
		c.FrameRate, c.FrameBurst = 1_000_000, 1_000_000
		c.MaxConnectionsPerAddress, c.LoginTriesPerAddress = 4000, 1_000_000
	}))
	siege := &hostileSiege{t: t, address: strings.TrimPrefix(g.URL, "http://")}
	_, _, onMongo := testkit.Database(t, dir)
	measured := hostileIsTimed && !onMongo
	timed := measured && testkit.Alone()
	records := openTable(t, dir)
	before := goroutines()

	// What a first round leaves are pools and maps at their size. What a second
	// one adds to that would be added by each further one.
	canary := releaseCanary(t, g)
	siege.round(rand.New(rand.NewPCG(seed, 1)), canary)
	canary.harried()
	canary.catch()
	expectNobody(t, g, records, before)
	heap := inUse().heap

	// What else runs on the machine makes the canary later and never sooner: it
	// is judged by the best of a few rounds, and by all of them for what it lost.
	canary = releaseCanary(t, g)
	for round := range uint64(hostileRounds) {
		siege.round(rand.New(rand.NewPCG(seed, 2+round)), canary)
		harried, bound := canary.harried()
		if !timed || harried <= bound {
			break
		}
		if round == hostileRounds-1 {
			t.Errorf("under attack the canary's p99 is %s, at most %s is allowed", harried, bound)
		}
	}
	canary.catch()

	expectNobody(t, g, records, before)
	if after := inUse().heap; measured && after > heap+heap/10 {
		t.Errorf("heap in use went from %d to %d bytes", heap, after)
	} else {
		t.Logf("heap in use %d KiB before, %d KiB after; %d goroutines before, %d after", heap>>10, after>>10, before, goroutines())
	}
	if t.Failed() {
		t.Logf("to repeat: %s=%d", hostileSeed, seed)
	}
}

func hostileSeedOf(t *testing.T) uint64 {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv(hostileSeed); text != "" {
		given, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("%s: %v", hostileSeed, err)
		}
		seed = given
	}
	t.Logf("%s=%d", hostileSeed, seed)
	return seed
}

// hostileWalkers take what clients send into Go values of every kind.
func hostileWalkers(r *walkers.Registry) {
	walkers.Register(r, specs.Walker{Name: "tree", Methods: bothDoors, Auth: specs.NoAuth},
		func(_ context.Context, call *walkers.Call, in struct {
			Tree map[string]any `json:"tree"`
		},
		) error {
			call.Report(in.Tree)
			return nil
		})
}

// TestHostileDocument holds docs/HOSTILE.md to the table of the test: the same
// classes with the same answers.
func TestHostileDocument(t *testing.T) {
	text, err := os.ReadFile("../docs/HOSTILE.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := make(map[string]string)
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) != 5 || strings.HasPrefix(cells[1], "-") || strings.TrimSpace(cells[1]) == "class" {
			continue
		}
		name := strings.TrimSpace(cells[1])
		if _, twice := documented[name]; twice {
			t.Errorf("%q is documented twice", name)
		}
		documented[name] = strings.TrimSpace(cells[3])
	}
	for _, class := range hostileClasses() {
		switch answer, found := documented[class.name]; {
		case !found:
			t.Errorf("%q is not documented", class.name)
		case answer != class.answer:
			t.Errorf("%q: documented is %q, demanded is %q", class.name, answer, class.answer)
		}
		delete(documented, class.name)
	}
	for name := range documented {
		t.Errorf("%q is documented and not tested", name)
	}
}

// hostileSiege attacks a gateway, class after class.
type hostileSiege struct {
	t       *testing.T
	address string
}

// round attacks with each class once, in an order of the seed. The canary may
// be nil.
func (s *hostileSiege) round(random *rand.Rand, canary *canary) {
	classes := hostileClasses()
	random.Shuffle(len(classes), func(i, j int) { classes[i], classes[j] = classes[j], classes[i] })
	slow := make(map[string][]hostileStrike)
	for _, class := range classes {
		strikes := class.draw(random)
		if len(strikes) < hostileInputs {
			s.t.Errorf("%s: %d inputs", class.name, len(strikes))
		}
		if class.slow {
			slow[class.name] = strikes
			continue
		}
		runtime.GC() // what drawing left is not the attack's
		canary.quiet(canaryRest)
		begun := time.Now()
		canary.enter(class.name)
		answers := s.attack(strikes)
		canary.leave()
		s.t.Logf("%-44s %5d inputs in %s%s", class.name, len(strikes), time.Since(begun).Round(time.Millisecond), canary.of(class.name))
		s.judge(class, strikes, answers)
	}
	canary.quiet(canaryLongRest)
	canary.enter("slow ones")
	begun := time.Now()
	answers := s.attackSlowly(slow)
	canary.leave()
	for _, class := range classes {
		if class.slow {
			s.t.Logf("%-44s %5d inputs at once in %s%s", class.name, len(slow[class.name]), time.Since(begun).Round(time.Millisecond), canary.of("slow ones"))
			s.judge(class, slow[class.name], answers[class.name])
		}
	}
}

// attack strikes from every lane and gives the answers, in order.
func (s *hostileSiege) attack(strikes []hostileStrike) []string {
	answers := make([]string, len(strikes))
	var lanes sync.WaitGroup
	for first := range hostileLanes {
		lanes.Go(func() {
			lane := s.lane(first)
			defer lane.leave()
			for i := first; i < len(strikes); i += hostileLanes {
				answers[i] = strikes[i].strike(lane)
			}
		})
	}
	lanes.Wait()
	return answers
}

func (s *hostileSiege) lane(number int) *hostileLane {
	return &hostileLane{address: s.address, room: hostileRoom + strconv.Itoa(number)}
}

// attackSlowly strikes with all inputs beside each other, each from a lane of
// its own: they take as long as the gateway lets them. They begin one after the
// other, for it is no stampede that is meant.
func (s *hostileSiege) attackSlowly(classes map[string][]hostileStrike) map[string][]string {
	answers := make(map[string][]string)
	pace := time.NewTicker(slowPace)
	defer pace.Stop()
	var lanes sync.WaitGroup
	number := 0
	for name, strikes := range classes {
		all := make([]string, len(strikes))
		answers[name] = all
		for i, strike := range strikes {
			<-pace.C
			number++
			lane := s.lane(number)
			lanes.Go(func() {
				defer lane.leave()
				all[i] = strike.strike(lane)
			})
		}
	}
	lanes.Wait()
	return answers
}

func (s *hostileSiege) judge(class hostileClass, strikes []hostileStrike, answers []string) {
	s.t.Helper()
	wrong := 0
	for i, answer := range answers {
		if answer == class.answer {
			continue
		}
		if wrong++; wrong <= hostileTold {
			s.t.Errorf("%s: %s\nwas answered: %s\nallowed is:   %s", class.name, abridged(fmt.Sprint(strikes[i])), abridged(answer), class.answer)
		}
	}
	if wrong > hostileTold {
		s.t.Errorf("%s: %d of %d inputs were answered otherwise", class.name, wrong, len(answers))
	}
}

// abridged keeps a failure readable.
func abridged(text string) string {
	const room = 700
	if len(text) <= room {
		return text
	}
	return fmt.Sprintf("%s … %d bytes more", strings.ToValidUTF8(text[:room], ""), len(text)-room)
}
