package mem_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/mem"
)

var inMemory = []mem.Kind{mem.Device, mem.Pinned, mem.Host}

func TestABufferIsChargedUntilItIsReleased(t *testing.T) {
	r := newResource(t, mem.Options{})
	s := newStream(t, r.Device(), "s")
	for _, k := range inMemory {
		res := reserve(t, r, k, 1000)
		b, err := res.Alloc(k, 600, s)
		errIs(t, err, nil)
		if got := res.Left(k); got != 400 {
			t.Errorf("%v: %d left of the reservation, want 400", k, got)
		}
		res.Release()
		wantUsed(t, r, mem.Of(k, 600))
		if b.Size() != 600 || b.Kind() != k || b.Stream() != s {
			t.Errorf("%d bytes of %v on %v", b.Size(), b.Kind(), b.Stream())
		}
		b.Retain().Release()
		wantUsed(t, r, mem.Of(k, 600))
		b.Release()
		wantUsed(t, r, mem.Amount{})
	}
}

func TestAllocRefusesWhatMakesNoSense(t *testing.T) {
	r := newResource(t, mem.Options{})
	s := newStream(t, r.Device(), "s")
	foreign := newStream(t, newDevice(t, nil), "foreign")
	res, err := r.ReserveAll(context.Background(), mem.Amount{100, 100, 100, 0})
	errIs(t, err, nil)
	defer res.Release()
	_, err = res.Alloc(mem.Host, 101, nil)
	if e := errAs[*mem.OverdrawnError](t, err); e.Kind != mem.Host || e.Need != 101 || e.Left != 100 {
		t.Errorf("%+v", e)
	}
	_, err = res.Alloc(mem.Device, 1, nil)
	errIs(t, err, mem.ErrNoStream)
	for name, f := range map[string]func() (*mem.Buffer, error){
		"in disk":           func() (*mem.Buffer, error) { return res.Alloc(mem.Disk, 1, s) },
		"negative":          func() (*mem.Buffer, error) { return res.Alloc(mem.Host, -1, s) },
		"negative, nil":     func() (*mem.Buffer, error) { return (*mem.Reservation)(nil).Alloc(mem.Host, -1, s) },
		"of another device": func() (*mem.Buffer, error) { return res.Alloc(mem.Pinned, 1, foreign) },
	} {
		if b, err := f(); err == nil || b != nil {
			t.Errorf("%s: %v, %v", name, b, err)
		}
	}
	for _, k := range inMemory {
		if left := res.Left(k); left != 100 {
			t.Errorf("%d left of %v, want all", left, k)
		}
	}
}

func TestWhatTheDeviceRefusesIsNotCharged(t *testing.T) {
	var faults device.Faults
	d := newDevice(t, &faults)
	r := newResource(t, mem.Options{Device: d})
	s := newStream(t, d, "s")
	for _, k := range []mem.Kind{mem.Device, mem.Pinned} {
		res := reserve(t, r, k, 100)
		faults.Fail(device.OpAlloc, 1, device.ErrOutOfMemory)
		_, err := res.Alloc(k, 60, s)
		errAs[*device.OutOfMemoryError](t, err)
		if left := res.Left(k); left != 100 {
			t.Errorf("%d left of %v, want 100", left, k)
		}
		b, err := res.Alloc(k, 100, s)
		errIs(t, err, nil)
		b.Release()
	}
}

func TestANilReservationGivesMemoryThatNobodyCounts(t *testing.T) {
	s := newStream(t, newDevice(t, nil), "s")
	for _, k := range inMemory {
		b, err := (*mem.Reservation)(nil).Alloc(k, 1000, s)
		errIs(t, err, nil)
		want := pattern(1000, 1)
		put(t, b, want)
		if !bytes.Equal(contents(t, b), want) {
			t.Errorf("%v: not what was written", k)
		}
		if c := b.Content(); c.Bytes != mem.Of(k, 1000) || c.Spillable {
			t.Errorf("%v: content is %+v", k, c)
		}
		b.Release()
	}
	b, err := (*mem.Reservation)(nil).Alloc(mem.Host, 10, nil)
	errIs(t, err, nil)
	put(t, b, []byte("0123456789"))
	b.Release()
}

// stuck makes a buffer with a write on stream "writer" that is not done until release is called.
func stuck(t *testing.T, k mem.Kind) (b *mem.Buffer, release func(), r *mem.Resource) {
	var faults device.Faults
	d := newDevice(t, &faults)
	r = newResource(t, mem.Options{Device: d})
	b = alloc(t, r, k, 100, newStream(t, d, "writer"))
	hang := faults.Hang(device.OpFill, 1)
	t.Cleanup(hang.Release)
	errIs(t, b.Write(func(s device.Stream, dst device.Span) error { return s.Fill(dst, 7) }), nil)
	return b, hang.Release, r
}

func TestBytesAreRefusedWhileAWriteIsPending(t *testing.T) {
	for _, k := range []mem.Kind{mem.Pinned, mem.Host} {
		b, release, _ := stuck(t, k)
		for _, f := range []func() ([]byte, error){b.Bytes, b.Exclusive} {
			_, err := f()
			errIs(t, err, mem.ErrPending)
			if !bytes.Contains([]byte(err.Error()), []byte(`"writer"`)) {
				t.Errorf("%v does not name the stream", err)
			}
		}
		if done, _ := b.Written().Query(); done {
			t.Error("the write is done")
		}
		release()
		errIs(t, b.Wait(context.Background()), nil)
		got, err := b.Bytes()
		errIs(t, err, nil)
		if got[99] != 7 {
			t.Errorf("%v: %d, want 7", k, got[99])
		}
		b.Release()
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	b, release, _ := stuck(t, mem.Device)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	errIs(t, b.Wait(ctx), context.Canceled)
	release()
	errIs(t, b.Wait(context.Background()), nil)
	b.Release()
}

func TestBytesOfOtherKindsAreAnErrorThatSaysWhatToDo(t *testing.T) {
	r := newResource(t, mem.Options{SpillDir: t.TempDir()})
	s := newStream(t, r.Device(), "s")
	onDevice := alloc(t, r, mem.Device, 100, s)
	defer onDevice.Release()
	onDisk := alloc(t, r, mem.Host, 100, s)
	defer onDisk.Release()
	spill(t, r, onDisk, mem.Disk)
	for b, k := range map[*mem.Buffer]mem.Kind{onDevice: mem.Device, onDisk: mem.Disk} {
		for _, f := range []func() ([]byte, error){b.Bytes, b.Exclusive} {
			_, err := f()
			if e := errAs[*mem.ResidencyError](t, err); e.Kind != k || e.Want != mem.Host {
				t.Errorf("%+v", e)
			}
		}
	}
	for _, err := range []error{
		onDisk.Read(s, func(device.Span) error { return nil }),
		onDisk.Write(func(device.Stream, device.Span) error { return nil }),
	} {
		errAs[*mem.ResidencyError](t, err)
	}
	_, err := onDisk.Copy(context.Background(), nil)
	errAs[*mem.ResidencyError](t, err)
}

func TestExclusiveIsRefusedWhileOthersHoldOrReadTheBuffer(t *testing.T) {
	var faults device.Faults
	d := newDevice(t, &faults)
	r := newResource(t, mem.Options{Device: d})
	b := alloc(t, r, mem.Host, 100, newStream(t, d, "own"))
	reader := newStream(t, d, "reader")

	b.Retain()
	_, err := b.Exclusive()
	errIs(t, err, mem.ErrShared)
	errIs(t, b.Write(func(device.Stream, device.Span) error { return nil }), mem.ErrShared)
	_, err = b.Bytes()
	errIs(t, err, nil)
	b.Release()
	slice, err := b.Slice(10, 10)
	errIs(t, err, nil)
	_, err = b.Exclusive()
	errIs(t, err, mem.ErrShared)
	slice.Release()

	hang := faults.Hang(device.OpCopy, 1)
	to := make([]byte, 100)
	errIs(t, b.Read(reader, func(src device.Span) error { return reader.Copy(device.Bytes(to), src) }), nil)
	_, err = b.Exclusive()
	errIs(t, err, mem.ErrPending)
	_, err = b.Bytes()
	errIs(t, err, nil)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	errIs(t, b.WaitAll(ctx), context.Canceled)
	hang.Release()
	errIs(t, b.WaitAll(context.Background()), nil)
	_, err = b.Exclusive()
	errIs(t, err, nil)
	b.Release()
}

func TestAReadElsewhereWaitsForTheWriteAndTheNextWriteForIt(t *testing.T) {
	for _, k := range inMemory {
		var faults device.Faults
		d := newDevice(t, &faults)
		r := newResource(t, mem.Options{Device: d})
		own, reader := newStream(t, d, "own"), newStream(t, d, "reader")
		b := alloc(t, r, k, 100, own)
		var got [3][]byte
		hangs := [...]*device.Hang{faults.Hang(device.OpFill, 1), faults.Hang(device.OpCopy, 1)}
		for i := range got {
			errIs(t, b.Write(func(s device.Stream, dst device.Span) error { return s.Fill(dst, byte(i+1)) }), nil)
			got[i] = make([]byte, 100)
			errIs(t, b.Read(reader, func(src device.Span) error { return reader.Copy(device.Bytes(got[i]), src) }), nil)
		}
		hangs[0].Release() // without the waits, all else would have been done by now
		<-hangs[1].Reached()
		hangs[1].Release()
		errIs(t, reader.Sync(context.Background()), nil)
		for i := range got {
			if got[i][0] != byte(i+1) || got[i][99] != byte(i+1) {
				t.Errorf("%v: read %d saw %d", k, i+1, got[i][0])
			}
		}
		b.Release()
		r.SettleFrees(context.Background())
		wantUsed(t, r, mem.Amount{})
	}
}

func TestRebindMakesTheNewStreamWaitForEverything(t *testing.T) {
	for _, k := range inMemory {
		var faults device.Faults
		d := newDevice(t, &faults)
		r := newResource(t, mem.Options{Device: d})
		first, second, reader := newStream(t, d, "first"), newStream(t, d, "second"), newStream(t, d, "reader")
		b := alloc(t, r, k, 100, first)
		hang, reading := faults.Hang(device.OpFill, 1), faults.Hang(device.OpCopy, 1)
		errIs(t, b.Write(func(s device.Stream, dst device.Span) error { return s.Fill(dst, 1) }), nil)
		seen, last := make([]byte, 100), make([]byte, 100)
		errIs(t, b.Read(reader, func(src device.Span) error { return reader.Copy(device.Bytes(seen), src) }), nil)
		errIs(t, b.Rebind(second), nil)
		rebound := second.Record()
		if b.Stream() != second {
			t.Error("not rebound")
		}
		errIs(t, b.Write(func(s device.Stream, dst device.Span) error {
			if s != second {
				t.Error("written on another stream")
			}
			return s.Fill(dst, 2)
		}), nil)
		errIs(t, b.Read(nil, func(src device.Span) error { return second.Copy(device.Bytes(last), src) }), nil)
		hang.Release()
		<-reading.Reached()
		if done, _ := rebound.Query(); done {
			t.Errorf("%v: the new stream goes on while another reads", k)
		}
		reading.Release()
		errIs(t, second.Sync(context.Background()), nil)
		if seen[99] != 1 || last[99] != 2 {
			t.Errorf("%v: saw %d and %d, want 1 and 2", k, seen[99], last[99])
		}
		b.Release()
	}
}

func TestRebindRefusesAStreamThatCannotReachTheMemory(t *testing.T) {
	r := newResource(t, mem.Options{})
	b := alloc(t, r, mem.Device, 10, newStream(t, r.Device(), "s"))
	defer b.Release()
	if err := b.Rebind(newStream(t, newDevice(t, nil), "foreign")); err == nil {
		t.Error("rebound to a stream of another device")
	}
	errIs(t, b.Rebind(nil), mem.ErrNoStream)
}

func TestABufferWithoutAStreamSaysSo(t *testing.T) {
	r := newResource(t, mem.Options{})
	b := alloc(t, r, mem.Host, 10, nil)
	defer b.Release()
	errIs(t, b.Write(func(device.Stream, device.Span) error { return nil }), mem.ErrNoStream)
	errIs(t, b.Read(nil, func(device.Span) error { return nil }), mem.ErrNoStream)
	errIs(t, b.Rebind(newStream(t, r.Device(), "s")), nil)
	put(t, b, pattern(10, 3))
	if !bytes.Equal(contents(t, b), pattern(10, 3)) {
		t.Error("not what was written")
	}
}

func TestASliceSharesTheMemoryAndKeepsIt(t *testing.T) {
	for _, k := range inMemory {
		r := newResource(t, mem.Options{})
		b := alloc(t, r, k, 100, newStream(t, r.Device(), "s"))
		want := pattern(100, 1)
		put(t, b, want)
		s, err := b.Slice(10, 50)
		errIs(t, err, nil)
		inner, err := s.Slice(5, 20)
		errIs(t, err, nil)
		for _, b := range []*mem.Buffer{b, s, inner} {
			if c := b.Content(); c != (mem.Content{}) {
				t.Errorf("a buffer that shares its memory owns %+v", c)
			}
		}
		b.Release()
		s.Release()
		wantUsed(t, r, mem.Of(k, 100))
		if got := contents(t, inner); !bytes.Equal(got, want[15:35]) {
			t.Errorf("%v: the slice holds %v", k, got)
		}
		inner.Release()
		wantUsed(t, r, mem.Amount{})
	}
}

func TestASliceOutOfBoundsIsAnError(t *testing.T) {
	r := newResource(t, mem.Options{})
	b := alloc(t, r, mem.Host, 100, nil)
	defer b.Release()
	for _, at := range [][2]int64{{-1, 1}, {0, -1}, {0, 101}, {101, 0}, {50, 51}, {1, 1<<63 - 1}} {
		if _, err := b.Slice(at[0], at[1]); err == nil {
			t.Errorf("%d bytes from %d on", at[1], at[0])
		} else {
			errIs(t, err, mem.ErrOutOfBounds)
		}
	}
	for _, at := range [][2]int64{{0, 100}, {100, 0}, {0, 0}} {
		s, err := b.Slice(at[0], at[1])
		errIs(t, err, nil)
		s.Release()
	}
}

func TestUsingABufferAfterItsLastReleasePanics(t *testing.T) {
	r := newResource(t, mem.Options{})
	b := alloc(t, r, mem.Host, 100, nil)
	s, err := b.Slice(0, 10)
	errIs(t, err, nil)
	defer s.Release()
	b.Release() // the slice keeps the memory, but not b
	for name, f := range map[string]func(){
		"Release": b.Release,
		"Retain":  func() { b.Retain() },
		"Bytes":   func() { _, _ = b.Bytes() },
		"Content": func() { b.Content() },
		"Slice":   func() { _, _ = b.Slice(0, 1) },
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
	(*mem.Buffer)(nil).Release() // so that a deferred one needs no condition
}

func TestWhatFailedToBeWrittenIsNotRead(t *testing.T) {
	for _, k := range inMemory {
		var faults device.Faults
		d := newDevice(t, &faults)
		r := newResource(t, mem.Options{Device: d, SpillDir: t.TempDir()})
		b := alloc(t, r, k, 100, newStream(t, d, "s"))
		other := newStream(t, d, "other")
		faults.Fail(device.OpFill, 1, errTest)
		errIs(t, b.Write(func(s device.Stream, dst device.Span) error { return s.Fill(dst, 1) }), nil)
		errIs(t, b.Wait(context.Background()), errTest)
		errIs(t, b.Read(other, func(device.Span) error { t.Error("read"); return nil }), errTest)
		errIs(t, b.Read(nil, func(device.Span) error { t.Error("read"); return nil }), errTest)
		errIs(t, b.Write(func(device.Stream, device.Span) error { t.Error("written"); return nil }), errTest)
		errIs(t, other.Err(), nil)
		if k != mem.Device {
			_, err := b.Bytes()
			errIs(t, err, errTest)
		}
		res, err := r.ReserveAll(context.Background(), mem.Amount{0, 0, 0, 4096})
		errIs(t, err, nil)
		_, err = b.Spill(context.Background(), res)
		errIs(t, err, errTest)
		res.Release()
		b.Release()
		wantUsed(t, r, mem.Amount{})
	}
}

func TestContentIsWhatSpillingWouldFree(t *testing.T) {
	r := newResource(t, mem.Options{SpillDir: t.TempDir()})
	b := alloc(t, r, mem.Host, 5000, nil)
	if c := b.Content(); c != (mem.Content{Bytes: mem.Of(mem.Host, 5000), Spillable: true}) {
		t.Errorf("%+v", c)
	}
	b.Retain()
	if c := b.Content(); c != (mem.Content{}) {
		t.Errorf("shared: %+v", c)
	}
	b.Release()
	spill(t, r, b, mem.Disk)
	if c := b.Content(); c != (mem.Content{Bytes: mem.Of(mem.Disk, 5000)}) {
		t.Errorf("on disk: %+v", c)
	}
	b.Release()
}

func TestACopyIsAnother(t *testing.T) {
	for _, from := range inMemory {
		for _, to := range inMemory {
			r := newResource(t, mem.Options{})
			b := alloc(t, r, from, 1000, newStream(t, r.Device(), "s"))
			want := pattern(1000, 1)
			put(t, b, want)
			res := reserve(t, r, to, 1000)
			c := copyOf(t, b, res)
			put(t, b, pattern(1000, 2))
			b.Release()
			if c.Kind() != to || c.Size() != 1000 {
				t.Errorf("a copy of %v is %d bytes of %v, want %v", from, c.Size(), c.Kind(), to)
			}
			if !bytes.Equal(contents(t, c), want) {
				t.Errorf("%v to %v: the copy differs", from, to)
			}
			c.Release()
		}
	}
}

func copyOf(t *testing.T, b *mem.Buffer, res *mem.Reservation) *mem.Buffer {
	t.Helper()
	c, err := b.Copy(context.Background(), res)
	errIs(t, err, nil)
	return c.(*mem.Buffer)
}

func TestACopyPrefersItsOwnKindAndThenTheFastest(t *testing.T) {
	r := newResource(t, mem.Options{})
	b := alloc(t, r, mem.Host, 100, nil)
	defer b.Release()
	for _, c := range []struct {
		room mem.Amount
		want mem.Kind
	}{
		{mem.Amount{100, 100, 100, 0}, mem.Host},
		{mem.Amount{100, 100, 99, 0}, mem.Device},
		{mem.Amount{99, 100, 99, 0}, mem.Pinned},
	} {
		res, err := r.ReserveAll(context.Background(), c.room)
		errIs(t, err, nil)
		made := copyOf(t, b, res)
		if made.Kind() != c.want {
			t.Errorf("%v: copied to %v", c.room, made.Kind())
		}
		made.Release()
		res.Release()
	}
	res := reserve(t, r, mem.Host, 99)
	_, err := b.Copy(context.Background(), res)
	errAs[*mem.OverdrawnError](t, err)
}

func TestACopyOfASliceIsOfItsBytes(t *testing.T) {
	r := newResource(t, mem.Options{})
	b := alloc(t, r, mem.Host, 100, nil)
	put(t, b, pattern(100, 1))
	s, err := b.Slice(20, 30)
	errIs(t, err, nil)
	c := copyOf(t, s, nil)
	s.Release()
	b.Release()
	if !bytes.Equal(contents(t, c), pattern(100, 1)[20:50]) {
		t.Error("not the bytes of the slice")
	}
	c.Release()
}
