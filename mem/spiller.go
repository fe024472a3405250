package mem

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/seed14ed4225/sluice/internal/extent"
)

// The spiller is one goroutine, there only while requests wait. It spills as much as
// the requests lack that are next in line, and not ahead of need: what waits for no
// memory is spilled for nothing.
type spiller struct {
	nudged chan struct{} // holds one: something has changed
	ctx    context.Context
	cancel context.CancelFunc
	gone   sync.WaitGroup
}

// atOnce is how many victims are spilled at a time. Each is written in several blocks
// at once besides.
const atOnce = 4

// How often the spiller looks whether it can do something, when nothing tells it:
// at first, and after a while.
const (
	firstLook = time.Millisecond
	laterLook = 10 * time.Millisecond
)

// What was of no use is not tried again before so many times as long as it took, up to the most: a disk
// that fails must not keep the process computing, which nobody could tell from one that gets on.
const (
	restAfter = 32
	mostRest  = standstill / 4
)

func (s *spiller) init() {
	s.nudged = make(chan struct{}, 1)
	s.ctx, s.cancel = context.WithCancel(context.Background())
}

// stop ends the spiller, cancels what it is doing, and waits for that until ctx ends.
func (p *pool) stopSpilling(ctx context.Context) error {
	p.spilling.cancel()
	p.mu.Lock()
	for g := p.mu.sources.first; g != nil; g = g.next {
		if g.uses > 0 {
			g.cancel()
		}
	}
	p.mu.Unlock()
	gone := make(chan struct{})
	go func() {
		p.spilling.gone.Wait()
		close(gone)
	}()
	select {
	case <-gone:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("mem: a spill is still in progress: %w", ctx.Err())
	}
}

// nudge makes the spiller look again, if it is there.
func (p *pool) nudge() {
	select {
	case p.spilling.nudged <- struct{}{}:
	default:
	}
}

// relieve starts the spiller, if it is not there, for requests that wait.
func (p *pool) relieve() {
	p.mu.Lock()
	start := !p.mu.relieving && !p.mu.closed && p.mu.queue.first != nil
	if start {
		p.mu.relieving = true
		p.demanded.Store(true)
		p.spilling.gone.Add(1)
	}
	p.mu.Unlock()
	if start {
		go p.relief()
	} else {
		p.nudge()
	}
}

// relief is the spiller's goroutine.
func (p *pool) relief() {
	defer p.spilling.gone.Done()
	look := firstLook
	timer := time.NewTimer(look)
	defer timer.Stop()
	for {
		lacking, waiting := p.demand(p.frees.total())
		if !waiting {
			return
		}
		began := time.Now()
		if p.sweepFrees() || p.measure() || p.makeRoom(lacking) {
			p.movedOn()
			look = firstLook
			continue
		}
		rest := min(restAfter*time.Since(began), mostRest)
		if p.progress() {
			look = firstLook
			continue
		}
		timer.Reset(max(look, rest))
		select {
		case <-p.spilling.nudged:
		case <-timer.C:
			look = min(2*look, laterLook)
		case <-p.spilling.ctx.Done():
		}
	}
}

// demand returns how much is missing for the requests that are next in line, besides what
// is on its way back already; or false, and the spiller ends, if there are none.
func (p *pool) demand(coming Amount) (lacking Amount, waiting bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.queue.first == nil || p.spilling.ctx.Err() != nil {
		p.mu.relieving = false
		p.demanded.Store(false)
		return Amount{}, false
	}
	var wanted [Kinds]bool
	for q := p.mu.queue.first; q != nil; q = q.next {
		for k, n := range q.need {
			if n == 0 || wanted[k] {
				continue
			}
			wanted[k] = true
			taken := p.taken(Kind(k))
			lacking[k] = max(0, min(taken, n-(p.room(Kind(k))-p.setAside[k]-taken))-coming[k])
		}
	}
	return lacking, true
}

// makeRoom spills what is lacking, as far as that is possible, and returns whether
// anything was.
func (p *pool) makeRoom(lacking Amount) bool {
	var freed int64
	for k := Host; ; k-- {
		if lacking[k] > 0 {
			freed += p.spill(k, lacking[k])
		}
		if k == Device {
			return freed > 0
		}
	}
}

// spill moves payloads out of a kind until so many bytes of it are free, or nothing more
// can be, and returns how many are. A victim that cannot be spilled hides none of those
// behind it.
func (p *pool) spill(k Kind, want int64) (freed int64) {
	before := p.returned(k)
	r := round{pool: p, kind: k, want: want}
	r.changed.L = &r.mu
	var stranded int64
	for _, c := range p.victims(k, want) {
		if !r.begin(c.bytes) {
			break
		}
		if c.droppable() {
			r.all.Go(func() { r.spill(c, k, nil) })
		} else if to, res := p.destination(k, c.bytes); res != nil {
			r.all.Go(func() { r.spill(c, to, res) })
		} else {
			stranded += c.bytes
			r.end(c.bytes, nil)
		}
	}
	r.all.Wait()
	p.mu.Lock()
	p.mu.stranded[k] = stranded
	p.mu.Unlock()
	// What a payload says that it freed is not what counts.
	return min(r.freed, p.returned(k)-before)
}

// A round is one spill of several victims.
type round struct {
	pool *pool
	kind Kind
	want int64
	all  sync.WaitGroup

	mu      sync.Mutex
	changed sync.Cond
	busy    int   // victims being spilled
	planned int64 // bytes of them
	freed   int64
	errors  int
}

// tooManyErrors end a round: it is the disk then, and not the victims.
const tooManyErrors = 16

// begin waits for its turn to spill another victim, and returns false if that is not needed
// any more, or of no use.
func (r *round) begin(bytes int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.busy > 0 && (r.busy == atOnce || r.freed+r.planned >= r.want) {
		r.changed.Wait()
	}
	if r.freed >= r.want || r.errors >= tooManyErrors || !r.pool.somebodyWaits() {
		return false
	}
	r.busy++
	r.planned += bytes
	return true
}

// somebodyWaits reports whether there is anybody to spill for.
func (p *pool) somebodyWaits() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.queue.first != nil
}

// end settles what begin has begun.
func (r *round) end(bytes int64, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.busy--
	r.planned -= bytes
	if err != nil {
		r.errors++
	}
	r.changed.Signal()
}

// spill spills a victim, whatever its methods do.
func (r *round) spill(c candidate, to Kind, res *Reservation) {
	err := errExited
	defer func() {
		if value := recover(); value != nil {
			err = fmt.Errorf("panic: %v\n%s", value, debug.Stack())
		}
		res.Release()
		r.end(c.bytes, err)
		if res != nil || err != nil { // that a cache was dropped says nothing of the disk
			r.pool.spilled(c.from, to, err)
		}
	}()
	if !c.from.begin() {
		err = nil // it has gone
		return
	}
	defer c.from.end()
	var freed int64
	freed, err = c.victim.Spill(c.from.ctx, res)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.freed += freed
}

// errExited is what is left when Spill leaves by runtime.Goexit.
var errExited = errors.New("its Spill left by runtime.Goexit")

// returned counts the bytes of a kind that ever came back.
func (p *pool) returned(k Kind) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.returned[k]
}

// moreVictims is how many a source may name beyond what is wanted, in case that those
// before cannot be spilled after all.
const moreVictims = 64

// victims returns what to spill to free so many bytes of a kind, in order, and some more.
func (p *pool) victims(k Kind, want int64) (found []candidate) {
	p.mu.Lock()
	from := make([]*Registration, 0, p.mu.sources.length)
	for g := p.mu.sources.first; g != nil; g = g.next {
		from = append(from, g)
	}
	p.mu.Unlock()
	for _, g := range from {
		if g.begin() {
			found = g.victims(k, want, found)
			g.end()
		}
	}
	rank(found)
	return found
}

// victims adds those of one source. A panic in a method of the state is remembered like a
// spill that failed.
func (g *Registration) victims(k Kind, want int64, found []candidate) (all []candidate) {
	all = found
	defer func() {
		if value := recover(); value != nil {
			all = found
			g.pool.spilled(g, k, fmt.Errorf("panic: %v\n%s", value, debug.Stack()))
		}
	}()
	var have int64
	nothing, seen := true, g.offers.Load()
	g.source.Victims(k, func(v Victim) bool {
		content := v.Content()
		nothing = nothing && (!content.Spillable || content.Total() == content.In(Disk))
		if content.Spillable && content.Bytes[k] > 0 {
			all = append(all, candidate{v, g, content.Bytes[k], v.NeededIn()})
			have += content.Bytes[k]
		}
		return have < want || len(all)-len(found) < moreVictims
	})
	if _, alone := g.source.(single); alone && nothing {
		g.rest(seen)
	}
	return all
}

// destination reserves room for n bytes that leave a kind, in the nearest one that has
// it or can be given it. It returns nil if there is none.
func (p *pool) destination(from Kind, n int64) (Kind, *Reservation) {
	for k := from + 1; k < Kinds; k++ {
		need := n
		if k == Disk {
			need = extent.Bound(n)
		}
		if p.limits[k] < need {
			continue
		}
		if res := p.claim(k, need); res != nil {
			return k, res
		}
		if k < Disk && p.spill(k, need) > 0 {
			if res := p.claim(k, need); res != nil {
				return k, res
			}
		}
	}
	return 0, nil
}

// claim reserves bytes for the spiller if they are free, and not wanted by those who
// wait.
func (p *pool) claim(k Kind, n int64) *Reservation {
	p.mu.Lock()
	defer p.mu.Unlock()
	for q := p.mu.queue.first; q != nil; q = q.next {
		if q.need[k] > 0 && (q.need[k] > p.room(k)-n || !p.fits(Of(k, n+q.need[k]))) {
			return nil
		}
	}
	if need := Of(k, n); p.fits(need) {
		return p.grant(p.own, need)
	}
	return nil
}

// spilled remembers why spilling fails, for the request that fails because of it.
func (p *pool) spilled(from *Registration, to Kind, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil && (from.removed || from.parent.Err() != nil) {
		return // it was cancelled
	}
	p.mu.spillError = nil
	if err != nil {
		p.mu.spillError = &SpillError{Name: from.name, To: to, Err: err}
	}
}
