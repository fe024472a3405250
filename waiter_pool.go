package sluice

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
	before, after := p.last, p.last
	for range far {
		w := before.sibling
		if w == p.last {
			before = after // all are in use: the new one is the one taken last
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
	// Behind those found in use: if they wait for long, the next search begins after
	// them, and finds what was given back there. Or else it would grow with every miss.
	w := newWaiter()
	w.sibling, before.sibling = before.sibling, w
	p.last = w
	return w
}

func newWaiter() *waiter { return &waiter{ready: make(chan struct{}, 1), uses: 1} }

// free reports whether the waiter was given back.
func (w *waiter) free() bool { return w.given.Load() == w.uses }

// giveBack empties an unlinked waiter and returns it to its pool.
func (w *waiter) giveBack() {
	w.msg, w.node = Message{}, nil
	if w.cargo.bytes != 0 || w.cargo.shared {
		w.cargo = cargo{}
	}
	if w.batch != nil || w.err != nil || w.any != nil {
		w.batch, w.n, w.err, w.any = nil, 0, nil, nil
	}
	w.given.Store(w.uses)
}
