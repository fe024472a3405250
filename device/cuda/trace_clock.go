package cuda

import (
	"runtime"
	"sync"
	"time"

	"github.com/seed14ed4225/sluice/device/cuda/internal/driver"
)

// A clock puts the times of a device on the clock of the process.
//
// The driver tells only how long after another event an event was, in milliseconds with 24
// bits: the longer, the less precise. So there is a base, an event of which is known
// when it was, and every operation refers to the one that was young when it was queued.
type clock struct {
	dev *Device
	mu  struct {
		sync.Mutex
		base    *base
		tried   time.Time
		pending *handle // of a base that came to nothing, because it took too long
	}
}

// A base is an event and when it was. Each who refers to it holds a reference to its handle.
type base struct {
	handle *handle
	at     time.Time
}

const (
	baseAge   = time.Second            // then it is made anew: 24 bits are then worth 0.1 µs
	basePause = 10 * time.Millisecond  // before another try
	baseSlack = 100 * time.Microsecond // how far off a base may be; the first one may be further
)

// take returns a base to refer to, with a reference to it, or nil if there is none.
func (c *clock) take() *base {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if c.mu.base == nil || now.Sub(c.mu.base.at) > baseAge && now.Sub(c.mu.tried) > basePause {
		c.mu.tried = now
		c.renew()
	}
	if c.mu.base != nil {
		c.dev.stamps.retain(c.mu.base.handle)
	}
	return c.mu.base
}

func (c *clock) release(b *base) { c.dev.stamps.release(b.handle) }

// renew makes a new base if that takes the device no time worth mentioning, on the stream
// of the device, which has nothing else to do.
func (c *clock) renew() {
	d := c.dev
	if h := c.mu.pending; h != nil {
		if d.try(func() driver.Result { return d.drv.EventQuery(h.event) }) != driver.Success {
			return
		}
		d.stamps.release(h)
		c.mu.pending = nil
	}
	h, err := d.stamps.take()
	if err != nil {
		return
	}
	from := time.Now()
	err = d.call("cuEventRecord", func() driver.Result { return d.drv.EventRecord(h.event, d.own.handle) })
	if err != nil {
		d.stamps.release(h)
		return
	}
	slack := baseSlack
	if c.mu.base == nil {
		slack = time.Second
	}
	for {
		r := d.try(func() driver.Result { return d.drv.EventQuery(h.event) })
		took := time.Since(from)
		switch {
		case r == driver.Success && took <= slack:
			if c.mu.base != nil {
				c.release(c.mu.base)
			}
			c.mu.base = &base{handle: h, at: from.Add(took / 2)}
			return
		case r == driver.Success:
			d.stamps.release(h)
			return
		case r != driver.NotReady, took > slack:
			c.mu.pending = h
			return
		}
		runtime.Gosched()
	}
}

// elapsed asks how long after an event another was.
func (d *Device) elapsed(from, to *handle) (time.Duration, driver.Result) {
	var ms float32
	r := d.try(func() (r driver.Result) {
		ms, r = d.drv.EventElapsedTime(from.event, to.event)
		return r
	})
	return time.Duration(float64(ms) * float64(time.Millisecond)), r
}
