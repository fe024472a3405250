package sluice

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seed14ed4225/sluice/internal/wait"
)

// waitGraph says which node waits for which. A node that waits in several
// goroutines, or for any of several channels, goes on when one of its waits ends;
// a wait ends when one of the nodes at the other side of its channel does something.
type waitGraph struct {
	nodes            []*node // that have not returned
	waits            map[*node][]wait.Wait
	readers, writers map[*Channel][]*node
	tickets          map[*Channel]ticketHolders
}

// waitGraph returns the graph as of now. Callers hold the lock.
func (n *Network) waitGraph() waitGraph {
	g := waitGraph{
		waits:   n.waits(),
		readers: map[*Channel][]*node{},
		writers: map[*Channel][]*node{},
		tickets: map[*Channel]ticketHolders{},
	}
	for _, nd := range n.mu.nodes {
		if nd.state != started {
			continue
		}
		g.nodes = append(g.nodes, nd)
		for c := range nd.each(false) {
			g.readers[c] = append(g.readers[c], nd)
		}
		for c := range nd.each(true) {
			g.writers[c] = append(g.writers[c], nd)
		}
	}
	for _, c := range n.mu.channels {
		c.mu.Lock()
		for _, t := range c.mu.throttles {
			if t.waiting.first != nil {
				g.tickets[c] = g.tickets[c].plus(t)
			}
		}
		if meta := c.mu.meta; meta != nil {
			g.readers[meta.queue], g.writers[meta.queue] = g.readers[c], g.writers[c]
		}
		c.mu.Unlock()
	}
	return g
}

// others returns the nodes that could end a wait of nd. There are none when that is
// not known: a channel that is not of the network does not say who is at its other
// side, and a ticket may be in the hands of a goroutine that nobody sees at work.
func (g *waitGraph) others(nd *node, w wait.Wait) []*node {
	c, _ := w.On.(*Channel)
	switch w.Reason {
	case wait.ToReceive:
		return g.writers[c]
	case wait.ToSend, wait.ToDrain:
		return g.readers[c]
	case wait.ForSpill:
		return nil // it comes by itself
	}
	held := g.tickets[c]
	var nodes []*node
	for _, holder := range held.inHand {
		if holder == nil || holder.Owner == nd {
			return nil // somebody we cannot see: outside, or another goroutine of nd
		}
		nodes = append(nodes, holder.Owner.(*node))
	}
	if held.sent {
		nodes = append(nodes, g.downstream(c)...)
	}
	return slices.DeleteFunc(nodes, func(other *node) bool { return other == nd })
}

// ticketHolders is where the tickets are that somebody waits for: in the hands of
// producers, or with messages that they send or have sent.
type ticketHolders struct {
	inHand []*wait.Node
	sent   bool
}

func (h ticketHolders) plus(t *Throttle) ticketHolders {
	inHand := t.hands.holders()
	return ticketHolders{
		inHand: append(h.inHand, inHand...),
		sent:   h.sent || t.free+len(inHand) < t.tickets,
	}
}

// downstream returns the nodes that write c and all that its messages can have
// reached.
func (g *waitGraph) downstream(c *Channel) []*node {
	nodes := slices.Clone(g.writers[c])
	reached := map[*Channel]bool{}
	for next := []*Channel{c}; len(next) > 0; {
		c, next = next[0], next[1:]
		if reached[c] {
			continue
		}
		reached[c] = true
		for _, nd := range g.readers[c] {
			nodes = append(nodes, nd)
			next = slices.AppendSeq(next, nd.each(true))
		}
	}
	return nodes
}

// cycle returns nodes that wait for each other, written as a chain, or "".
func (g *waitGraph) cycle() string {
	// Take away whoever may go on, until only those are left who wait for nobody
	// but each other.
	stuck := map[*node]bool{}
	for _, nd := range g.nodes {
		stuck[nd] = len(g.waits[nd]) > 0
	}
	for changed := true; changed; {
		changed = false
		for _, nd := range g.nodes {
			if stuck[nd] && g.mayGoOn(nd, stuck) {
				stuck[nd] = false
				changed = true
			}
		}
	}

	// Each of the rest waits for one of the rest, so a walk must come round.
	i := slices.IndexFunc(g.nodes, func(nd *node) bool { return stuck[nd] })
	if i < 0 {
		return ""
	}
	var path []*node
	var steps []string
	for nd := g.nodes[i]; ; {
		if at := slices.Index(path, nd); at >= 0 {
			return strings.Join(steps[at:], ", ")
		}
		path = append(path, nd)
		w, next := g.step(nd, stuck)
		steps = append(steps, fmt.Sprintf("%s waits for %s to %s %q", nd.name, next.name, opposite(w.Reason), nameOf(w.On)))
		nd = next
	}
}

func (g *waitGraph) mayGoOn(nd *node, stuck map[*node]bool) bool {
	known := false
	for _, w := range g.waits[nd] {
		for _, other := range g.others(nd, w) {
			known = true
			if !stuck[other] {
				return true
			}
		}
	}
	return !known
}

// step returns a wait of a stuck node and a stuck node that could end it.
func (g *waitGraph) step(nd *node, stuck map[*node]bool) (wait.Wait, *node) {
	for _, w := range g.waits[nd] {
		for _, other := range g.others(nd, w) {
			if stuck[other] {
				return w, other
			}
		}
	}
	panic("a stuck node waits for nobody")
}

// opposite is what the other side would have to do.
func opposite(r wait.Reason) string {
	switch r {
	case wait.ToReceive:
		return "send to"
	case wait.ForTicket:
		return "release a ticket of"
	}
	return "receive from"
}
