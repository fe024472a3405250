package sluice

// The queue of a channel: a ring of messages, with suspended senders behind it and
// suspended receivers in front. All methods here are called with the lock held.

// fits reports whether the buffer has room for a message of that size. It always
// has when receivers wait, because they wait only while it is empty.
func (c *Channel) fits(size int64) bool {
	return c.mu.count < c.slots &&
		(c.maxBytes == 0 || c.mu.count == 0 || size <= c.maxBytes-c.mu.bytes)
}

// accepts reports whether a message of that size can be put now: the channel is
// open, nobody is before it, and it fits.
func (c *Channel) accepts(size int64) bool {
	return c.mu.ending == open && c.mu.senders.first == nil && c.fits(size)
}

// put moves a message that fits into the channel: to the first waiting receiver,
// or else into the ring. Its cargo is nil if the payload owns no memory.
func (c *Channel) put(m *Message, g *cargo, woken *wakeList) {
	if w := c.mu.receivers.claim(); w != nil {
		c.mu.received++
		c.mu.bytesReceived += g.size()
		c.mu.receivers.remove(w)
		woken.add(w)
		if g != nil {
			w.cargo = *g
			c.lendOut(&w.cargo)
		}
		if w.batch == nil {
			w.msg = *m
			return
		}
		w.batch[0], w.n = *m, 1
		if !w.cargo.fetching {
			woken.batch = w
		}
		return
	}
	// A RecvN that was served just now takes more, as long as nobody else waits.
	if w := woken.batch; w != nil && c.mu.count == 0 && w.n < len(w.batch) && !c.away(g) {
		c.mu.received++
		c.mu.bytesReceived += g.size()
		w.batch[w.n] = *m
		w.n++
		return
	}
	c.push(m, g)
}

// push appends to the ring.
func (c *Channel) push(m *Message, g *cargo) {
	if c.mu.count == len(c.mu.ring) {
		c.grow(1)
	}
	at := c.tail()
	c.mu.ring[at] = *m
	c.mu.count++
	if g != nil {
		c.load(at, *g)
	}
}

// tail returns the first free place of the ring, which has one.
func (c *Channel) tail() int {
	at := c.mu.head + c.mu.count
	if at >= len(c.mu.ring) {
		at -= len(c.mu.ring)
	}
	return at
}

// pop takes the oldest message of the ring, which is not empty, and its cargo. Callers
// hold the lock, and call popped before they release it.
func (c *Channel) pop() (Message, cargo) {
	if c.mu.sized {
		g := c.unload(c.mu.head)
		return c.popPlain(), g
	}
	return c.popPlain(), cargo{}
}

// popPlain is pop for who knows that there is no cargo.
func (c *Channel) popPlain() Message {
	at := c.mu.head
	m := c.mu.ring[at]
	c.mu.ring[at] = Message{}
	c.mu.received++
	c.mu.count--
	c.mu.head++
	if c.mu.head == len(c.mu.ring) {
		c.mu.head = 0
	}
	return m
}

// grow makes room in the ring for n more messages, or for all slots.
func (c *Channel) grow(n int) {
	c.resize(min(max(2*len(c.mu.ring), c.mu.count+n), c.slots))
}

// resize moves the ring to one of another size.
func (c *Channel) resize(size int) {
	ring := make([]Message, size)
	k := copy(ring, c.mu.ring[c.mu.head:])
	copy(ring[k:], c.mu.ring[:c.mu.head])
	if c.mu.sized {
		cargos := make([]cargo, size)
		copy(cargos[copy(cargos, c.mu.cargos[c.mu.head:]):], c.mu.cargos[:c.mu.head])
		c.mu.cargos = cargos
	}
	c.mu.ring, c.mu.head = ring, 0
}

// pushPlain moves as many of the messages, whose sizes are 0, into the ring as fit,
// in at most two pieces, and returns how many.
func (c *Channel) pushPlain(ms []Message) int {
	if c.mu.sized || !c.fits(0) {
		return 0
	}
	n := min(len(ms), c.slots-c.mu.count)
	if c.mu.count+n > len(c.mu.ring) {
		c.grow(n)
	}
	at := c.tail()
	k := copy(c.mu.ring[at:], ms[:n])
	copy(c.mu.ring, ms[k:n])
	c.mu.count += n
	clear(ms[:n])
	return n
}

// popSeveral takes as many messages as there are and into holds, in at most two
// pieces, and returns how many. Callers call popped.
func (c *Channel) popSeveral(into []Message) int {
	if c.mu.sized {
		return 0
	}
	n := min(len(into), c.mu.count)
	head := c.mu.ring[c.mu.head:min(c.mu.head+n, len(c.mu.ring))]
	rest := c.mu.ring[:n-len(head)]
	copy(into[copy(into, head):], rest)
	clear(head)
	clear(rest)
	c.mu.received += uint64(n)
	c.mu.count -= n
	c.mu.head += n
	if c.mu.head >= len(c.mu.ring) {
		c.mu.head -= len(c.mu.ring)
	}
	return n
}

// refill moves messages of suspended senders into the channel, first come first
// served, as far as they fit.
func (c *Channel) refill(woken *wakeList) {
	for w := c.mu.senders.first; w != nil && c.fits(w.cargo.bytes); w = c.mu.senders.first {
		if !w.claim() {
			c.mu.senders.remove(w)
			continue
		}
		if w.batch == nil {
			w.shareClaim()
			c.put(&w.msg, w.cargo.orNil(), woken)
		} else if c.putBatch(w, woken); w.n < len(w.batch) {
			continue
		}
		c.mu.senders.remove(w)
		woken.add(w)
	}
}

// putBatch puts the next messages of a batch, at least one of which fits.
func (c *Channel) putBatch(w *waiter, woken *wakeList) {
	if c.mu.receivers.first == nil && woken.batch == nil {
		if n := c.pushPlain(w.batch[w.n:]); n > 0 {
			w.n += n
			return
		}
	}
	m := &w.batch[w.n]
	c.put(m, nil, woken)
	*m = Message{}
	w.n++
}
