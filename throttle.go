package sluice

import (
	"context"
	"fmt"
	"sync"

	"github.com/seed14ed4225/sluice/internal/wait"
)

// A Throttle limits how many producers of a channel are between "allowed to
// produce" and "sent". A producer acquires a [Ticket] before it does the expensive
// work (reads a file, takes memory), so that those who would only queue for the
// channel do not do it yet.
//
// At most as many tickets are out as the throttle was made with. A ticket comes
// back when it is released unused, or when the [Receipt] of its send is released:
// at once by a producer that wants to bound production alone, later by the consumer
// ([Ticket.SendHeld]) to bound everything from production to consumption.
type Throttle struct {
	c *Channel

	// Guarded by the lock of the channel, so that ending it and waking those who
	// wait for a ticket is one step.
	free    int
	waiting waiterList
	pool    waiterPool

	tickets int
	hands   ticketList // tickets that are out and with which nothing was sent yet
}

// NewThrottle returns a throttle in front of c with that many tickets. Fewer than
// one is an error.
func NewThrottle(c *Channel, tickets int) (*Throttle, error) {
	if tickets < 1 {
		return nil, fmt.Errorf("sluice: throttle of channel %q with %d tickets: it needs at least 1", c.name, tickets)
	}
	t := &Throttle{c: c, tickets: tickets, free: tickets}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.throttles = append(c.mu.throttles, t)
	return t, nil
}

// Channel returns the channel that the throttle is in front of.
func (t *Throttle) Channel() *Channel { return t.c }

// Acquire returns a ticket, and waits while all are out; those who wait are served
// in order. It fails with ctx.Err() if ctx ends meanwhile, and with the error that
// a send would get ([ErrClosed], [ErrStopped], [*AbortError]) once the channel has
// ended, because there is nothing left to produce for.
func (t *Throttle) Acquire(ctx context.Context) (*Ticket, error) {
	c := t.c
	c.mu.Lock()
	if err := c.sendError(); err != nil {
		c.mu.Unlock()
		return nil, err
	}
	if t.free > 0 { // then nobody waits
		t.free--
		c.mu.Unlock()
		return t.ticket(ctx), nil
	}
	w := t.pool.take()
	t.waiting.append(w)
	err := c.park(ctx, w, wait.ForTicket)
	w.giveBack()
	if err != nil {
		return nil, err
	}
	return t.ticket(ctx), nil
}

func (t *Throttle) ticket(ctx context.Context) *Ticket {
	k := &Ticket{throttle: t, receipt: Receipt{throttle: t}, holder: wait.FromContext(ctx)}
	t.hands.add(k)
	return k
}

// giveBack returns one ticket, to the first who waits.
func (t *Throttle) giveBack() {
	var woken wakeList
	t.c.mu.Lock()
	if w := t.waiting.first; w != nil {
		t.waiting.remove(w)
		woken.add(w)
	} else {
		t.free++
	}
	t.c.mu.Unlock()
	woken.signal()
}

// A Ticket permits one send. It and its receipt are one small object that is never
// reused, so that a late Release harms nobody.
type Ticket struct {
	throttle   *Throttle
	receipt    Receipt
	holder     *wait.Node // who acquired it, or nil outside a network
	next, prev *Ticket    // in hand

	mu struct {
		sync.Mutex
		state    ticketState
		released bool // while a send was under way
	}
}

// ticketList is the tickets in hand, for stall reports: who has one may be the one
// that everybody waits for.
type ticketList struct {
	mu struct {
		sync.Mutex
		first *Ticket
	}
}

func (l *ticketList) add(k *Ticket) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k.prev, k.next = nil, l.mu.first
	if k.next != nil {
		k.next.prev = k
	}
	l.mu.first = k
}

func (l *ticketList) remove(k *Ticket) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if k.prev == nil {
		l.mu.first = k.next
	} else {
		k.prev.next = k.next
	}
	if k.next != nil {
		k.next.prev = k.prev
	}
	k.next, k.prev = nil, nil // an old ticket keeps no other alive
}

// holders returns who has a ticket in hand, nil standing for somebody outside of
// networks.
func (l *ticketList) holders() []*wait.Node {
	l.mu.Lock()
	defer l.mu.Unlock()
	var holders []*wait.Node
	for k := l.mu.first; k != nil; k = k.next {
		holders = append(holders, k.holder)
	}
	return holders
}

type ticketState uint8

const (
	unused ticketState = iota
	inSend
	used // sent, or given back
)

// Send sends *m as [Channel.Send] does and returns the receipt. The ticket is used
// then: a second call is [ErrTicketUsed]. If the send fails, ticket and message are
// as they were, and the ticket may be used again. The caller releases the receipt.
func (k *Ticket) Send(ctx context.Context, m *Message) (*Receipt, error) {
	if err := k.send(ctx, m, nil); err != nil {
		return nil, err
	}
	return &k.receipt, nil
}

// SendHeld is Send with the receipt riding on the message, to be released together
// with it by whoever holds it last: the ticket stays out until then. A receipt that
// the message carries already is released at the same time.
func (k *Ticket) SendHeld(ctx context.Context, m *Message) error {
	return k.send(ctx, m, &k.receipt)
}

func (k *Ticket) send(ctx context.Context, m *Message, held *Receipt) error {
	k.mu.Lock()
	if k.mu.state != unused {
		k.mu.Unlock()
		return ErrTicketUsed
	}
	k.mu.state = inSend
	k.mu.Unlock()
	k.throttle.hands.remove(k)

	carried := m.receipt
	if held != nil {
		held.carried = carried
		m.receipt = held
	}
	sent := false
	defer func() { // also if the payload's Content panics
		k.mu.Lock()
		defer k.mu.Unlock()
		if sent {
			k.mu.state = used
			return
		}
		m.receipt, k.receipt.carried = carried, nil
		k.mu.state = unused
		k.throttle.hands.add(k)
		if k.mu.released {
			k.unused()
		}
	}()
	err := k.throttle.c.Send(ctx, m)
	sent = err == nil
	return err
}

// Release gives an unused ticket back. After a successful send it is a no-op, so
// that it can be deferred right after Acquire; so is a second Release.
func (k *Ticket) Release() {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch k.mu.state {
	case unused:
		k.unused()
	case inSend:
		k.mu.released = true // counts if the send fails
	}
}

// unused gives back a ticket that nothing was sent with. Callers hold the lock.
func (k *Ticket) unused() {
	k.mu.state = used
	k.throttle.hands.remove(k)
	k.throttle.giveBack()
}

// A Receipt says that a send under a ticket happened. Releasing it gives the ticket
// back.
type Receipt struct {
	throttle *Throttle
	carried  *Receipt // that the message had before
	once     sync.Once
}

// Release gives the ticket back. It is idempotent, and harmless on nil and after
// the channel ended.
func (r *Receipt) Release() {
	if r == nil {
		return
	}
	r.once.Do(func() {
		r.throttle.giveBack()
		r.carried.Release()
	})
}
