package sluice

import "context"

// Meta is the side channel of a channel: an unbounded queue for the few small
// messages about the data that must not wait behind it. It ends with its channel:
// Close and Drain close it too (what was sent can still be received), Stop, Abort
// and the end of a network's run release what nobody has read. It never holds
// anyone up.
type Meta struct{ queue *Channel }

// Meta returns the side channel. It is made on first use.
func (c *Channel) Meta() *Meta {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.meta == nil {
		queue := NewChannel(c.name+" (metadata)", Slots(unbounded))
		queue.net = c.net
		queue.mu.runDone = c.mu.runDone
		queue.mu.ending, queue.mu.abort = c.mu.ending, c.mu.abort
		c.mu.meta = &Meta{queue: queue}
	}
	return c.mu.meta
}

// Send moves *m into the queue, without waiting. The errors, with which *m stays
// the caller's, are those of [Channel.Send].
func (q *Meta) Send(m *Message) error {
	return q.queue.Send(context.Background(), m)
}

// Recv returns the oldest message, and waits and fails as [Channel.Recv] does.
func (q *Meta) Recv(ctx context.Context) (Message, error) { return q.queue.Recv(ctx) }

// Close says that nothing more will be sent here. The channel itself stays open.
func (q *Meta) Close() { q.queue.Close() }
