package sluice

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/seed14ed4225/sluice/internal/size"
	"github.com/seed14ed4225/sluice/mem"
)

// stallWatch notices when nothing moves.
type stallWatch struct {
	n        *Network
	moves    uint64        // as of the last look
	moved    time.Duration // when that was seen to change
	next     time.Duration // when to look again
	reported bool
}

// look counts what has moved, a few times per stall period, and reports a stall
// once.
func (s *stallWatch) look(now time.Duration) {
	after := s.n.stallAfter
	if after <= 0 || now < s.next {
		return
	}
	s.next = now + after/8
	moves := s.n.moves()
	switch {
	case moves != s.moves:
		s.moves, s.moved, s.reported = moves, now, false
	case !s.reported && now-s.moved >= after:
		s.reported = true
		report, cycle := s.n.stallReport(now - s.moved)
		s.n.log.Warn(report, "network", s.n.name, "cycle", cycle)
	}
}

// moves is a number that changes when a message moves, a node ends, or memory of the
// network is given, given back or moved: a node may work for long between two messages.
func (n *Network) moves() uint64 {
	n.mu.Lock()
	memory := n.memory
	n.mu.Unlock()
	return n.messageMoves() + memory.Moves()
}

// messageMoves is a number that changes when a message moves or a node ends.
func (n *Network) messageMoves() uint64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	moves := uint64(len(n.mu.nodes) - n.mu.left)
	for _, c := range n.mu.channels {
		c.mu.Lock()
		moves += c.moves()
		if meta := c.mu.meta; meta != nil {
			meta.queue.mu.Lock()
			moves += meta.queue.moves()
			meta.queue.mu.Unlock()
		}
		c.mu.Unlock()
	}
	return moves
}

// moves counts what was sent and what was received or dropped. Callers hold the lock.
func (c *Channel) moves() uint64 {
	return 2*(c.mu.received+c.mu.dropped) + uint64(c.mu.count)
}

// stallReport says of every node whether it runs or waits, and for what, and which
// of them wait for each other in a circle, if any do.
func (n *Network) stallReport(since time.Duration) (report, cycle string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	g := n.waitGraph()
	var b strings.Builder
	fmt.Fprintf(&b, "network %q has not moved for %v\n", n.name, since.Round(time.Millisecond))
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, nd := range n.mu.nodes {
		if nd.state != started {
			fmt.Fprintf(table, "  %s\t%s\n", nd.name, nd.state.public())
			continue
		}
		if len(g.waits[nd]) == 0 {
			fmt.Fprintf(table, "  %s\truns\n", nd.name)
		}
		for _, w := range g.waits[nd] {
			fmt.Fprintf(table, "  %s\twaits to %s %q\t%v\n", nd.name, w.Reason, nameOf(w.On), (nd.waits.Now() - w.Since).Round(time.Millisecond))
		}
	}
	_ = table.Flush() // to a strings.Builder
	if cycle = g.cycle(); cycle != "" {
		fmt.Fprintf(&b, "these wait for each other: %s\n", cycle)
	}
	reportMemory(&b, n.memory.Stats())
	return b.String(), cycle
}

// reportMemory says who has the memory that others wait for.
func reportMemory(b *strings.Builder, s mem.Stats) {
	if len(s.Waiting) == 0 {
		return
	}
	b.WriteString("memory:")
	for k, of := range s.Kinds {
		if of.Used+of.Reserved > 0 {
			fmt.Fprintf(b, " %s of %s %v taken,", size.Readable(of.Used+of.Reserved), size.Readable(of.Limit), mem.Kind(k))
		}
	}
	for i, nd := range s.Nodes {
		if i > 0 {
			b.WriteString(",")
		}
		who := nd.Node
		if who == "" {
			who = "those outside of nodes"
		}
		what := about(nd.Used) + " used"
		switch {
		case nd.Used == (mem.Amount{}):
			what = about(nd.Reserved) + " reserved"
		case nd.Reserved != (mem.Amount{}):
			what += " and " + about(nd.Reserved) + " reserved"
		}
		fmt.Fprintf(b, " %s by %s", what, who)
	}
	b.WriteString("\n")
}

// about is an amount for people, as Amount.String is, but in round numbers.
func about(a mem.Amount) string {
	var parts []string
	for k, n := range a {
		if n != 0 {
			parts = append(parts, size.Readable(n)+" "+mem.Kind(k).String())
		}
	}
	return strings.Join(parts, ", ")
}
