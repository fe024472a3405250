package mem

import (
	"context"
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
	inVain bool // it has just tried something and freed nothing
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

func (s *spiller) init() {
	s.nudged = make(chan struct{}, 1)
	s.ctx, s.cancel = context.WithCancel(context.Background())
}

// stop ends the spiller, and waits for what it is doing.
func (s *spiller) stop() {
	s.cancel()
	s.gone.Wait()
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
		lacking, waiting := p.demand()
		if !waiting {
			return
		}
		if p.sweepFrees() || p.makeRoom(lacking) {
			p.movedOn()
			look = firstLook
			continue
		}
		if p.progress() {
			look = firstLook
			continue
		}
		if p.spilling.inVain {
			// What it took for that, and gave back, has nudged itself: it would try again at
			// once, and for ever.
			p.spilling.inVain = false
			select {
			case <-p.spilling.nudged:
			default:
			}
		}
		timer.Reset(look)
		select {
		case <-p.spilling.nudged:
		case <-timer.C:
			look = min(2*look, laterLook)
		case <-p.spilling.ctx.Done():
		}
	}
}

// demand returns how much is missing for the requests that are next in line, or
// false, and the spiller ends, if there are none.
func (p *pool) demand() (lacking Amount, waiting bool) {
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
			lacking[k] = min(taken, max(0, n-(p.limits[k]-p.setAside[k]-taken)))
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

// spill moves payloads out of a kind until so many bytes of it are freed, or there is
// nothing more that can be spilled, and returns how many were.
func (p *pool) spill(k Kind, want int64) (freed int64) {
	victims, done := p.victims(k, want)
	defer done()
	var mu sync.Mutex
	var all sync.WaitGroup
	free := make(chan struct{}, atOnce)
	tried := false
	for _, c := range victims {
		to, res := p.destination(k, c.bytes)
		if res == nil {
			continue
		}
		tried = true
		free <- struct{}{}
		all.Go(func() {
			n, err := c.victim.Spill(c.from.ctx, res)
			res.Release()
			p.spilled(c.from, to, err)
			mu.Lock()
			freed += n
			mu.Unlock()
			<-free
		})
	}
	all.Wait()
	p.spilling.inVain = p.spilling.inVain || tried && freed == 0
	return freed
}

// victims returns what to spill, in order, to free so many bytes of a kind. Nothing of it goes
// away until done is called.
func (p *pool) victims(k Kind, want int64) (found []candidate, done func()) {
	p.mu.Lock()
	from := make([]*Registration, 0, len(p.mu.sources))
	for g := range p.mu.sources {
		from = append(from, g)
	}
	p.mu.Unlock()
	var using []*Registration
	for _, g := range from {
		if !g.begin() {
			continue
		}
		using = append(using, g)
		var have int64
		g.source.Victims(k, func(v Victim) bool {
			if content := v.Content(); content.Spillable && content.Bytes[k] > 0 {
				found = append(found, candidate{v, g, content.Bytes[k], v.NeededIn()})
				have += content.Bytes[k]
			}
			return have < want
		})
	}
	rank(found)
	return enough(found, want), func() {
		for _, g := range using {
			g.end()
		}
	}
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

// claim reserves bytes for the spiller if they are free and nobody waits for them.
func (p *pool) claim(k Kind, n int64) *Reservation {
	p.mu.Lock()
	defer p.mu.Unlock()
	need := Of(k, n)
	if p.mu.queue.wants(need) || !p.fits(need) {
		return nil
	}
	return p.grant(p.own, need)
}

// spilled remembers why spilling fails, for the request that fails because of it.
func (p *pool) spilled(from *Registration, to Kind, err error) {
	if err != nil && from.ctx.Err() != nil {
		return // it was removed meanwhile
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.spillError = nil
	if err != nil {
		p.mu.spillError = &SpillError{Name: from.name, To: to, Err: err}
	}
}
