package sluice

import (
	"context"
	"errors"
)

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
