package shuffle

import "slices"

// A line is the producers that wait for credits, in the order in which they came. Only the
// first is ever woken: it looks what has changed, and either gets its credits, or splits what
// others have collected, or goes on waiting. As long as it is first, nobody overtakes it.
//
// So nobody is forgotten: whatever could let the first one go on (credits come back, there is
// something to split, it leaves) wakes it, or the one who is first then. And it never
// waits for itself: credits that are out belong to what is collected, which it splits, or to
// what somebody else is splitting, who wakes it after that.
type line struct{ waiters []*waiter }

// A waiter is a producer, in line if waits or when it was woken.
type waiter struct {
	waits bool
	woken chan struct{} // closed when it should look again
}

// first reports whether w is served next: it is first in line, or there is none.
func (l *line) first(w *waiter) bool { return len(l.waiters) == 0 || l.waiters[0] == w }

// join makes a waiter wait, at the end of the line or where it was.
func (l *line) join(w *waiter) {
	w.waits, w.woken = true, make(chan struct{})
	if !slices.Contains(l.waiters, w) {
		l.waiters = append(l.waiters, w)
	}
}

// leave takes a waiter out of the line, if it is there, and wakes who is first then.
func (l *line) leave(w *waiter) {
	if i := slices.Index(l.waiters, w); i >= 0 {
		l.waiters = slices.Delete(l.waiters, i, i+1)
		l.wake()
	}
}

// wake makes the first look again.
func (l *line) wake() {
	if len(l.waiters) > 0 && l.waiters[0].waits {
		l.waiters[0].waits = false
		close(l.waiters[0].woken)
	}
}
