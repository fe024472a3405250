package cuda_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/device/cuda"
	"github.com/seed14ed4225/sluice/device/cuda/cudatest"
)

func TestAFullDeviceGivesBackWhatItsPoolKeepsAndTriesAgain(t *testing.T) {
	const mib = 1 << 20
	sim := newSim(t, cudatest.Options{Memory: 10 * mib})
	d := newDevice(t, sim, cuda.Options{})
	s := newStream(t, d, "s")
	var small []*device.Block
	for range 5 {
		b, err := s.Alloc(2 * mib)
		errIs(t, err, nil)
		small = append(small, b)
	}
	for _, b := range small {
		errIs(t, s.Free(b), nil)
	}
	mustSync(t, s)
	if n := sim.Calls("cuMemPoolTrimTo"); n != 0 {
		t.Errorf("it was trimmed %d times with room enough", n)
	}
	large, err := s.Alloc(10 * mib) // the pool keeps half of that in pieces
	errIs(t, err, nil)
	errIs(t, s.Free(large), nil)
	mustSync(t, s)
}

func TestOutOfMemorySaysHowMuchOthersHave(t *testing.T) {
	const mib = 1 << 20
	sim := newSim(t, cudatest.Options{Memory: 10 * mib})
	ours, theirs := openAt(t, sim, 0), openAt(t, sim, 0)
	s, other := newStream(t, ours, "s"), newStream(t, theirs, "s")
	sim.Occupy(0, 3*mib) // another process
	here, err := s.Alloc(1 * mib)
	errIs(t, err, nil)
	there, err := other.Alloc(4 * mib)
	errIs(t, err, nil)
	_, err = s.Alloc(5 * mib)
	var full *device.OutOfMemoryError
	want := device.OutOfMemoryError{Place: device.InDevice, Asked: 5 * mib, Free: 2 * mib, Total: 10 * mib, Others: 7 * mib}
	if !errors.As(err, &full) || *full != want {
		t.Errorf("error is %v, want one that says %+v", err, want)
	}
	if !strings.Contains(err.Error(), "others use 7340032") {
		t.Errorf("%v", err)
	}
	info, err := ours.Memory(device.InDevice)
	if err != nil || info != (device.MemoryInfo{Total: 10 * mib, Free: 2 * mib, Others: 7 * mib}) {
		t.Errorf("Memory says %+v, %v", info, err)
	}
	errIs(t, s.Free(here), nil)
	errIs(t, other.Free(there), nil)
	sim.Vacate(0)
	all, err := s.Alloc(5 * mib)
	errIs(t, err, nil)
	errIs(t, s.Free(all), nil)
}

// A goroutine that is in the middle of a call of the driver, for however long, is not waited
// for by others, except where they need its stream.
func TestACallThatTakesLongHoldsUpNoOtherStream(t *testing.T) {
	sim := newSim(t, cudatest.Options{})
	d := newDevice(t, sim, cuda.Options{})
	s, other := newStream(t, d, "s"), newStream(t, d, "other")
	b, err := s.Alloc(100)
	errIs(t, err, nil)
	mustSync(t, s)
	slow := sim.HangCall("cuMemsetD8Async", 1)
	filled := make(chan error)
	go func() { filled <- s.Fill(b.All(), 1) }()
	<-slow.Reached()
	c, err := other.Alloc(100)
	errIs(t, err, nil)
	errIs(t, other.Fill(c.All(), 2), nil)
	errIs(t, other.Free(c), nil)
	mustSync(t, other)
	slow.Release()
	errIs(t, <-filled, nil)
	errIs(t, s.Free(b), nil)
	mustSync(t, s)
}
