package mem_test

import (
	"context"
	"testing"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/mem"
)

func TestReleasedMemoryCountsAsUsedUntilItsStreamIsDone(t *testing.T) {
	for _, k := range inMemory {
		b, release, r := stuck(t, k)
		b.Release()
		wantUsedNow(t, r, mem.Of(k, 100))
		release()
		r.SettleFrees(context.Background())
		wantUsed(t, r, mem.Amount{})
	}
}

func TestReleasedMemoryCountsAsUsedUntilOtherStreamsHaveReadIt(t *testing.T) {
	for _, k := range inMemory {
		var faults device.Faults
		d := newDevice(t, &faults)
		r := newResource(t, mem.Options{Device: d})
		own, reader := newStream(t, d, "own"), newStream(t, d, "reader")
		b := alloc(t, r, k, 100, own)
		errIs(t, b.Write(func(s device.Stream, dst device.Span) error { return s.Fill(dst, 1) }), nil)
		hang := faults.Hang(device.OpCopy, 1)
		got := make([]byte, 100)
		errIs(t, b.Read(reader, func(src device.Span) error { return reader.Copy(device.Bytes(got), src) }), nil)
		b.Release()
		<-hang.Reached()
		wantUsedNow(t, r, mem.Of(k, 100))
		next := alloc(t, r, k, 100, own) // must lie elsewhere
		errIs(t, next.Write(func(s device.Stream, dst device.Span) error { return s.Fill(dst, 2) }), nil)
		hang.Release()
		errIs(t, reader.Sync(context.Background()), nil)
		if got[0] != 1 || got[99] != 1 {
			t.Errorf("%v: read %d, want 1: the memory was given to somebody else", k, got[0])
		}
		next.Release()
		r.SettleFrees(context.Background())
		wantUsed(t, r, mem.Amount{})
	}
}

func TestWhoWaitsForMemoryGetsWhatAStreamFrees(t *testing.T) {
	var faults device.Faults
	d := newDevice(t, &faults)
	r := newResource(t, mem.Options{Device: d, Limits: [mem.Kinds]mem.Limit{mem.Host: mem.Bytes(1000)}})
	b := alloc(t, r, mem.Host, 800, newStream(t, d, "s"))
	hang := faults.Hang(device.OpFill, 1)
	errIs(t, b.Write(func(s device.Stream, dst device.Span) error { return s.Fill(dst, 1) }), nil)
	got := make(chan error)
	go func() {
		res, err := r.Reserve(context.Background(), mem.Host, 800)
		res.Release()
		got <- err
	}()
	b.Release()
	select {
	case err := <-got:
		t.Fatalf("got memory that is in use, error %v", err)
	case <-hang.Reached():
	}
	hang.Release()
	errIs(t, <-got, nil)
}

func TestMemoryOfAFailedStreamGoesBack(t *testing.T) {
	for _, k := range inMemory {
		var faults device.Faults
		d := newDevice(t, &faults)
		r := newResource(t, mem.Options{Device: d})
		own, reader := newStream(t, d, "own"), newStream(t, d, "reader")
		faults.Fail(device.OpFill, 1, errTest)
		b := alloc(t, r, k, 100, own)
		errIs(t, b.Write(func(s device.Stream, dst device.Span) error { return s.Fill(dst, 1) }), nil)
		_ = b.Read(reader, func(device.Span) error { return nil })
		b.Release()
		r.SettleFrees(context.Background())
		wantUsed(t, r, mem.Amount{})
	}
}

func TestMemoryOfADeviceThatEndedGoesBack(t *testing.T) {
	for _, end := range []func(*device.Host){
		func(d *device.Host) { d.Fail(errTest) },
		func(d *device.Host) { _ = d.Close() }, // says what it thinks of blocks in use
	} {
		for _, k := range inMemory {
			var faults device.Faults
			d := newDevice(t, &faults)
			r := newResource(t, mem.Options{Device: d})
			b := alloc(t, r, k, 100, newStream(t, d, "s"))
			hang := faults.Hang(device.OpFill, 1)
			errIs(t, b.Write(func(s device.Stream, dst device.Span) error { return s.Fill(dst, 1) }), nil)
			<-hang.Reached()
			early := alloc(t, r, k, 100, newStream(t, d, "early"))
			end(d)
			b.Release()
			early.Release()
			r.SettleFrees(context.Background())
			wantUsed(t, r, mem.Amount{})
			hang.Release()
		}
	}
}

func TestMemoryThatAFailedDeviceMayWriteIsNotGivenAway(t *testing.T) {
	var faults device.Faults
	d := newDevice(t, &faults)
	r := newResource(t, mem.Options{Device: d})
	const n = 3 << 20 // a piece to itself
	b := alloc(t, r, mem.Host, n, newStream(t, d, "s"))
	before, err := b.Bytes()
	errIs(t, err, nil)
	hang := faults.Hang(device.OpFill, 1)
	errIs(t, b.Write(func(s device.Stream, dst device.Span) error { return s.Fill(dst, 1) }), nil)
	<-hang.Reached()
	d.Fail(errTest)
	b.Release()
	r.SettleFrees(context.Background())
	next := alloc(t, r, mem.Host, n, nil)
	after, err := next.Bytes()
	errIs(t, err, nil)
	if &before[0] == &after[0] {
		t.Error("somebody got memory that the device is still writing")
	}
	next.Release()
	hang.Release()
}

func TestIdleHostMemoryStaysWithinTheLimit(t *testing.T) {
	const limit = 8 << 20
	r := newResource(t, mem.Options{Limits: [mem.Kinds]mem.Limit{mem.Host: mem.Bytes(limit)}})
	for n := int64(1000); n < limit/2; n += n / 3 {
		b, c := alloc(t, r, mem.Host, n, nil), alloc(t, r, mem.Host, n, nil)
		b.Release()
		c.Release()
		if mapped := r.Mapped(); mapped > limit {
			t.Fatalf("%d bytes are mapped, the limit is %d", mapped, limit)
		}
	}
}

func TestSteadyStateMapsNothing(t *testing.T) {
	r := newResource(t, mem.Options{})
	use := func() {
		for _, n := range sizes {
			alloc(t, r, mem.Host, n, nil).Release()
		}
	}
	use()
	before := r.Mapped()
	for range 10 {
		use()
	}
	if after := r.Mapped(); after != before {
		t.Errorf("%d bytes are mapped, and after doing the same again %d", before, after)
	}
}

// Closing does not wait longer than its context, and unmaps nothing that is written still.
func TestACloseThatIsCutShortLeavesMemoryInUseAlone(t *testing.T) {
	var faults device.Faults
	d := newDevice(t, &faults)
	r, err := mem.New(mem.Options{Device: d})
	errIs(t, err, nil)
	b := alloc(t, r, mem.Host, 1<<20, newStream(t, d, "s"))
	s := b.Stream()
	hang := faults.Hang(device.OpFill, 1)
	errIs(t, b.Write(func(s device.Stream, dst device.Span) error { return s.Fill(dst, 1) }), nil)
	b.Release()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if leak := errAs[*mem.LeakError](t, r.Close(ctx)); leak.Leaks[0].Queued != mem.Of(mem.Host, 1<<20) {
		t.Errorf("%v", leak)
	}
	hang.Release()
	errIs(t, s.Sync(context.Background()), nil) // crashes if the memory is gone
}
