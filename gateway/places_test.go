package gateway_test

import (
	"math/rand/v2"
	"net/netip"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/walkergate/walkergate/auth"
	"github.com/walkergate/walkergate/gateway"
	"github.com/walkergate/walkergate/internal/testkit"
	"github.com/walkergate/walkergate/wire"
)

// user is somebody with an account.
type user struct {
	auth.Principal
	token string
}

func (w *world) newUser(t *testing.T, name string) user {
	t.Helper()
	email, password := name+"@example.com", "correct horse"
	if _, err := w.auth.Register(t.Context(), auth.Registration{Email: email, Password: password}); err != nil {
		t.Fatal(err)
	}
	grant, err := w.auth.Login(t.Context(), email, password)
	if err != nil {
		t.Fatal(err)
	}
	principal, err := w.auth.Authenticate(t.Context(), grant.Token)
	if err != nil {
		t.Fatal(err)
	}
	return user{principal, grant.Token}
}

// from is an arrival of somebody at an address.
func from(principal auth.Principal, address string) gateway.Arrival {
	return gateway.Arrival{Principal: principal, Address: netip.MustParseAddr(address)}
}

// empty demands that nothing is counted, and no user and no address is kept.
func (w *world) empty(t *testing.T) {
	t.Helper()
	testkit.Until(t, "all places to be free", func() bool {
		all, users, networks := w.Crowd()
		return all == 0 && users == 0 && networks == 0
	})
}

func TestPlacesInAllAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, gateway.Limits{Connections: 2})
	first, second := w.reserve(t, stranger()), w.reserve(t, stranger())
	if why := w.full(t, stranger()); why != "there is no room for another connection" || w.Stats.NoRoom.Load() != 1 {
		t.Errorf("refused with %q, %d counted", why, w.Stats.NoRoom.Load())
	}
	first.Release()
	p := w.open(t)
	p.next()
	w.full(t, stranger()) // an open connection takes a place
	_ = p.Close()
	testkit.Until(t, "the place to come free", func() bool {
		all, _, _ := w.Crowd()
		return all == 1
	})
	w.reserve(t, stranger()).Release()
	second.Release()
	if err := w.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if why := w.full(t, stranger()); why != "the gateway is going away" {
		t.Errorf("refused with %q", why)
	}
}

func TestPlacesOfAUserAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, gateway.Limits{ConnectionsPerUser: 2})
	ann, bob := w.newUser(t, "ann"), w.newUser(t, "bob")
	places := []*gateway.Place{
		w.reserve(t, from(ann.Principal, "192.0.2.1")), w.reserve(t, from(ann.Principal, "192.0.2.2")),
		w.reserve(t, from(bob.Principal, "192.0.2.1")),
	}
	for range 3 {
		places = append(places, w.reserve(t, from(auth.Public(), "192.0.2.1"))) // strangers are not one user
	}
	if why := w.full(t, from(ann.Principal, "192.0.2.3")); why != "this user has too many connections" {
		t.Errorf("refused with %q", why)
	}
	places[0].Release()
	places[0] = w.reserve(t, from(ann.Principal, "192.0.2.3"))
	for _, place := range places {
		place.Release()
	}
	w.empty(t)
}

func TestPlacesFromAnAddressAreBounded(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ has, same, other string }{
		"IPv4":                  {"192.0.2.1", "192.0.2.1", "192.0.2.2"},
		"IPv4 written as IPv6":  {"192.0.2.1", "::ffff:192.0.2.1", "::ffff:192.0.2.2"},
		"IPv6, by its network":  {"2001:db8:0:1::1", "2001:db8:0:1:ffff::2", "2001:db8:0:2::1"},
		"IPv6 with a zone":      {"fe80::1%eth0", "fe80::2%eth1", "2001:db8::1"},
		"neighbours that touch": {"2001:db8:0:1::", "2001:db8:0:1:ffff:ffff:ffff:ffff", "2001:db8::ffff:ffff:ffff:ffff"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, gateway.Limits{ConnectionsPerAddress: 1})
			first := w.reserve(t, from(auth.Public(), test.has))
			if why := w.full(t, from(auth.Public(), test.same)); why != "this address has too many connections" {
				t.Errorf("refused with %q", why)
			}
			w.reserve(t, from(auth.Public(), test.other)).Release()
			first.Release()
			w.reserve(t, from(auth.Public(), test.same)).Release()
			w.empty(t)
		})
	}
}

func TestAPlaceIsSettledOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, gateway.Limits{})
	place := w.reserve(t, stranger())
	place.Release()
	place.Release()
	client, server := connect(t)
	if place.Open(server, nil) {
		t.Fatal("a place that was given back was taken")
	}
	_, _ = client.Close(), server.Close()
	w.empty(t)

	place = w.reserve(t, stranger())
	p := openAt(t, place)
	p.next()
	place.Release() // by a handler that gives back whatever came
	if all, _, _ := w.Crowd(); all != 1 {
		t.Errorf("%d places are taken by one connection", all)
	}
	p.say(`{"type":"ping"}`)
	p.next()
	_ = p.Close()
	w.empty(t)
}

func TestAPlaceNobodyComesForIsFreeAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, gateway.Limits{})
		place := w.reserve(t, stranger())
		<-time.After(10*time.Second - 1)
		synctest.Wait()
		if all, _, _ := w.Crowd(); all != 1 {
			t.Fatal("the place came free too early")
		}
		<-time.After(2) // and not at the instant itself
		synctest.Wait()
		if all, _, networks := w.Crowd(); all != 0 || networks != 0 {
			t.Fatal("the place is still counted")
		}
		if place.Open(nil, nil) {
			t.Error("the place was taken after its time")
		}
	})
}

func TestChangeUserToAUserWithoutRoom(t *testing.T) {
	t.Parallel()
	w := newWorld(t, gateway.Limits{ConnectionsPerUser: 1})
	ann, bob := w.newUser(t, "ann"), w.newUser(t, "bob")
	p := openAt(t, w.reserve(t, from(bob.Principal, "192.0.2.1")))
	p.next()
	other := openAt(t, w.reserve(t, from(ann.Principal, "192.0.2.1")))
	other.next()
	become := func(id, token string) {
		p.say(`{"type":"change_user","id":"` + id + `","token":"` + token + `"}`)
	}
	rootID := func(id string) any {
		t.Helper()
		event := p.next()
		data, _ := event["data"].(map[string]any)
		if event["type"] != "connection" || event["id"] != id {
			t.Fatalf("got %v, want the event %s", event, id)
		}
		return data["root_id"]
	}

	become("1", ann.token)
	if got := p.next(); got["id"] != "1" || got["type"] != "reply" || got["code"] != "busy" || got["ok"] != false || got["status"] != 503.0 {
		t.Fatalf("got %v", got)
	}
	p.say(`{"type":"connection","id":"2"}`) // no event came in between
	if got := rootID("2"); got != bob.RootID {
		t.Errorf("a refused change left %v", got)
	}
	become("3", bob.token) // the own place is no other's
	if got := rootID("3"); got != bob.RootID {
		t.Errorf("became %v", got)
	}
	if code, _ := other.leave(); code != wire.CloseNormal {
		t.Errorf("closed with %d", code)
	}
	testkit.Until(t, "the other's place to come free", func() bool {
		all, _, _ := w.Crowd()
		return all == 1
	})
	become("4", ann.token)
	if got := rootID("4"); got != ann.RootID {
		t.Errorf("became %v", got)
	}
	w.reserve(t, from(bob.Principal, "192.0.2.1")).Release() // what was left is free
	w.full(t, from(ann.Principal, "192.0.2.1"))
	become("5", "")
	if got := rootID("5"); got != auth.PublicRoot {
		t.Errorf("became %v", got)
	}
	if _, users, _ := w.Crowd(); users != 0 {
		t.Errorf("%d users are kept", users)
	}
}

// Whatever becomes of a connection, nothing of it stays counted.
func TestCountsReturnToZero(t *testing.T) {
	t.Parallel()
	limits := gateway.Limits{Connections: 16, ConnectionsPerUser: 2, ConnectionsPerAddress: 4}
	w := newWorld(t, limits)
	users := make([]user, 5)
	for i := range users {
		users[i] = w.newUser(t, "user"+strconv.Itoa(i))
	}
	t.Run("crowd", func(t *testing.T) {
		for worker := range 8 {
			t.Run(strconv.Itoa(worker), func(t *testing.T) {
				t.Parallel()
				visitor := &visitor{world: w, t: t, users: users, random: rand.New(rand.NewPCG(uint64(worker), 1))}
				for range 250 {
					visitor.step()
					if user, network := w.Fullest(); user > limits.ConnectionsPerUser || network > limits.ConnectionsPerAddress {
						t.Fatalf("a user has %d connections, an address %d", user, network)
					}
				}
				for len(visitor.open) > 0 {
					visitor.leave()
				}
			})
		}
	})
	w.empty(t)
	if w.Stats.NoRoom.Load() == 0 || w.Stats.Refused.Load() == 0 || w.Stats.Opened.Load() == 0 {
		t.Errorf("%d upgrades and %d frames were refused, %d connections opened: the test does not crowd",
			w.Stats.NoRoom.Load(), w.Stats.Refused.Load(), w.Stats.Opened.Load())
	}
}

// visitor comes and goes as it likes.
type visitor struct {
	*world
	t      *testing.T
	users  []user
	random *rand.Rand
	open   []*peer
}

func (v *visitor) step() {
	v.t.Helper()
	switch n := v.random.IntN(10); {
	case n < 5:
		v.arrive()
	case n < 8 && len(v.open) > 0:
		v.change(v.open[v.random.IntN(len(v.open))])
	case len(v.open) > 0:
		v.leave()
	}
}

func (v *visitor) arrive() {
	v.t.Helper()
	principal := auth.Public()
	if n := v.random.IntN(len(v.users) + 1); n < len(v.users) {
		principal = v.users[n].Principal
	}
	place, err := v.Reserve(from(principal, "192.0.2."+strconv.Itoa(v.random.IntN(6))))
	if err != nil {
		return
	}
	switch v.random.IntN(4) {
	case 0: // the handshake fails
		place.Release()
	case 1: // the client is gone before it is greeted
		client, server := connect(v.t)
		_ = client.Close()
		if !place.Open(server, nil) {
			v.t.Fatal("the place is gone")
		}
	default:
		p := openAt(v.t, place)
		p.next()
		v.open = append(v.open, p)
	}
}

func (v *visitor) change(p *peer) {
	v.t.Helper()
	token := []string{"", "nonsense", v.users[v.random.IntN(len(v.users))].token}[v.random.IntN(3)]
	p.say(`{"type":"change_user","id":"x","token":"` + token + `"}`)
	for p.next()["id"] != "x" { // a bad token is told first
	}
}

func (v *visitor) leave() {
	v.t.Helper()
	n := v.random.IntN(len(v.open))
	p := v.open[n]
	v.open = append(v.open[:n], v.open[n+1:]...)
	switch v.random.IntN(3) {
	case 0:
		p.leave()
	case 1: // in the middle of a change
		p.say(`{"type":"change_user","token":"` + v.users[0].token + `"}`)
		_ = p.Close()
	default: // in the middle of a walker
		p.say(`{"type":"walker","walker":"hold"}`)
		_ = p.Close()
	}
}
