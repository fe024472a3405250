package mem_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/internal/size"
	"github.com/seed14ed4225/sluice/mem"
)

// beyond asks a device for n bytes of its memory under a limit that allows any number, while
// a network runs in which nothing moves.
func beyond(t *testing.T, d device.Device, held, n int64) error {
	t.Helper()
	r := newResource(t, mem.Options{Device: d, Limits: [mem.Kinds]mem.Limit{mem.Device: mem.Bytes(1 << 50)}})
	s := &standing{}
	s.still.Store(true)
	defer s.join(r)()
	on := newStream(t, d, "s")
	res, err := r.Reserve(inNode(t.Context(), "n"), mem.Device, held+n)
	errIs(t, err, nil)
	defer res.Release()
	b, err := res.Alloc(mem.Device, held, on)
	errIs(t, err, nil)
	defer b.Release()
	_, err = res.Alloc(mem.Device, n, on)
	errIs(t, err, device.ErrOutOfMemory)
	return err
}

// total returns how much memory a device has.
func total(t *testing.T, d device.Device) int64 {
	t.Helper()
	info, err := d.Memory(device.InDevice)
	errIs(t, err, nil)
	return info.Total
}

func TestMoreThanTheDeviceHasIsRefusedAtOnceAndBlamesNobody(t *testing.T) {
	onEachDevice(t, func(t *testing.T, open func() device.Device) {
		d := open()
		err := beyond(t, d, 100, total(t, d)+1)
		var late *mem.NoMemoryError
		if errors.As(err, &late) {
			t.Errorf("error is %v: it has waited", err)
		}
		for _, says := range []string{"the limit of 1PiB allows it", "the device has " + size.Readable(total(t, d)) + " in all", "lower the limit to that at most"} {
			if !strings.Contains(err.Error(), says) {
				t.Errorf("error is %v, want one that says %q", err, says)
			}
		}
		if strings.Contains(err.Error(), "stop them") {
			t.Errorf("error is %v: nobody else uses the device", err)
		}
	})
}

func TestALimitBeyondTheDeviceBlamesOthersOnlyIfThereAreSome(t *testing.T) {
	d := newDevice(t, nil)
	most := total(t, d)
	err := beyond(t, d, 4096, most)
	if says := "lower the limit to " + size.Readable(most) + " at most"; !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "stop them") {
		t.Errorf("error is %v, want one that says %q", err, says)
	}
	s := newStream(t, d, "another's")
	theirs, err := s.Alloc(4096)
	errIs(t, err, nil)
	if err := beyond(t, d, 4096, most); !strings.Contains(err.Error(), "others use the device") {
		t.Errorf("error is %v, want one that blames others", err)
	}
	errIs(t, s.Free(theirs), nil)
}
