package mem_test

import (
	"bytes"
	"context"
	"io"
	"testing"
	"testing/synctest"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/internal/extent"
	"github.com/seed14ed4225/sluice/mem"
)

// room reserves what n bytes need in a kind.
func room(t testing.TB, r *mem.Resource, k mem.Kind, n int64) *mem.Reservation {
	t.Helper()
	return reserve(t, r, k, mem.Need(k, n))
}

func spill(t testing.TB, r *mem.Resource, b *mem.Buffer, to mem.Kind) {
	t.Helper()
	res := room(t, r, to, b.Size())
	freed, err := b.Spill(context.Background(), res)
	res.Release()
	errIs(t, err, nil)
	if freed != b.Size() || b.Kind() != to {
		t.Fatalf("spilling to %v freed %d of %d, and it is in %v", to, freed, b.Size(), b.Kind())
	}
}

func restore(t testing.TB, r *mem.Resource, b *mem.Buffer, to mem.Kind) {
	t.Helper()
	res := room(t, r, to, b.Size())
	n, err := b.Restore(context.Background(), res)
	res.Release()
	errIs(t, err, nil)
	if n != b.Size() || b.Kind() != to {
		t.Fatalf("restoring to %v moved %d of %d, and it is in %v", to, n, b.Size(), b.Kind())
	}
}

func TestABufferGoesToEveryKindAndBack(t *testing.T) {
	onEachDevice(t, func(t *testing.T, open func() device.Device) {
		for _, streamed := range []bool{true, false} {
			for _, n := range []int64{1, 1000, 4096, 3_000_001} {
				for from := mem.Device; from < mem.Disk; from++ {
					if !streamed && from != mem.Host {
						continue
					}
					for to := from + 1; to < mem.Kinds; to++ {
						r := newResource(t, mem.Options{Device: open(), SpillDir: t.TempDir()})
						s := newStream(t, r.Device(), "s")
						if !streamed {
							s = nil
						}
						b := alloc(t, r, from, n, s)
						want := pattern(n, byte(from))
						put(t, b, want)
						spill(t, r, b, to)
						used := mem.Of(to, n)
						if to == mem.Disk {
							used = mem.Of(to, mem.Need(to, n))
						}
						wantUsed(t, r, used)
						for back := mem.Device; back < to; back++ {
							if to == mem.Pinned && back == mem.Host {
								continue
							}
							restore(t, r, b, back)
							wantUsed(t, r, mem.Of(back, n))
							if got := contents(t, b); !bytes.Equal(got, want) {
								t.Fatalf("%d bytes from %v to %v and back to %v differ", n, from, to, back)
							}
							if back < to {
								spill(t, r, b, to)
							}
						}
						b.Release()
						wantUsed(t, r, mem.Amount{})
						stats := r.Stats()
						if got := stats.Kinds[from].Spilled; got < n {
							t.Errorf("%d bytes counted as spilled from %v, want %d at least", got, from, n)
						}
					}
				}
			}
		}
	})
}

func TestSpillTakesTheFastestKindThatHasRoom(t *testing.T) {
	r := newResource(t, mem.Options{SpillDir: t.TempDir()})
	s := newStream(t, r.Device(), "s")
	for _, c := range []struct {
		room mem.Amount
		want mem.Kind
	}{
		{mem.Amount{0, 100, 100, 4096}, mem.Pinned},
		{mem.Amount{0, 99, 100, 4096}, mem.Host},
		{mem.Amount{0, 99, 0, 4096}, mem.Disk},
		{mem.Amount{100, 0, 0, 4096}, mem.Disk},
	} {
		b := alloc(t, r, mem.Device, 100, s)
		put(t, b, pattern(100, 1))
		res, err := r.ReserveAll(context.Background(), c.room)
		errIs(t, err, nil)
		freed, err := b.Spill(context.Background(), res)
		errIs(t, err, nil)
		if freed != 100 || b.Kind() != c.want {
			t.Errorf("with room for %v it went to %v", c.room, b.Kind())
		}
		res.Release()
		b.Release()
	}
}

func TestSpillWithoutRoomSaysHowMuchItNeeds(t *testing.T) {
	r := newResource(t, mem.Options{SpillDir: t.TempDir()})
	b := alloc(t, r, mem.Host, 5000, nil)
	defer b.Release()
	res := reserve(t, r, mem.Disk, 5000) // but a disk has pages
	freed, err := b.Spill(context.Background(), res)
	if e := errAs[*mem.OverdrawnError](t, err); freed != 0 || e.Kind != mem.Disk || e.Need != 8192 || e.Left != 5000 {
		t.Errorf("freed %d, %+v", freed, e)
	}
	if _, err := b.Spill(context.Background(), nil); err == nil {
		t.Error("host memory spilled to nowhere")
	}
	res = reserve(t, r, mem.Device, 4999)
	n, err := b.Restore(context.Background(), res)
	if e := errAs[*mem.OverdrawnError](t, err); n != 0 || e.Kind != mem.Device || e.Need != 5000 || e.Left != 4999 {
		t.Errorf("moved %d, %+v", n, e)
	}
}

func TestWhatIsSpilledStaysOnItsAccountAndWhatIsRestoredChanges(t *testing.T) {
	r := newResource(t, mem.Options{SpillDir: t.TempDir()})
	mine, yours := r.Scope("mine"), r.Scope("yours")
	b := alloc(t, mine, mem.Host, 5000, nil)
	put(t, b, pattern(5000, 1))
	spill(t, yours, b, mem.Disk)
	wantUsed(t, yours, mem.Amount{})
	wantUsed(t, mine, mem.Of(mem.Disk, 8192))
	if s := mine.Stats().Kinds; s[mem.Host].Spilled != 5000 {
		t.Errorf("%+v", s)
	}
	restore(t, yours, b, mem.Host)
	wantUsed(t, yours, mem.Of(mem.Host, 5000))
	wantUsed(t, mine, mem.Amount{})
	if s := yours.Stats().Kinds; s[mem.Host].Restored != 5000 {
		t.Errorf("%+v", s)
	}
	b.Release()
	wantUsed(t, r, mem.Amount{})

	b = alloc(t, mine, mem.Device, 5000, newStream(t, r.Device(), "s"))
	spill(t, yours, b, mem.Host)
	wantUsed(t, yours, mem.Amount{})
	wantUsed(t, mine, mem.Of(mem.Host, 5000))
	b.Release()
}

func TestSpillLeavesASharedBufferAlone(t *testing.T) {
	r := newResource(t, mem.Options{SpillDir: t.TempDir()})
	b := alloc(t, r, mem.Host, 100, nil)
	defer b.Release()
	for _, share := range []func() *mem.Buffer{
		b.Retain,
		func() *mem.Buffer { s, err := b.Slice(0, 10); errIs(t, err, nil); return s },
	} {
		other := share()
		res := room(t, r, mem.Disk, 100)
		freed, err := b.Spill(context.Background(), res)
		if freed != 0 || err != nil || b.Kind() != mem.Host {
			t.Errorf("freed %d, error %v, now in %v", freed, err, b.Kind())
		}
		if got := res.Left(mem.Disk); got != 4096 {
			t.Errorf("%d left of the reservation", got)
		}
		_, err = mem.SpillBuffers(context.Background(), res, "label", b)
		errIs(t, err, mem.ErrShared)
		other.Release()
	}
}

func TestSpillWaitsForTheWrite(t *testing.T) {
	for _, k := range inMemory {
		var faults device.Faults
		d := newDevice(t, &faults)
		r := newResource(t, mem.Options{Device: d, SpillDir: t.TempDir()})
		b := alloc(t, r, k, 100, newStream(t, d, "s"))
		hang := faults.Hang(device.OpFill, 1)
		errIs(t, b.Write(func(s device.Stream, dst device.Span) error { return s.Fill(dst, 7) }), nil)
		res := room(t, r, mem.Disk, 100)
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error)
		go func() { _, err := b.Spill(ctx, res); done <- err }()
		cancel()
		errIs(t, <-done, context.Canceled)
		if b.Kind() != k {
			t.Fatalf("now in %v", b.Kind())
		}
		go func() { _, err := b.Spill(context.Background(), res); done <- err }()
		hang.Release()
		errIs(t, <-done, nil)
		restore(t, r, b, mem.Host)
		if got := contents(t, b); got[0] != 7 || got[99] != 7 {
			t.Errorf("%v: spilled before it was written: %d", k, got[0])
		}
		b.Release()
	}
}

// What is being moved refuses everything else, and a reference that somebody takes
// meanwhile keeps it where it is.
func TestABufferThatIsBeingSpilledCannotBeUsed(t *testing.T) {
	var files extent.Faults
	r := newResource(t, mem.Options{SpillDir: t.TempDir(), Files: files.Open})
	s, other := newStream(t, r.Device(), "s"), newStream(t, r.Device(), "other")
	b := alloc(t, r, mem.Host, 100, s)
	want := pattern(100, 1)
	put(t, b, want)
	errIs(t, b.Wait(context.Background()), nil)

	during := func(f func()) (freed int64) {
		res := room(t, r, mem.Disk, 100)
		defer res.Release()
		hang := files.Hang(extent.OpWrite, 1)
		done := make(chan int64)
		go func() {
			freed, err := b.Spill(context.Background(), res)
			if err != nil {
				t.Error(err)
			}
			done <- freed
		}()
		<-hang.Reached()
		f()
		hang.Release()
		return <-done
	}

	freed := during(func() {
		errIs(t, b.Read(nil, func(device.Span) error { return nil }), mem.ErrPending)
		errIs(t, b.Write(func(device.Stream, device.Span) error { return nil }), mem.ErrPending)
		_, err := b.Bytes()
		errIs(t, err, mem.ErrPending)
		_, err = b.Exclusive()
		errIs(t, err, mem.ErrPending)
		errIs(t, b.Rebind(other), mem.ErrPending)
		_, err = b.Copy(context.Background(), nil)
		errIs(t, err, mem.ErrPending)
		_, err = b.Restore(context.Background(), nil)
		errIs(t, err, nil) // is where it is wanted
		b.Retain()
	})
	if freed != 0 || b.Kind() != mem.Host {
		t.Errorf("%d bytes were freed that somebody else refers to, which are in %v now", freed, b.Kind())
	}
	b.Release()
	if !bytes.Equal(contents(t, b), want) {
		t.Error("the bytes are not what was written")
	}
	wantUsed(t, r, mem.Of(mem.Host, 100))

	during(func() {
		b.Release()
		wantUsedKind(t, r, mem.Host, 100) // it is being written to disk
	})
	wantUsed(t, r, mem.Amount{})
}

func TestAFailedSpillLeavesTheBufferWhereItWas(t *testing.T) {
	for _, c := range []struct {
		name  string
		from  mem.Kind
		to    mem.Kind
		spoil func(*device.Faults, *extent.Faults)
		want  error
	}{
		{"disk write", mem.Host, mem.Disk, func(_ *device.Faults, f *extent.Faults) { f.Fail(extent.OpWrite, 1, errTest) }, errTest},
		{"disk full", mem.Host, mem.Disk, func(_ *device.Faults, f *extent.Faults) { f.Full(0) }, extent.ErrDiskFull},
		{"short write", mem.Pinned, mem.Disk, func(_ *device.Faults, f *extent.Faults) { f.Short(extent.OpWrite, 1) }, io.ErrShortWrite},
		{"opening the file", mem.Host, mem.Disk, func(_ *device.Faults, f *extent.Faults) { f.Fail(extent.OpOpen, 1, errTest) }, errTest},
		{"copy to staging", mem.Device, mem.Disk, func(d *device.Faults, _ *extent.Faults) { d.Fail(device.OpCopy, 1, errTest) }, errTest},
		{"write after staging", mem.Device, mem.Disk, func(_ *device.Faults, f *extent.Faults) { f.Fail(extent.OpWrite, 1, errTest) }, errTest},
		{"copy to pinned", mem.Device, mem.Pinned, func(d *device.Faults, _ *extent.Faults) { d.Fail(device.OpCopy, 1, errTest) }, errTest},
		{"copy to host", mem.Device, mem.Host, func(d *device.Faults, _ *extent.Faults) { d.Fail(device.OpCopy, 1, errTest) }, errTest},
		{"pinned memory", mem.Device, mem.Pinned, func(d *device.Faults, _ *extent.Faults) { d.Fail(device.OpAlloc, 1, device.ErrOutOfMemory) }, device.ErrOutOfMemory},
	} {
		t.Run(c.name, func(t *testing.T) {
			var onDevice device.Faults
			var files extent.Faults
			d := newDevice(t, &onDevice)
			r := newResource(t, mem.Options{Device: d, SpillDir: t.TempDir(), Files: files.Open})
			b := alloc(t, r, c.from, 10_000, newStream(t, d, "s"))
			want := pattern(10_000, 1)
			put(t, b, want)
			errIs(t, b.Wait(context.Background()), nil)
			res := room(t, r, c.to, 10_000)
			left := res.Left(c.to)
			c.spoil(&onDevice, &files)
			freed, err := b.Spill(context.Background(), res)
			errIs(t, err, c.want)
			if freed != 0 || b.Kind() != c.from || res.Left(c.to) != left {
				t.Errorf("freed %d, now in %v, %d left of %d", freed, b.Kind(), res.Left(c.to), left)
			}
			res.Release()
			if !bytes.Equal(contents(t, b), want) {
				t.Error("the bytes are not what was written")
			}
			files.Lift()
			spill(t, r, b, c.to) // goes well the second time
			b.Release()
			r.SettleFrees(context.Background())
			wantUsed(t, r, mem.Amount{})
		})
	}
}

func TestAFailedRestoreCanBeTriedAgain(t *testing.T) {
	for _, c := range []struct {
		name  string
		to    mem.Kind
		spoil func(*device.Faults, *extent.Faults)
		want  error
	}{
		{"disk read", mem.Host, func(_ *device.Faults, f *extent.Faults) { f.Fail(extent.OpRead, 1, errTest) }, errTest},
		{"checksum", mem.Host, func(_ *device.Faults, f *extent.Faults) { f.Flip(extent.OpRead, 1, 12345) }, nil},
		{"short read", mem.Pinned, func(_ *device.Faults, f *extent.Faults) { f.Short(extent.OpRead, 1) }, io.ErrUnexpectedEOF},
		{"checksum before the device", mem.Device, func(_ *device.Faults, f *extent.Faults) { f.Flip(extent.OpRead, 1, 12345) }, nil},
		{"pinned memory", mem.Pinned, func(d *device.Faults, _ *extent.Faults) { d.Fail(device.OpAlloc, 1, device.ErrOutOfMemory) }, device.ErrOutOfMemory},
		{"copy to the device", mem.Device, func(d *device.Faults, _ *extent.Faults) { d.Fail(device.OpCopy, 1, errTest) }, errTest},
	} {
		t.Run(c.name, func(t *testing.T) {
			var onDevice device.Faults
			var files extent.Faults
			d := newDevice(t, &onDevice)
			r := newResource(t, mem.Options{Device: d, SpillDir: t.TempDir(), Files: files.Open})
			b := alloc(t, r, mem.Host, 10_000, newStream(t, d, "s"))
			want := pattern(10_000, 1)
			put(t, b, want)
			spill(t, r, b, mem.Disk)
			res := room(t, r, c.to, 10_000)
			c.spoil(&onDevice, &files)
			n, err := b.Restore(context.Background(), res)
			if c.want != nil {
				errIs(t, err, c.want)
			} else {
				errAs[*extent.CorruptError](t, err)
			}
			if n != 0 || b.Kind() == c.to || res.Left(c.to) != 10_000 {
				t.Errorf("moved %d, now in %v, %d left", n, b.Kind(), res.Left(c.to))
			}
			res.Release()
			r.SettleFrees(context.Background())
			restore(t, r, b, c.to)
			if !bytes.Equal(contents(t, b), want) {
				t.Error("the bytes are not what was written")
			}
			b.Release()
			r.SettleFrees(context.Background())
			wantUsed(t, r, mem.Amount{})
		})
	}
}

func TestACancelledRestoreCanBeTriedAgain(t *testing.T) {
	for _, to := range inMemory {
		var onDevice device.Faults
		var files extent.Faults
		d := newDevice(t, &onDevice)
		r := newResource(t, mem.Options{Device: d, SpillDir: t.TempDir(), Files: files.Open})
		b := alloc(t, r, mem.Host, 10_000, newStream(t, d, "s"))
		want := pattern(10_000, 1)
		put(t, b, want)
		spill(t, r, b, mem.Disk)
		var reached <-chan struct{}
		release := func() {}
		if to == mem.Device {
			hang := onDevice.Hang(device.OpCopy, 1)
			reached, release = hang.Reached(), hang.Release
		}
		ctx, cancel := context.WithCancel(context.Background())
		res := room(t, r, to, 10_000)
		done := make(chan error)
		go func() { _, err := b.Restore(ctx, res); done <- err }()
		if reached == nil {
			cancel()
			if err := <-done; err == nil { // it was quicker
				spill(t, r, b, mem.Disk)
			} else {
				errIs(t, err, context.Canceled)
			}
		} else {
			<-reached
			cancel()
			errIs(t, <-done, context.Canceled)
			if b.Kind() != mem.Host {
				t.Errorf("read from disk, but not copied to the device: it is in %v", b.Kind())
			}
		}
		release()
		res.Release()
		r.SettleFrees(context.Background())
		restore(t, r, b, to)
		if !bytes.Equal(contents(t, b), want) {
			t.Error("the bytes are not what was written")
		}
		b.Release()
	}
}

func TestADeviceThatEndsWhileABufferIsSpilledIsAnError(t *testing.T) {
	for to := mem.Pinned; to < mem.Kinds; to++ {
		var faults device.Faults
		d := newDevice(t, &faults)
		r := newResource(t, mem.Options{Device: d, SpillDir: t.TempDir()})
		b := alloc(t, r, mem.Device, 1000, newStream(t, d, "s"))
		put(t, b, pattern(1000, 1))
		errIs(t, b.Wait(context.Background()), nil)
		hang := faults.Hang(device.OpCopy, 1)
		res := room(t, r, to, 1000)
		done := make(chan error)
		go func() { _, err := b.Spill(context.Background(), res); done <- err }()
		<-hang.Reached()
		d.Fail(errTest)
		errIs(t, <-done, errTest)
		res.Release()
		b.Release()
		r.SettleFrees(context.Background())
		wantUsed(t, r, mem.Amount{})
	}
}

func TestRestoringWithoutAReservationGoesToTheHeap(t *testing.T) {
	r := newResource(t, mem.Options{SpillDir: t.TempDir()})
	b := alloc(t, r, mem.Host, 100, nil)
	put(t, b, pattern(100, 1))
	spill(t, r, b, mem.Disk)
	_, err := b.Restore(context.Background(), nil)
	errIs(t, err, nil)
	wantUsed(t, r, mem.Amount{})
	if !bytes.Equal(contents(t, b), pattern(100, 1)) {
		t.Error("the bytes are not what was written")
	}
	b.Release()

	s := newStream(t, r.Device(), "s")
	b, err = (*mem.Reservation)(nil).Alloc(mem.Device, 100, s)
	errIs(t, err, nil)
	put(t, b, pattern(100, 2))
	freed, err := b.Spill(context.Background(), nil)
	errIs(t, err, nil)
	if freed != 100 || b.Kind() != mem.Host || !bytes.Equal(contents(t, b), pattern(100, 2)) {
		t.Errorf("freed %d, now in %v", freed, b.Kind())
	}
	b.Release()
}

func TestADeviceBufferOthersReferToCanBeRestoredToTheHost(t *testing.T) {
	r := newResource(t, mem.Options{})
	b := alloc(t, r, mem.Device, 100, newStream(t, r.Device(), "s"))
	put(t, b, pattern(100, 1))
	s, err := b.Slice(10, 20)
	errIs(t, err, nil)
	restore(t, r, b, mem.Host)
	if !bytes.Equal(contents(t, s), pattern(100, 1)[10:30]) {
		t.Error("the slice differs")
	}
	res := room(t, r, mem.Device, 100)
	_, err = b.Restore(context.Background(), res)
	errIs(t, err, mem.ErrShared) // somebody may be looking at the bytes
	s.Release()
	b.Release()
}

// Whoever cancels a move is free to release the buffer, while a stream still copies.
func TestMemoryThatACancelledMoveStillReadsIsNotGivenAway(t *testing.T) {
	for to := mem.Pinned; to < mem.Kinds; to++ {
		synctest.Test(t, func(t *testing.T) {
			var faults device.Faults
			d := newDevice(t, &faults)
			r := newResource(t, mem.Options{Device: d, SpillDir: t.TempDir()})
			b := alloc(t, r, mem.Device, 1000, newStream(t, d, "s"))
			hang := faults.Hang(device.OpCopy, 1)
			ctx, cancel := context.WithCancel(context.Background())
			res := room(t, r, to, 1000)
			done := make(chan error)
			go func() { _, err := b.Spill(ctx, res); done <- err }()
			<-hang.Reached()
			cancel()
			errIs(t, <-done, context.Canceled)
			res.Release()
			b.Release()
			synctest.Wait() // until nobody can do anything more
			want := mem.Of(mem.Device, 1000)
			if to != mem.Disk { // which goes by way of memory that nobody is charged for
				want[to] = 1000
			}
			wantUsedNow(t, r, want)
			hang.Release()
			r.SettleFrees(context.Background())
			wantUsed(t, r, mem.Amount{})
		})
	}
}

func TestWhatWasReadFromDiskIsKeptEvenBeyondTheLimit(t *testing.T) {
	var faults device.Faults
	d := newDevice(t, &faults)
	r := newResource(t, mem.Options{Device: d, SpillDir: t.TempDir(), Limits: [mem.Kinds]mem.Limit{mem.Host: mem.Bytes(1000)}})
	b := alloc(t, r, mem.Host, 1000, newStream(t, d, "s"))
	put(t, b, pattern(1000, 1))
	spill(t, r, b, mem.Disk)
	other := alloc(t, r, mem.Host, 1000, nil)
	hang := faults.Hang(device.OpCopy, 1)
	ctx, cancel := context.WithCancel(context.Background())
	res := room(t, r, mem.Device, 1000)
	done := make(chan error)
	go func() { _, err := b.Restore(ctx, res); done <- err }()
	<-hang.Reached()
	cancel()
	errIs(t, <-done, context.Canceled)
	if s := r.Stats().Kinds[mem.Host]; s.Used != 2000 || s.Overbooked != 1000 {
		t.Errorf("%+v", s)
	}
	_, err := b.Exclusive()
	errIs(t, err, mem.ErrPending) // the copy that nobody wants any more reads it
	hang.Release()
	if !bytes.Equal(contents(t, b), pattern(1000, 1)) {
		t.Error("the bytes are not what was written")
	}
	other.Release()
	b.Release()
}
