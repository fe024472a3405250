package mem

import "github.com/seed14ed4225/sluice/internal/wait"

// An account is what one node has of a resource. What it reserved and allocated
// stays on it until it is released, wherever it travels meanwhile: so a leak can be
// traced to where it came from.
type account struct {
	scope *Resource
	name  string // of the node, "" for what runs in none

	outside bool // it is of those who run in no node

	// Guarded by the lock of the pool.
	used, reserved    Amount
	spilled, restored Amount      // bytes that left a kind for a slower one, and that came to one from a slower one
	allocations       allocations // where, in debug builds
}

// owner is how a network knows a node.
type owner interface{ Name() string }

// account returns the account of whoever runs in that node. Callers hold the lock.
func (r *Resource) account(node *wait.Node) *account {
	if a, ok := r.accounts[node]; ok {
		return a
	}
	a := &account{scope: r, outside: node == nil}
	if node != nil {
		if o, ok := node.Owner.(owner); ok {
			a.name = o.Name()
		}
	}
	r.accounts[node] = a
	return a
}

// take counts bytes as reserved. Callers hold the lock, and have looked whether they
// are there.
func (p *pool) take(a *account, need Amount) {
	for k, n := range need {
		if n == 0 {
			continue
		}
		a.reserved[k] += n
		p.mu.reserved[k] += n
		p.outside(a, n)
		if taken := p.taken(Kind(k)); taken > p.mu.peak[k] {
			p.mu.peak[k] = taken
		}
	}
}

// untake gives reserved bytes back. Callers hold the lock.
func (p *pool) untake(a *account, left Amount) {
	for k, n := range left {
		a.reserved[k] -= n
		p.mu.reserved[k] -= n
		p.outside(a, -n)
	}
}

// use turns reserved bytes into used ones. Callers hold the lock.
func (p *pool) use(a *account, k Kind, n int64) {
	a.reserved[k] -= n
	p.mu.reserved[k] -= n
	a.used[k] += n
	p.mu.used[k] += n
}

// unuse gives used bytes back. Callers hold the lock.
func (p *pool) unuse(a *account, k Kind, n int64) {
	a.used[k] -= n
	p.mu.used[k] -= n
	p.mu.returned[k] += n
	p.outside(a, -n)
}

// outside keeps count of what is taken by those who run in no node.
func (p *pool) outside(a *account, n int64) {
	if a.outside {
		p.mu.outside += n
	}
}

// taken returns what is used or reserved of a kind. Callers hold the lock.
func (p *pool) taken(k Kind) int64 { return p.mu.used[k] + p.mu.reserved[k] }
