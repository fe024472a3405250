package mem

import (
	"context"
	"fmt"
	"time"

	"github.com/seed14ed4225/sluice/internal/wait"
)

// How requests wait.
//
// A request that cannot be met lines up, unlocks and parks on a Go channel of its
// own. Whoever gives memory back grants what has become possible, under the lock, and
// signals after it: a woken goroutine has its reservation and need not look again, and
// nobody overtakes. The requests in line are also the demand for which the spiller
// works: it runs while there are any, and not otherwise.
type request struct {
	next, prev *request
	queue      *requests // that it is linked in, or nil once it has an outcome

	account *account
	node    *wait.Node
	need    Amount
	over    bool // may be given more than there is
	lastTry bool // was given what the device may not have
	since   time.Time
	ready   chan struct{}

	granted *Reservation
	beyond  Amount // by how much it was overbooked
	err     error
}

// Name is what reports call that which a request waits for.
func (q *request) Name() string { return q.need.String() }

// requests is a first-in-first-out list.
type requests struct {
	first, last *request
	length      int
}

func (l *requests) append(q *request) {
	q.queue, q.prev, q.next = l, l.last, nil
	if l.last == nil {
		l.first = q
	} else {
		l.last.next = q
	}
	l.last = q
	l.length++
}

func (l *requests) remove(q *request) {
	if q.prev == nil {
		l.first = q.next
	} else {
		q.prev.next = q.next
	}
	if q.next == nil {
		l.last = q.prev
	} else {
		q.next.prev = q.prev
	}
	q.queue, q.prev, q.next = nil, nil, nil
	l.length--
}

// wants reports whether somebody waits for one of the kinds.
func (l *requests) wants(need Amount) bool {
	for q := l.first; q != nil; q = q.next {
		for k, n := range q.need {
			if n > 0 && need[k] > 0 {
				return true
			}
		}
	}
	return false
}

// reserveLater is reserve when something is in the way. It is called with the lock held
// and releases it.
func (p *pool) reserveLater(
	ctx context.Context, a *account, node *wait.Node, need Amount, over bool,
) (*Reservation, Amount, error) {
	if err := p.refuse(a, need, over); err != nil {
		p.mu.Unlock()
		return nil, Amount{}, err
	}
	if over && !p.possible(need) { // waiting would not help
		res, beyond := p.overbook(a, need)
		p.mu.Unlock()
		return res, beyond, nil
	}
	if !p.mu.queue.wants(need) && p.fits(need) { // who waits, waits for other kinds
		res := p.grant(a, need)
		p.mu.Unlock()
		return res, Amount{}, nil
	}
	q := &request{
		account: a, node: node, need: need, over: over, since: time.Now(), ready: make(chan struct{}),
	}
	p.mu.queue.append(q)
	p.mu.Unlock()

	var record wait.Record
	node.Begin(&record, wait.Wait{On: q, Reason: wait.ForMemory})
	defer node.End(&record)
	p.relieve()
	select {
	case <-q.ready:
	case <-ctx.Done():
		if p.withdraw(q) {
			return nil, Amount{}, ctx.Err()
		}
	}
	return q.granted, q.beyond, q.err
}

// refuse returns why a request can never be met. Callers hold the lock.
func (p *pool) refuse(a *account, need Amount, over bool) error {
	if p.mu.closed || a.scope.closed {
		return ErrClosed
	}
	for k, n := range need {
		if n < 0 {
			return fmt.Errorf("mem: %d bytes of %v memory: a size cannot be negative", n, Kind(k))
		}
		if n > p.limits[k] && !over {
			return &NoMemoryError{
				Kind: Kind(k), Need: n, Limit: p.limits[k], Taken: p.taken(Kind(k)), Smallest: n, Node: a.name,
				DiskLimit: p.limits[Disk], DiskLeft: max(0, p.limits[Disk]-p.taken(Disk)), DiskDir: p.diskDir,
			}
		}
	}
	return nil
}

// possible reports whether so much could ever be there.
func (p *pool) possible(need Amount) bool {
	for k, n := range need {
		if n > p.limits[k] {
			return false
		}
	}
	return true
}

// overbook promises bytes whether they are there or not, and returns by how much the
// limits are exceeded then. Callers hold the lock.
func (p *pool) overbook(a *account, need Amount) (res *Reservation, beyond Amount) {
	res = p.grant(a, need)
	for k, n := range need {
		if n > 0 {
			beyond[k] = p.overbooked(Kind(k))
		}
	}
	return res, beyond
}

// withdraw takes back a request whose context has ended, and returns false if it has
// an outcome already.
func (p *pool) withdraw(q *request) bool {
	p.mu.Lock()
	if q.queue == nil {
		p.mu.Unlock()
		return false
	}
	p.mu.queue.remove(q)
	p.turn(q.account)
	p.served() // those behind it may fit
	return true
}

// served follows whatever gives memory back, with the lock held, and releases it. It
// grants requests in order: one is passed over only by those that want none of its kinds.
func (p *pool) served() {
	if p.serve() {
		p.nudge()
	}
}

// serve is served without a word to the spiller: for what that itself gives back, or it would
// try again at once, and for ever, what has just failed. It returns whether anybody waited.
func (p *pool) serve() bool {
	if p.mu.queue.first == nil {
		p.mu.Unlock()
		return false
	}
	var woken []*request
	var wanted [Kinds]bool
	for q := p.mu.queue.first; q != nil; {
		next := q.next
		free := true
		for k, n := range q.need {
			free = free && (n == 0 || !wanted[k])
		}
		if free && p.fits(q.need) {
			p.settle(q, p.grant(q.account, q.need), nil)
			woken = append(woken, q)
		} else {
			for k, n := range q.need {
				wanted[k] = wanted[k] || n > 0
			}
		}
		q = next
	}
	p.mu.Unlock()
	signal(woken)
	return true
}

// settle gives a request its outcome. Callers hold the lock, and signal it after.
func (p *pool) settle(q *request, granted *Reservation, err error) {
	p.mu.queue.remove(q)
	q.granted, q.err = granted, err
}

func signal(woken []*request) {
	for _, q := range woken {
		close(q.ready)
	}
}
