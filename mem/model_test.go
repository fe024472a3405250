package mem_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/device/cuda"
	"github.com/seed14ed4225/sluice/device/cuda/cudatest"
	"github.com/seed14ed4225/sluice/internal/extent"
	"github.com/seed14ed4225/sluice/mem"
)

// Buffers are made, shared, sliced, written, moved, copied and released in any order,
// with disks and devices that fail now and then. They always hold what was written last,
// what is counted is what there is, and in the end nothing is left.
func TestABufferKeepsItsBytesWhateverHappensToIt(t *testing.T) {
	for _, on := range []struct {
		name string
		make func(*rapid.T, *world)
	}{{"host", onHost}, {"simulated", onSimulated}} {
		t.Run(on.name, func(t *testing.T) { keepsItsBytes(t, on.make) })
	}
}

func keepsItsBytes(t *testing.T, makeDevice func(*rapid.T, *world)) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, dir, makeDevice)
		defer w.close(t)
		t.Repeat(map[string]func(*rapid.T){
			"alloc": w.alloc, "retain": w.retain, "slice": w.slice, "release": w.release,
			"write": w.write, "look": w.look, "rebind": w.rebind,
			"spill": w.spill, "restore": w.restore, "copy": w.copy,
			"together": w.together, "back": w.back, "further": w.further, "drop": w.drop,
			"": w.check,
		})
	})
}

// A world is what there is, and what there should be.
type world struct {
	device   device.Device
	exhaust  func() // makes the next allocation fail
	spare    func() // makes none fail any more
	closed   func() error
	files    extent.Faults
	resource *mem.Resource
	streams  []device.Stream
	handles  []*handle
	spilled  []*spilledModel
	value    byte
}

// A bodyModel is memory, however many share it.
type bodyModel struct {
	data []byte
	refs int
}

// A handle is a buffer, with one reference for each time it is held.
type handle struct {
	buffer *mem.Buffer
	body   *bodyModel
	off, n int
	refs   int
}

type spilledModel struct {
	spilled *mem.Spilled
	handles []*handle
}

func onHost(t *rapid.T, w *world) {
	var faults device.Faults
	d, err := device.NewHost(device.HostOptions{DeviceMemory: 1 << 20, PinnedMemory: 1 << 20, Faults: &faults})
	must(t, err)
	w.device, w.closed = d, d.Close
	w.exhaust = func() { faults.Fail(device.OpAlloc, 1, device.ErrOutOfMemory) }
	w.spare = func() {
		if b, err := w.streams[0].Alloc(1); err == nil { // uses up what nobody met
			must(t, w.streams[0].Free(b))
		}
	}
}

func onSimulated(t *rapid.T, w *world) {
	sim := cudatest.New(cudatest.Options{Memory: 1 << 20})
	d, err := sim.Open(0, cuda.Options{PinnedMemory: 1 << 20})
	must(t, err)
	w.device = d
	w.exhaust = func() {
		for _, call := range []string{"cuMemAllocFromPoolAsync", "cuMemHostAlloc"} {
			sim.Fail(call, 1, 2)
			sim.Fail(call, 2, 2) // it is tried again
		}
	}
	w.spare = sim.Lift
	w.closed = func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		return errors.Join(d.Close(), sim.Check(ctx))
	}
}

func newWorld(t *rapid.T, dir string, makeDevice func(*rapid.T, *world)) *world {
	w := &world{}
	var err error
	makeDevice(t, w)
	limits := [mem.Kinds]mem.Limit{mem.Bytes(1 << 20), mem.Bytes(1 << 20), mem.Bytes(1 << 20), mem.Bytes(4 << 20)}
	compress := rapid.SampledFrom([]mem.Compression{mem.Off, mem.LZ4, mem.Zstd}).Draw(t, "compress")
	w.resource, err = mem.New(mem.Options{Device: w.device, Limits: limits, SpillDir: dir, Files: w.files.Open, Compress: compress})
	must(t, err)
	for range 2 {
		s, err := w.device.NewStream(device.StreamOptions{})
		must(t, err)
		w.streams = append(w.streams, s)
	}
	return w
}

func must(t *rapid.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) close(t *rapid.T) {
	for _, h := range w.handles {
		for range h.refs {
			h.buffer.Release()
		}
	}
	for _, s := range w.spilled {
		s.spilled.Release()
	}
	must(t, w.resource.Close(context.Background()))
	must(t, w.closed())
}

// pick draws a handle, or skips.
func (w *world) pick(t *rapid.T) *handle {
	if len(w.handles) == 0 {
		t.Skip("no buffers")
	}
	return w.handles[rapid.IntRange(0, len(w.handles)-1).Draw(t, "buffer")]
}

func (w *world) stream(t *rapid.T) device.Stream {
	return w.streams[rapid.IntRange(0, len(w.streams)-1).Draw(t, "stream")] // rapid prints what it draws
}

// room reserves for n bytes in some kinds, or skips if there is not so much.
func (w *world) room(t *rapid.T, n int64, kinds ...mem.Kind) *mem.Reservation {
	var need mem.Amount
	for _, k := range kinds {
		if rapid.Bool().Draw(t, k.String()) {
			need[k] = mem.Need(k, n)
		}
	}
	res, ok := w.resource.TryReserve(context.Background(), need)
	if !ok {
		t.Skip("no room")
	}
	return res
}

// trouble makes something fail, perhaps, in what comes next. calm ends that.
func (w *world) trouble(t *rapid.T) (ctx context.Context, calm func()) {
	ctx, cancel := context.WithCancel(context.Background())
	switch rapid.IntRange(0, 9).Draw(t, "trouble") {
	case 0:
		w.files.Fail(extent.OpWrite, 1, errTest)
	case 1:
		w.files.Fail(extent.OpRead, 1, errTest)
	case 2:
		w.files.Flip(extent.OpRead, 1, 3)
	case 3:
		w.files.Full(0)
	case 4:
		w.exhaust()
	case 5:
		cancel()
	}
	return ctx, func() {
		cancel()
		w.files.Lift()
		w.useUpFaults(t)
	}
}

// useUpFaults lets faults that nothing met happen to something that does not matter.
func (w *world) useUpFaults(t *rapid.T) {
	w.spare()
	free, ok := w.resource.TryReserve(context.Background(), mem.Amount{0, 0, 1, 4096})
	if !ok {
		return
	}
	defer free.Release()
	b, err := free.Alloc(mem.Host, 1, nil)
	must(t, err)
	defer b.Release()
	for b.Kind() != mem.Disk {
		_, err := b.Spill(context.Background(), free)
		expected(t, err)
	}
	for b.Kind() == mem.Disk {
		_, err := b.Restore(context.Background(), nil)
		expected(t, err)
	}
}

// expected fails the test if an error is not one that was asked for.
func expected(t *rapid.T, err error) {
	t.Helper()
	var corrupt *extent.CorruptError
	if err == nil || errors.As(err, &corrupt) {
		return
	}
	for _, want := range []error{errTest, extent.ErrDiskFull, device.ErrOutOfMemory, context.Canceled} {
		if errors.Is(err, want) {
			return
		}
	}
	t.Fatal(err)
}

func (w *world) alloc(t *rapid.T) {
	n := rapid.OneOf(rapid.IntRange(0, 100), rapid.IntRange(0, 100_000)).Draw(t, "n")
	k := rapid.SampledFrom(inMemory).Draw(t, "kind")
	var s device.Stream
	if k != mem.Host || rapid.Bool().Draw(t, "with a stream") {
		s = w.stream(t)
	}
	res, ok := w.resource.TryReserve(context.Background(), mem.Of(k, int64(n)))
	if !ok {
		t.Skip("no room")
	}
	defer res.Release()
	b, err := res.Alloc(k, int64(n), s)
	must(t, err)
	h := &handle{buffer: b, body: &bodyModel{data: make([]byte, n), refs: 1}, n: n, refs: 1}
	w.handles = append(w.handles, h)
	w.fill(t, h)
}

// fill writes something new into all of a buffer.
func (w *world) fill(t *rapid.T, h *handle) {
	w.value++
	for i := range h.n {
		h.body.data[h.off+i] = w.value + byte(i>>4)
	}
	bytes := slices.Clone(h.body.data[h.off : h.off+h.n])
	if h.buffer.Stream() != nil {
		must(t, h.buffer.Write(func(s device.Stream, dst device.Span) error { return s.Copy(dst, device.Bytes(bytes)) }))
		return
	}
	to, err := h.buffer.Exclusive()
	if errors.Is(err, mem.ErrPending) {
		must(t, h.buffer.WaitAll(context.Background()))
		to, err = h.buffer.Exclusive()
	}
	must(t, err)
	copy(to, bytes)
}

func (w *world) write(t *rapid.T) {
	h := w.pick(t)
	if h.buffer.Kind() == mem.Disk || h.body.refs > 1 {
		err := h.buffer.Write(func(device.Stream, device.Span) error { return nil })
		if err == nil {
			t.Fatal("written")
		}
		return
	}
	w.fill(t, h)
}

func (w *world) retain(t *rapid.T) {
	h := w.pick(t)
	h.buffer.Retain()
	h.refs++
	h.body.refs++
}

func (w *world) slice(t *rapid.T) {
	h := w.pick(t)
	off := rapid.IntRange(0, h.n).Draw(t, "off")
	n := rapid.IntRange(0, h.n-off).Draw(t, "n")
	b, err := h.buffer.Slice(int64(off), int64(n))
	must(t, err)
	h.body.refs++
	w.handles = append(w.handles, &handle{buffer: b, body: h.body, off: h.off + off, n: n, refs: 1})
}

func (w *world) release(t *rapid.T) {
	h := w.pick(t)
	h.buffer.Release()
	h.refs--
	h.body.refs--
	if h.refs == 0 {
		w.forget(h)
	}
}

func (w *world) forget(h *handle) {
	w.handles = slices.DeleteFunc(w.handles, func(other *handle) bool { return other == h })
}

// look compares a buffer with what it should hold.
func (w *world) look(t *rapid.T) {
	h := w.pick(t)
	if h.buffer.Kind() == mem.Disk {
		_, err := h.buffer.Bytes()
		if err == nil {
			t.Fatal("looked at what is on disk")
		}
		return
	}
	s := w.stream(t)
	got := make([]byte, h.n)
	must(t, h.buffer.Read(s, func(src device.Span) error { return s.Copy(device.Bytes(got), src) }))
	if rapid.Bool().Draw(t, "at once") {
		must(t, s.Sync(context.Background()))
		w.same(t, h, got)
	}
	if h.buffer.Kind() == mem.Device {
		return
	}
	must(t, h.buffer.Wait(context.Background()))
	got, err := h.buffer.Bytes()
	must(t, err)
	w.same(t, h, got)
}

func (w *world) same(t *rapid.T, h *handle, got []byte) {
	t.Helper()
	if !bytes.Equal(got, h.body.data[h.off:h.off+h.n]) {
		t.Fatalf("a buffer in %v holds something else", h.buffer.Kind())
	}
}

func (w *world) rebind(t *rapid.T) {
	h := w.pick(t)
	must(t, h.buffer.Rebind(w.stream(t)))
}

func (w *world) spill(t *rapid.T) {
	h := w.pick(t)
	at := h.buffer.Kind()
	res := w.room(t, int64(len(h.body.data)), mem.Pinned, mem.Host, mem.Disk)
	defer res.Release()
	ctx, calm := w.trouble(t)
	freed, err := h.buffer.Spill(ctx, res)
	calm()
	var lacking *mem.OverdrawnError
	if !errors.As(err, &lacking) {
		expected(t, err)
	}
	if now := h.buffer.Kind(); freed > 0 && (h.body.refs > 1 || now <= at) || freed == 0 && now != at && len(h.body.data) > 0 {
		t.Fatalf("%d bytes freed with %d references, from %v to %v", freed, h.body.refs, at, now)
	}
}

func (w *world) restore(t *rapid.T) {
	h := w.pick(t)
	res := w.room(t, int64(len(h.body.data)), mem.Device, mem.Pinned, mem.Host)
	defer res.Release()
	ctx, calm := w.trouble(t)
	_, err := h.buffer.Restore(ctx, res)
	calm()
	w.restored(t, err, h.body.refs > 1)
}

func (w *world) restored(t *rapid.T, err error, shared bool) {
	t.Helper()
	var lacking *mem.OverdrawnError
	if errors.As(err, &lacking) || shared && errors.Is(err, mem.ErrShared) {
		return
	}
	expected(t, err)
}

func (w *world) copy(t *rapid.T) {
	h := w.pick(t)
	res := w.room(t, int64(h.n), inMemory...)
	defer res.Release()
	made, err := h.buffer.Copy(context.Background(), res)
	var elsewhere *mem.ResidencyError
	var lacking *mem.OverdrawnError
	if errors.As(err, &elsewhere) && h.buffer.Kind() == mem.Disk || errors.As(err, &lacking) {
		return
	}
	must(t, err)
	body := &bodyModel{data: slices.Clone(h.body.data[h.off : h.off+h.n]), refs: 1}
	w.handles = append(w.handles, &handle{buffer: made.(*mem.Buffer), body: body, n: h.n, refs: 1})
}

// together spills several at once.
func (w *world) together(t *rapid.T) {
	var chosen []*handle
	var buffers []*mem.Buffer
	refs := map[*bodyModel]int{}
	var n int64
	for _, h := range w.handles {
		if rapid.Bool().Draw(t, "this, too") {
			chosen = append(chosen, h)
			buffers = append(buffers, h.buffer)
			if refs[h.body] == 0 {
				n += int64(len(h.body.data))
			}
			refs[h.body]++
		}
	}
	shared := false
	for body, refs := range refs {
		shared = shared || body.refs != refs
	}
	res := w.room(t, n, mem.Pinned, mem.Host, mem.Disk)
	defer res.Release()
	ctx, calm := w.trouble(t)
	s, err := mem.SpillBuffers(ctx, res, "several", buffers...)
	calm()
	if err != nil {
		w.restored(t, err, shared)
		return
	}
	if shared {
		t.Fatal("spilled what others refer to")
	}
	w.spilled = append(w.spilled, &spilledModel{s, chosen})
	for _, h := range chosen {
		w.forget(h)
	}
}

func (w *world) pickSpilled(t *rapid.T) (*spilledModel, int) {
	if len(w.spilled) == 0 {
		t.Skip("nothing is spilled")
	}
	i := rapid.IntRange(0, len(w.spilled)-1).Draw(t, "spilled")
	return w.spilled[i], i
}

func (w *world) back(t *rapid.T) {
	s, i := w.pickSpilled(t)
	res := w.room(t, s.spilled.Content().Total(), mem.Device, mem.Pinned, mem.Host)
	defer res.Release()
	ctx, calm := w.trouble(t)
	buffers, err := s.spilled.Restore(ctx, res)
	calm()
	if err != nil {
		w.restored(t, err, false)
		return
	}
	for i, h := range s.handles {
		h.buffer = buffers[i]
		w.handles = append(w.handles, h)
	}
	w.spilled = slices.Delete(w.spilled, i, i+1)
}

func (w *world) further(t *rapid.T) {
	s, _ := w.pickSpilled(t)
	res := w.room(t, s.spilled.Content().Total(), mem.Pinned, mem.Host, mem.Disk)
	defer res.Release()
	ctx, calm := w.trouble(t)
	_, err := s.spilled.Spill(ctx, res)
	calm()
	w.restored(t, err, false)
}

func (w *world) drop(t *rapid.T) {
	s, i := w.pickSpilled(t)
	s.spilled.Release()
	w.spilled = slices.Delete(w.spilled, i, i+1)
}

// check compares what is counted with what there is.
func (w *world) check(t *rapid.T) {
	w.resource.SettleFrees(context.Background())
	var want mem.Amount
	seen := map[*bodyModel]bool{}
	count := func(h *handle, k mem.Kind) {
		if !seen[h.body] {
			seen[h.body] = true
			want[k] += int64(len(h.body.data))
		}
	}
	for _, h := range w.handles {
		count(h, h.buffer.Kind())
	}
	for _, s := range w.spilled {
		want = want.Plus(s.spilled.Content().Bytes)
	}
	for k, s := range w.resource.Stats().Kinds {
		if s.Reserved != 0 {
			t.Fatalf("%d bytes of %v reserved", s.Reserved, mem.Kind(k))
		}
		if mem.Kind(k) != mem.Disk && s.Used != want[k] || mem.Kind(k) == mem.Disk && (s.Used > 0) != (want[k] > 0) {
			t.Fatalf("%d bytes of %v used, want %d", s.Used, mem.Kind(k), want[k])
		}
	}
}
