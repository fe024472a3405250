package sluice

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/seed14ed4225/sluice/internal/wait"
	"github.com/seed14ed4225/sluice/mem"
)

// How messages are spilled where they wait.
//
// In a network with memory, every channel is a source of victims: the messages in its
// ring, and those that suspended senders hold. The spiller picks some, and for each the
// channel makes a claim, under its lock, and calls the payload's Spill without it: the
// queue goes on meanwhile, and so does everybody but the receiver who comes to want
// exactly this message. The claim travels with the message, so that whoever takes it
// out of the queue can wait until the payload is left alone. Whoever drops it leaves it to
// the spiller to release.
//
// Nothing is registered per message. A registry beside the queue would have to be kept
// in step with every way in which a message can leave it, and each one forgotten is a
// payload spilled that somebody else owns.
type claim struct {
	done    chan struct{}           // closed when the payload is left alone
	content mem.Content             // as of then
	dropped atomic.Pointer[Message] // left to the spiller
}

// over reports whether the payload is left alone.
func (l *claim) over() bool {
	select {
	case <-l.done:
		return true
	default:
		return false
	}
}

// wait waits until the payload is left alone, or ctx ends. c is where the message is or was.
func (l *claim) wait(ctx context.Context, c *Channel) error {
	if l.over() {
		return nil
	}
	defer l.waiting(ctx, c)()
	select {
	case <-l.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// waitOut waits until the payload is left alone, for whoever gets it back though its
// context has ended: until then it is not the caller's.
func (l *claim) waitOut(ctx context.Context, c *Channel) {
	if l.over() {
		return
	}
	defer l.waiting(ctx, c)()
	<-l.done
}

// waiting records that a goroutine waits for the spill, until the function is called that it
// returns.
func (l *claim) waiting(ctx context.Context, c *Channel) (ended func()) {
	node, r := wait.FromContext(ctx), new(wait.Record)
	node.Begin(r, wait.Wait{On: c, Reason: wait.ForSpill})
	return func() { node.End(r) }
}

// drop leaves a message that nobody will receive to the spiller, and returns false if
// that has left it alone meanwhile, and the message is the caller's to release.
func (l *claim) drop(m Message) bool {
	l.dropped.Store(&m)
	return !l.over() || l.dropped.Swap(nil) == nil
}

// settle ends a claim.
func (c *Channel) settle(l *claim, content mem.Content) {
	l.content = content
	close(l.done)
	if m := l.dropped.Swap(nil); m != nil {
		c.keeper.discard([]Message{*m})
	}
}

// offer tells the spiller that a message waits that it could have.
func (c *Channel) offer(g *cargo) {
	if c.spills != nil && g != nil && g.content.Spillable {
		c.spills.Offer()
	}
}

// queued is the messages that wait in a channel, as the spiller sees them.
type queued struct{ c *Channel }

// A victim is a message that waits: in the ring, or with a suspended sender.
type victim struct {
	c       *Channel
	place   uint64  // how many messages left the ring before it
	sender  *waiter // or who holds it,
	uses    uint32  // while that waiter was taken this often
	content mem.Content
	needed  time.Duration
}

// Victims yields the messages, the last in line first.
func (q queued) Victims(k mem.Kind, yield func(mem.Victim) bool) {
	const atOnce = 64
	found := make([]victim, 0, atOnce)
	for next := math.MaxInt; next > 0; {
		found, next = q.c.victims(k, found[:0], next)
		for i := range found {
			if v := found[i]; !yield(&v) {
				return
			}
		}
	}
}

// victims appends victims to those found, as far as there is room, from the one at place
// next downwards, counted from the head of the queue, and returns where to go on.
func (c *Channel) victims(k mem.Kind, found []victim, next int) ([]victim, int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	interval := c.interval()
	at := c.mu.count + c.mu.senders.len()
	consider := func(v victim, g *cargo) {
		content, claimed := g.now()
		if claimed || !content.Spillable || content.Bytes[k] == 0 {
			return
		}
		v.c, v.content, v.needed = c, content, interval*time.Duration(at)
		found = append(found, v)
	}
	for w := c.mu.senders.last; w != nil && len(found) < cap(found); w = w.prev {
		if at--; at < next && w.batch == nil {
			next = at
			w.shareClaim()
			consider(victim{sender: w, uses: w.uses}, &w.cargo)
		}
	}
	if !c.mu.sized {
		return found, min(next, 0)
	}
	for at = min(next, c.mu.count) - 1; at >= 0 && len(found) < cap(found); at-- {
		next = at
		consider(victim{place: c.gone() + uint64(at)}, &c.mu.cargos[(c.mu.head+at)%len(c.mu.ring)])
	}
	if at < 0 {
		next = 0
	}
	return found, next
}

// gone is how many messages have left the ring, or passed it by.
func (c *Channel) gone() uint64 { return c.mu.received + c.mu.dropped }

// interval estimates the time between two receives. Of a channel from which nothing was
// received yet nothing is known but that it may take long.
func (c *Channel) interval() time.Duration {
	return max(1, c.keeper.clock.Now()/time.Duration(max(1, c.mu.received)))
}

// Content returns what the message owned when it was found.
func (v *victim) Content() mem.Content { return v.content }

// NeededIn estimates when the message will be received.
func (v *victim) NeededIn() time.Duration { return v.needed }

// Spill spills the message if it still waits where it was found.
func (v *victim) Spill(ctx context.Context, res *mem.Reservation) (freed int64, err error) {
	l, payload := v.claim()
	if l == nil {
		return 0, nil
	}
	content := v.content
	defer func() {
		if value := recover(); value != nil { // in a goroutine that is not the payload's
			err = &PanicError{Value: value, Stack: debug.Stack()}
		}
		v.c.settle(l, content)
	}()
	p, ok := payload.(spiller)
	if !ok {
		content.Spillable = false
		return 0, fmt.Errorf("payload %T says that it can be spilled, but has no method Spill", payload)
	}
	freed, err = p.Spill(ctx, res)
	content = contentOf(payload)
	if err == nil && freed == 0 {
		content.Spillable = false // it is shared after all; trying again would not help
	}
	return freed, err
}

// claim takes the payload, unless the message has gone or somebody else has it.
func (v *victim) claim() (*claim, any) {
	c := v.c
	c.mu.Lock()
	defer c.mu.Unlock()
	var g *cargo
	var m *Message
	if v.sender != nil {
		if v.sender.list != &c.mu.senders || v.sender.uses != v.uses {
			return nil, nil
		}
		v.sender.shareClaim()
		g, m = &v.sender.cargo, &v.sender.msg
	} else {
		i := v.place - c.gone() // wraps to something large if it has left
		if i >= uint64(c.mu.count) {
			return nil, nil
		}
		at := (c.mu.head + int(i)) % len(c.mu.ring)
		g, m = &c.mu.cargos[at], &c.mu.ring[at]
	}
	now, claimed := g.now()
	if claimed || now != v.content { // or another one, or it was spilled meanwhile
		return nil, nil
	}
	l := &claim{done: make(chan struct{}), content: now}
	if v.sender != nil && v.sender.any != nil && !v.sender.any.spilling(l) {
		return nil, nil
	}
	g.claim = l
	return l, m.payload
}

// errNotRestorable is for a payload that went to another kind of memory and has no way back.
var errNotRestorable = errors.New("the payload has no method Restore")
