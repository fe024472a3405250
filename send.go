package sluice

import (
	"context"
	"fmt"

	"github.com/seed14ed4225/sluice/internal/wait"
)

// Send moves *m into the channel and waits while the channel is full. On success
// *m is empty. On error it is untouched and still the caller's, but what it owns may have
// been spilled while Send waited, in a network with memory:
//
//   - [ErrClosed], [ErrStopped] or an [*AbortError]: the channel was ended
//   - ctx.Err(): ctx ended while Send waited
//   - [ErrEmptyMessage], or a [*TypeError] on a channel made with [Of]
func (c *Channel) Send(ctx context.Context, m *Message) error {
	if m.payload == nil || c.only != nil {
		if err := c.refuse(m); err != nil {
			return err
		}
	}
	if debugBuild {
		seq := m.seq
		if err := c.checkOrder(ctx, seq); err != nil {
			return err
		}
		defer func() {
			if m.payload == nil {
				c.noteOrder(ctx, seq)
			}
		}()
	}
	if _, ok := m.payload.(content); ok {
		return c.sendCargo(ctx, m)
	}
	c.lock()
	if c.mu.receivers.first == nil && c.accepts(0) {
		c.push(m, nil)
		c.mu.Unlock()
		*m = Message{}
		return nil
	}
	return c.sendSlowly(ctx, m, nil)
}

// sendCargo is Send for payloads that own memory. It is apart, and never inlined, because
// what lies on the stack of a node that waits counts a hundred thousand times.
//
//go:noinline
func (c *Channel) sendCargo(ctx context.Context, m *Message) error {
	g := cargoOf(m.payload)
	c.lock()
	return c.sendSlowly(ctx, m, g.orNil())
}

// sendSlowly is Send for payloads that own memory, and when somebody waits, at either
// side. It is called with the lock held and releases it.
func (c *Channel) sendSlowly(ctx context.Context, m *Message, g *cargo) error {
	if c.accepts(g.size()) {
		var woken wakeList
		c.put(m, g, &woken)
		c.mu.Unlock()
		*m = Message{}
		woken.signal()
		return nil
	}
	if c.mu.ending != open {
		err := c.sendError()
		c.mu.Unlock()
		return err
	}
	w := c.mu.sendPool.take()
	w.msg = *m
	if g != nil {
		w.cargo = *g
	}
	c.lineUp(&c.mu.senders, w)
	c.offer(g)
	err := c.park(ctx, w, wait.ToSend)
	if w.cargo.claim != nil && err != nil {
		w.cargo.claim.waitOut(ctx, c)
	}
	w.giveBack()
	if err == nil {
		*m = Message{}
	}
	return err
}

// SendN is Send for several messages, in order, at the price of little more than
// one. ms[:n] were sent and are empty, ms[n:] are untouched; n < len(ms) comes with
// an error, as for Send. A message that the channel would never take is found
// before any is sent. While SendN waits, the elements of ms are the channel's.
func (c *Channel) SendN(ctx context.Context, ms []Message) (n int, err error) {
	plain := true
	for i := range ms {
		if ms[i].payload == nil || c.only != nil {
			if err := c.refuse(&ms[i]); err != nil {
				return 0, fmt.Errorf("message %d of %d: %w", i+1, len(ms), err)
			}
		}
		_, sized := ms[i].payload.(content)
		plain = plain && !sized
	}
	if !plain {
		return c.sendEach(ctx, ms)
	}
	if debugBuild {
		seqs := make([]SeqNum, len(ms))
		for i := range ms {
			seqs[i] = ms[i].seq
		}
		if err := c.checkOrder(ctx, seqs...); err != nil {
			return 0, err
		}
		defer func() { c.noteOrder(ctx, seqs[:n]...) }()
	}
	var woken wakeList
	c.lock()
	for n < len(ms) && c.accepts(0) {
		if c.mu.receivers.first == nil && woken.batch == nil {
			if k := c.pushPlain(ms[n:]); k > 0 {
				n += k
				continue
			}
		}
		c.put(&ms[n], nil, &woken)
		ms[n] = Message{}
		n++
	}
	if n == len(ms) || c.mu.ending != open {
		if n < len(ms) {
			err = c.sendError()
		}
		c.mu.Unlock()
		woken.signal()
		return n, err
	}
	woken.signal()
	w := c.mu.sendPool.take()
	w.batch = ms[n:]
	c.lineUp(&c.mu.senders, w)
	err = c.park(ctx, w, wait.ToSend)
	n += w.n
	w.giveBack()
	return n, err
}

// sendEach is SendN for payloads that own memory: each is weighed by itself, and
// none is small enough for the price of a send to matter.
func (c *Channel) sendEach(ctx context.Context, ms []Message) (n int, err error) {
	for n < len(ms) && err == nil {
		if err = c.Send(ctx, &ms[n]); err == nil {
			n++
		}
	}
	return n, err
}
