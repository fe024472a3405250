package sluice

// lock takes the channel's lock on the path of a message.
//
// When more than two goroutines on several processors want it, sync.Mutex parks those
// that it turns away, which costs several messages each, and a goroutine that tries
// again at once takes the channel's memory from the processor that is at work with it.
// One that keeps off for a few microseconds lets that processor move some dozens of
// messages undisturbed; four to four through 64 slots takes half the time then. Between
// two goroutines, one at each side, it would only make the other wait, so a channel does
// it from the first time on that two wait in one of its lists.
func (c *Channel) lock() {
	if !c.mu.TryLock() {
		c.lockSlowly()
	}
}

func (c *Channel) lockSlowly() {
	if c.crowded.Load() {
		for n := 1 << 12; n <= 1<<15; n *= 2 { // about 2 to 16 microseconds
			keepOff(n) //nolint:staticcheck // taking time is all it is for
			if c.mu.TryLock() {
				return
			}
		}
	}
	c.mu.Lock()
}

// keepOff takes about half a nanosecond n times, and touches no memory that is shared.
//
//go:noinline
func keepOff(n int) (x int) {
	for i := range n {
		x += i ^ n
	}
	return x
}

// lineUp adds a waiter to one of the channel's lists. Callers hold the lock.
func (c *Channel) lineUp(l *waiterList, w *waiter) {
	if l.first != nil && !c.crowded.Load() {
		c.crowded.Store(true)
	}
	l.append(w)
}
