package mem_test

import (
	"context"
	"errors"
	"testing"

	"go.uber.org/goleak"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/mem"
)

// Every test of the package fails if a goroutine outlives it.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errTest = errors.New("test failure")

// newResource makes a resource of which nothing may be left at the end of the test. What
// is not limited by opts is limited to 64 MiB.
func newResource(t testing.TB, opts mem.Options) *mem.Resource {
	t.Helper()
	for k := range opts.Limits {
		if opts.Limits[k].IsZero() && (k != int(mem.Disk) || opts.SpillDir != "") {
			opts.Limits[k] = mem.Bytes(64 << 20)
		}
	}
	r, err := mem.New(opts)
	errIs(t, err, nil)
	t.Cleanup(func() {
		if err := r.Close(context.Background()); err != nil {
			t.Errorf("at the end: %v", err)
		}
	})
	return r
}

// newDevice makes a host device that misbehaves as told, and outlives the resource.
func newDevice(t testing.TB, faults *device.Faults) *device.Host {
	t.Helper()
	d, err := device.NewHost(device.HostOptions{DeviceMemory: 64 << 20, PinnedMemory: 64 << 20, Faults: faults})
	errIs(t, err, nil)
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("at the end: %v", err)
		}
	})
	return d
}

func newStream(t testing.TB, d device.Device, name string) device.Stream {
	t.Helper()
	s, err := d.NewStream(device.StreamOptions{Name: name})
	errIs(t, err, nil)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func reserve(t testing.TB, r *mem.Resource, k mem.Kind, n int64) *mem.Reservation {
	t.Helper()
	res, err := r.Reserve(context.Background(), k, n)
	errIs(t, err, nil)
	t.Cleanup(res.Release)
	return res
}

// alloc makes a buffer with nothing left of its reservation.
func alloc(t testing.TB, r *mem.Resource, k mem.Kind, n int64, on device.Stream) *mem.Buffer {
	t.Helper()
	b, err := reserve(t, r, k, n).Alloc(k, n, on)
	errIs(t, err, nil)
	return b
}

// pattern is n bytes that differ with the seed.
func pattern(n int64, seed byte) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i>>8)*31 ^ byte(i)*7 ^ seed
	}
	return p
}

// put writes bytes into a buffer in stream order, or from Go if it has no stream.
func put(t testing.TB, b *mem.Buffer, bytes []byte) {
	t.Helper()
	if b.Stream() == nil {
		to, err := b.Exclusive()
		errIs(t, err, nil)
		copy(to, bytes)
		return
	}
	errIs(t, b.Write(func(s device.Stream, dst device.Span) error { return s.Copy(dst, device.Bytes(bytes)) }), nil)
}

// contents returns what a buffer in memory holds, once that has been written.
func contents(t testing.TB, b *mem.Buffer) []byte {
	t.Helper()
	if b.Kind() != mem.Device {
		errIs(t, b.Wait(context.Background()), nil)
		bytes, err := b.Bytes()
		errIs(t, err, nil)
		return append([]byte(nil), bytes...)
	}
	bytes := make([]byte, b.Size())
	var s device.Stream
	errIs(t, b.Read(nil, func(src device.Span) error {
		s = b.Stream()
		return s.Copy(device.Bytes(bytes), src)
	}), nil)
	errIs(t, s.Sync(context.Background()), nil)
	return bytes
}

// wantUsed fails the test unless so much is used and nothing reserved, once what was
// released has come back.
func wantUsed(t testing.TB, r *mem.Resource, want mem.Amount) {
	t.Helper()
	r.SettleFrees(context.Background())
	wantUsedNow(t, r, want)
}

// wantUsedNow is wantUsed where something has not come back.
func wantUsedNow(t testing.TB, r *mem.Resource, want mem.Amount) {
	t.Helper()
	for k, s := range r.Stats().Kinds {
		if s.Used != want[k] || s.Reserved != 0 {
			t.Errorf("%v: %d used and %d reserved, want %d and 0", mem.Kind(k), s.Used, s.Reserved, want[k])
		}
	}
}

// errIs fails the test unless err is want, or wraps it; a nil want is no error.
func errIs(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error is %v, want %v", err, want)
	}
}

// errAs fails the test unless err is an E or wraps one, and returns it.
func errAs[E error](t testing.TB, err error) (e E) {
	t.Helper()
	if !errors.As(err, &e) {
		t.Fatalf("error is %v, want a %T", err, e)
	}
	return e
}
