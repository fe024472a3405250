package mem_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/seed14ed4225/sluice/internal/extent"
	"github.com/seed14ed4225/sluice/mem"
)

func TestBytesThatArePackedComeBackCutAnew(t *testing.T) {
	r := newResource(t, mem.Options{SpillDir: t.TempDir()})
	all := pattern(100_000, 3)
	b := alloc(t, r, mem.Host, int64(len(all)), nil)
	put(t, b, all)
	from, err := b.Bytes()
	errIs(t, err, nil)
	res := room(t, r, mem.Disk, b.Size())
	packed, err := mem.PackBytes(context.Background(), res, "three", b, from[:10], from[10:70_000], from[70_000:])
	errIs(t, err, nil)
	res.Release()
	b.Release()
	wantUsed(t, r, mem.Of(mem.Disk, mem.Need(mem.Disk, packed.Size())))
	if c := packed.Content(); c.Bytes != mem.Of(mem.Disk, int64(len(all))) || c.Spillable {
		t.Errorf("content is %+v", c)
	}

	res = room(t, r, mem.Host, packed.Size())
	buffers, err := packed.Restore(context.Background(), res, 64, 99_936)
	errIs(t, err, nil)
	res.Release()
	packed.Release()
	if !bytes.Equal(append(contents(t, buffers[0]), contents(t, buffers[1])...), all) {
		t.Error("they are not what was packed")
	}
	wantUsed(t, r, mem.Of(mem.Host, int64(len(all))))
	if s := r.Stats().Kinds[mem.Host]; s.Spilled != int64(len(all)) || s.Restored != int64(len(all)) {
		t.Errorf("%d bytes were spilled and %d restored", s.Spilled, s.Restored)
	}
	for _, b := range buffers {
		b.Release()
	}
}

func TestPackedBytesThatAreReleasedLeaveTheDisk(t *testing.T) {
	r := newResource(t, mem.Options{SpillDir: t.TempDir()})
	b := alloc(t, r, mem.Host, 10, nil)
	defer b.Release()
	packed, err := mem.PackBytes(context.Background(), room(t, r, mem.Disk, 10), "ten", b, pattern(10, 1))
	errIs(t, err, nil)
	packed.Release()
	packed.Release()
	if used := r.Stats().Kinds[mem.Disk].Used; used != 0 {
		t.Errorf("%d bytes of disk after the release", used)
	}
}

func TestAFailedPackOrRestoreChangesNothing(t *testing.T) {
	faults := &extent.Faults{}
	r := newResource(t, mem.Options{SpillDir: t.TempDir(), Files: faults.Open})
	b := alloc(t, r, mem.Host, 1000, nil)
	put(t, b, pattern(1000, 1))
	from, err := b.Bytes()
	errIs(t, err, nil)

	res := room(t, r, mem.Disk, 1000)
	faults.Fail(extent.OpWrite, 1, errTest)
	_, err = mem.PackBytes(context.Background(), res, "x", b, from)
	errIs(t, err, errTest)
	errAs[*mem.OverdrawnError](t, func() error {
		_, err := mem.PackBytes(context.Background(), res, "x", b, make([]byte, 5000))
		return err
	}())
	packed, err := mem.PackBytes(context.Background(), res, "x", b, from)
	errIs(t, err, nil)
	res.Release()
	b.Release()

	res = room(t, r, mem.Host, 1000)
	errAs[*mem.OverdrawnError](t, func() error {
		_, err := packed.Restore(context.Background(), nil, 1001)
		if err == nil {
			t.Error("sizes that do not add up")
		}
		_, err = packed.Restore(context.Background(), res, 600, 600)
		return err
	}())
	faults.Fail(extent.OpRead, 1, errTest)
	_, err = packed.Restore(context.Background(), res, 1000)
	errIs(t, err, errTest)
	if res.Left(mem.Host) != 1000 {
		t.Errorf("%d bytes are left of the reservation after a read that failed", res.Left(mem.Host))
	}
	buffers, err := packed.Restore(context.Background(), res, 1000)
	errIs(t, err, nil)
	if !bytes.Equal(contents(t, buffers[0]), pattern(1000, 1)) {
		t.Error("they are not what was packed")
	}
	buffers[0].Release()
	res.Release()
	wantUsed(t, r, mem.Amount{})
}
