package devicetest

import (
	"errors"

	"github.com/seed14ed4225/sluice/device"
)

var memory = []test{
	{"BlocksAreWhatWasAskedFor", func(e *env) {
		s := e.stream("s")
		align := uint64(e.d.Properties().Alignment)
		if align == 0 || align&(align-1) != 0 {
			e.Fatalf("the alignment %d is no power of two", align)
		}
		for _, n := range []int64{0, 1, 63, 64, 4096, 100_000, 1 << 20, 3 << 20} {
			for _, b := range []*device.Block{e.alloc(s, n), e.pinned(s, n)} {
				if b.Size() != n || b.Device() != e.d {
					e.Errorf("asked for %d bytes: got %v", n, b)
				}
				if n > 0 && b.Address()%align != 0 {
					e.Errorf("%v begins at %#x, which is not aligned to %d", b, b.Address(), align)
				}
			}
		}
		b, p := e.alloc(s, 10), e.pinned(s, 10)
		if b.Place() != device.InDevice || b.Bytes() != nil {
			e.Errorf("Alloc gave %v with Bytes %v", b, b.Bytes())
		}
		if p.Place() != device.InPinned || len(p.Bytes()) != 10 || cap(p.Bytes()) != 10 {
			e.Errorf("AllocPinned gave %v with %d Bytes", p, len(p.Bytes()))
		}
	}},
	{"ANegativeSizeIsRefused", func(e *env) {
		s := e.stream("s")
		_, err := s.Alloc(-1)
		e.is(err, device.ErrOutOfBounds)
		_, err = e.d.AllocPinned(-1)
		e.is(err, device.ErrOutOfBounds)
		e.ok(e.sync(s))
	}},
	{"ABlockIsFreedOnce", func(e *env) {
		s, other := e.stream("s"), e.stream("other")
		for _, b := range []*device.Block{e.alloc(s, 10), e.pinned(s, 10)} {
			e.ok(s.Free(b))
			e.is(s.Free(b), device.ErrFreed)
			e.is(other.Free(b), device.ErrFreed)
			e.is(s.Fill(b.All(), 1), device.ErrFreed)
			e.is(s.Copy(device.Bytes(make([]byte, 10)), b.All()), device.ErrFreed)
			e.is(s.Copy(b.All(), device.Bytes(make([]byte, 10))), device.ErrFreed)
		}
		e.ok(e.sync(s))
		e.ok(e.sync(other))
	}},
	{"FreeWaitsForTheWorkBeforeIt", func(e *env) {
		const n = 200_000
		s, other := e.stream("s"), e.stream("other")
		b, p := e.alloc(s, n), e.pinned(s, n)
		got, pinned := make([]byte, n), make([]byte, n)
		e.ok(s.Fill(b.All(), 1))
		e.ok(s.Fill(p.All(), 2))
		_, open := e.gate(s)
		e.ok(s.Copy(device.Bytes(got), b.All()))
		e.ok(s.Copy(device.Bytes(pinned), p.All()))
		e.ok(s.Free(b))
		e.ok(s.Free(p))
		for range 10 { // what is allocated now is other memory
			e.ok(other.Fill(e.alloc(other, n).All(), 3))
			e.ok(other.Fill(e.pinned(other, n).All(), 3))
		}
		e.ok(e.sync(other))
		open()
		e.ok(e.sync(s))
		for i := range n {
			if got[i] != 1 || pinned[i] != 2 {
				e.Fatalf("bytes %d are %d and %d, want 1 and 2: the memory was in use again", i, got[i], pinned[i])
			}
		}
	}},
	{"BlocksComeAndGoInStreamOrder", func(e *env) {
		const n = 50_000
		s := e.stream("s")
		got := make([][]byte, 50)
		for i := range got {
			b, err := s.Alloc(n)
			e.ok(err)
			got[i] = make([]byte, n)
			e.ok(s.Fill(b.All(), byte(i)))
			e.ok(s.Copy(device.Bytes(got[i]), b.All()))
			e.ok(s.Free(b))
		}
		e.ok(e.sync(s))
		for i, b := range got {
			if b[0] != byte(i) || b[n-1] != byte(i) {
				e.Fatalf("block %d held %d and %d", i, b[0], b[n-1])
			}
		}
	}},
	{"AnotherStreamMayFree", func(e *env) {
		a, b := e.stream("a"), e.stream("b")
		block := e.alloc(a, 1000)
		got := make([]byte, 1000)
		_, open := e.gate(a)
		e.ok(a.Fill(block.All(), 4))
		e.ok(a.Copy(device.Bytes(got), block.All()))
		e.ok(b.WaitFor(a.Record()))
		e.ok(b.Free(block))
		freed := b.Record()
		e.pending(freed)
		open()
		e.ok(e.wait(freed))
		if got[999] != 4 {
			e.Fatal("the copy was not done")
		}
	}},
	{"OutOfMemorySaysSoAndPasses", outOfMemory},
	{"WhatIsFreeIsCounted", func(e *env) {
		if !e.caps.ExactMemory {
			e.Skip("others use the memory of this device, or it does not count exactly")
		}
		s := e.stream("s")
		for _, place := range []device.Place{device.InDevice, device.InPinned} {
			before, err := e.d.Memory(place)
			e.ok(err)
			var b *device.Block
			if place == device.InDevice {
				b = e.alloc(s, 12345)
			} else {
				b = e.pinned(s, 12345)
			}
			if got, err := e.d.Memory(place); err != nil || got.Free != before.Free-12345 || got.Total != before.Total {
				e.Errorf("%+v, %v with 12345 bytes of %v memory in use; before: %+v", got, err, place, before)
			}
			_, open := e.gate(s)
			e.ok(s.Free(b))
			if got, _ := e.d.Memory(place); got.Free != before.Free-12345 {
				e.Errorf("%d bytes of %v memory are free while the free is queued, want %d", got.Free, place, before.Free-12345)
			}
			open()
			e.ok(e.sync(s))
			if got, _ := e.d.Memory(place); got != before {
				e.Errorf("%+v after the free, want %+v", got, before)
			}
		}
	}},
}

func outOfMemory(e *env) {
	s := e.stream("s")
	info, err := e.d.Memory(device.InDevice)
	e.ok(err)
	_, err = s.Alloc(info.Total + 1)
	e.isFull(err, info.Total+1)

	chunk := info.Total/4 + 1
	var blocks []*device.Block
	for err = nil; err == nil; {
		if len(blocks) > 4 {
			e.Fatalf("%d blocks of %d bytes in a memory of %d", len(blocks), chunk, info.Total)
		}
		var b *device.Block
		if b, err = s.Alloc(chunk); err == nil {
			blocks = append(blocks, b)
		}
	}
	e.isFull(err, chunk)
	e.ok(s.Err()) // the stream goes on
	for _, b := range blocks {
		e.ok(s.Free(b))
	}
	e.ok(e.sync(s))
	if len(blocks) == 0 {
		return // somebody else has the memory
	}
	b, err := s.Alloc(chunk)
	e.ok(err)
	e.ok(s.Free(b))
	e.ok(e.sync(s))
}

// isFull fails the test unless the error says that so much was asked for in vain.
func (e *env) isFull(err error, asked int64) {
	e.Helper()
	e.is(err, device.ErrOutOfMemory)
	var full *device.OutOfMemoryError
	if !errors.As(err, &full) {
		e.Fatalf("%v is no OutOfMemoryError", err)
	}
	if full.Asked != asked || full.Place != device.InDevice || full.Free < 0 || full.Free > full.Total {
		e.Errorf("asked for %d bytes of device memory: %+v", asked, full)
	}
}
