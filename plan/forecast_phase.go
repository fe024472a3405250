package plan

import "slices"

// A half is a node, or, of one that gives out nothing before its input has ended, one of the two things that it does one after the
// other.
type half struct {
	node  *node
	gives bool // and no longer receives
}

// blocks reports whether a node gives out nothing before its input has ended.
func blocks(n *node) bool {
	switch n.step.(type) {
	case *sorting, *aggregate, *distinct:
		return true
	}
	return false
}

// phases returns what runs at the same time, for each part of the job that always does. Where a node blocks, what is
// behind it begins when what is before it has ended, and takes its place in memory.
func (j *Job) phases() (phases [][]half) {
	parts := j.parts()
	behind := make([][]bool, len(parts)) // by part: which come after it
	var follow func(from, part int)
	follow = func(from, part int) {
		for _, h := range parts[part] {
			if !blocks(h.node) || h.gives {
				continue
			}
			next := slices.IndexFunc(parts, func(p []half) bool { return slices.Contains(p, half{h.node, true}) })
			if !behind[from][next] {
				behind[from][next] = true
				follow(from, next)
			}
		}
	}
	for i := range parts {
		behind[i] = make([]bool, len(parts))
		follow(i, i)
	}
	for i := range parts {
		var phase []half
		for k, part := range parts {
			if i == k || !behind[i][k] && !behind[k][i] {
				phase = append(phase, part...)
			}
		}
		phases = append(phases, phase)
	}
	return phases
}

// parts cuts the job where nodes block.
func (j *Job) parts() (parts [][]half) {
	in := make(map[half]bool)
	var part []half
	var add func(half)
	add = func(h half) {
		if in[h] {
			return
		}
		in[h] = true
		part = append(part, h)
		if !blocks(h.node) || !h.gives {
			for _, c := range h.node.reads {
				for _, w := range c.writers {
					add(half{w, blocks(w)})
				}
			}
		}
		if !blocks(h.node) || h.gives {
			for _, c := range h.node.writes {
				for _, r := range c.readers {
					add(half{node: r})
				}
			}
		}
	}
	for _, n := range j.nodes {
		for _, h := range []half{{node: n}, {n, true}} {
			if h.gives && !blocks(n) || in[h] {
				continue
			}
			part = nil
			add(h)
			parts = append(parts, part)
		}
	}
	return parts
}
