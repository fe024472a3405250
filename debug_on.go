//go:build sluicedebug

package sluice

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/seed14ed4225/sluice/internal/wait"
)

// lastSent is the highest sequence number sent so far, per node and channel. It
// lives as long as the process: the debug build is for tests.
var lastSent sync.Map // of sender to SeqNum

type sender struct {
	node *node
	to   *Channel
}

// checkOrder refuses a message whose number does not rise over the last one that
// the same node sent to the same channel of its network, unless the node said
// [Port.Unordered] of it.
func (c *Channel) checkOrder(ctx context.Context, m *Message) error {
	record := wait.FromContext(ctx)
	if record == nil || c.net == nil {
		return nil
	}
	nd := record.Owner.(*node)
	if nd.net != c.net || nd.unordered(c) {
		return nil
	}
	key := sender{nd, c}
	if last, sent := lastSent.Load(key); sent && m.seq <= last.(SeqNum) {
		return fmt.Errorf("sluice: node %q sends number %d to channel %q after %d: numbers must rise", nd.name, m.seq, c.name, last)
	}
	lastSent.Store(key, m.seq)
	return nil
}

// unordered reports whether the node may send to c in any order.
func (nd *node) unordered(c *Channel) bool {
	for _, p := range nd.ports {
		if p.writes && p.unordered && slices.Contains(p.channels, c) {
			return true
		}
	}
	return false
}
