package sluice

import (
	"time"

	"github.com/seed14ed4225/sluice/internal/wait"
	"github.com/seed14ed4225/sluice/mem"
)

// Snapshot is a network at one moment: its shape, and what its nodes and channels
// have done so far. Nodes and channels are in the order in which they were added.
// Each node and each channel is consistent in itself; they are looked at one after
// another while the network runs.
type Snapshot struct {
	Network  string
	Elapsed  time.Duration // since Run started, until it ended
	Nodes    []NodeSnapshot
	Channels []ChannelSnapshot
	Memory   mem.Stats // what the network has of its memory, and who waits for it; zero without, and before Run
}

// NodeState is how far a node has come.
type NodeState string

// How far a node may have come.
const (
	NodePending NodeState = "pending" // the network does not run yet
	NodeRunning NodeState = "running"
	NodeWaiting NodeState = "waiting" // at least one of its goroutines waits
	NodeDone    NodeState = "done"
	NodeFailed  NodeState = "failed"
)

// NodeSnapshot is a node at one moment. The wait times are summed over the node's
// goroutines, count waits in progress, and are measured with a clock that ticks
// every few milliseconds; divide by Elapsed for the share of its time.
type NodeSnapshot struct {
	Name       string
	State      NodeState
	Reads      []string // names of channels
	Writes     []string
	Elapsed    time.Duration // that it has run
	SendWait   time.Duration
	RecvWait   time.Duration
	TicketWait time.Duration
	MemoryWait time.Duration // for room, and for spills of what is to be received
	Waits      []Wait        // in progress
}

// Wait is what a goroutine of a node waits for.
type Wait struct {
	To  string // "send to", "receive from", "get a ticket for", "drain", "reserve", "see an event of" or "see the end of a spill in"
	On  string // the name of the channel, the bytes to reserve, or the name of the stream
	For time.Duration
}

// ChannelSnapshot is a channel at one moment.
type ChannelSnapshot struct {
	Name string
	ChannelStats
}

// Snapshot returns the network as it is. It may be called at any time: before Run,
// while it runs, and afterwards.
func (n *Network) Snapshot() Snapshot {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := Snapshot{Network: n.name}
	if n.mu.phase != building { // before that, the memory is everybody's
		s.Memory = n.memory.Stats()
	}

	// What is over is read first, then what is in progress, and the time last: a
	// wait that ends meanwhile is counted once or not yet, never twice.
	index := make(map[any]int, len(n.mu.channels)) // by *Channel
	for i, c := range n.mu.channels {
		index[c] = i
		s.Channels = append(s.Channels, ChannelSnapshot{Name: c.name, ChannelStats: c.Stats()})
	}
	for _, nd := range n.mu.nodes {
		ns := NodeSnapshot{
			Name:       nd.name,
			State:      nd.state.public(),
			SendWait:   nd.waits.Spent(wait.ToSend),
			RecvWait:   nd.waits.Spent(wait.ToReceive),
			TicketWait: nd.waits.Spent(wait.ForTicket),
			MemoryWait: nd.waits.Spent(wait.ForMemory) + nd.waits.Spent(wait.ForSpill),
		}
		for c := range nd.each(false) {
			ns.Reads = append(ns.Reads, c.name)
		}
		for c := range nd.each(true) {
			ns.Writes = append(ns.Writes, c.name)
		}
		s.Nodes = append(s.Nodes, ns)
	}
	now := n.clock.Now()
	waits := n.waits()
	for i, nd := range n.mu.nodes {
		if nd.state != started {
			s.Nodes[i].Elapsed = nd.ended
			continue // a wait would be of a goroutine that the node left behind
		}
		groups := map[any]bool{}
		for _, w := range waits[nd] {
			took := max(0, now-w.Since)
			s.Nodes[i].add(w, took, groups)
			if at, ours := index[w.On]; ours {
				s.Channels[at].add(w, took)
			}
		}
	}
	s.Elapsed = n.elapsed()
	for i, nd := range n.mu.nodes {
		if nd.state == started {
			s.Nodes[i].Elapsed = s.Elapsed
		}
	}
	return s
}

// add adds a wait in progress. Of those in one group, the first counts.
func (s *NodeSnapshot) add(w wait.Wait, took time.Duration, groups map[any]bool) {
	s.State = NodeWaiting
	s.Waits = append(s.Waits, Wait{To: w.Reason.String(), On: nameOf(w.On), For: took})
	if w.Group != nil {
		if groups[w.Group] {
			return
		}
		groups[w.Group] = true
	}
	switch w.Reason {
	case wait.ToSend:
		s.SendWait += took
	case wait.ToReceive:
		s.RecvWait += took
	case wait.ForTicket:
		s.TicketWait += took
	case wait.ForMemory, wait.ForSpill:
		s.MemoryWait += took
	}
}

// add adds a wait in progress.
func (s *ChannelSnapshot) add(w wait.Wait, took time.Duration) {
	switch w.Reason {
	case wait.ToSend:
		s.SendWait += took
	case wait.ToReceive:
		s.RecvWait += took
	}
}

func nameOf(on any) string { return on.(interface{ Name() string }).Name() }

// waits returns what every node waits for: at the network's own channels, which know
// their waiters, and elsewhere. Callers hold the lock.
func (n *Network) waits() map[*node][]wait.Wait {
	waits := map[*node][]wait.Wait{}
	add := func(c *Channel, l *waiterList, reason wait.Reason) {
		for w := l.first; w != nil; w = w.next {
			if w.node == nil || w.told {
				continue
			}
			nd := w.node.Owner.(*node)
			waits[nd] = append(waits[nd], wait.Wait{
				On: c, Reason: reason, Since: w.since, Group: w.group(),
			})
		}
	}
	visit := func(c *Channel) *Meta {
		c.mu.Lock()
		defer c.mu.Unlock()
		add(c, &c.mu.senders, wait.ToSend)
		add(c, &c.mu.receivers, wait.ToReceive)
		add(c, &c.mu.drainers, wait.ToDrain)
		for _, t := range c.mu.throttles {
			add(c, &t.waiting, wait.ForTicket)
		}
		return c.mu.meta
	}
	for _, c := range n.mu.channels {
		if meta := visit(c); meta != nil {
			visit(meta.queue)
		}
	}
	for _, nd := range n.mu.nodes {
		if elsewhere := nd.waits.Waits(); len(elsewhere) > 0 {
			waits[nd] = append(waits[nd], elsewhere...)
		}
	}
	return waits
}

func (s nodeState) public() NodeState {
	return [...]NodeState{pending: NodePending, started: NodeRunning, done: NodeDone, failed: NodeFailed}[s]
}

// elapsed returns how long the network has run. Callers hold the lock.
func (n *Network) elapsed() time.Duration {
	switch n.mu.phase {
	case running:
		return time.Since(n.mu.started)
	case over:
		return n.mu.ended.Sub(n.mu.started)
	}
	return 0
}
