package monitor

import (
	"cmp"
	"slices"
	"time"
)

// An interval is a time from begin up to end.
type interval struct{ begin, end time.Duration }

func (i interval) length() time.Duration { return i.end - i.begin }

// intervals is a set of times. Those that touch are one, as soon as that is noticed: when
// the set has doubled, or is looked at. So adding costs little, and memory is only taken by
// pauses.
type intervals struct {
	all    []interval
	merged int // how many there were when they were last merged
}

func (s *intervals) add(i interval) {
	if n := len(s.all); n > 0 && s.all[n-1].begin <= i.begin && i.begin <= s.all[n-1].end {
		s.all[n-1].end = max(s.all[n-1].end, i.end)
		return
	}
	s.all = append(s.all, i)
	if len(s.all) > 2*s.merged+1000 {
		s.merge()
	}
}

// merge sorts the intervals and makes one of those that touch.
func (s *intervals) merge() []interval {
	slices.SortFunc(s.all, func(a, b interval) int { return cmp.Compare(a.begin, b.begin) })
	n := 0
	for _, i := range s.all {
		if n > 0 && i.begin <= s.all[n-1].end {
			s.all[n-1].end = max(s.all[n-1].end, i.end)
			continue
		}
		s.all[n] = i
		n++
	}
	s.all, s.merged = s.all[:n], n
	return s.all
}

// atOnce returns for how long at least n of the sets were going on.
func atOnce(n int, sets ...*intervals) time.Duration {
	type edge struct {
		at   time.Duration
		step int
	}
	var edges []edge
	for _, s := range sets {
		for _, i := range s.merge() {
			edges = append(edges, edge{i.begin, 1}, edge{i.end, -1})
		}
	}
	// Which of several edges at one moment comes first does not matter: between them is no
	// time.
	slices.SortFunc(edges, func(a, b edge) int { return cmp.Compare(a.at, b.at) })
	var sum, since time.Duration
	going := 0
	for _, e := range edges {
		if going >= n {
			sum += e.at - since
		}
		since = e.at
		going += e.step
	}
	return sum
}
