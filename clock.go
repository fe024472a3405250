package sluice

import (
	"runtime"
	"time"
)

// tick is the resolution of wait times. Exact time stamps would cost as much as
// parking does; the errors of a coarse clock cancel out, because a wait is as likely
// to begin just before a tick as to end there.
const tick = 5 * time.Millisecond

// startClock starts the goroutine that moves the network's clock on and looks for
// stalls, and returns a function that stops it and waits until it has.
//
// A sleeping timer is not free: while a processor has one, the scheduler reads the
// time at every switch between goroutines, which adds a sixth to the price of a
// message through a one-slot channel. So the goroutine sleeps only while there is
// a processor to spare. While all are busy it queues up behind the other goroutines
// instead, and looks at the time whenever its turn comes; when its turn comes at
// once, nobody else was waiting, and it goes back to sleep.
func (n *Network) startClock() (stop func()) {
	const (
		atOnce = 5 * time.Microsecond
		often  = 3 // in a row
	)
	end, ended := make(chan struct{}), make(chan struct{})
	watch := stallWatch{n: n}
	var last time.Duration
	look := func() time.Duration {
		now := time.Since(n.mu.started)
		if now-last >= tick/2 {
			last = now
			n.clock.Set(now)
			watch.look(now)
		}
		return now
	}
	go func() {
		defer close(ended)
		ticker := time.NewTicker(tick)
		defer ticker.Stop()
		for {
			now := look()
			for spare := 0; spare < often; {
				runtime.Gosched()
				before := now
				now = look()
				if now-before < atOnce {
					spare++
				} else {
					spare = 0
				}
				select {
				case <-end:
					return
				default:
				}
			}
			select {
			case <-ticker.C:
			case <-end:
				return
			}
		}
	}()
	return func() { close(end); <-ended }
}
