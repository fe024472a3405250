package mem

import "time"

// When everybody waits.
//
// Somebody who waits for memory gets it when somebody else releases some, or when the
// spiller has moved something. If all who could release wait themselves, and nothing
// can be moved, then nothing will ever change. That is why a part of every limit is set
// aside: whoever has waited longest and is content with it gets that, at once, goes on, and sooner
// or later gives back more than it took. Only if not even that is enough, a request fails.
//
// Who waits is known of nodes of networks, which record their waits. A node of several
// goroutines counts as waiting if one of them waits, though another may compute: then
// memory that was set aside is given out early, which does no harm. But for a request
// to fail the standstill must have lasted for a while, and for long while the process
// computes, or somebody outside of a node holds memory, of whom nothing is known.

// How long nothing may have moved before a request fails, and how long if somebody
// outside of a node has memory, of whom nothing is known, or the process computes.
const (
	standstill     = time.Second
	longStandstill = 30 * time.Second
)

// A stillness is how long nothing has moved. A process that computes meanwhile has
// perhaps a goroutine that will give memory back, of a node that seems to wait because
// another goroutine of it does: that counts as if it moved, for a while.
type stillness struct {
	since time.Time
	quiet time.Time     // since when the process has hardly computed,
	cpu   time.Duration // of which it had used so much then
}

func since(now time.Time) stillness { return stillness{now, now, cpuTime()} }

// lasts reports whether it has lasted for so long without computing, or long in any case.
func (s *stillness) lasts(patience time.Duration) bool {
	const hardly = 5 // a fifth of one processor: more than the spiller takes that finds nothing
	now := time.Now()
	quiet := now.Sub(s.quiet)
	if quiet < patience {
		return false
	}
	if cpu := cpuTime(); cpu-s.cpu > quiet/hardly && now.Sub(s.since) < longStandstill {
		s.quiet, s.cpu = now, cpu
		return false
	}
	return true
}

// A member is somebody who runs in a scope of the resource and can tell whether it stands
// still.
type member struct {
	scope *Resource
	look  func() (still bool, moves uint64)
}

// Join tells the resource how to find out whether all those wait who take memory in
// a network. look returns whether they do, and a number that changes whenever
// anything moves; it may be called at any time until leave has returned. Without
// anyone who has joined, a request waits for as long as it takes.
func (r *Resource) Join(look func() (still bool, moves uint64)) (leave func()) {
	if r == nil {
		return func() {}
	}
	m := &member{r, look}
	p := r.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.members[m] = struct{}{}
	return func() {
		p.looking.Lock()
		defer p.looking.Unlock()
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.mu.members, m)
	}
}

// progress lets somebody go on when everybody waits, and returns whether it did.
func (p *pool) progress() bool {
	still, moves := p.standsStill()
	p.mu.Lock()
	moves += p.mu.turns
	if !still || moves != p.mu.stillMoves {
		p.mu.still, p.mu.stillMoves = since(time.Now()), moves
	}
	if !still {
		p.mu.Unlock()
		return false
	}
	for q := p.mu.queue.first; q != nil; q = q.next {
		if p.there(q.need) {
			p.let(q, nil)
			return true
		}
	}
	q := p.mu.queue.first
	patience := standstill
	if p.mu.outside != 0 {
		patience = longStandstill
	}
	if q == nil || !p.mu.still.lasts(patience) {
		p.mu.Unlock()
		return false
	}
	switch {
	case p.lastTry(q):
	case q.over:
		p.let(q, nil)
	default:
		p.let(q, p.noMemory(q))
	}
	return true
}

// turn notes that memory was given or came back, which may change who waits. What the
// spiller takes and gives back changes nothing: a spill that fails, and is tried
// again and again, must not look like progress. Callers hold the lock.
func (p *pool) turn(a *account) {
	if a != p.own {
		p.mu.turns++
		a.scope.turns++
	}
}

// movedOn notes that there is more room than before.
func (p *pool) movedOn() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.turns++
}

// let gives a request what it asks for, or an error. It is called with the lock held and releases
// it.
func (p *pool) let(q *request, err error) {
	if err != nil {
		p.settle(q, nil, err)
	} else {
		var res *Reservation
		res, q.beyond = p.overbook(q.account, q.need)
		res.lastTry = q.lastTry
		p.settle(q, res, nil)
	}
	p.mu.Unlock()
	signal([]*request{q})
}

// there reports whether so much is there, counting what is set aside.
func (p *pool) there(need Amount) bool {
	for k, n := range need {
		if n > 0 && n > p.room(Kind(k))-p.taken(Kind(k)) {
			return false
		}
	}
	return true
}

// noMemory returns why a request fails. Callers hold the lock.
func (p *pool) noMemory(q *request) error {
	e := &NoMemoryError{Node: q.account.name, DiskLimit: p.limits[Disk], DiskDir: p.diskDir}
	e.DiskLeft = max(0, p.limits[Disk]-p.taken(Disk))
	if p.mu.spillError != nil { // a nil one would make an error that is not nil
		e.Spilling = p.mu.spillError
	}
	for k, n := range q.need {
		if taken := p.taken(Kind(k)); n > p.limits[k]-taken {
			e.Kind, e.Need, e.Limit, e.Taken, e.Smallest = Kind(k), n, p.limits[k], taken, taken+n
			e.Stranded = p.mu.stranded[k]
			break
		}
	}
	return e
}

// holds reports whether anything of the scope is taken: who has nothing gives nothing
// back, whatever it does. Callers hold the lock.
func (r *Resource) holds() bool {
	for _, a := range r.accounts {
		if a.used != (Amount{}) || a.reserved != (Amount{}) {
			return true
		}
	}
	return false
}

// standsStill reports whether everybody waits who could give memory back, and a number
// that changes when anything moves. What it sees need not be of one moment.
func (p *pool) standsStill() (still bool, moves uint64) {
	if p.freeing() {
		return false, 0
	}
	p.looking.Lock()
	defer p.looking.Unlock()
	p.mu.Lock()
	members := make([]*member, 0, len(p.mu.members))
	for m := range p.mu.members {
		if m.scope.holds() {
			members = append(members, m)
		}
	}
	still = len(p.mu.members) > 0
	p.mu.Unlock()
	for _, m := range members {
		waits, n := m.look()
		still = still && waits
		moves += n
	}
	return still, moves
}
