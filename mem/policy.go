package mem

import (
	"cmp"
	"slices"
	"time"
)

// The policy: which payload is spilled, and how far.
//
// Victims are taken in the order in which they will be needed, the last first; of
// those needed at the same time the largest first, because each costs a start. State
// that is registered by itself comes before all messages: it is needed once the
// input has ended, messages before that.
//
// Each goes to the next slower kind that has room. Where that is full, room is made
// there first, from the slowest kind upwards, so that nothing is moved further than
// the limits ask; only what finds no room even then skips a kind. The spiller takes
// room that is free and never waits for any: somebody may be waiting for the spiller.

// A candidate is a victim with what the policy looks at.
type candidate struct {
	victim Victim
	from   *Registration
	bytes  int64 // of the kind wanted
	needed time.Duration
}

// droppable reports whether it is a cache, which needs no room elsewhere.
func (c candidate) droppable() bool {
	s, alone := c.victim.(single)
	if !alone {
		return false
	}
	_, droppable := s.Spillable.(cached)
	return droppable
}

// rank orders candidates, the one to spill first in front.
func rank(cs []candidate) {
	slices.SortStableFunc(cs, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.needed, a.needed), cmp.Compare(b.bytes, a.bytes))
	})
}
