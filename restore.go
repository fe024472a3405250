package sluice

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed14ed4225/sluice/mem"
)

// How messages come back to where they are wanted.
//
// A message whose payload is being spilled, or lies in another kind of memory than
// the port wants it in, is taken out of the queue first and fetched by its receiver
// then, so that others receive what is behind it meanwhile. If that fails, or the
// receiver's context ends, the message goes back to the front of the queue: an error
// of a receive means that the message is still in the channel.

// RestoreError is what a receive returns that could not bring a payload to the kind of
// memory that its port asks for. The message is still in the channel, and can be received
// again.
type RestoreError struct {
	Channel string
	Seq     SeqNum
	To      mem.Kind
	Err     error
}

func (e *RestoreError) Error() string {
	return fmt.Sprintf("sluice: message %d of channel %q could not be restored to %v memory: %v", e.Seq, e.Channel, e.To, e.Err)
}

func (e *RestoreError) Unwrap() error { return e.Err }

// away reports whether a message has to be fetched. Callers hold the lock.
func (c *Channel) away(g *cargo) bool {
	if g == nil {
		return false
	}
	content, claimed := g.now()
	return claimed || c.homeward && (g.shared || elsewhere(content.Bytes, c.home) > 0)
}

// lendOut counts a message that leaves the queue to be fetched, and reports whether it
// does. Callers hold the lock.
func (c *Channel) lendOut(g *cargo) bool {
	if c.away(g) {
		g.fetching = true
		c.fetching++
		if g.turn == 0 { // or else it was put back
			c.fetches++
			g.turn = c.fetches
		}
	}
	return g.fetching
}

// elsewhere returns how many bytes are not where they are wanted. Pinned memory is host
// memory, and better.
func elsewhere(bytes mem.Amount, home mem.Kind) int64 {
	away := bytes.Total() - bytes[home]
	if home == mem.Host {
		away -= bytes[mem.Pinned]
	}
	return away
}

// fetched fetches a message that was taken out of the queue, and counted in fetching. On
// an error it has put it back, and also when the payload's Restore panics or exits.
func (c *Channel) fetched(ctx context.Context, m *Message, g cargo) error {
	ctx, cancel := c.whileRunning(ctx)
	defer cancel()
	left := true
	defer func() {
		if left {
			_ = c.settleFetch(m, g, errors.New("the payload's Restore did not return"))
		}
	}()
	err := c.fetch(ctx, m, g)
	left = false
	return c.settleFetch(m, g, err)
}

// settleFetch ends a fetch: the message is the receiver's, or on an error in the queue
// again.
func (c *Channel) settleFetch(m *Message, g cargo, err error) error {
	var woken wakeList
	c.mu.Lock()
	c.fetching--
	if err != nil {
		err = c.putBack(m, g, err, &woken)
	}
	if c.mu.ending == closed && c.emptied() {
		c.finish(&c.mu.drainers, nil, &woken)
		c.unwatch()
	}
	c.mu.Unlock()
	woken.signal()
	if err != nil {
		m.Release() // no-op, unless the channel has ended
	}
	return err
}

// whileRunning returns a context that ends with ctx and with the run of the network.
func (c *Channel) whileRunning(ctx context.Context) (context.Context, context.CancelFunc) {
	if ctx.Done() == c.keeper.ctx.Done() {
		return ctx, func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	unwatch := context.AfterFunc(c.keeper.ctx, cancel)
	return ctx, func() { unwatch(); cancel() }
}

// fetch waits until the payload is left alone, and brings it home.
func (c *Channel) fetch(ctx context.Context, m *Message, g cargo) error {
	content := g.content
	if g.claim != nil {
		if err := g.claim.wait(ctx, c); err != nil {
			return err
		}
		content = g.claim.content
	}
	if !c.homeward {
		return nil
	}
	need := elsewhere(content.Bytes, c.home)
	if g.shared {
		need = m.payload.(placed).RestoreNeed(c.home)
	}
	if need == 0 {
		return nil
	}
	err := c.restore(ctx, m, need)
	if err != nil && ctx.Err() == nil {
		return &RestoreError{Channel: c.name, Seq: m.seq, To: c.home, Err: err}
	}
	return err
}

// restore brings a payload home.
func (c *Channel) restore(ctx context.Context, m *Message, need int64) error {
	res, err := c.keeper.memory.Reserve(ctx, c.home, need)
	if err != nil {
		return err
	}
	defer res.Release()
	return m.Restore(ctx, res)
}

// putBack puts a message to the front of the queue again, behind those that were put back
// and had left before it, and returns what its receiver gets. If the channel has ended
// meanwhile, the message stays with the caller. Callers hold the lock.
func (c *Channel) putBack(m *Message, g cargo, err error, woken *wakeList) error {
	c.mu.received--
	c.mu.bytesReceived -= g.bytes
	switch c.mu.ending {
	case stopped, aborted:
		c.mu.dropped++
		c.mu.bytesDropped += g.bytes
		if _, claimed := g.now(); claimed && g.claim.drop(*m) {
			*m = Message{}
		}
		if c.mu.ending == aborted {
			return c.mu.abort
		}
		return err
	}
	if c.mu.receivers.first != nil {
		c.put(m, &g, woken)
	} else {
		c.unshift(m, g)
	}
	*m = Message{}
	return err
}

// unshift adds a message at the head of the ring, or behind those there that left it for an
// earlier turn. Callers hold the lock.
func (c *Channel) unshift(m *Message, g cargo) {
	if c.mu.count == len(c.mu.ring) {
		c.resize(c.mu.count + 1) // one more than the slots, for once
	}
	before := 0
	if c.mu.sized {
		for before < c.mu.count && c.isBefore(g.turn, c.place(before)) {
			before++
		}
	}
	if c.mu.head == 0 {
		c.mu.head = len(c.mu.ring)
	}
	c.mu.head--
	for i := range before {
		to, from := c.place(i), c.place(i+1)
		c.mu.ring[to], c.mu.cargos[to] = c.mu.ring[from], c.mu.cargos[from]
	}
	c.mu.ring[c.place(before)] = *m
	c.mu.count++
	c.load(c.place(before), g)
}

// isBefore reports whether the message at that place of the ring was put back, and had
// left before the one with that turn.
func (c *Channel) isBefore(turn uint64, at int) bool {
	earlier := c.mu.cargos[at].turn
	return earlier != 0 && earlier < turn
}

// place returns where in the ring the message is that so many are before.
func (c *Channel) place(before int) int { return (c.mu.head + before) % len(c.mu.ring) }

// emptied reports whether everything that was sent has been received for good. Callers
// hold the lock.
func (c *Channel) emptied() bool { return c.mu.count == 0 && c.fetching == 0 }
