package sluice

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/seed14ed4225/sluice/internal/wait"
)

// How goroutines wait.
//
// A goroutine that cannot go on takes a waiter, puts it into one of the channel's
// lists, unlocks and parks on the waiter's own Go channel. Whoever makes room or
// brings a message does the other side's work under the lock (it moves the message
// between waiter and buffer, and unlinks the waiter) and signals after unlocking.
// So a woken goroutine has its result and need not compete for the lock to look
// again, nobody overtakes the waiters, and an outcome is decided exactly once: a
// waiter that is linked has none, and one that is unlinked has.
//
// The obvious alternative, select over a data channel, ctx.Done() and a closed
// signal, locks three channels per wait and costs about twice as much; condition
// variables wake in no useful order and know no context. Here the context is
// watched once per channel by context.AfterFunc, not once per wait: when it ends,
// the waiters that came with it are swept. In a network's run not even that is
// needed, because its end aborts the channel.
type waiter struct {
	next, prev *waiter
	list       *waiterList   // that it is linked in, or nil
	ready      chan struct{} // signalled once when unlinked by somebody else
	msg        Message       // what a sender brings, or a receiver was given

	bytes int64     // the size of msg, for a sender
	batch []Message // instead, of SendN what to send, of RecvN where to receive
	n     int       // how many of the batch were sent or received
	err   error     // the outcome, once unlinked
	any   *anyWait  // set while it stands for one of several channels

	index  int             // of its channel among those
	done   <-chan struct{} // of its context
	node   *wait.Node      // whose goroutine this is, or nil outside a run
	since  time.Duration   // on the clock of the node
	record *wait.Record    // kept for waits at a channel that is not of the node's network
	told   bool            // the wait is in record

	sibling *waiter       // in its pool
	uses    uint32        // how often it was taken from there
	given   atomic.Uint32 // and how often it came back
}

// waiterList is a first-in-first-out list. The zero value is empty.
type waiterList struct{ first, last *waiter }

func (l *waiterList) append(w *waiter) {
	w.list, w.prev, w.next = l, l.last, nil
	if l.last == nil {
		l.first = w
	} else {
		l.last.next = w
	}
	l.last = w
}

func (l *waiterList) remove(w *waiter) {
	if w.prev == nil {
		l.first = w.next
	} else {
		w.prev.next = w.next
	}
	if w.next == nil {
		l.last = w.prev
	} else {
		w.next.prev = w.prev
	}
	w.list, w.next, w.prev = nil, nil, nil
}

// claim returns the first waiter that still waits. The caller serves it.
func (l *waiterList) claim() *waiter {
	for w := l.first; w != nil; w = l.first {
		if w.claim() {
			return w
		}
		l.remove(w)
	}
	return nil
}

// claim reports whether the waiter may be served. One that stands for one of
// several channels may have been served by another since; it is to be unlinked
// then, and its owner will find it so.
func (w *waiter) claim() bool { return w.any == nil || w.any.claim(w) }

func (l *waiterList) len() int {
	n := 0
	for w := l.first; w != nil; w = w.next {
		n++
	}
	return n
}

// wakeList collects waiters to be signalled once the lock is released.
type wakeList struct {
	first, last *waiter
	batch       *waiter // among them, of a RecvN that has room for more
}

func (l *wakeList) add(w *waiter) {
	if l.last == nil {
		l.first = w
	} else {
		l.last.next = w
	}
	l.last = w
}

func (l *wakeList) signal() {
	for w := l.first; w != nil; {
		next := w.next // once signalled, w is its goroutine's again
		w.next = nil
		w.wake()
		w = next
	}
}

func (w *waiter) wake() {
	if w.any != nil {
		w.any.ready <- struct{}{}
		return
	}
	w.ready <- struct{}{}
}

// waiterPool is a ring of the waiters of one list, in the order of their last use.
// It belongs to the channel and not to the package, so that it may be used inside a
// testing/synctest bubble. Returning one is a single atomic store, because taking
// the lock of the channel once more would cost as much as sending a message; so a
// free one has to be looked for.
type waiterPool struct{ last *waiter }

// take returns a waiter that nobody uses. Callers hold the lock.
//
// The list serves in order, so if all its goroutines are busy the waiter taken
// longest ago, the next in the ring, is the first to come back; if most of them wait
// for long, it is the one taken last. A free one found further on is moved there, so
// that those in use keep together.
func (p *waiterPool) take() *waiter {
	const far = 32
	if p.last == nil {
		p.last = newWaiter()
		p.last.sibling = p.last
		return p.last
	}
	if p.last.free() {
		p.last.uses++
		return p.last
	}
	before := p.last
	for range far {
		w := before.sibling
		if w == p.last {
			break
		}
		if w.free() {
			w.uses++
			if before != p.last {
				before.sibling = w.sibling
				w.sibling, p.last.sibling = p.last.sibling, w
			}
			p.last = w
			return w
		}
		before = w
	}
	w := newWaiter()
	w.sibling, p.last.sibling = p.last.sibling, w
	p.last = w
	return w
}

func newWaiter() *waiter { return &waiter{ready: make(chan struct{}, 1), uses: 1} }

// free reports whether the waiter was given back.
func (w *waiter) free() bool { return w.given.Load() == w.uses }

// giveBack empties an unlinked waiter and returns it to its pool.
func (w *waiter) giveBack() {
	w.msg, w.node = Message{}, nil
	if w.batch != nil || w.err != nil || w.any != nil {
		w.batch, w.n, w.err, w.any = nil, 0, nil, nil
	}
	w.given.Store(w.uses)
}

// park suspends the goroutine until w, linked in one of the channel's lists, was
// served or its context ends, and returns w's outcome. It is called with the lock
// held and releases it.
func (c *Channel) park(ctx context.Context, w *waiter, reason wait.Reason) error {
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

// errCancelled is the outcome of a waiter whose context ended; its goroutine
// returns ctx.Err() instead.
var errCancelled = errors.New("cancelled")

// watch is a context whose end sweeps the channel.
type watch struct {
	done <-chan struct{}
	stop func() bool // nil while the context was only seen once
}

// watch reports whether the end of ctx will wake its waiters. A context is watched
// from the second time on that somebody waits with it: those made for a single
// call, which would each cost a registration, wait in a select instead. Contexts
// are told apart by their Done channels, which can always be compared. Callers
// hold the lock.
func (c *Channel) watch(ctx context.Context, done <-chan struct{}) bool {
	var seen *watch // the entry to remember a new context in: empty, or of one seen once
	for i := range c.mu.watches {
		w := &c.mu.watches[i]
		switch {
		case w.done == done && w.stop != nil:
			return true
		case w.done == done:
			w.stop = context.AfterFunc(ctx, func() { c.sweep(done) })
			return true
		case w.done == nil || seen == nil && w.stop == nil:
			seen = w
		}
	}
	if seen != nil {
		seen.done = done
	}
	return false
}

// sweep takes the waiters of a context that ended out of every list.
func (c *Channel) sweep(done <-chan struct{}) {
	var woken wakeList
	c.mu.Lock()
	for i := range c.mu.watches {
		if c.mu.watches[i].done == done {
			c.mu.watches[i] = watch{}
		}
	}
	for l := range c.lists {
		for w := l.first; w != nil; {
			next := w.next
			if w.done == done && w.any == nil {
				l.remove(w)
				w.err = errCancelled
				woken.add(w)
			}
			w = next
		}
	}
	c.refill(&woken)
	c.mu.Unlock()
	woken.signal()
}

// lists yields every list of waiters of the channel. Callers hold the lock.
func (c *Channel) lists(yield func(*waiterList) bool) {
	if !yield(&c.mu.senders) || !yield(&c.mu.receivers) || !yield(&c.mu.drainers) {
		return
	}
	for _, t := range c.mu.throttles {
		if !yield(&t.waiting) {
			return
		}
	}
}

// unwatch lets go of all contexts, so that none keeps an ended channel alive.
// Callers hold the lock.
func (c *Channel) unwatch() {
	for i := range c.mu.watches {
		if stop := c.mu.watches[i].stop; stop != nil {
			stop()
		}
		c.mu.watches[i] = watch{}
	}
}

// durationCounter is a sum of durations that any goroutine may add to.
type durationCounter struct{ ns atomic.Int64 }

func (d *durationCounter) add(v time.Duration)  { d.ns.Add(int64(v)) }
func (d *durationCounter) value() time.Duration { return time.Duration(d.ns.Load()) }
