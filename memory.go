package sluice

import (
	"context"
	"fmt"
	"time"

	"github.com/seed14ed4225/sluice/internal/wait"
	"github.com/seed14ed4225/sluice/mem"
)

// WithMemory gives the network a budget. Nodes find it with [mem.FromContext] and take
// their memory from it. What waits in channels, and what suspended senders hold, can
// be spilled to slower memory when somebody needs room, if its payload has a Spill method;
// ports made with [Port.At] bring it back. A payload is weighed when it is sent: one that
// shares its memory then counts nothing and stays where it is, also when it is alone with it
// later.
//
// Several networks may share a resource. Whoever made it closes it, after the networks have
// run.
func WithMemory(r *mem.Resource) NetworkOption {
	return func(n *Network) { n.memory = r }
}

// At says in which kind of memory a node wants the payloads that it receives through this
// port. In a network with memory, receives bring them there, under a reservation of their own
// that may wait for room; pinned memory will do for [mem.Host]. Payloads without a
// Restore method that lie elsewhere are a [*RestoreError]. One that shares its memory is
// brought there, too, with all who share it, if it has a method RestoreNeed(mem.Kind) int64 as
// [mem.Buffer] has. All ports that read a channel
// must agree. Without At, a payload comes in whatever memory it is in.
func (p Port) At(k mem.Kind) Port {
	p.home, p.homeward = k, true
	return p
}

// checkHomes reports ports that ask for what cannot be. Callers hold the lock.
func (n *Network) checkHomes(report func(format string, args ...any)) {
	type wish struct {
		node     string
		home     mem.Kind
		homeward bool
	}
	wishes := map[*Channel]wish{}
	for _, nd := range n.mu.nodes {
		for _, p := range nd.ports {
			switch {
			case p.homeward && p.writes:
				report("node %q: At is for ports that read", nd.name)
			case p.homeward && p.home > mem.Host:
				report("node %q wants payloads in %v memory; want device, pinned or host", nd.name, p.home)
			case p.homeward && n.memory != nil && n.memory.Limit(p.home) == 0:
				report("node %q wants payloads in %v memory, of which the limit is 0", nd.name, p.home)
			}
			if p.writes {
				continue
			}
			for _, c := range p.channels {
				mine := wish{nd.name, p.home, p.homeward}
				first, ok := wishes[c]
				if ok && (first.home != mine.home || first.homeward != mine.homeward) {
					report("channel %q: nodes %q and %q disagree about where to have its payloads", c.Name(), first.node, nd.name)
				}
				if !ok {
					wishes[c] = mine
				}
			}
		}
	}
}

// beginMemory makes the channels known to the resource. Callers hold the lock.
func (n *Network) beginMemory() {
	if n.memory == nil {
		return
	}
	n.memory = n.memory.Scope(fmt.Sprintf("network %q", n.name))
	n.ctx = mem.NewContext(n.ctx, n.memory)
	for _, nd := range n.mu.nodes {
		for _, p := range nd.ports {
			for _, c := range p.channels {
				if p.homeward {
					c.home, c.homeward = p.home, true
				}
			}
		}
	}
	for _, c := range n.mu.channels {
		c.spills = n.memory.RegisterSource(n.ctx, fmt.Sprintf("channel %q", c.name), queued{c})
	}
	n.leave = n.memory.Join(n.standsStill)
}

// KeepIn lets what waits in the channel be spilled, as in a channel of the network: for
// channels that a node makes for its own use, and in which much may wait. ctx is that of
// the node; outside of a network with memory KeepIn does nothing. Call it before
// the channel is used, and leave, which waits for spills in progress, when it is
// no more; after that it can be kept again, and until then KeepIn does nothing more. A message
// may come out of the channel spilled.
func (c *Channel) KeepIn(ctx context.Context) (leave func()) {
	r := mem.FromContext(ctx)
	waits := wait.FromContext(ctx)
	if c.net != nil || r == nil || waits == nil {
		return func() {}
	}
	nd, ok := waits.Owner.(*node)
	if !ok {
		return func() {}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.spills != nil {
		return func() {} // whoever keeps it already says when it is no more
	}
	c.keeper = nd.net
	kept := r.RegisterSource(ctx, fmt.Sprintf("channel %q", c.name), queued{c})
	c.spills = kept
	return func() {
		kept.Remove()
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.spills == kept {
			c.spills = nil
		}
	}
}

// endMemory ends the network's part in the resource and returns what it leaked.
func (n *Network) endMemory() error {
	if n.memory == nil {
		return nil
	}
	for _, c := range n.mu.channels {
		c.spills.Remove()
	}
	n.leave()
	ctx, cancel := n.settling()
	defer cancel()
	return n.memory.Close(ctx)
}

// grace is how long a run that was interrupted waits for work that is still queued on
// memory which its nodes have released. A device that hangs never comes to it.
const grace = time.Second

// settling returns a context that ends a while after that of the run.
func (n *Network) settling() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(n.ctx))
	unwatch := context.AfterFunc(n.ctx, func() {
		late, stop := context.WithTimeout(ctx, grace)
		defer stop()
		<-late.Done()
		cancel()
	})
	return ctx, func() { unwatch(); cancel() }
}

// standsStill reports whether every node waits, for something that only nodes bring
// about, and a number that changes when a message moves. The number also changes while a node
// waits only at channels that are not of the network, behind which somebody may be at work
// who is not seen: what is set aside is given out then, but nobody fails.
func (n *Network) standsStill() (still bool, moves uint64) {
	moves = n.messageMoves()
	n.mu.Lock()
	defer n.mu.Unlock()
	waits := n.waits()
	for _, nd := range n.mu.nodes {
		switch nd.state {
		case pending:
			return false, moves
		case started:
			stands, surely := n.stands(waits[nd])
			if !stands {
				return false, moves
			}
			if !surely {
				n.mu.unsure++
			}
		}
	}
	return true, moves + n.mu.unsure
}

// stands reports whether these are waits for other nodes, and whether one of them surely
// is. Events and the ends of spills come by themselves.
func (n *Network) stands(waits []wait.Wait) (stands, surely bool) {
	for _, w := range waits {
		if w.Reason == wait.ForEvent || w.Reason == wait.ForSpill {
			return false, false
		}
		if c, ok := w.On.(*Channel); !ok || c.net == n {
			surely = true
		}
	}
	return len(waits) > 0, surely
}
