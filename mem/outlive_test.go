package mem_test

import (
	"context"
	"strings"
	"testing"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/mem"
)

func nothing(device.Span) error { return nil }

// hold keeps a stream busy until release is called.
func hold(t *testing.T, s device.Stream) (release func()) {
	t.Helper()
	gate := make(chan struct{})
	errIs(t, s.Do("hold", func() error { <-gate; return nil }), nil)
	return func() { close(gate) }
}

func TestABufferOutlivesItsStream(t *testing.T) {
	onEachDevice(t, func(t *testing.T, open func() device.Device) {
		for _, k := range inMemory {
			for moves := range 3 {
				d := open()
				r := newResource(t, mem.Options{Device: d, SpillDir: t.TempDir()})
				s, next := newStream(t, d, "producer"), newStream(t, d, "consumer")
				b := alloc(t, r, k, 100, s)
				put(t, b, pattern(100, 3))
				errIs(t, b.Wait(context.Background()), nil)
				errIs(t, s.Close(), nil)
				for range moves {
					spill(t, r, b, mem.Disk)
					restore(t, r, b, k)
				}
				errIs(t, b.Read(next, nothing), nil)
				errIs(t, b.Rebind(next), nil)
				if string(contents(t, b)) != string(pattern(100, 3)) {
					t.Errorf("%v: not what was written, after %d moves", k, moves)
				}
				errIs(t, b.Write(func(s device.Stream, dst device.Span) error { return s.Fill(dst, 1) }), nil)
				errIs(t, b.Wait(context.Background()), nil)
				b.Release()
				wantUsed(t, r, mem.Amount{})
			}
		}
	})
}

func TestAFreshBufferOutlivesItsStream(t *testing.T) {
	onEachDevice(t, func(t *testing.T, open func() device.Device) {
		d := open()
		r := newResource(t, mem.Options{Device: d})
		s, next := newStream(t, d, "producer"), newStream(t, d, "consumer")
		b := alloc(t, r, mem.Device, 100, s)
		errIs(t, s.Close(), nil)
		errIs(t, b.Rebind(next), nil)
		put(t, b, pattern(100, 1))
		if string(contents(t, b)) != string(pattern(100, 1)) {
			t.Error("not what was written")
		}
		b.Release()
		wantUsed(t, r, mem.Amount{})
	})
}

func TestAMovedBufferWaitsForNoOtherWorkOfItsStream(t *testing.T) {
	onEachDevice(t, func(t *testing.T, open func() device.Device) {
		for _, k := range inMemory {
			d := open()
			r := newResource(t, mem.Options{Device: d, SpillDir: t.TempDir()})
			s, next := newStream(t, d, "producer"), newStream(t, d, "consumer")
			b := alloc(t, r, k, 100, s)
			put(t, b, pattern(100, 3))
			spill(t, r, b, mem.Disk)
			restore(t, r, b, k)
			release := hold(t, s)
			errIs(t, b.Read(next, nothing), nil)
			errIs(t, next.Sync(context.Background()), nil) // hangs if it waits
			spill(t, r, b, mem.Disk)
			restore(t, r, b, k)
			errIs(t, b.Rebind(next), nil)
			errIs(t, next.Sync(context.Background()), nil)
			release()
			b.Release()
		}
	})
}

func TestMemoryReleasedOnAClosedStreamCountsUntilItsWorkIsDone(t *testing.T) {
	onEachDevice(t, func(t *testing.T, open func() device.Device) {
		for _, k := range inMemory {
			d := open()
			r := newResource(t, mem.Options{Device: d})
			s := newStream(t, d, "producer")
			b := alloc(t, r, k, 100, s)
			var release func()
			errIs(t, b.Write(func(s device.Stream, _ device.Span) error { release = hold(t, s); return nil }), nil)
			errIs(t, s.Close(), nil)
			b.Release()
			wantUsedNow(t, r, mem.Of(k, 100))
			release()
			wantUsed(t, r, mem.Amount{})
		}
	})
}

func TestMemoryOfAClosedStreamCountsUntilOthersHaveReadIt(t *testing.T) {
	onEachDevice(t, func(t *testing.T, open func() device.Device) {
		for _, k := range inMemory {
			d := open()
			r := newResource(t, mem.Options{Device: d})
			s, reader := newStream(t, d, "own"), newStream(t, d, "reader")
			b := alloc(t, r, k, 100, s)
			put(t, b, pattern(100, 1))
			errIs(t, b.Wait(context.Background()), nil)
			errIs(t, s.Close(), nil)
			var release func()
			errIs(t, b.Read(reader, func(device.Span) error { release = hold(t, reader); return nil }), nil)
			b.Release()
			wantUsedNow(t, r, mem.Of(k, 100))
			release()
			wantUsed(t, r, mem.Amount{})
		}
	})
}

func TestAReaderMayCloseItsStreamAtOnce(t *testing.T) {
	onEachDevice(t, func(t *testing.T, open func() device.Device) {
		for _, k := range []mem.Kind{mem.Host, mem.Pinned} {
			d := open()
			r := newResource(t, mem.Options{Device: d})
			b := alloc(t, r, k, 100, newStream(t, d, "own"))
			reader := newStream(t, d, "reader")
			var release func()
			errIs(t, b.Read(reader, func(device.Span) error {
				release = hold(t, reader)
				return reader.Close()
			}), nil)
			_, err := b.Exclusive()
			errIs(t, err, mem.ErrPending)
			release()
			errIs(t, b.WaitAll(context.Background()), nil)
			_, err = b.Exclusive()
			errIs(t, err, nil)
			b.Release()
		}
	})
}

// The error of a closed stream is that of a closed device, but the device works on.
func TestAReadThatFailsWithAClosedStreamIsOver(t *testing.T) {
	onEachDevice(t, func(t *testing.T, open func() device.Device) {
		d := open()
		r := newResource(t, mem.Options{Device: d})
		b := alloc(t, r, mem.Host, 100, newStream(t, d, "own"))
		reader, closed := newStream(t, d, "reader"), newStream(t, d, "closed")
		errIs(t, closed.Close(), nil)
		errIs(t, b.Read(reader, func(device.Span) error {
			return reader.Do("forward", func() error { return closed.Do("more", func() error { return nil }) })
		}), nil)
		errIs(t, reader.Sync(context.Background()), device.ErrClosed)
		_, err := b.Exclusive()
		errIs(t, err, nil)
		b.Release()
		wantUsed(t, r, mem.Amount{})
	})
}

func TestALostBufferSaysSoAndIsNotOfferedForSpilling(t *testing.T) {
	for _, k := range inMemory {
		for _, end := range []string{"write", "device"} {
			if end == "device" && k != mem.Device {
				continue // other memory outlives a device that has failed
			}
			d := newDevice(t, nil)
			r := newResource(t, mem.Options{Device: d, SpillDir: t.TempDir()})
			b := alloc(t, r, k, 100, newStream(t, d, "s"))
			put(t, b, pattern(100, 1))
			errIs(t, b.Wait(context.Background()), nil)
			if !b.Content().Spillable {
				t.Fatalf("%v: cannot be spilled", k)
			}
			if end == "write" {
				errIs(t, b.Write(func(s device.Stream, _ device.Span) error {
					return s.Do("boom", func() error { return errTest })
				}), nil)
				errIs(t, b.Wait(context.Background()), errTest)
			} else {
				d.Fail(errTest)
			}
			if c := b.Content(); c.Spillable || c.Bytes != mem.Of(k, 100) {
				t.Errorf("%v, %s: Content is %v", k, end, c)
			}
			freed, err := b.Spill(context.Background(), room(t, r, mem.Disk, 100))
			errIs(t, err, errTest)
			if freed != 0 || end == "write" && !strings.Contains(err.Error(), "can only be released") {
				t.Errorf("%v, %s: freed %d, error %v", k, end, freed, err)
			}
			b.Release()
			wantUsedKind(t, r, k, 0)
		}
	}
}

func TestAWriteOnAFailedStreamLosesNothing(t *testing.T) {
	onEachDevice(t, func(t *testing.T, open func() device.Device) {
		d := open()
		r := newResource(t, mem.Options{Device: d})
		s, next := newStream(t, d, "failed"), newStream(t, d, "next")
		b := alloc(t, r, mem.Device, 100, s)
		put(t, b, pattern(100, 1))
		errIs(t, b.Wait(context.Background()), nil)
		errIs(t, s.Do("boom", func() error { return errTest }), nil)
		errIs(t, s.Sync(context.Background()), errTest)
		errIs(t, b.Write(func(device.Stream, device.Span) error { t.Error("called"); return nil }), errTest)
		errIs(t, b.Rebind(next), nil)
		if string(contents(t, b)) != string(pattern(100, 1)) {
			t.Error("not what was written")
		}
		b.Release()
	})
}

func TestRestoreTakesWhatRestoreNeedSays(t *testing.T) {
	onEachDevice(t, func(t *testing.T, open func() device.Device) {
		for _, at := range []mem.Kind{mem.Device, mem.Pinned, mem.Host, mem.Disk} {
			for _, to := range inMemory {
				for _, sharing := range []string{"", "slice", "shared"} {
					r := newResource(t, mem.Options{Device: open(), SpillDir: t.TempDir()})
					s := newStream(t, r.Device(), "s")
					b := alloc(t, r, min(at, mem.Host), 100, s)
					put(t, b, pattern(100, 1))
					if at == mem.Disk {
						spill(t, r, b, mem.Disk)
					}
					other, err := b.Slice(10, 20)
					errIs(t, err, nil)
					switch sharing {
					case "":
						other.Release()
					case "slice":
						b.Release()
						b = other
					}
					need := b.RestoreNeed(to)
					there := at == to || at == mem.Pinned && to == mem.Host
					if there != (need == 0) || !there && need != 100 {
						t.Errorf("%v to %v, %q: needs %d", at, to, sharing, need)
					}
					res := reserve(t, r, to, need)
					n, err := b.Restore(context.Background(), res)
					switch {
					case sharing == "shared" && !there && (at == mem.Host || at == mem.Pinned):
						errIs(t, err, mem.ErrShared)
					case err != nil || n != need || res.Left(to) != 0 || b.RestoreNeed(to) != 0:
						t.Errorf("%v to %v, %q: moved %d of %d, error %v", at, to, sharing, n, need, err)
					}
					if b.RestoreNeed(mem.Disk) != 0 {
						t.Error("restored to disk")
					}
					b.Release()
					if sharing == "shared" {
						other.Release()
					}
					res.Release()
					wantUsed(t, r, mem.Amount{})
				}
			}
		}
	})
}
