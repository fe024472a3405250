package sluice

import (
	"context"
	"io"
	"iter"
	"math/rand/v2"
	"sync/atomic"

	"github.com/seed14ed4225/sluice/internal/wait"
)

// anyWait is a goroutine that waits for the first of several channels, with one
// waiter in a list of each. Whoever wants to serve one of the waiters claims the
// group first, with an atomic because each channel has a lock of its own; the
// waiters that lost are unlinked by whoever meets them, at the latest by their
// owner.
type anyWait struct {
	claimed atomic.Bool
	open    atomic.Int32 // channels that have not ended
	winner  *waiter      // written by who claimed, read after ready
	ready   chan struct{}
	members []*waiter
	spill   atomic.Pointer[claim] // on the message that is sent; its waiters have copies
}

// spilling makes a claim on the message that the group sends. It returns false if somebody else has made one, or a channel is taking the message: whoever
// claims the group does that first and looks for a claim then, so that one of the two
// notices the other.
func (g *anyWait) spilling(l *claim) bool {
	before := g.spill.Load()
	if before != nil && !before.over() || !g.spill.CompareAndSwap(before, l) {
		return false
	}
	if g.claimed.Load() {
		close(l.done)
		return false
	}
	return true
}

// shareClaim gives the waiter the claim that was made on its message through another
// waiter of its group. Callers hold the lock.
func (w *waiter) shareClaim() {
	if w.any != nil && w.cargo.bytes != 0 {
		w.cargo.claim = w.any.spill.Load()
	}
}

func (g *anyWait) claim(w *waiter) bool {
	if !g.claimed.CompareAndSwap(false, true) {
		return false
	}
	g.winner = w
	return true
}

// ended tells the group that the channel of w has ended with that outcome, and
// reports whether w is to be woken with it: for an abort, and when no channel is
// left to wait for.
func (g *anyWait) ended(w *waiter, outcome error) bool {
	if _, abort := outcome.(*AbortError); !abort && g.open.Add(-1) > 0 {
		return false
	}
	return g.claim(w)
}

// RecvAny receives from the first of the channels that has a message, and waits
// while none has. Among several that have one it takes a random one, so that none
// is passed over for ever. It returns the index of the channel it received from.
// Channels that have ended are passed over; the errors, which come with an empty
// message:
//
//   - io.EOF when all have ended, with index -1
//   - the [*AbortError] of any one that was aborted, with its index
//   - ctx.Err() or a [*RestoreError], with index -1
func RecvAny(ctx context.Context, cs ...*Channel) (i int, m Message, err error) {
	var g cargo
	i, err = anyOf(ctx, cs, transfer{m: &m, cargo: &g})
	if err == nil && g.fetching {
		if err = cs[i].fetched(ctx, &m, g); err != nil {
			i = -1
		}
	}
	return i, m, err
}

// SendAny sends to the first of the channels that has room, and waits while none
// has. A channel whose receiver is waiting goes before one that has room in its
// buffer; among equals it takes a random one. It returns the index of the channel
// it sent to. Channels that were stopped or closed are passed over; on error *m is
// untouched:
//
//   - [ErrStopped] or [ErrClosed] when all have ended, whichever one of them
//     gives, with index -1
//   - the [*AbortError] of any one that was aborted, with its index, and after a
//     few messages at most even while others have room
//   - ctx.Err(), [ErrEmptyMessage] or a [*TypeError], with index -1
func SendAny(ctx context.Context, m *Message, cs ...*Channel) (i int, err error) {
	for _, c := range cs {
		if err := c.refuse(m); err != nil {
			return -1, err
		}
		if debugBuild { // for each of them: where it goes is not known until it is gone
			if err := c.checkOrder(ctx, m.seq); err != nil {
				return -1, err
			}
		}
	}
	if debugBuild {
		seq := m.seq
		defer func() {
			if err == nil {
				cs[i].noteOrder(ctx, seq)
			}
		}()
	}
	g := cargoOf(m.payload)
	for k, c := range fromRandom(cs) {
		c.mu.Lock()
		if c.mu.receivers.first != nil && c.accepts(g.bytes) {
			var woken wakeList
			c.put(m, g.orNil(), &woken)
			c.mu.Unlock()
			woken.signal()
			*m = Message{}
			return k, nil
		}
		how, err := c.mu.ending, c.sendError()
		c.mu.Unlock()
		if how == aborted { // however many receivers wait at the others
			return k, err
		}
	}
	i, err = anyOf(ctx, cs, transfer{m: m, cargo: &g, sending: true})
	if err == nil {
		*m = Message{}
	}
	return i, err
}

// fromRandom yields the channels from a random one on.
func fromRandom(cs []*Channel) iter.Seq2[int, *Channel] {
	return func(yield func(int, *Channel) bool) {
		if len(cs) == 0 {
			return
		}
		start := rand.IntN(len(cs))
		for k := range cs {
			i := (start + k) % len(cs)
			if !yield(i, cs[i]) {
				return
			}
		}
	}
}

// transfer moves one message between m and a channel, in one of the directions.
// Callers of its methods hold the lock of the channel.
type transfer struct {
	m       *Message
	cargo   *cargo
	sending bool
}

// ready reports whether the message can be moved at once.
func (t transfer) ready(c *Channel) bool {
	if t.sending {
		return c.accepts(t.cargo.bytes)
	}
	return c.mu.count > 0
}

// move moves it.
func (t transfer) move(c *Channel, woken *wakeList) {
	if t.sending {
		c.put(t.m, t.cargo.orNil(), woken)
		return
	}
	*t.m, *t.cargo = c.pop()
	c.lendOut(t.cargo)
	c.popped(woken)
}

// outcome is what a channel gives that has ended.
func (t transfer) outcome(c *Channel) error {
	if t.sending {
		return c.sendError()
	}
	return c.recvError()
}

// enlist adds a waiter for the transfer to the channel's list.
func (t transfer) enlist(c *Channel, w *waiter, node *wait.Node) {
	if t.sending {
		w.msg, w.cargo = *t.m, *t.cargo
		c.lineUp(&c.mu.senders, w)
		c.offer(t.cargo)
	} else {
		c.lineUp(&c.mu.receivers, w)
	}
	c.record(w, node, t.reason())
}

func (t transfer) pool(c *Channel) *waiterPool {
	if t.sending {
		return &c.mu.sendPool
	}
	return &c.mu.recvPool
}

func (t transfer) reason() wait.Reason {
	if t.sending {
		return wait.ToSend
	}
	return wait.ToReceive
}

// anyOf makes the transfer with the first of the channels that is ready.
func anyOf(ctx context.Context, cs []*Channel, t transfer) (int, error) {
	live := 0
	outcome := io.EOF
	if t.sending {
		outcome = ErrStopped
	}
	for i, c := range fromRandom(cs) {
		c.mu.Lock()
		if t.ready(c) {
			var woken wakeList
			t.move(c, &woken)
			c.mu.Unlock()
			woken.signal()
			return i, nil
		}
		how, err := c.mu.ending, t.outcome(c)
		c.mu.Unlock()
		switch how {
		case open:
			live++
		case aborted:
			return i, err
		default:
			outcome = err
		}
	}
	if live == 0 {
		return -1, outcome
	}
	return anyLater(ctx, cs, t)
}

// anyLater is anyOf when none was ready: it joins the list of each channel, waits
// to be served by one, and leaves the others.
func anyLater(ctx context.Context, cs []*Channel, t transfer) (i int, err error) {
	g := cs[0].takeGroup(len(cs))
	defer cs[0].giveBackGroup(g)
	defer func() {
		if l := g.spill.Load(); l != nil && err != nil {
			l.waitOut(ctx, cs[0])
		}
	}()
	node := wait.FromContext(ctx)
	since := node.Now()
	var settled bool
	i, err, settled = g.join(cs, t, node)
	if settled {
		g.leave(cs, t)
		return i, err
	}
	defer node.Add(t.reason(), since) // after leave, so that a snapshot never counts it twice
	defer g.leave(cs, t)
	select {
	case <-g.ready:
	case <-ctx.Done():
		if g.claim(nil) {
			return -1, ctx.Err()
		}
		<-g.ready // somebody was first, and the signal is on the way
	}
	w := g.winner
	if w.err != nil {
		if _, abort := w.err.(*AbortError); abort {
			return w.index, w.err
		}
		return -1, w.err
	}
	if !t.sending {
		*t.m, *t.cargo = w.msg, w.cargo
	}
	return w.index, nil
}

// join puts a waiter into each channel's list. It is settled, without a wait, if a
// channel became ready or the last one ended meanwhile, and nobody was faster to
// claim the group.
func (g *anyWait) join(cs []*Channel, t transfer, node *wait.Node) (i int, err error, settled bool) {
	for i, c := range cs {
		c.mu.Lock()
		if g.claimed.Load() {
			c.mu.Unlock()
			return 0, nil, false
		}
		if t.ready(c) {
			var woken wakeList
			if settled = g.claim(nil); settled {
				if t.sending {
					t.cargo.claim = g.spill.Load()
				}
				t.move(c, &woken)
			}
			c.mu.Unlock()
			woken.signal()
			return i, nil, settled
		}
		w := t.pool(c).take()
		w.any, w.index = g, i
		g.members = append(g.members, w)
		how, outcome := c.mu.ending, t.outcome(c)
		if how == open {
			t.enlist(c, w, node)
		}
		c.mu.Unlock()
		if how != open && g.ended(w, outcome) {
			if how != aborted {
				i = -1
			}
			return i, outcome, true
		}
	}
	return 0, nil, false
}

// leave takes the waiters out of the lists they are still in and empties the group.
func (g *anyWait) leave(cs []*Channel, t transfer) {
	for _, w := range g.members {
		c := cs[w.index]
		c.mu.Lock()
		if w.list != nil {
			c.withdraw(w)
		}
		c.mu.Unlock()
		if w.node != nil {
			c.recorded(w, t.reason())
		}
	}
	for i, w := range g.members { // all are unlinked, nobody looks at the group any more
		w.giveBack()
		g.members[i] = nil
	}
	g.members, g.winner = g.members[:0], nil
}

// takeGroup takes a group from the pool of the channel.
func (c *Channel) takeGroup(channels int) *anyWait {
	c.mu.Lock()
	g := c.mu.anyPool
	c.mu.anyPool = nil
	c.mu.Unlock()
	if g == nil {
		g = &anyWait{ready: make(chan struct{}, 1)}
	}
	g.claimed.Store(false)
	g.spill.Store(nil)
	g.open.Store(int32(channels))
	return g
}

// giveBackGroup returns it. One is kept: a node that waits for any of its channels
// has one goroutine that does.
func (c *Channel) giveBackGroup(g *anyWait) {
	c.mu.Lock()
	c.mu.anyPool = g
	c.mu.Unlock()
}
