package sluice

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/seed14ed4225/sluice/internal/wait"
)

// tick is the resolution of wait times. Exact time stamps would cost as much as
// parking does; the errors of a coarse clock cancel out, because a wait is as likely
// to begin just before a tick as to end there.
const tick = 5 * time.Millisecond

// startClock starts the goroutine that moves the network's clock on and looks for
// stalls, and returns a function that stops it and waits until it has.
//
// A sleeping timer is not free: while a processor has one, the scheduler reads the
// time at every switch between goroutines, which adds a sixth to the price of a
// message through a one-slot channel. So the goroutine sleeps only while there is
// a processor to spare. While all are busy it queues up behind the other goroutines
// instead, and looks at the time whenever its turn comes; when its turn comes at
// once, nobody else was waiting, and it goes back to sleep.
func (n *Network) startClock() (stop func()) {
	const (
		atOnce = 5 * time.Microsecond
		often  = 3 // in a row
	)
	end, ended := make(chan struct{}), make(chan struct{})
	watch := stallWatch{n: n}
	var last time.Duration
	look := func() time.Duration {
		now := time.Since(n.mu.started)
		if now-last >= tick/2 {
			last = now
			n.clock.Set(now)
			watch.look(now)
		}
		return now
	}
	go func() {
		defer close(ended)
		ticker := time.NewTicker(tick)
		defer ticker.Stop()
		for {
			now := look()
			for spare := 0; spare < often; {
				runtime.Gosched()
				before := now
				now = look()
				if now-before < atOnce {
					spare++
				} else {
					spare = 0
				}
				select {
				case <-end:
					return
				default:
				}
			}
			select {
			case <-ticker.C:
			case <-end:
				return
			}
		}
	}()
	return func() { close(end); <-ended }
}

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

// moves is a number that changes when a message moves or a node ends.
func (n *Network) moves() uint64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	moves := uint64(len(n.mu.nodes) - n.mu.left)
	for _, c := range n.mu.channels {
		c.mu.Lock()
		moves += 2*(c.mu.received+c.mu.dropped) + uint64(c.mu.count)
		c.mu.Unlock()
	}
	return moves
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
		fmt.Fprintf(&b, "deadlock: %s\n", cycle)
	}
	return b.String(), cycle
}

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
