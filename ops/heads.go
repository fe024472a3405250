package ops

import "github.com/seed14ed4225/sluice"

// head is the number of the message that an ordered merge holds of one input.
type head struct {
	seq   sluice.SeqNum
	input int
}

// heads is a heap with the lowest number first. (container/heap would box each head
// that is pushed.)
type heads []head

func (h *heads) push(x head) {
	s := append(*h, x)
	i := len(s) - 1
	for i > 0 {
		up := (i - 1) / 2
		if s[up].seq <= x.seq {
			break
		}
		s[i], i = s[up], up
	}
	s[i] = x
	*h = s
}

func (h *heads) pop() head {
	s := *h
	top, last := s[0], len(s)-1
	x := s[last]
	s = s[:last]
	*h = s
	if last == 0 {
		return top
	}
	i := 0
	for {
		down := 2*i + 1
		if down >= last {
			break
		}
		if right := down + 1; right < last && s[right].seq < s[down].seq {
			down = right
		}
		if x.seq <= s[down].seq {
			break
		}
		s[i], i = s[down], down
	}
	s[i] = x
	return top
}
