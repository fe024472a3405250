package mem

import (
	"cmp"
	"slices"
	"time"
)

// Stats is how a resource stands.
type Stats struct {
	Kinds   [Kinds]KindStats // indexed by Kind
	Nodes   []NodeStats      // who has some, by name; outside of a network the name is ""
	Waiting []Waiter         // those who wait for memory, the oldest first
}

// NodeStats is what of the memory comes from one node, wherever it is now.
type NodeStats struct {
	Node           string
	Used, Reserved Amount
}

// KindStats is how a kind of memory stands, in bytes. Those of a scope count what the
// scope has and did, except for Limit, Peak and Overbooked, which are of the resource
// that it takes its memory from.
type KindStats struct {
	Limit      int64
	Used       int64 // in buffers, those included whose free is still queued on a stream
	Reserved   int64 // promised, not allocated yet, except to the spiller for what it moves
	Peak       int64 // the most that was used and reserved at a time
	Overbooked int64 // the most by which that was beyond the limit
	Spilled    int64 // moved from this kind to a slower one, all in all
	Restored   int64 // moved to this kind from a slower one
}

// A Waiter is a request that waits.
type Waiter struct {
	Node  string // "" outside of a network
	Need  Amount
	Since time.Time
}

// Stats returns figures that are consistent with each other. All of a nil resource's
// are zero.
func (r *Resource) Stats() Stats {
	var s Stats
	if r == nil {
		return s
	}
	r.sweepFrees()
	p := r.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	for k := range s.Kinds {
		s.Kinds[k] = KindStats{Limit: p.limits[k], Peak: p.mu.peak[k], Overbooked: p.mu.overbooked[k]}
	}
	if r.parent == nil {
		for k := range s.Kinds {
			s.Kinds[k].Used, s.Kinds[k].Reserved = p.mu.used[k], p.mu.reserved[k]-p.own.reserved[k]
			s.Kinds[k].Spilled, s.Kinds[k].Restored = p.mu.spilled[k], p.mu.restored[k]
		}
	}
	for scope := range p.mu.scopes {
		if r.parent != nil && scope != r {
			continue
		}
		for _, a := range scope.accounts {
			if a.used != (Amount{}) || a.reserved != (Amount{}) {
				s.Nodes = append(s.Nodes, NodeStats{Node: a.name, Used: a.used, Reserved: a.reserved})
			}
		}
	}
	if r.parent != nil {
		for _, a := range r.accounts {
			for k := range s.Kinds {
				s.Kinds[k].Used += a.used[k]
				s.Kinds[k].Reserved += a.reserved[k]
				s.Kinds[k].Spilled += a.spilled[k]
				s.Kinds[k].Restored += a.restored[k]
			}
		}
	}
	slices.SortFunc(s.Nodes, func(a, b NodeStats) int { return cmp.Compare(a.Node, b.Node) })
	for q := p.mu.queue.first; q != nil; q = q.next {
		if r.parent == nil || q.account.scope == r {
			s.Waiting = append(s.Waiting, Waiter{Node: q.account.name, Need: q.need, Since: q.since})
		}
	}
	return s
}

// Moves returns a number that changes whenever memory of the resource or scope is given,
// given back, or moved to another kind.
func (r *Resource) Moves() uint64 {
	if r == nil {
		return 0
	}
	p := r.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	return r.turns
}

// moved counts n bytes that went from one kind to another. A move to a slower kind is
// spilling, one to a faster kind restoring. Callers hold the lock.
func (p *pool) moved(a *account, from, to Kind, n int64) {
	a.scope.turns++
	if from < to {
		a.spilled[from] += n
		p.mu.spilled[from] += n
	} else {
		a.restored[to] += n
		p.mu.restored[to] += n
	}
}

// moved counts a move of what is charged to the account; of nobody's, if that is nil.
func (a *account) moved(from, to Kind, n int64) {
	if a == nil {
		return
	}
	p := a.scope.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	p.moved(a, from, to, n)
}

func sortLeaks(leaks []Leak) {
	slices.SortFunc(leaks, func(a, b Leak) int { return cmp.Compare(a.Node, b.Node) })
}
