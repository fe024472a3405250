package mem_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/internal/extent"
	"github.com/seed14ed4225/sluice/mem"
)

// sizes are those of the buffers of a chunk, more or less.
var sizes = []int64{0, 8, 64, 1000, 4096, 70_000, 1_000_001}

// family makes buffers of those sizes, each in the kind whose turn it is.
func family(t *testing.T, r *mem.Resource, kinds ...mem.Kind) (buffers []*mem.Buffer, total int64) {
	s := newStream(t, r.Device(), "s")
	for i, n := range sizes {
		b := alloc(t, r, kinds[i%len(kinds)], n, s)
		put(t, b, pattern(n, byte(i)))
		buffers = append(buffers, b)
		total += n
	}
	return buffers, total
}

func wantFamily(t *testing.T, buffers []*mem.Buffer, k mem.Kind) {
	t.Helper()
	if len(buffers) != len(sizes) {
		t.Fatalf("%d buffers, want %d", len(buffers), len(sizes))
	}
	for i, n := range sizes {
		if b := buffers[i]; b.Size() != n || b.Kind() != k || !bytes.Equal(contents(t, b), pattern(n, byte(i))) {
			t.Errorf("buffer %d is %d bytes in %v, and not as it was spilled", i, b.Size(), b.Kind())
		}
	}
}

func TestBuffersSpilledTogetherComeBackInOrder(t *testing.T) {
	for _, from := range inMemory {
		for to := from + 1; to < mem.Kinds; to++ {
			for back := mem.Device; back < to; back++ {
				if to == mem.Pinned && back == mem.Host {
					continue
				}
				r := newResource(t, mem.Options{SpillDir: t.TempDir()})
				buffers, total := family(t, r, from)
				before := buffers[3]
				res := room(t, r, to, total)
				s, err := mem.SpillBuffers(context.Background(), res, "chunk", buffers...)
				errIs(t, err, nil)
				res.Release()
				used := mem.Of(to, mem.Need(to, total))
				wantUsed(t, r, used)
				if c := s.Content(); c.Bytes != mem.Of(to, total) || c.Spillable != (to < mem.Disk) {
					t.Errorf("content is %+v", c)
				}
				if s.Size() != total || s.Kind() != to {
					t.Errorf("%d bytes in %v", s.Size(), s.Kind())
				}
				func() {
					defer func() {
						if recover() == nil {
							t.Error("what was spilled still belongs to who spilled it")
						}
					}()
					before.Release()
				}()
				res = room(t, r, back, total)
				buffers, err = s.Restore(context.Background(), res)
				errIs(t, err, nil)
				res.Release()
				wantFamily(t, buffers, back)
				wantUsed(t, r, mem.Of(back, total))
				_, err = s.Restore(context.Background(), nil)
				errIs(t, err, mem.ErrConsumed)
				s.Release()
				for _, b := range buffers {
					put(t, b, pattern(b.Size(), 9)) // as free to use as before
					b.Release()
				}
			}
		}
	}
}

func TestBuffersOnDiskShareAnExtent(t *testing.T) {
	r := newResource(t, mem.Options{SpillDir: t.TempDir()})
	var buffers []*mem.Buffer
	for range 10 {
		buffers = append(buffers, alloc(t, r, mem.Host, 10, nil))
	}
	s, err := mem.SpillBuffers(context.Background(), room(t, r, mem.Disk, 100), "chunk", buffers...)
	errIs(t, err, nil)
	if used := r.Stats().Kinds[mem.Disk].Used; used != 4096 {
		t.Errorf("%d bytes of disk for 100", used)
	}
	s.Release()
	s.Release()
	if used := r.Stats().Kinds[mem.Disk].Used; used != 0 {
		t.Errorf("%d bytes of disk after the release", used)
	}
	_, err = s.Restore(context.Background(), nil)
	errIs(t, err, mem.ErrConsumed)
}

func TestSpilledBuffersCanBeSpilledFurther(t *testing.T) {
	r := newResource(t, mem.Options{SpillDir: t.TempDir()})
	buffers, total := family(t, r, mem.Device)
	s, err := mem.SpillBuffers(context.Background(), room(t, r, mem.Pinned, total), "chunk", buffers...)
	errIs(t, err, nil)
	for to := mem.Host; to < mem.Kinds; to++ {
		freed, err := s.Spill(context.Background(), room(t, r, to, total))
		errIs(t, err, nil)
		if freed != total || s.Kind() != to {
			t.Errorf("freed %d, now in %v", freed, s.Kind())
		}
	}
	res := room(t, r, mem.Device, total)
	buffers, err = s.Restore(context.Background(), res)
	errIs(t, err, nil)
	wantFamily(t, buffers, mem.Device)
	for _, b := range buffers {
		b.Release()
	}
}

func TestBuffersOfSeveralKindsGoAsFarAsThereIsRoom(t *testing.T) {
	r := newResource(t, mem.Options{SpillDir: t.TempDir()})
	buffers, total := family(t, r, mem.Device, mem.Pinned, mem.Host)
	in := mem.ContentOf(buffers...).Bytes

	// Room for what is in one kind, which is what the spiller is after.
	s, err := mem.SpillBuffers(context.Background(), room(t, r, mem.Disk, in[mem.Device]), "chunk", buffers...)
	errIs(t, err, nil)
	if c := s.Content(); c.Bytes[mem.Device] != 0 || c.Total() != total || c.Bytes[mem.Disk] != in[mem.Device] || !c.Spillable {
		t.Errorf("%+v, of %v", c, in)
	}
	freed, err := s.Spill(context.Background(), room(t, r, mem.Disk, total-in[mem.Device]))
	errIs(t, err, nil)
	if freed != total-in[mem.Device] || s.Content().Bytes != mem.Of(mem.Disk, total) {
		t.Errorf("freed %d, %+v", freed, s.Content())
	}
	buffers, err = s.Restore(context.Background(), room(t, r, mem.Host, total))
	errIs(t, err, nil)
	wantFamily(t, buffers, mem.Host)
	for _, b := range buffers {
		b.Release()
	}
}

func TestSlicesOfOneBufferAreSpilledTogether(t *testing.T) {
	r := newResource(t, mem.Options{SpillDir: t.TempDir()})
	b := alloc(t, r, mem.Host, 100, nil)
	put(t, b, pattern(100, 1))
	first, err := b.Slice(0, 40)
	errIs(t, err, nil)
	second, err := b.Slice(30, 70)
	errIs(t, err, nil)
	res := room(t, r, mem.Disk, 100)
	_, err = mem.SpillBuffers(context.Background(), res, "chunk", first, second)
	errIs(t, err, mem.ErrShared) // with b
	b.Release()
	if c := mem.ContentOf(first, second); c != (mem.Content{Bytes: mem.Of(mem.Host, 100), Spillable: true}) {
		t.Errorf("%+v", c)
	}
	s, err := mem.SpillBuffers(context.Background(), res, "chunk", first, second)
	errIs(t, err, nil)
	back, err := s.Restore(context.Background(), room(t, r, mem.Host, 100))
	errIs(t, err, nil)
	if !bytes.Equal(contents(t, back[0]), pattern(100, 1)[:40]) || !bytes.Equal(contents(t, back[1]), pattern(100, 1)[30:]) {
		t.Error("the slices differ")
	}
	back[0].Release()
	wantUsedKind(t, r, mem.Host, 100)
	back[1].Release()
	wantUsedKind(t, r, mem.Host, 0)
}

func wantUsedKind(t *testing.T, r *mem.Resource, k mem.Kind, want int64) {
	t.Helper()
	if got := r.Stats().Kinds[k].Used; got != want {
		t.Errorf("%d bytes of %v used, want %d", got, k, want)
	}
}

func TestAFailedSpillOfSeveralLeavesThemWithTheCaller(t *testing.T) {
	var files extent.Faults
	r := newResource(t, mem.Options{SpillDir: t.TempDir(), Files: files.Open})
	buffers, total := family(t, r, mem.Host)
	res := room(t, r, mem.Disk, total)
	files.Fail(extent.OpWrite, 2, errTest)
	s, err := mem.SpillBuffers(context.Background(), res, "chunk 17", buffers...)
	errIs(t, err, errTest)
	if s != nil || !bytes.Contains([]byte(err.Error()), []byte("chunk 17")) {
		t.Errorf("%v, %v", s, err)
	}
	wantFamily(t, buffers, mem.Host)
	for _, b := range buffers {
		b.Release()
	}
}

func TestAFailedRestoreOfSeveralKeepsTheHandleGood(t *testing.T) {
	var files extent.Faults
	var onDevice device.Faults
	d := newDevice(t, &onDevice)
	r := newResource(t, mem.Options{Device: d, SpillDir: t.TempDir(), Files: files.Open})
	for _, to := range inMemory {
		buffers, total := family(t, r, mem.Host)
		s, err := mem.SpillBuffers(context.Background(), room(t, r, mem.Disk, total), "chunk 17", buffers...)
		errIs(t, err, nil)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		res := room(t, r, to, total)
		_, err = s.Restore(ctx, res)
		errIs(t, err, context.Canceled)
		files.Flip(extent.OpRead, 1, 12345)
		_, err = s.Restore(context.Background(), res)
		errAs[*extent.CorruptError](t, err)
		if !bytes.Contains([]byte(err.Error()), []byte("chunk 17")) {
			t.Errorf("%v does not say what it belonged to", err)
		}
		if to == mem.Device {
			onDevice.Fail(device.OpCopy, 3, errTest)
			_, err = s.Restore(context.Background(), res)
			errIs(t, err, errTest)
		}
		buffers, err = s.Restore(context.Background(), res)
		errIs(t, err, nil)
		wantFamily(t, buffers, to)
		for _, b := range buffers {
			b.Release()
		}
		res.Release()
	}
	r.SettleFrees(context.Background())
	wantUsedKind(t, r, mem.Host, 0)
}

func TestReleaseWhileABufferIsRestoredFreesItAfterwards(t *testing.T) {
	var files extent.Faults
	r := newResource(t, mem.Options{SpillDir: t.TempDir(), Files: files.Open})
	buffers, total := family(t, r, mem.Host)
	s, err := mem.SpillBuffers(context.Background(), room(t, r, mem.Disk, total), "chunk", buffers...)
	errIs(t, err, nil)
	res := room(t, r, mem.Host, total)
	hang := files.Hang(extent.OpRead, 1)
	done := make(chan error)
	go func() { _, err := s.Restore(context.Background(), res); done <- err }()
	<-hang.Reached()
	_, err = s.Restore(context.Background(), res)
	errIs(t, err, mem.ErrPending)
	s.Release()
	hang.Release()
	errIs(t, <-done, mem.ErrConsumed)
	res.Release()
	wantUsedKind(t, r, mem.Host, 0)
}
