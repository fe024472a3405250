package monitor

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// order puts the streams of each device in the order of their names, with the lock held. A
// stream is met when it first has done something, which says nothing about
// its place, so this comes last.
func (t *Timeline) order() {
	for _, d := range slices.SortedFunc(maps.Values(t.mu.devices), func(a, b *tracedDevice) int { return cmp.Compare(a.pid, b.pid) }) {
		for i, name := range slices.SortedFunc(maps.Keys(d.streams), compareNames) {
			t.event(&chromeEvent{Name: "thread_sort_index", Ph: "M", Pid: d.pid, Tid: d.streams[name], Args: chromeOrder{i + 1}})
		}
	}
}

// compareNames compares names as people count: piece 2 is before piece 10.
func compareNames(a, b string) int {
	restA, restB := a, b
	for restA != "" && restB != "" {
		var headA, headB string
		headA, restA = cutRun(restA)
		headB, restB = cutRun(restB)
		if c := compareRuns(headA, headB); c != 0 {
			return c
		}
	}
	return cmp.Or(cmp.Compare(len(restA), len(restB)), cmp.Compare(a, b))
}

// cutRun cuts off the digits that a text begins with, or all that is before any.
func cutRun(s string) (run, rest string) {
	digits := isDigit(rune(s[0]))
	end := strings.IndexFunc(s, func(r rune) bool { return isDigit(r) != digits })
	if end < 0 {
		end = len(s)
	}
	return s[:end], s[end:]
}

func compareRuns(a, b string) int {
	if !isDigit(rune(a[0])) || !isDigit(rune(b[0])) {
		return cmp.Compare(a, b)
	}
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) // of any length
}

func isDigit(r rune) bool { return '0' <= r && r <= '9' }
