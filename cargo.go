package sluice

import "github.com/seed14ed4225/sluice/mem"

// cargo is what the payload of a message owns, as of its Send and of each spill since. A
// channel keeps it beside the message, so that nobody need ask a payload that belongs
// to somebody else. Messages of plain values have none; a channel that carries only
// those does not look at it.
type cargo struct {
	bytes   int64 // that count against the channel's bound: those at Send
	content mem.Content
	claim   *claim // once it was spilled here, or is being spilled

	fetching bool // the message has left the queue, and is counted in fetching
}

// cargoOf asks a payload for its cargo.
func cargoOf(payload any) cargo {
	content := contentOf(payload)
	return cargo{bytes: content.Total(), content: content}
}

// orNil returns nil for the cargo of a payload that owns nothing.
func (g *cargo) orNil() *cargo {
	if g.bytes == 0 {
		return nil
	}
	return g
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
	if g.claim != nil {
		g.claim.waits = true
		g.content = g.claim.content
	}
	c.mu.cargos[at] = g
	c.mu.bytes += g.bytes
	c.mu.held = c.mu.held.Plus(g.content.Bytes)
	c.offer(&g)
}

// unload takes away the cargo of a message that leaves the ring.
func (c *Channel) unload(at int) cargo {
	g := c.mu.cargos[at]
	c.mu.cargos[at] = cargo{}
	if g.claim != nil {
		g.claim.waits = false
		g.content = g.claim.content
	}
	c.mu.bytes -= g.bytes
	c.mu.bytesReceived += g.bytes
	c.mu.held = c.mu.held.Minus(g.content.Bytes)
	return g
}
