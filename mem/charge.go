package mem

// Charges between a reservation and an account that need not be the reservation's: what is
// spilled stays with whom it was charged to, and the spiller pays for room with its own
// reservation.

// chargeTo turns n bytes of what is left into used ones of an account, nil being the
// reservation's, and returns the account. One of another resource cannot be charged, so then
// it is the reservation's, too.
func (res *Reservation) chargeTo(a *account, k Kind, n int64) (*account, error) {
	p := res.account.scope.pool
	if a == nil || a.scope.pool != p {
		a = res.account
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := res.lacks(k, n); err != nil {
		return nil, err
	}
	res.left[k] -= n
	if a != res.account {
		p.untake(res.account, Of(k, n))
		p.reassign(a, k, n)
	}
	p.use(a, k, n)
	return a, nil
}

// unchargeFrom takes what chargeTo charged, or a part of it, back into the reservation.
func (res *Reservation) unchargeFrom(a *account, k Kind, n int64) {
	p := res.account.scope.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unuse(a, k, n)
	p.reassign(res.account, k, n)
	res.left[k] += n
}

// overcharge counts n bytes as used that nobody has reserved, for memory that holds the
// only copy of something.
func (a *account) overcharge(k Kind, n int64) {
	p := a.scope.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	p.take(a, Of(k, n))
	p.use(a, k, n)
	p.overbooked(k)
}

// reassign counts bytes as reserved by an account that another has just given up. It is
// no new demand, and no new peak. Callers hold the lock.
func (p *pool) reassign(a *account, k Kind, n int64) {
	a.reserved[k] += n
	p.mu.reserved[k] += n
	p.outside(a, n)
}
