// Package devicetest is what every device has to pass. A package that implements
// [device.Device] has one test that calls [Run]:
//
//	func TestDevice(t *testing.T) {
//		devicetest.Run(t, func(t *testing.T) device.Device { return open(t) }, devicetest.Caps{})
//	}
//
// The tests take what the contract promises and nothing else: no test depends on how
// long something takes, all that wait give up after a while. Each has a device of its
// own, which must not hold anything at its end. Goroutines left over are for the caller
// to look for, in its TestMain.
package devicetest

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/seed14ed4225/sluice/device"
)

// Caps says what else can be done with a device under test. Tests that need what is
// not there are skipped. The zero value is for hardware.
type Caps struct {
	// Faults returns a way to make a device misbehave.
	Faults func(device.Device) Faults

	// Break makes the device fail for good, for example with a kernel that writes
	// where it must not. It need not wait until the device has noticed.
	Break func(device.Device) error

	// ExactMemory says that nobody else uses the device's memory, and that what
	// Memory reports is exact to the byte.
	ExactMemory bool
}

// Faults make a device misbehave. Operations are counted from the moment of the call, the
// next one is 1, and only those in memory of the device need to be.
type Faults interface {
	// Fail makes the nth operation of a kind fail when it is given to the device. It returns
	// whether an error is, or wraps, what comes of that, or nil if such an operation
	// cannot be made to fail.
	Fail(op device.Op, nth int) (is func(error) bool)

	// Exhaust makes the next allocation fail as on a device that is full.
	Exhaust()

	// Hang makes the nth operation of a kind stand still until it is released. The Go
	// channel is closed when it does.
	Hang(op device.Op, nth int) (reached <-chan struct{}, release func())
}

// HostFaults are the faults of a host device, for [Caps].
func HostFaults(f *device.Faults) Faults { return hostFaults{f} }

type hostFaults struct{ *device.Faults }

func (f hostFaults) Fail(op device.Op, nth int) func(error) bool {
	f.Faults.Fail(op, nth, errTest)
	return func(err error) bool { return errors.Is(err, errTest) }
}

func (f hostFaults) Exhaust() { f.Faults.Fail(device.OpAlloc, 1, device.ErrOutOfMemory) }

func (f hostFaults) Hang(op device.Op, nth int) (<-chan struct{}, func()) {
	h := f.Faults.Hang(op, nth)
	return h.Reached(), h.Release
}

// Run runs the suite, each test on a device that newDevice makes. It closes the device
// itself.
func Run(t *testing.T, newDevice func(t *testing.T) device.Device, caps Caps) {
	groups := []struct {
		name  string
		tests []test
	}{
		{"Order", order}, {"Events", events}, {"Copies", copies}, {"Memory", memory},
		{"Failures", failures}, {"Closing", closing}, {"Pool", pool},
	}
	for _, group := range groups {
		t.Run(group.name, func(t *testing.T) {
			for _, test := range group.tests {
				t.Run(test.name, func(t *testing.T) {
					e := &env{T: t, d: newDevice(t), newDevice: newDevice, caps: caps}
					t.Cleanup(func() {
						for _, f := range slices.Backward(e.cleanups) {
							f()
						}
						if err := e.d.Close(); err != nil {
							t.Errorf("at the end: %v", err)
						}
					})
					test.run(e)
				})
			}
		})
	}
}

type test struct {
	name string
	run  func(*env)
}

// env is what a test works with.
type env struct {
	*testing.T
	d         device.Device
	newDevice func(t *testing.T) device.Device
	caps      Caps
	cleanups  []func() // before the device is closed
}

// patience is how long anything may take before it counts as hanging.
const patience = 30 * time.Second

var errTest = errors.New("test failure")

// is fails the test unless err is want, or wraps it; a nil want is no error.
func (e *env) is(err, want error) {
	e.Helper()
	if !errors.Is(err, want) {
		e.Fatalf("error is %v, want %v", err, want)
	}
}

func (e *env) ok(err error) {
	e.Helper()
	e.is(err, nil)
}

func (e *env) stream(name string) device.Stream {
	e.Helper()
	s, err := e.d.NewStream(device.StreamOptions{Name: name})
	e.ok(err)
	return s
}

// alloc allocates on a stream, and frees there at the end.
func (e *env) alloc(s device.Stream, n int64) *device.Block {
	e.Helper()
	b, err := s.Alloc(n)
	e.ok(err)
	e.frees(s, b)
	return b
}

// pinned allocates pinned memory, and frees it on the stream at the end.
func (e *env) pinned(s device.Stream, n int64) *device.Block {
	e.Helper()
	b, err := e.d.AllocPinned(n)
	e.ok(err)
	e.frees(s, b)
	return b
}

// frees frees a block at the end of the test, unless the test did.
func (e *env) frees(s device.Stream, b *device.Block) {
	e.cleanups = append(e.cleanups, func() {
		if err := s.Free(b); err != nil && !errors.Is(err, device.ErrFreed) && !errors.Is(err, device.ErrClosed) {
			e.Errorf("free at the end: %v", err)
		}
	})
}

// wait waits for an event, but not for ever.
func (e *env) wait(ev *device.Event) error {
	e.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err := ev.Wait(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		e.Fatalf("an event of stream %q has not completed after %v", ev.Name(), patience)
	}
	return err
}

// sync waits for all that is queued on a stream.
func (e *env) sync(s device.Stream) error {
	e.Helper()
	return e.wait(s.Record())
}

// pending fails the test if the event has completed.
func (e *env) pending(ev *device.Event) {
	e.Helper()
	if done, err := ev.Query(); done {
		e.Fatalf("an event of stream %q has completed (%v) before its time", ev.Name(), err)
	}
}

// come waits for something that another goroutine closes.
func (e *env) come(what string, c <-chan struct{}) {
	e.Helper()
	select {
	case <-c:
	case <-time.After(patience):
		e.Fatalf("no %s after %v", what, patience)
	}
}

// gate holds a stream up until open is called, at the latest at the end of the test.
func (e *env) gate(s device.Stream) (reached <-chan struct{}, open func()) {
	e.Helper()
	begun, opened := make(chan struct{}), make(chan struct{})
	open = sync.OnceFunc(func() { close(opened) })
	e.ok(s.Do("gate", func() error {
		close(begun)
		<-opened
		return nil
	}))
	e.cleanups = append(e.cleanups, open)
	return begun, open
}

// read copies a span to ordinary memory and returns it.
func (e *env) read(s device.Stream, src device.Span) []byte {
	e.Helper()
	got := make([]byte, src.Len())
	e.ok(s.Copy(device.Bytes(got), src))
	e.ok(e.sync(s))
	return got
}

// holds fails the test unless the span holds n times the value.
func (e *env) holds(s device.Stream, src device.Span, value byte) {
	e.Helper()
	if got := e.read(s, src); !bytes.Equal(got, bytes.Repeat([]byte{value}, len(got))) {
		e.Fatalf("%d bytes of %v memory do not all hold %d", src.Len(), src.Place(), value)
	}
}

// random returns a source of numbers whose seed the log tells.
func (e *env) random() *rand.Rand {
	seed := rand.Uint64()
	e.Logf("seed %#x", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

func noise(r *rand.Rand, n int64) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}
