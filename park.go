package sluice

import (
	"context"

	"github.com/seed14ed4225/sluice/internal/wait"
)

// park suspends the goroutine until w, linked in one of the channel's lists, was
// served or its context ends, and returns w's outcome. It is called with the lock
// held and releases it.
func (c *Channel) park(ctx context.Context, w *waiter, reason wait.Reason) error {
	if ctx == nil { // a panic with the lock held would hang who ends the channel
		c.withdraw(w)
		c.mu.Unlock()
		panic("sluice: nil context")
	}
	node, done := wait.Look(ctx)
	watched := done == nil || done == c.mu.runDone
	if !watched {
		// The context is looked at under the lock and after watch: if it ends later
		// than that, its sweep finds the waiter.
		err := ctx.Err()
		if err == nil {
			watched = c.watch(ctx, done)
			err = ctx.Err()
		}
		if err != nil {
			c.withdraw(w)
			c.mu.Unlock()
			return err
		}
	}
	w.done = done
	c.record(w, node, reason)
	c.mu.Unlock()

	if watched {
		<-w.ready
	} else {
		select {
		case <-w.ready:
		case <-done:
			w.cancelled(c)
		}
	}
	if w.node != nil {
		c.recorded(w, reason)
	}
	if w.err == errCancelled {
		return ctx.Err()
	}
	return w.err
}

// record notes for whom a waiter waits, so that a snapshot of the network finds it
// in the list. Waits at a channel of another network, or of none, are recorded with
// the node. Callers hold the lock.
//
//go:noinline
func (c *Channel) record(w *waiter, node *wait.Node, reason wait.Reason) {
	if w.node = node; node == nil {
		return
	}
	w.since = node.Now()
	if c.net == nil || node.Clock != &c.net.clock {
		if w.record == nil {
			w.record = new(wait.Record)
		}
		w.told = true
		node.Begin(w.record, wait.Wait{On: c, Reason: reason, Group: w.group()})
	}
}

// recorded counts the wait of w, which is over.
func (c *Channel) recorded(w *waiter, reason wait.Reason) {
	if w.told {
		w.told = false
		w.node.End(w.record)
		return
	}
	took := w.node.Now() - w.since
	if took <= 0 {
		return
	}
	if w.any == nil { // a group counts once for its node
		w.node.Add(reason, w.since)
	}
	switch reason {
	case wait.ToSend:
		c.sendWait.add(took)
	case wait.ToReceive:
		c.recvWait.add(took)
	}
}

// group is what the waiters of a goroutine that waits for any of several channels
// have in common.
func (w *waiter) group() any {
	if w.any == nil {
		return nil
	}
	return w.any
}

// cancelled settles a race between the end of a context and an outcome: whoever
// unlinks the waiter first has decided it.
func (w *waiter) cancelled(c *Channel) {
	c.mu.Lock()
	if w.list != nil {
		c.withdraw(w)
		w.err = errCancelled
		c.mu.Unlock()
		return
	}
	c.mu.Unlock()
	<-w.ready // the outcome came first, and its signal is on the way
}

// withdraw unlinks a waiter that gives up. Whoever waited behind it may fit now.
// Callers hold the lock.
func (c *Channel) withdraw(w *waiter) {
	l := w.list
	l.remove(w)
	if l == &c.mu.senders {
		var woken wakeList
		c.refill(&woken)
		woken.signal()
	}
}
