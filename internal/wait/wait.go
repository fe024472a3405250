// Package wait records who waits for what. A node's record travels in its context,
// so that whatever makes a goroutine wait (a channel, a throttle, memory, a device)
// can write down the wait where it happens, without knowing what a network is.
package wait

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Reason is what a goroutine waits for.
type Reason uint8

// The reasons.
const (
	ToSend    Reason = iota // room in a channel
	ToReceive               // a message in a channel
	ForTicket               // a ticket of a throttle
	ToDrain                 // a closed channel to be emptied
	ForEvent                // an event of a stream of a device
	ForMemory               // memory of a resource
	ForSpill                // the end of a spill of a message that is wanted
	reasons
)

var reasonNames = [reasons]string{"send to", "receive from", "get a ticket for", "drain", "see an event of", "reserve", "see the end of a spill in"}

// String reads well after "waits to".
func (r Reason) String() string { return reasonNames[r] }

// A Clock is coarse time: read by every wait, written by one ticker.
type Clock struct{ now atomic.Int64 }

// Set moves the clock to d after its start.
func (c *Clock) Set(d time.Duration) { c.now.Store(int64(d)) }

// Now returns the time since the start, as of the last tick.
func (c *Clock) Now() time.Duration { return time.Duration(c.now.Load()) }

// Node is what a wait knows of the node it holds up: the clock to measure it by and
// the sums to add it to. The methods do nothing on a nil *Node: what runs outside a
// network is not recorded. A Node must not be copied.
//
// Waits in progress are found in one of two ways. What belongs to the network, its
// channels, lists its own waiters with their nodes. Whatever else makes a goroutine
// wait records the wait here, with [Node.Begin] and [Node.End].
type Node struct {
	Owner any    // what the network knows the node as
	Clock *Clock // of the network
	spent [reasons]atomic.Int64

	mu struct {
		sync.Mutex
		waiting *Record // a list; nearly always of one
	}
}

// Init makes the node ready, before its goroutine starts.
func (n *Node) Init(owner any, clock *Clock) { n.Owner, n.Clock = owner, clock }

// Now returns the time on the node's clock.
func (n *Node) Now() time.Duration {
	if n == nil {
		return 0
	}
	return n.Clock.Now()
}

// Add counts a wait that began at since and is over. With the resolution of the clock,
// most waits take no time.
func (n *Node) Add(reason Reason, since time.Duration) {
	if n == nil {
		return
	}
	if took := n.Clock.Now() - since; took > 0 {
		n.spent[reason].Add(int64(took))
	}
}

// Spent returns the time of the waits for a reason that are over.
func (n *Node) Spent(reason Reason) time.Duration {
	return time.Duration(n.spent[reason].Load())
}

// A Record is a wait in progress. Whoever waits owns it, usually as part of what it
// waits with, and may use it again when the wait is over.
type Record struct {
	Wait
	next *Record
}

// A Wait says what a goroutine waits for.
type Wait struct {
	On     any // has a method Name() string
	Reason Reason
	Since  time.Duration // on the node's clock
	Group  any           // the same for all waits of a goroutine that waits for the first of several; its time counts once, by whoever groups them
}

// Begin records that a goroutine of the node starts to wait.
func (n *Node) Begin(r *Record, w Wait) {
	if n == nil {
		return
	}
	w.Since = n.Clock.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	r.Wait, r.next, n.mu.waiting = w, n.mu.waiting, r
}

// End records that the wait is over, and counts it.
func (n *Node) End(r *Record) {
	if n == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for at := &n.mu.waiting; *at != nil; at = &(*at).next {
		if *at == r {
			*at = r.next
			break
		}
	}
	if r.Group == nil {
		n.Add(r.Reason, r.Since)
	}
	*r = Record{}
}

// Waits returns the waits recorded here that are in progress.
func (n *Node) Waits() []Wait {
	n.mu.Lock()
	defer n.mu.Unlock()
	var waits []Wait
	for r := n.mu.waiting; r != nil; r = r.next {
		waits = append(waits, r.Wait)
	}
	return waits
}

type nodeContext struct {
	context.Context
	node *Node
	done <-chan struct{} // of Context
}

type nodeKey struct{}

// NewContext returns a context that carries the node. It shares the Done channel
// of its parent.
func NewContext(parent context.Context, n *Node) context.Context {
	return &nodeContext{Context: parent, node: n, done: parent.Done()}
}

// FromContext returns the node whose goroutine this is, or nil.
func FromContext(ctx context.Context) *Node {
	n, _ := Look(ctx)
	return n
}

// Look returns the node and the Done channel of ctx. For the context that a node was
// given, it calls nothing.
func Look(ctx context.Context) (*Node, <-chan struct{}) {
	if c, ok := ctx.(*nodeContext); ok {
		return c.node, c.done
	}
	if ctx == nil {
		panic("sluice: nil context")
	}
	n, _ := ctx.Value(nodeKey{}).(*Node)
	return n, ctx.Done()
}

func (c *nodeContext) Done() <-chan struct{} { return c.done }

func (c *nodeContext) Value(key any) any {
	if key == (nodeKey{}) {
		return c.node
	}
	return c.Context.Value(key)
}
