package sluice

import (
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
	cargo  cargo           // of msg, if its payload owns memory

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
