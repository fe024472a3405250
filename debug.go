package sluice

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/seed14ed4225/sluice/internal/wait"
)

// With the build tag sluicedebug, sends inside a network check that sequence numbers
// rise strictly from one node to one channel. Without it, debugBuild is the constant
// false and none of this is called.

// lastSent is the highest number sent so far. It lives as long as the process: the
// debug build is for tests.
var lastSent sync.Map // of sender to SeqNum

type sender struct {
	node *node
	to   *Channel
}

// sender returns who sends to c, if it is a node of the channel's network that did
// not say [Port.Unordered].
func (c *Channel) sender(ctx context.Context) (s sender, checked bool) {
	record := wait.FromContext(ctx)
	if record == nil || c.net == nil {
		return s, false
	}
	nd := record.Owner.(*node)
	return sender{nd, c}, nd.net == c.net && !nd.unordered(c)
}

// checkOrder refuses numbers that do not rise over the last one that the same node
// sent to the same channel, and among themselves.
func (c *Channel) checkOrder(ctx context.Context, seqs ...SeqNum) error {
	s, checked := c.sender(ctx)
	if !checked {
		return nil
	}
	last, sent := lastSent.Load(s)
	for _, seq := range seqs {
		if sent && seq <= last.(SeqNum) {
			return fmt.Errorf("sluice: node %q sends number %d to channel %q after %d: numbers must rise", s.node.name, seq, c.name, last)
		}
		last, sent = seq, true
	}
	return nil
}

// noteOrder remembers the numbers of messages that were sent.
func (c *Channel) noteOrder(ctx context.Context, seqs ...SeqNum) {
	if s, checked := c.sender(ctx); checked && len(seqs) > 0 {
		lastSent.Store(s, slices.Max(seqs))
	}
}

// unordered reports whether the node may send to c in any order.
func (nd *node) unordered(c *Channel) bool {
	return slices.ContainsFunc(nd.ports, func(p Port) bool {
		return p.writes && p.unordered && slices.Contains(p.channels, c)
	})
}
