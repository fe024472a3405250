package sluice

import "github.com/seed14ed4225/sluice/mem"

// cargo is what the payload of a message owns, as of its Send and of each spill since. A
// channel keeps it beside the message, so that nobody need ask a payload that belongs
// to somebody else. Messages of plain values have none; a channel that carries only
// those does not look at it.
type cargo struct {
	bytes   int64 // that count against the channel's bound: those at Send
	content mem.Content
	claim   *claim // while it is being spilled, and until somebody looks; see now

	fetching bool   // the message has left the queue, and is counted in fetching
	shared   bool   // it owns nothing, but may lie elsewhere than wanted; see placed
	turn     uint64 // which one it was to be fetched, or 0; see putBack
}

// cargoOf asks a payload for its cargo.
func cargoOf(payload any) cargo {
	content := contentOf(payload)
	bytes := content.Total()
	_, shared := payload.(placed)
	return cargo{bytes: bytes, content: content, shared: shared && bytes == 0}
}

// orNil returns nil for the cargo of a payload that owns nothing and lies nowhere.
func (g *cargo) orNil() *cargo {
	if g.bytes == 0 && !g.shared {
		return nil
	}
	return g
}

// now returns the content after the latest spill, or before it if the payload is being
// spilled.
func (g *cargo) now() (content mem.Content, claimed bool) {
	switch {
	case g.claim == nil:
		return g.content, false
	case !g.claim.over():
		return g.content, true
	}
	g.content, g.claim = g.claim.content, nil
	return g.content, false
}

func (g *cargo) size() int64 {
	if g == nil {
		return 0
	}
	return g.bytes
}

// load notes the cargo of the message at that place of the ring.
func (c *Channel) load(at int, g cargo) {
	if !c.mu.sized {
		c.mu.sized = true
		c.mu.cargos = make([]cargo, len(c.mu.ring))
	}
	g.fetching = false
	c.mu.cargos[at] = g
	c.mu.bytes += g.bytes
	c.offer(&g)
}

// unload takes away the cargo of a message that leaves the ring.
func (c *Channel) unload(at int) cargo {
	g := c.mu.cargos[at]
	c.mu.cargos[at] = cargo{}
	c.mu.bytes -= g.bytes
	c.mu.bytesReceived += g.bytes
	return g
}

// memory adds up what the messages in the ring own. Callers hold the lock.
func (c *Channel) memory() mem.Amount {
	var sum mem.Amount
	if c.mu.sized {
		for i := range c.mu.cargos { // the unused places are empty
			content, _ := c.mu.cargos[i].now()
			sum = sum.Plus(content.Bytes)
		}
	}
	return sum
}
