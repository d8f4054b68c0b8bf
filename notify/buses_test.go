package notify_test

import (
	"errors"
	"math/rand/v2"
	"sync"
	"time"
)

// tap is a bus whose packets a test carries by hand.
type tap struct {
	mu      sync.Mutex
	sent    [][]byte
	receive func([]byte)
	lost    func()
	failing bool
}

func (b *tap) Publish(packet []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failing {
		return errors.New("the bus is down")
	}
	b.sent = append(b.sent, packet)
	return nil
}

func (b *tap) Open(receive func([]byte), lost func()) (func(), error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.receive, b.lost = receive, lost
	return func() {}, nil
}

// take gives the packets that were sent since the last time.
func (b *tap) take() [][]byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	sent := b.sent
	b.sent = nil
	return sent
}

// weather is what a storm does to packets: so many of a hundred are dropped,
// doubled, or held up for up to a time.
type weather struct {
	drops, doubles, delays int
	longest                time.Duration
}

// storm is a bus between nodes that drops, doubles and delays packets, and so
// mixes them up, as its seed will have it. It tells of nothing that it drops.
type storm struct {
	weather
	mu    sync.Mutex
	dice  *rand.Rand
	nodes []*stormNode
}

func newStorm(seed uint64, w weather) *storm {
	return &storm{weather: w, dice: rand.New(rand.NewPCG(seed, seed))}
}

func (b *storm) node() *stormNode {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := &stormNode{storm: b}
	b.nodes = append(b.nodes, n)
	return n
}

type stormNode struct {
	storm *storm

	mu      sync.Mutex // held while the node receives
	receive func([]byte)
	flying  sync.WaitGroup
}

func (n *stormNode) Publish(packet []byte) error {
	b := n.storm
	b.mu.Lock()
	defer b.mu.Unlock()
	chance := func(percent int) bool { return b.dice.IntN(100) < percent }
	for _, other := range b.nodes {
		if other == n || chance(b.drops) {
			continue
		}
		copies := 1
		if chance(b.doubles) {
			copies = 2
		}
		for range copies {
			var wait time.Duration
			if chance(b.delays) {
				wait = time.Duration(b.dice.Int64N(int64(b.longest)))
			}
			other.fly(packet, wait)
		}
	}
	return nil
}

func (n *stormNode) fly(packet []byte, wait time.Duration) {
	n.flying.Add(1)
	time.AfterFunc(wait, func() {
		defer n.flying.Done()
		n.mu.Lock()
		defer n.mu.Unlock()
		if n.receive != nil {
			n.receive(packet)
		}
	})
}

func (n *stormNode) Open(receive func([]byte), _ func()) (func(), error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.receive = receive
	return func() {
		n.mu.Lock()
		n.receive = nil
		n.mu.Unlock()
		n.flying.Wait()
	}, nil
}
