package app_test

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/walkergate/walkergate/app"
	"github.com/walkergate/walkergate/internal/testkit"
	"github.com/walkergate/walkergate/walkers"
)

// A failure tells the call as small as it gets, and the seed that leads to it.
// A file of it would lie in the tree, also where a fault was planted on purpose.
func init() {
	if err := flag.Set("rapid.nofailfile", "true"); err != nil {
		panic(err)
	}
}

// callsADraw calls are drawn together, so that a run of 100 draws makes 1,200.
const callsADraw = 12

// TestDoorsAgree calls walkers by REST and by the socket, with the same name,
// node, context and caller, and demands the same answer of both.
//
// Left out is what only one door can say: a context that is no JSON object, or
// no JSON (in a frame it is the frame itself that is wrong, bad_frame), one that
// is larger than a frame may be, an empty node or name (a path without it is
// another path), and fields from the query or the path, which the socket takes
// from the context.
func TestDoorsAgree(t *testing.T) {
	doors := openDoors(t)
	told := make(map[string]int)
	rapid.Check(t, func(rt *rapid.T) {
		for i := range callsADraw {
			call := doors.draw(rt, fmt.Sprintf("call %d", i))
			told[doors.agree(rt, call)]++
		}
	})
	for _, outcome := range slices.Sorted(maps.Keys(told)) {
		t.Logf("%5d %s", told[outcome], outcome)
	}
}

// doorCall is a call as both doors can say it.
type doorCall struct {
	Walker  string
	Context string // the text of a JSON object; empty: none is sent
	Node    string // empty: none is named
	Caller  string
	Arrival string // how the socket's connection became the caller's
}

// doors is a gateway with walkers of many kinds, and what is kept open to it.
type doors struct {
	gateway *testkit.Gateway
	rows    [][]doorRow // by what they are about
	byName  map[string]doorRow
	tokens  map[string]string // of the callers; empty: none is offered
	nodes   []string
	sockets map[string]*doorSocket
	calls   int
}

func openDoors(t *testing.T) *doors {
	const secret = "the doors are held by one and the same key"
	rows := doorRows()
	g := testkit.Start(t,
		testkit.Config(func(c *app.Config) {
			c.TokenSecret, c.FrameRate, c.FrameBurst = secret, 1_000_000, 1_000_000
		}),
		testkit.Walkers(func(registry *walkers.Registry) {
			for _, row := range slices.Concat(rows...) {
				row.register(registry)
			}
		}))
	anna, bert, gone := g.NewUser(t), g.NewUser(t), g.NewUser(t)
	if got := g.Request(t, "POST", "/user/logout", gone.Token, nil); got.Status != 200 {
		t.Fatalf("logout: %d %s", got.Status, got.Body)
	}
	d := &doors{
		gateway: g, rows: rows, byName: make(map[string]doorRow),
		tokens: map[string]string{
			"nobody": "", "anna": anna.Token, "bert": bert.Token,
			"garbage": "garbage", "revoked": gone.Token, "expired": expiredToken(t, anna.Token, secret),
		},
		nodes:   append(doorNodes(), rootSpellings(anna.RootID)...),
		sockets: make(map[string]*doorSocket),
	}
	d.nodes = append(d.nodes, bert.RootID, publicRoot)
	for _, row := range slices.Concat(rows...) {
		d.byName[row.name] = row
	}
	t.Cleanup(func() {
		for _, socket := range d.sockets {
			_ = socket.conn.Close()
		}
	})
	return d
}

// draw makes up one call.
func (d *doors) draw(rt *rapid.T, label string) doorCall {
	return rapid.Custom(func(rt *rapid.T) doorCall {
		call := doorCall{
			Caller:  rapid.SampledFrom(slices.Sorted(maps.Keys(d.tokens))).Draw(rt, "caller"),
			Arrival: rapid.SampledFrom([]string{byHeader, byQuery, byChange}).Draw(rt, "arrival"),
		}
		row := doorRow{name: "no row", fields: doorWord}
		if chance(rt, 19, 20, "a walker that is there") {
			row = rapid.SampledFrom(rapid.SampledFrom(d.rows).Draw(rt, "kind")).Draw(rt, "walker")
			call.Walker = row.name
		} else {
			call.Walker = rapid.SampledFrom(strangeNames).Draw(rt, "name")
		}
		if chance(rt, row.entered(), 4, "at a node") {
			call.Node = d.node(rt)
		}
		call.Context = drawContext(rt, row)
		return call
	}).Draw(rt, label)
}

func (d *doors) node(rt *rapid.T) string {
	if chance(rt, 4, 5, "a known node") {
		return rapid.SampledFrom(d.nodes).Draw(rt, "node")
	}
	return rapid.StringN(1, 40, 300).Filter(func(s string) bool { return s == strings.ToValidUTF8(s, "") }).Draw(rt, "node")
}

// agree makes the call at both doors and tells in a word what came of it.
func (d *doors) agree(rt *rapid.T, call doorCall) string {
	row, known := d.byName[call.Walker]
	atREST, err := d.post(call, row)
	if err != nil {
		rt.Fatalf("%+v over REST: %v", call, err)
	}
	atSocket, err := d.say(call)
	if err != nil {
		rt.Fatalf("%+v over the socket: %v", call, err)
	}
	// A door that a walker does not open knows no walker of that name.
	unknown := call
	unknown.Walker = "nobody_of_that_name"
	if known && !row.socket() {
		if atREST, err = d.post(unknown, doorRow{}); err != nil {
			rt.Fatalf("%+v over REST: %v", unknown, err)
		}
	}
	if known && !row.rest() {
		if atSocket, err = d.say(unknown); err != nil {
			rt.Fatalf("%+v over the socket: %v", unknown, err)
		}
		if atREST.envelope()["code"] != "unknown_walker" {
			rt.Fatalf("%+v over REST: %s", call, atREST)
		}
	}
	if diff := atREST.compare(atSocket); diff != "" {
		d.hangUp(call)
		rt.Fatalf("%+v\nREST:   %s\nsocket: %s\n%s", call, atREST, atSocket, diff)
	}
	return atREST.outcome(atSocket)
}

// hangUp lets the connection of a failed call go: answers may still come.
func (d *doors) hangUp(call doorCall) {
	key := call.Caller + " " + call.Arrival
	if socket := d.sockets[key]; socket != nil {
		_ = socket.conn.Close() // it failed already
		delete(d.sockets, key)
	}
}
