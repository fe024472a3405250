package expr

// allocation gives each node a register for its values. One is used again as soon as the parent of
// the node that had it has been evaluated, so that long expressions need few, which stay in the
// caches.
type allocation struct {
	free      []int
	registers int
	masks     int
	seen      map[node]bool
}

// allocate gives registers to all nodes of an expression.
func (p *Program) allocate() {
	a := allocation{seen: map[node]bool{}}
	a.node(p.root)
	// The root's own may lie in the array that is being made, which is nobody else's.
	p.root.base().register = a.registers
	p.registers, p.masks = a.registers+1, a.masks
}

func (a *allocation) node(n node) {
	if c, ok := n.(*constant); ok {
		c.expand()
		return
	}
	if a.seen[n] {
		return
	}
	i := n.base()
	args := i.args
	if s, ok := n.(*shared); ok {
		a.seen[s] = true // kept for parents to come, however late
	}
	_, early := n.(*coalesce) // writes before it has evaluated all
	if early {
		i.register = a.take(n)
	}
	for _, arg := range args {
		a.node(arg)
	}
	if c, ok := n.(*converter); ok && c.same() {
		i.register = args[0].base().register
		return
	}
	if !early {
		i.register = a.take(n)
	}
	i.mask = a.masks
	a.masks += masksOf(n)
	for _, arg := range args {
		switch arg.(type) {
		case *constant, *shared:
		default:
			a.free = append(a.free, arg.base().register)
		}
	}
}

// take returns a register for a node, a fresh one if it is kept.
func (a *allocation) take(n node) (register int) {
	if a.seen[n] || len(a.free) == 0 {
		a.registers++
		return a.registers - 1
	}
	register = a.free[len(a.free)-1]
	a.free = a.free[:len(a.free)-1]
	return register
}

// masksOf is how many masks a node needs to say which rows its arguments have to have a value for.
func masksOf(n node) int {
	switch n.(type) {
	case *logic, *coalesce:
		return 1
	case *choice:
		return 2
	default:
		return 0
	}
}
