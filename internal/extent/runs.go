package extent

import "math/rand/v2"

// runs is a set of runs of bytes that neither overlap nor touch, ordered by where they
// begin. It is a treap whose nodes know the largest run below them, so that adding,
// taking and merging take time in the logarithm of their number, however many holes
// small extents have left. Nodes are kept in one slice and used again: in
// steady state nothing is allocated. The zero value is empty.
type runs struct {
	nodes  []run // nodes[0] is unused, so that index 0 can mean none
	root   int32
	unused int32 // a list of nodes by their left index
}

type run struct {
	off, size   int64
	most        int64 // size of the largest run in this subtree
	left, right int32
	priority    uint32
}

// take removes size bytes from the front of the first run that has as many, and says
// where they begin.
func (r *runs) take(size int64) (off int64, ok bool) {
	if r.root == 0 || r.nodes[r.root].most < size {
		return 0, false
	}
	r.root, off = r.takeFrom(r.root, size)
	return off, true
}

// takeFrom is take in a subtree that is known to have such a run. It returns the
// new root of the subtree.
func (r *runs) takeFrom(i int32, size int64) (root int32, off int64) {
	n := &r.nodes[i]
	switch {
	case n.left != 0 && r.nodes[n.left].most >= size:
		n.left, off = r.takeFrom(n.left, size)
	case n.size > size:
		off = n.off
		n.off += size // order is kept: the next run begins behind the end of this one
		n.size -= size
	case n.size == size:
		off, root = n.off, r.merge(n.left, n.right)
		r.drop(i)
		return root, off
	default:
		n.right, off = r.takeFrom(n.right, size)
	}
	r.update(i)
	return i, off
}

// add puts a run into the set and merges it with its neighbours. It panics if part of it is
// there already: two extents would be given the same space.
func (r *runs) add(off, size int64) {
	before, after := r.neighbours(off)
	if before != 0 {
		if b := r.nodes[before]; b.off+b.size > off {
			panic("extent: space freed twice")
		} else if b.off+b.size == off {
			off, size = b.off, b.size+size
			r.remove(b.off)
		}
	}
	if after != 0 {
		if a := r.nodes[after]; off+size > a.off {
			panic("extent: space freed twice")
		} else if off+size == a.off {
			size += a.size
			r.remove(a.off)
		}
	}
	i := r.node(off, size)
	low, high := r.split(r.root, off)
	r.root = r.merge(r.merge(low, i), high)
}

// last returns the run that begins last, of size 0 when there is none.
func (r *runs) last() (off, size int64) {
	for i := r.root; i != 0; i = r.nodes[i].right {
		off, size = r.nodes[i].off, r.nodes[i].size
	}
	return off, size
}

// neighbours returns the last run that begins before off and the first that does not.
func (r *runs) neighbours(off int64) (before, after int32) {
	for i := r.root; i != 0; {
		if r.nodes[i].off < off {
			before, i = i, r.nodes[i].right
		} else {
			after, i = i, r.nodes[i].left
		}
	}
	return before, after
}

// remove takes out the run that begins at off.
func (r *runs) remove(off int64) {
	low, rest := r.split(r.root, off)
	one, high := r.split(rest, off+1)
	r.drop(one)
	r.root = r.merge(low, high)
}

// split parts a subtree into what begins before off and what does not.
func (r *runs) split(i int32, off int64) (low, high int32) {
	if i == 0 {
		return 0, 0
	}
	n := &r.nodes[i]
	if n.off < off {
		n.right, high = r.split(n.right, off)
		r.update(i)
		return i, high
	}
	low, n.left = r.split(n.left, off)
	r.update(i)
	return low, i
}

// merge joins two subtrees, of which the first lies before the second.
func (r *runs) merge(low, high int32) int32 {
	switch {
	case low == 0:
		return high
	case high == 0:
		return low
	case r.nodes[low].priority > r.nodes[high].priority:
		r.nodes[low].right = r.merge(r.nodes[low].right, high)
		r.update(low)
		return low
	default:
		r.nodes[high].left = r.merge(low, r.nodes[high].left)
		r.update(high)
		return high
	}
}

// update says again what is largest below a node.
func (r *runs) update(i int32) {
	n := &r.nodes[i]
	n.most = max(n.size, r.nodes[n.left].most, r.nodes[n.right].most) // nodes[0].most is 0
}

func (r *runs) node(off, size int64) int32 {
	n := run{off: off, size: size, most: size, priority: rand.Uint32()}
	if i := r.unused; i != 0 {
		r.unused = r.nodes[i].left
		r.nodes[i] = n
		return i
	}
	if len(r.nodes) == 0 {
		r.nodes = make([]run, 1, 64)
	}
	r.nodes = append(r.nodes, n)
	return int32(len(r.nodes) - 1)
}

func (r *runs) drop(i int32) {
	r.nodes[i] = run{left: r.unused}
	r.unused = i
}
