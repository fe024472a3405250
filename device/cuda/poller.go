package cuda

import (
	"maps"
	"runtime"
	"slices"
	"sync"
	"time"
)

// A poller looks at the streams whose events somebody waits for, from one goroutine,
// which exists only while somebody waits.
//
// The driver could call a function when it comes to an event, but on a thread of its own,
// while the stream stands still, and not at all once the device has failed. Waiting in the
// driver would hold a thread for every goroutine that waits.
//
// When nothing happens it looks less and less often: at once for as long as a small copy
// takes, then after pauses that grow, so that a kernel of seconds costs next to
// nothing to wait for and is noticed with a delay that does not matter to it.
type poller struct {
	dev  *Device
	wake chan struct{}

	mu struct {
		sync.Mutex
		streams map[*stream]struct{}
		running bool
	}
}

const (
	pollSpin  = 50 * time.Microsecond
	pollFirst = 20 * time.Microsecond
	pollLast  = time.Millisecond
)

func (p *poller) init(d *Device) {
	p.dev = d
	p.wake = make(chan struct{}, 1)
	p.mu.streams = map[*stream]struct{}{}
}

// add makes the poller look at a stream until nobody waits for its events any more.
func (p *poller) add(s *stream) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.streams[s] = struct{}{}
	if !p.mu.running {
		p.mu.running = true
		go p.run()
		return
	}
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// watched returns the streams to look at, or ends the poller.
func (p *poller) watched() []*stream {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.mu.streams) == 0 {
		p.mu.running = false
	}
	return slices.Collect(maps.Keys(p.mu.streams))
}

// drop stops looking at a stream, unless somebody has begun to wait.
func (p *poller) drop(s *stream) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.watched == 0 {
		delete(p.mu.streams, s)
	}
}

func (p *poller) run() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	pause := pollFirst
	since := time.Now()
	for {
		streams := p.watched()
		if len(streams) == 0 {
			return
		}
		progress, asked := false, false
		for _, s := range streams {
			some, queried, waits := s.look()
			progress, asked = progress || some, asked || queried
			if !waits {
				p.drop(s)
			}
		}
		if !asked {
			// Everybody waits for what is still held back in Go, and nobody would
			// notice that the device has failed.
			p.dev.own.check()
		}
		if progress {
			pause, since = pollFirst, time.Now()
			continue
		}
		if time.Since(since) < pollSpin {
			runtime.Gosched()
			continue
		}
		timer.Reset(pause)
		select {
		case <-timer.C:
			pause = min(2*pause, pollLast)
		case <-p.wake:
			pause, since = pollFirst, time.Now()
		}
	}
}

// look completes what has completed. It returns whether anything had, whether the device
// was asked, and whether somebody still waits.
func (s *stream) look() (progress, asked, waits bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked = len(s.mu.flight) > 0
	return s.reapLocked(), asked, s.mu.watched > 0
}

// check asks the driver how the device is.
func (s *stream) check() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.ended == nil {
		s.quiet()
	}
}
