//go:build sluicedebug

package device_test

import (
	"errors"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/seed14ed4225/sluice/device"
)

func TestTheDebugBuildSaysWhereABlockWasAllocatedAndFreed(t *testing.T) {
	d := newHost(t, device.HostOptions{})
	s := newStream(t, d, "s")
	b := allocateHere(t, s)
	freeHere(t, s, b)
	for _, err := range []error{s.Free(b), s.Fill(b.All(), 1)} {
		errIs(t, err, device.ErrFreed)
		for _, place := range []string{"allocateHere", "freeHere"} {
			if !strings.Contains(err.Error(), place) {
				t.Errorf("%v does not name %s", err, place)
			}
		}
	}
}

func TestTheDebugBuildSaysWhereALeakCameFrom(t *testing.T) {
	d, err := device.NewHost(device.HostOptions{})
	errIs(t, err, nil)
	s := newStream(t, d, "s")
	freeHere(t, s, allocateHere(t, s))
	allocateHere(t, s)
	var leak *device.LeakError
	if err := d.Close(); !errors.As(err, &leak) || len(leak.Where) != 1 || !strings.Contains(err.Error(), "allocateHere") {
		t.Errorf("Close = %v", err)
	}
}

func TestTheDebugBuildUnmapsWhatIsFreed(t *testing.T) {
	if raceDetector {
		t.Skip("race builds map no memory")
	}
	d := newHost(t, device.HostOptions{})
	s := newStream(t, d, "s")
	b, err := d.AllocPinned(100)
	errIs(t, err, nil)
	late := b.Bytes()
	if late[0] != 0xdb {
		t.Errorf("fresh memory holds %#x, want what nobody would write", late[0])
	}
	freeHere(t, s, b)
	mustSync(t, s)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if recover() == nil {
			t.Error("freed memory could be written")
		}
	}()
	write(late)
}

// write is a function of its own because the compiler expects no panic of a store.
//
//go:noinline
func write(b []byte) { b[0] = 1 }

//go:noinline
func allocateHere(t *testing.T, s device.Stream) *device.Block {
	b, err := s.Alloc(100)
	errIs(t, err, nil)
	return b
}

//go:noinline
func freeHere(t *testing.T, s device.Stream, b *device.Block) { errIs(t, s.Free(b), nil) }
