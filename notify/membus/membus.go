// Package membus is a bus between the nodes of one process: for tests, and for
// programs that run several gateways side by side. It loses nothing as long as
// every node keeps up; one that does not loses packets and is told so, as with
// any other bus.
package membus

import (
	"errors"
	"sync"
)

// waitingPackets and waitingBytes bound what waits for one node.
const (
	waitingPackets = 64 << 10
	waitingBytes   = 64 << 20
)

// ErrClosed is the answer to a node that publishes when it has no end of the
// bus any more.
var ErrClosed = errors.New("membus: this end of the bus is closed")

// Hub joins any number of nodes.
type Hub struct {
	mu    sync.RWMutex
	nodes map[*Node]struct{}
}

// New makes a hub.
func New() *Hub { return &Hub{nodes: make(map[*Node]struct{})} }

// Node makes the end of one node. It meets notify.Bus.
func (h *Hub) Node() *Node { return &Node{hub: h} }

// Node is one node's end of the bus.
type Node struct {
	hub *Hub

	mu      sync.Mutex
	inbox   [][]byte
	bytes   int
	lost    bool
	wake    chan struct{}
	receive func(packet []byte)
	tell    func()
	closing bool
}

// Publish hands a packet to all other nodes that are open. They share it.
func (n *Node) Publish(packet []byte) error {
	n.mu.Lock()
	closed := n.closing
	n.mu.Unlock()
	if closed {
		return ErrClosed
	}
	n.hub.mu.RLock()
	defer n.hub.mu.RUnlock()
	for other := range n.hub.nodes {
		if other != n {
			other.put(packet)
		}
	}
	return nil
}

// Open begins to receive, once.
func (n *Node) Open(receive func(packet []byte), lost func()) (closeBus func(), err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.receive != nil {
		return nil, errors.New("membus: this end of the bus was opened before")
	}
	n.receive, n.tell, n.wake = receive, lost, make(chan struct{}, 1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		n.run()
	}()
	n.hub.mu.Lock()
	n.hub.nodes[n] = struct{}{}
	n.hub.mu.Unlock()
	return func() {
		n.hub.mu.Lock()
		delete(n.hub.nodes, n)
		n.hub.mu.Unlock()
		n.mu.Lock()
		n.closing = true
		n.inbox = nil
		n.mu.Unlock()
		n.rouse()
		<-ended
	}, nil
}

func (n *Node) put(packet []byte) {
	n.mu.Lock()
	if n.closing {
		n.mu.Unlock()
		return
	}
	if len(n.inbox) >= waitingPackets || n.bytes+len(packet) > waitingBytes {
		n.lost = true
	} else {
		n.inbox = append(n.inbox, packet)
		n.bytes += len(packet)
	}
	n.mu.Unlock()
	n.rouse()
}

func (n *Node) rouse() {
	select {
	case n.wake <- struct{}{}:
	default: // it is roused already
	}
}

// run hands on what comes until the node is closed.
func (n *Node) run() {
	for range n.wake {
		for {
			packets, lost, closing := n.take()
			if closing {
				return
			}
			if lost {
				n.tell()
			}
			if len(packets) == 0 {
				break
			}
			for _, packet := range packets {
				n.receive(packet)
			}
		}
	}
}

func (n *Node) take() (packets [][]byte, lost, closing bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	packets, lost = n.inbox, n.lost
	n.inbox, n.bytes, n.lost = nil, 0, false
	return packets, lost, n.closing
}
