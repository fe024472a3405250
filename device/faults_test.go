package device_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed14ed4225/sluice/device"
)

func TestASlowOperationTakesItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var faults device.Faults
		d := newHost(t, device.HostOptions{Faults: &faults})
		s := newStream(t, d, "s")
		faults.Slow(device.OpFill, time.Second)
		fill := func() time.Duration {
			begin := time.Now()
			errIs(t, s.Fill(device.Bytes(make([]byte, 10)), 1), nil)
			if took := time.Since(begin); took > 0 {
				t.Errorf("queuing took %v", took)
			}
			mustSync(t, s)
			return time.Since(begin)
		}
		if took := fill(); took != time.Second {
			t.Errorf("it took %v, want 1s", took)
		}
		faults.Slow(device.OpFill, 0)
		if took := fill(); took != 0 {
			t.Errorf("it took %v after that was over", took)
		}
	})
}

func TestAnAllocationHangsInItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var faults device.Faults
		d := newHost(t, device.HostOptions{Faults: &faults})
		s := newStream(t, d, "s")
		hang := faults.Hang(device.OpAlloc, 1)
		result := make(chan error)
		go func() {
			_, err := s.Alloc(10)
			result <- err
		}()
		<-hang.Reached()
		d.Fail(errTest)
		errIs(t, <-result, errTest)
	})
}

func TestAHangEndsWithTheDevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var faults device.Faults
		d := newHost(t, device.HostOptions{Faults: &faults})
		s := newStream(t, d, "s")
		hang := faults.Hang(device.OpDo, 1)
		faults.Slow(device.OpFill, time.Hour)
		errIs(t, s.Do("never", func() error { t.Error("called"); return nil }), nil)
		other := newStream(t, d, "other")
		errIs(t, other.Fill(device.Bytes(make([]byte, 1)), 1), nil)
		<-hang.Reached()
		begin := time.Now()
		errIs(t, d.Close(), nil)
		synctest.Wait()
		if took := time.Since(begin); took > 0 {
			t.Errorf("closing took %v", took)
		}
	})
}

func TestFaultsThatMakeNoSensePanic(t *testing.T) {
	var faults device.Faults
	for name, f := range map[string]func(){
		"operation 0":      func() { faults.Fail(device.OpCopy, 0, errTest) },
		"no such kind":     func() { faults.Fail(device.Op(100), 1, errTest) },
		"no such slow one": func() { faults.Slow(device.Op(100), 1) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

// Goroutines work on streams that wait for each other, operations fail and hang, and in
// the end the device breaks, is closed, or neither: everybody comes home, what was
// reported done was done, and nothing is left allocated.
func TestWhateverHappensEverybodyComesHome(t *testing.T) {
	rounds := 150
	if raceDetector {
		rounds = 40
	}
	for range rounds {
		seed := rand.Uint64()
		if err := chaos(seed); err != nil {
			t.Fatalf("seed %#x: %v", seed, err)
		}
	}
}

func chaos(seed uint64) error {
	const goroutines, steps, n = 4, 25, 20_000
	r := rand.New(rand.NewPCG(seed, 0))
	var faults device.Faults
	d, err := device.NewHost(device.HostOptions{DeviceMemory: 10 * n, Faults: &faults})
	if err != nil {
		return err
	}
	for range r.IntN(4) {
		faults.Fail(device.Op(r.IntN(5)), 1+r.IntN(60), errTest)
	}
	var hang *device.Hang
	if r.IntN(2) == 0 {
		hang = faults.Hang(device.OpCopy, 1+r.IntN(60))
	}
	ends := r.IntN(3)
	if ends == 1 {
		faults.Break(device.OpFill, 1+r.IntN(40), errTest)
	}
	pool, err := device.NewStreamPool(d, 3, device.StreamOptions{})
	if err != nil {
		return err
	}

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var all sync.WaitGroup
	var latest sync.Map // event of each goroutine, for the others to wait for
	problems := make(chan error, goroutines)
	for g := range goroutines {
		r := rand.New(rand.NewPCG(seed, uint64(g)+1))
		all.Go(func() {
			for i := range steps {
				if err := chaosStep(ctx, d, pool, r, &latest, g, byte(i)); err != nil {
					problems <- fmt.Errorf("goroutine %d: %w", g, err)
					return
				}
			}
		})
	}
	if hang != nil {
		time.AfterFunc(time.Millisecond, hang.Release)
	}
	closed := error(nil)
	if ends == 2 {
		closed = d.Close() // perhaps between somebody's Alloc and Free
	}
	all.Wait()
	close(problems)
	var leak *device.LeakError
	if errors.As(closed, &leak) {
		closed = nil
	}
	if err := errors.Join(closed, pool.Close(), d.Close()); err != nil {
		return err
	}
	return <-problems
}

// chaosStep takes bytes to the device and back, after what another goroutine did last.
func chaosStep(ctx context.Context, d device.Device, pool *device.StreamPool, r *rand.Rand, latest *sync.Map, g int, value byte) error {
	const n = 20_000
	s, err := pool.Stream()
	if err != nil {
		return expected(err)
	}
	if e, some := latest.Load(r.IntN(4)); some {
		if err := s.WaitFor(e.(*device.Event)); err != nil {
			return expected(err)
		}
	}
	b, err := s.Alloc(n)
	if err != nil {
		return expected(err)
	}
	got := make([]byte, n) // not used again if this fails: it may still be written
	err = s.Fill(b.All(), value)
	if err == nil {
		err = s.Copy(device.Bytes(got), b.All())
	}
	e := s.Record()
	latest.Store(g, e)
	if free := s.Free(b); free != nil && d.Err() == nil {
		return free
	}
	if waited := e.Wait(ctx); err == nil {
		err = waited
	}
	if err == nil && (got[0] != value || got[n-1] != value) {
		return fmt.Errorf("read %d and %d, wrote %d", got[0], got[n-1], value)
	}
	return expected(err)
}

// expected returns nil if the error is one that was asked for.
func expected(err error) error {
	for _, e := range []error{errTest, device.ErrClosed, device.ErrOutOfMemory} {
		if errors.Is(err, e) {
			return nil
		}
	}
	return err
}
