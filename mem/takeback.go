package mem

// TakeBack gives up a reference to a buffer as [Buffer.Release] does. But if it was the last
// one, of host memory that was allocated from this reservation, the bytes are left in the
// reservation again, and nobody else can have them in between: for who allocates and frees in
// turn, and has reserved what that takes at most at a time. Once the reservation is released,
// and on a nil reservation, TakeBack is Release.
func (res *Reservation) TakeBack(b *Buffer) {
	if res == nil || b == nil {
		b.Release()
		return
	}
	o := b.lock()
	at := &o.mu.at
	if o.mu.refs > 1 || o.mu.users != 0 || at.kind != Host || at.account != res.account ||
		o.mu.stream != nil {
		o.mu.Unlock()
		b.Release()
		return
	}
	b.refs--
	o.mu.refs--
	b.trace.released()
	old := o.replace(holding{})
	o.mu.Unlock()
	a := old.at.account
	a.allocations.remove(o)
	old.at.account = nil // it is not refunded
	old.at.free(nil, nil)
	p := a.scope.pool
	p.mu.Lock()
	p.unuse(a, Host, old.at.n)
	if res.released {
		p.served() // unlocks
		return
	}
	p.reassign(a, Host, old.at.n)
	res.left[Host] += old.at.n
	p.mu.Unlock()
}
