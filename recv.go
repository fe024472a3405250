package sluice

import (
	"context"
	"io"
	"iter"

	"github.com/seed14ed4225/sluice/internal/wait"
)

// Recv returns the oldest message and waits while there is none. It is the
// caller's to release or send on. The errors, which come with an empty message:
//
//   - io.EOF: the channel was closed and everything in it received, or stopped
//   - an [*AbortError]
//   - ctx.Err(): ctx ended while Recv waited, and nothing was received
//   - a [*RestoreError]: the message could not be brought where the port wants it, and
//     is still in the channel
func (c *Channel) Recv(ctx context.Context) (m Message, err error) {
	c.lock()
	if c.mu.count > 0 {
		if c.mu.sized {
			return c.recvCargo(ctx)
		}
		m = c.popPlain()
		if c.mu.senders.first == nil && c.mu.ending == open {
			c.mu.Unlock()
			return m, nil
		}
		var woken wakeList
		c.popped(&woken)
		c.mu.Unlock()
		woken.signal()
		return m, nil
	}
	return c.recvLater(ctx)
}

// recvLater is Recv when there is nothing in the buffer. It is called with the
// lock held and releases it.
func (c *Channel) recvLater(ctx context.Context) (Message, error) {
	if c.mu.ending != open {
		err := c.recvError()
		c.mu.Unlock()
		return Message{}, err
	}
	w := c.mu.recvPool.take()
	c.lineUp(&c.mu.receivers, w)
	err := c.park(ctx, w, wait.ToReceive)
	if w.cargo.fetching {
		return c.fetchGiven(ctx, w)
	}
	m := w.msg
	w.giveBack()
	return m, err
}

// fetchGiven fetches the message that a waiter was given.
//
//go:noinline
func (c *Channel) fetchGiven(ctx context.Context, w *waiter) (Message, error) {
	m, g := w.msg, w.cargo
	w.giveBack()
	err := c.fetched(ctx, &m, g)
	return m, err
}

// recvCargo is Recv in a channel whose messages may own memory, and that has one. It is
// called with the lock held and releases it.
//
//go:noinline
func (c *Channel) recvCargo(ctx context.Context) (Message, error) {
	m, g := c.pop()
	c.lendOut(&g)
	var woken wakeList
	c.popped(&woken)
	c.mu.Unlock()
	woken.signal()
	if !g.fetching {
		return m, nil
	}
	err := c.fetched(ctx, &m, g)
	return m, err
}

// RecvN receives up to len(into) messages: those that are there, without waiting
// for more, but at least one, for which it waits as Recv does. into[:n] are the
// caller's, and n is 0 if and only if there is an error or into is empty.
func (c *Channel) RecvN(ctx context.Context, into []Message) (n int, err error) {
	if len(into) == 0 {
		return 0, nil
	}
	var woken wakeList
	c.lock()
	var first cargo
	for more := true; more && n < len(into) && c.mu.count > 0; {
		n += c.popSeveral(into[n:])
		for more && n < len(into) && c.mu.count > 0 {
			if n > 0 && c.away(&c.mu.cargos[c.mu.head]) {
				more = false // it has to be fetched, and those before it are there
				break
			}
			into[n], first = c.pop()
			n++
			more = !c.lendOut(&first)
		}
		c.popped(&woken)
	}
	if n > 0 || c.mu.ending != open {
		if n == 0 {
			err = c.recvError()
		}
		c.mu.Unlock()
		woken.signal()
		return c.fetchedFirst(ctx, into[:n], first, err)
	}
	w := c.mu.recvPool.take()
	w.batch = into
	c.lineUp(&c.mu.receivers, w)
	err = c.park(ctx, w, wait.ToReceive)
	n = w.n
	first = w.cargo
	w.giveBack()
	return c.fetchedFirst(ctx, into[:n], first, err)
}

// fetchedFirst fetches the first and only message that a RecvN has received, if need
// be.
func (c *Channel) fetchedFirst(ctx context.Context, ms []Message, g cargo, err error) (int, error) {
	if err == nil && g.fetching {
		if err = c.fetched(ctx, &ms[0], g); err != nil {
			return 0, err
		}
	}
	return len(ms), err
}

// popped follows one or more pops: it lets waiting senders in, and after a Close
// notices the end. Callers hold the lock.
func (c *Channel) popped(woken *wakeList) {
	c.refill(woken)
	if c.mu.ending == closed && c.emptied() {
		c.finish(&c.mu.drainers, nil, woken)
		c.unwatch()
	}
}

// All yields the messages of the channel as they come, with a nil error, and ends
// at io.EOF, which it does not yield. Any other error is yielded once, last. Each
// message is the loop body's to release or send on. Breaking out of the loop
// receives nothing more and leaves the channel as it is.
func (c *Channel) All(ctx context.Context) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		for {
			m, err := c.Recv(ctx)
			if err == io.EOF {
				return
			}
			if !yield(m, err) || err != nil {
				return
			}
		}
	}
}
