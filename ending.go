package sluice

import (
	"context"
	"io"

	"github.com/seed14ed4225/sluice/internal/wait"
)

// ending is how a channel was ended.
type ending uint8

const (
	open ending = iota
	closed
	stopped
	aborted
)

func (e ending) public() ChannelState {
	return [...]ChannelState{ChannelOpen, ChannelClosed, ChannelStopped, ChannelAborted}[e]
}

// ended returns how the channel was ended.
func (c *Channel) ended() ending {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.ending
}

// Close says that nothing more will be sent. What is in the buffer is still
// delivered, then receivers get io.EOF. A sender that is waiting gets [ErrClosed]
// and keeps its message. The side channel is closed too.
//
// After a network's run was cancelled or failed, Close and Stop abort its channels
// instead, so that half the data is not taken for all of it.
func (c *Channel) Close() { c.endByHand(closed) }

// Drain closes the channel and waits until everything in it was received. It
// returns nil then; [ErrStopped] or the [*AbortError] if the channel was or is stopped
// or aborted instead, whether or not messages were in it; or ctx.Err(), and the channel
// stays closed.
func (c *Channel) Drain(ctx context.Context) error {
	c.Close()
	c.mu.Lock()
	if c.mu.ending != closed || c.emptied() {
		defer c.mu.Unlock()
		if c.mu.ending == closed {
			return nil
		}
		return c.sendError()
	}
	w := (&waiterPool{}).take()
	c.mu.drainers.append(w)
	return c.park(ctx, w, wait.ToDrain)
}

// Stop says that nothing more is wanted. Senders get [ErrStopped] and keep their
// messages; what is in the buffer is released, receivers get io.EOF. Unread
// metadata is released too.
func (c *Channel) Stop() { c.endByHand(stopped) }

// Abort ends the channel because something failed. Both sides get an [*AbortError]
// that wraps cause, or [ErrAborted] if cause is nil; what is in the buffer is
// released, and so is unread metadata.
func (c *Channel) Abort(cause error) {
	if cause == nil {
		cause = ErrAborted
	}
	c.end(aborted, &AbortError{Channel: c.name, Cause: cause})
}

// endByHand closes or stops the channel, unless it belongs to a network that was
// interrupted and is about to abort it.
func (c *Channel) endByHand(how ending) {
	if c.net != nil {
		if cause := c.net.interrupted(); cause != nil {
			c.interrupt(cause)
			return
		}
	}
	c.end(how, nil)
}

// interrupt aborts the channel because the run of its network was.
func (c *Channel) interrupt(cause error) { releaseAll(c.cutOff(cause)) }

// cutOff is interrupt for callers who release what was dropped themselves.
func (c *Channel) cutOff(cause error) (dropped []Message) {
	return c.shut(aborted, &AbortError{Channel: c.name, Cause: cause, run: c.net})
}

// end ends the channel; abort is nil unless it is aborted. Payloads are released outside
// the lock, because their Release methods are not ours.
func (c *Channel) end(how ending, abort *AbortError) { releaseAll(c.shut(how, abort)) }

// shut is the one place where a channel ends. Callers release what was dropped.
func (c *Channel) shut(how ending, abort *AbortError) (dropped []Message) {
	var woken wakeList
	c.mu.Lock()
	if c.mu.ending == open || c.mu.ending == closed && !c.emptied() && how != closed {
		c.mu.ending = how
		c.mu.abort = abort
		if how != closed {
			dropped = c.drop()
		}
		c.finish(&c.mu.senders, c.sendError(), &woken)
		for _, t := range c.mu.throttles {
			c.finish(&t.waiting, c.sendError(), &woken)
		}
		if c.mu.count == 0 {
			c.finish(&c.mu.receivers, c.recvError(), &woken)
		}
		if c.emptied() || how != closed {
			c.finish(&c.mu.drainers, c.sendError(), &woken)
		}
		c.unwatch()
	}
	meta := c.mu.meta
	c.mu.Unlock()

	woken.signal()
	if meta != nil {
		dropped = append(dropped, meta.queue.shut(how, abort)...)
	}
	return dropped
}

// releaseAll releases every message, also when the Release method of one panics or
// exits the goroutine.
func releaseAll(ms []Message) {
	released := 0
	defer func() {
		if released < len(ms) {
			releaseAll(ms[released+1:])
		}
	}()
	for ; released < len(ms); released++ {
		ms[released].Release()
	}
}

// joinRun makes the end of a network's run one of the things that wake waiters here,
// through the abort that follows it.
func (c *Channel) joinRun(done <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.runDone = done
	if c.mu.meta != nil {
		c.mu.meta.queue.joinRun(done)
	}
}

// finish unlinks every waiter of a list with the same outcome. Callers hold the
// lock.
func (c *Channel) finish(l *waiterList, outcome error, woken *wakeList) {
	for w := l.first; w != nil; w = l.first {
		l.remove(w)
		if w.any != nil && !w.any.ended(w, outcome) {
			c.left(w, l)
			continue // it still waits for other channels
		}
		w.err = outcome
		woken.add(w)
	}
}

// left counts the wait of a waiter at this channel, which is over although its
// goroutine waits on elsewhere. Callers hold the lock.
func (c *Channel) left(w *waiter, l *waiterList) {
	if w.node == nil {
		return
	}
	reason := wait.ToReceive
	if l == &c.mu.senders {
		reason = wait.ToSend
	}
	c.recorded(w, reason)
	w.node = nil
}

// drop takes all messages out of the buffer, in order. Callers hold the lock, and
// release the messages outside of it. One that is being spilled is left to the spiller.
func (c *Channel) drop() []Message {
	n, bytes := c.mu.count, c.mu.bytes
	ms := make([]Message, 0, n)
	for range n {
		m, g := c.pop()
		if _, claimed := g.now(); claimed && g.claim.drop(m) {
			continue
		}
		ms = append(ms, m)
	}
	c.mu.received -= uint64(n)
	c.mu.dropped += uint64(n)
	c.mu.bytesReceived -= bytes
	c.mu.bytesDropped += bytes
	c.mu.ring, c.mu.cargos, c.mu.sized, c.mu.head = nil, nil, false, 0
	return ms
}

// sendError is what senders get once the channel has ended. Callers hold the lock.
func (c *Channel) sendError() error {
	switch c.mu.ending {
	case closed:
		return ErrClosed
	case stopped:
		return ErrStopped
	case aborted:
		return c.mu.abort
	}
	return nil
}

// recvError is what receivers get once the channel has ended and its buffer is
// empty. Callers hold the lock.
func (c *Channel) recvError() error {
	if c.mu.ending == aborted {
		return c.mu.abort
	}
	return io.EOF
}
