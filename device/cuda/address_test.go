package cuda_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/device/cuda"
	"github.com/seed14ed4225/sluice/device/cuda/cudatest"
	"github.com/seed14ed4225/sluice/device/cuda/internal/driver"
)

// reuse is a driver whose second block has the address of the first, as that of one that was
// freed before has.
type reuse struct {
	driver.Driver

	mu struct {
		sync.Mutex
		address driver.Pointer // as the device sees it
		at      driver.Pointer // as the driver knows it
		freed   func()         // called once, before a free returns
	}
}

func (r *reuse) MemAllocFromPoolAsync(n uint64, p driver.Pool, s driver.Stream) (driver.Pointer, driver.Result) {
	at, result := r.Driver.MemAllocFromPoolAsync(n, p, s)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mu.address == 0 {
		r.mu.address = at
	}
	r.mu.at = at
	return r.mu.address, result
}

func (r *reuse) MemFreeAsync(at driver.Pointer, s driver.Stream) driver.Result {
	r.mu.Lock()
	if at == r.mu.address {
		at = r.mu.at
	}
	freed := r.mu.freed
	r.mu.freed = nil
	r.mu.Unlock()
	result := r.Driver.MemFreeAsync(at, s)
	if freed != nil {
		freed()
	}
	return result
}

func TestAnAddressThatIsGivenOutAgainAtOnceIsNotForgotten(t *testing.T) {
	sim := newSim(t, cudatest.Options{}) // says at the end whether everything was given back
	drv := &reuse{Driver: sim}
	d, err := cuda.OpenDriver(drv, 0, cuda.Options{})
	errIs(t, err, nil)
	a, b := newStream(t, d, "a"), newStream(t, d, "b")
	x, err := a.Alloc(100)
	errIs(t, err, nil)
	drv.mu.freed = func() { // another goroutine, between the call and what follows it
		var other sync.WaitGroup
		other.Go(func() {
			_, err := b.Alloc(100)
			errIs(t, err, nil)
		})
		other.Wait()
	}
	errIs(t, a.Free(x), nil)
	var leak *device.LeakError
	if err := d.Close(); !errors.As(err, &leak) {
		t.Errorf("error is %v, want a LeakError", err)
	}
}
