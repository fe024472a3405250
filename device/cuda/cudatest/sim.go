package cudatest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/seed14ed4225/sluice/device/cuda"
	"github.com/seed14ed4225/sluice/device/cuda/internal/driver"
)

// Options are what a simulated driver is made with. The zero value works.
type Options struct {
	Devices int   // default 1
	Memory  int64 // bytes of each device; default 1 GiB

	// Slow is how much longer each operation of a stream takes.
	Slow time.Duration
}

// Sim is a simulated driver. All methods are safe for concurrent use.
type Sim struct {
	opts Options

	mu struct {
		sync.Mutex
		violations []error
		next       uintptr // handle
		at         driver.Pointer
		current    map[int]driver.Context // by thread
		devices    []*simDevice
		streams    map[driver.Stream]*simStream
		events     map[driver.Event]*simEvent
		pools      map[driver.Pool]*simPool
		allocs     []*alloc // by address, live or not
		pinned     []*hostMemory
		modules    map[driver.Module]*simModule
		functions  map[driver.Function]*simFunction
		kernels    map[string]*Kernel
		faults     []*fault
		hangs      []*Hang // calls
		hangsWork  []*Hang // what calls queue
		calls      map[string]int
		stalled    chan struct{} // streams wait for it to be closed; nil if they run
	}
}

// simDevice is a device with its primary context.
type simDevice struct {
	at       driver.Device
	ctx      driver.Context
	retained int
	foreign  int64 // bytes that others have
	sticky   driver.Result
	broken   chan struct{} // closed when the context is lost
}

// New makes a simulated driver. It starts no goroutine until a stream has work.
func New(opts Options) *Sim {
	if opts.Devices == 0 {
		opts.Devices = 1
	}
	if opts.Memory == 0 {
		opts.Memory = 1 << 30
	}
	s := &Sim{opts: opts}
	s.mu.next = 0x1000
	s.mu.at = 0x0e00_0000_0000
	s.mu.current = map[int]driver.Context{}
	s.mu.streams = map[driver.Stream]*simStream{}
	s.mu.events = map[driver.Event]*simEvent{}
	s.mu.pools = map[driver.Pool]*simPool{}
	s.mu.modules = map[driver.Module]*simModule{}
	s.mu.functions = map[driver.Function]*simFunction{}
	s.mu.kernels = ownKernels()
	s.mu.calls = map[string]int{}
	for i := range opts.Devices {
		s.mu.devices = append(s.mu.devices, &simDevice{at: driver.Device(i), ctx: driver.Context(0xc000 + i)})
	}
	return s
}

// Open is [cuda.Open] on the simulated driver.
func (s *Sim) Open(ordinal int, opts cuda.Options) (*cuda.Device, error) {
	return cuda.OpenDriver(s, ordinal, opts)
}

// Check returns what was done wrongly, and what has not been given back. A device that
// was closed while something was in progress gives back later, so Check waits for
// that until ctx ends.
func (s *Sim) Check(ctx context.Context) error {
	for {
		err := s.left()
		if err == nil || ctx.Err() != nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			return errors.Join(append(s.mu.violations, err)...)
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Millisecond):
		}
	}
}

// left returns what has not been given back.
func (s *Sim) left() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, d := range s.mu.devices {
		if d.retained != 0 {
			errs = append(errs, fmt.Errorf("the primary context of device %d is retained %d times too often", d.at, d.retained))
		}
	}
	for what, n := range map[string]int{
		"streams": s.alive(), "events": len(s.mu.events), "pools": len(s.mu.pools),
		"modules": len(s.mu.modules), "blocks of device memory": s.live(), "slabs of pinned memory": len(s.mu.pinned),
	} {
		if n != 0 {
			errs = append(errs, fmt.Errorf("%d %s were never given back", n, what))
		}
	}
	return errors.Join(errs...)
}

func (s *Sim) alive() (n int) {
	for _, st := range s.mu.streams {
		if !st.destroyed {
			n++
		}
	}
	return n
}

func (s *Sim) live() (n int) {
	for _, a := range s.mu.allocs {
		if !a.freeing {
			n++
		}
	}
	return n
}

// violate notes a mistake, with the lock held, and returns what the call says.
func (s *Sim) violate(r driver.Result, format string, args ...any) driver.Result {
	s.mu.violations = append(s.mu.violations, fmt.Errorf(format, args...))
	return r
}

// enter begins a call, with the lock held, and returns the device whose context is current
// and whether the call goes on; if not, with what it returns.
func (s *Sim) enter(call string) (*simDevice, driver.Result) {
	struck := s.strike(call)
	d := s.current()
	switch {
	case struck.Sticky() && d != nil:
		d.lose(struck)
		return nil, struck
	case struck != driver.Success:
		return nil, struck
	case d == nil:
		return nil, s.violate(driver.InvalidContext, "%s: no context is current on this thread", call)
	}
	return d, d.sticky
}

// current returns the device whose context is current on this thread, or nil.
func (s *Sim) current() *simDevice {
	id, known := thread()
	ctx := s.mu.current[id]
	for _, d := range s.mu.devices {
		if d.retained > 0 && (d.ctx == ctx || !known) {
			return d
		}
	}
	return nil
}

func (s *Sim) handle() uintptr {
	s.mu.next += 8
	return s.mu.next
}
