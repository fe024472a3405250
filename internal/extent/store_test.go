package extent_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/seed14ed4225/sluice/internal/extent"
)

var everyCompression = []extent.Compression{extent.Off, extent.LZ4, extent.Zstd}

func TestWhatComesBackIsWhatWentIn(t *testing.T) {
	const block, page = extent.BlockSize, extent.PageSize
	for _, compress := range everyCompression {
		t.Run(compress.String(), func(t *testing.T) {
			s := open(t, extent.Options{Compress: compress})
			for _, size := range []int{0, 1, 7, page - 1, page, page + 1, block - 1, block, block + 1, 3*block + 12345} {
				for _, data := range [][]byte{filled(size, uint64(size)), bytes.Repeat([]byte("again and "), size/10+1)[:size]} {
					e := write(t, s, "round trip", data)
					if e.Size() != int64(size) || e.Stored() > extent.Bound(e.Size()) {
						t.Errorf("%d bytes: Size is %d, Stored %d", size, e.Size(), e.Stored())
					}
					mustRead(t, e, data)
				}
			}
			mustHaveNothing(t, s)
		})
	}
}

func TestPartsNeedNotBeTheSameWhenReading(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	// cut cuts data into parts of random sizes, some of them empty and some many.
	cut := func(data []byte) (parts [][]byte) {
		most := 1 << (1 + r.IntN(21))
		for len(data) > 0 {
			n := min(r.IntN(most), len(data))
			parts = append(parts, data[:n])
			data = data[n:]
		}
		return append(parts, nil)
	}
	for _, compress := range everyCompression {
		s := open(t, extent.Options{Compress: compress})
		for i := range 40 {
			data := filled(r.IntN(1<<(r.IntN(22))), uint64(i))
			copy(data[len(data)/2:], make([]byte, len(data))) // half of it compresses
			e := write(t, s, "parts", cut(data)...)
			back := make([]byte, len(data))
			if err := e.Read(t.Context(), cut(back)...); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(back, data) {
				t.Fatalf("%v: %d bytes differ", compress, len(data))
			}
		}
		mustHaveNothing(t, s)
	}
}

func TestAlignedMemoryIsNotCopied(t *testing.T) {
	s := open(t, extent.Options{})
	data, back := extent.AlignedMemory(5<<20), extent.AlignedMemory(5<<20)
	fill(data, 1)
	e := write(t, s, "aligned", data[:2<<20], data[2<<20:])
	if err := e.Read(t.Context(), back[:3<<20], back[3<<20:]); err != nil || !bytes.Equal(data, back) {
		t.Errorf("Read returned %v, or other bytes", err)
	}
	if n := s.Staging(); n != 0 {
		t.Errorf("%d bytes of staging memory were made", n)
	}
	mustRead(t, write(t, s, "not aligned", data[1:]), data[1:])
	if n := s.Staging(); n == 0 {
		t.Error("no staging memory was made for memory that is not aligned")
	}
}

func TestStagingMemoryIsBoundedByWrites(t *testing.T) {
	s := open(t, extent.Options{Writes: 2, Compress: extent.LZ4})
	var calls sync.WaitGroup
	for i := range 8 {
		calls.Go(func() {
			data := filled(3<<20+i, uint64(i))
			mustRead(t, write(t, s, "staged", data), data)
		})
	}
	calls.Wait()
	if got, most := s.Staging(), 2*(2*extent.BlockSize+2*extent.PageSize); got > most || got == 0 {
		t.Errorf("%d bytes of staging memory, want at most %d", got, most)
	}
}

func TestBlocksArePaddedWithZeros(t *testing.T) {
	file := new(memFile)
	s := open(t, extent.Options{Writes: 1, Open: file.open})
	write(t, s, "before", filled(extent.PageSize-1, 1)).Free()
	e := write(t, s, "short", []byte("short"))
	if want := append([]byte("short"), make([]byte, extent.PageSize-5)...); !bytes.Equal(file.mu.data, want) {
		t.Error("bytes that were staged before are in the file behind a short extent")
	}
	e.Free()
}

func TestWhatDoesNotShrinkIsStoredAsItIs(t *testing.T) {
	for _, compress := range everyCompression {
		s := open(t, extent.Options{Compress: compress})
		random := write(t, s, "random", filled(2<<20, 1))
		zeros := write(t, s, "zeros", make([]byte, 2<<20))
		if random.Stored() != 2<<20 {
			t.Errorf("%v: 2 MiB that do not compress take %d bytes", compress, random.Stored())
		}
		if small := zeros.Stored() < 64<<10; small != (compress != extent.Off) {
			t.Errorf("%v: 2 MiB of zeros take %d bytes", compress, zeros.Stored())
		}
		random.Free()
		zeros.Free()
		mustHaveNothing(t, s)
	}
}

func TestStatsCountWhatIsThereAndWhatWasDone(t *testing.T) {
	s := open(t, extent.Options{})
	a, b := write(t, s, "a", make([]byte, 5000)), write(t, s, "b", make([]byte, 100))
	empty := write(t, s, "empty")
	want := extent.Stats{Extents: 3, Bytes: 5100, Stored: 12 << 10, File: 12 << 10, Written: 5100, WrittenStored: 12 << 10}
	if got := s.Stats(); got != want {
		t.Errorf("stats are %+v, want %+v", got, want)
	}
	b.Free()
	empty.Free()
	mustRead(t, a, make([]byte, 5000))
	want = extent.Stats{File: 12 << 10, Written: 5100, WrittenStored: 12 << 10, Read: 5000, ReadStored: 8 << 10}
	if got := s.Stats(); got != want {
		t.Errorf("stats are %+v, want %+v", got, want)
	}
}

func TestAnExtentIsConsumedOnce(t *testing.T) {
	s := open(t, extent.Options{})
	data := filled(10000, 1)
	read, freed := write(t, s, "read", data), write(t, s, "freed", data)
	mustRead(t, read, data)
	freed.Free()
	read.Free()
	freed.Free()
	for _, e := range []*extent.Extent{read, freed} {
		err := e.Read(t.Context(), data)
		errIs(t, err, extent.ErrConsumed)
		says(t, err, "read", `"`)
	}
	mustHaveNothing(t, s)
}

func TestAReadOfTheWrongSizeLeavesTheExtent(t *testing.T) {
	s := open(t, extent.Options{})
	data := filled(10000, 1)
	e := write(t, s, "run 7", data)
	says(t, e.Read(t.Context(), data, data), "run 7", "20000", "10000")
	mustRead(t, e, data)
}

func TestTwoReadersOfOneExtent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var faults extent.Faults
		s := open(t, extent.Options{Open: faults.Wrapped(new(memFile))})
		data := filled(10000, 1)
		e := write(t, s, "contended", data)
		hang := faults.Hang(extent.OpRead, 1)
		first := make(chan error, 1)
		go func() { first <- e.Read(t.Context(), make([]byte, len(data))) }()
		<-hang.Reached()
		err := e.Read(t.Context(), data)
		errIs(t, err, extent.ErrBusy)
		says(t, err, "contended")
		hang.Release()
		errIs(t, <-first, nil)
		errIs(t, e.Read(t.Context(), data), extent.ErrConsumed)
	})
}

func TestSpaceFreedDuringAReadIsFreeAfterIt(t *testing.T) {
	for _, fails := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var faults extent.Faults
			s := open(t, extent.Options{Open: faults.Wrapped(new(memFile))})
			data := filled(10000, 1)
			e := write(t, s, "dropped", data)
			hang := faults.Hang(extent.OpRead, 1)
			if fails {
				faults.Short(extent.OpRead, 1)
			}
			read := make(chan error, 1)
			go func() { read <- e.Read(t.Context(), make([]byte, len(data))) }()
			<-hang.Reached()
			e.Free()
			if s.Stats().Stored == 0 {
				t.Error("space was free while it was read")
			}
			errIs(t, e.Read(t.Context(), data), extent.ErrConsumed)
			hang.Release()
			if err := <-read; (err != nil) != fails {
				t.Error(err)
			}
			mustHaveNothing(t, s)
		})
	}
}

func TestAContextThatEndsStopsAWriteBetweenBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var faults extent.Faults
		s := open(t, extent.Options{Writes: 1, Open: faults.Wrapped(new(memFile))})
		ctx, cancel := context.WithCancel(t.Context())
		hang := faults.Hang(extent.OpWrite, 2)
		over := make(chan error, 1)
		go func() {
			_, err := s.Write(ctx, "cancelled", make([]byte, 4*extent.BlockSize))
			over <- err
		}()
		<-hang.Reached()
		cancel()
		synctest.Wait()
		select {
		case err := <-over:
			t.Fatalf("returned %v while memory was being written", err)
		default:
		}
		hang.Release()
		if err := <-over; err != context.Canceled {
			t.Errorf("error is %v, want the context's", err)
		}
		mustHaveNothing(t, s)
		if n := s.Stats().Written; n != 0 {
			t.Errorf("%d bytes count as written", n)
		}
	})
}

func TestAContextThatEndsLeavesTheExtentOfARead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var faults extent.Faults
		s := open(t, extent.Options{Writes: 1, Open: faults.Wrapped(new(memFile))})
		data := filled(4*extent.BlockSize, 1)
		e := write(t, s, "cancelled", data)
		ctx, cancel := context.WithCancel(t.Context())
		hang := faults.Hang(extent.OpRead, 2)
		over := make(chan error, 1)
		go func() { over <- e.Read(ctx, make([]byte, len(data))) }()
		<-hang.Reached()
		cancel()
		hang.Release()
		if err := <-over; err != context.Canceled {
			t.Errorf("error is %v, want the context's", err)
		}
		errIs(t, e.Read(ctx, data), context.Canceled)
		mustRead(t, e, data)
	})
}

func TestACancelledCallDoesNotWaitForASlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var faults extent.Faults
		s := open(t, extent.Options{Writes: 1, Open: faults.Wrapped(new(memFile))})
		hang := faults.Hang(extent.OpWrite, 1)
		first := make(chan *extent.Extent)
		go func() { first <- write(t, s, "hangs", make([]byte, 100)) }()
		<-hang.Reached()
		ctx, cancel := context.WithCancel(t.Context())
		second := make(chan error)
		go func() {
			_, err := s.Write(ctx, "waits", make([]byte, 100))
			second <- err
		}()
		synctest.Wait()
		cancel()
		errIs(t, <-second, context.Canceled)
		hang.Release()
		(<-first).Free()
	})
}

func TestAnEndedContextStopsCallsWithoutBytes(t *testing.T) {
	s := open(t, extent.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Write(ctx, "nothing")
	errIs(t, err, context.Canceled)
	e := write(t, s, "nothing")
	errIs(t, e.Read(ctx), context.Canceled)
	mustRead(t, e, nil)
}

func TestAnEndedContextStopsCallsThatWouldNotWait(t *testing.T) {
	s := open(t, extent.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	data := filled(10000, 1)
	e := write(t, s, "kept", data)
	for range 20 { // a choice among what is ready would be by chance
		_, err := s.Write(ctx, "late", data)
		errIs(t, err, context.Canceled)
		errIs(t, e.Read(ctx, make([]byte, len(data))), context.Canceled)
	}
	mustRead(t, e, data)
	mustHaveNothing(t, s)
}

func TestBlocksInFlightAreBoundedOverAllCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var faults extent.Faults
		s := open(t, extent.Options{Writes: 3, Open: faults.Wrapped(new(memFile))})
		var hangs []*extent.Hang
		for n := range 4 {
			hangs = append(hangs, faults.Hang(extent.OpWrite, n+1))
		}
		var calls sync.WaitGroup
		for range 2 {
			calls.Go(func() { write(t, s, "in flight", make([]byte, 3*extent.BlockSize)).Free() })
		}
		synctest.Wait()
		for n, h := range hangs {
			select {
			case <-h.Reached():
				if n >= 3 {
					t.Errorf("write %d began, want 3 at once", n+1)
				}
			default:
				if n < 3 {
					t.Errorf("write %d did not begin, want 3 at once", n+1)
				}
			}
		}
		for _, h := range hangs {
			h.Release()
		}
		calls.Wait()
	})
}

func TestCloseWaitsForCallsAndRefusesNewOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var faults extent.Faults
		s := open(t, extent.Options{Open: faults.Wrapped(new(memFile))})
		data := filled(10000, 1)
		e := write(t, s, "open", data)
		hang := faults.Hang(extent.OpRead, 1)
		read, closed := make(chan error, 1), make(chan error, 1)
		go func() { read <- e.Read(t.Context(), make([]byte, len(data))) }()
		<-hang.Reached()
		go func() { closed <- s.Close() }()
		synctest.Wait()
		select {
		case err := <-closed:
			t.Fatalf("Close returned %v during a read", err)
		default:
		}
		_, err := s.Write(t.Context(), "late", data)
		errIs(t, err, extent.ErrClosed)
		says(t, err, "late")
		hang.Release()
		errIs(t, <-read, nil)
		errIs(t, <-closed, nil)
		errIs(t, e.Read(t.Context(), data), extent.ErrConsumed)
	})
}

func TestCloseSaysWhatWasNeverFreed(t *testing.T) {
	dir := t.TempDir()
	s, err := extent.Open(extent.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	var last *extent.Extent
	for i := range 7 {
		last = write(t, s, fmt.Sprintf("run %d", 6-i), make([]byte, 1<<10))
	}
	err = s.Close()
	var leak *extent.LeakError
	if !errors.As(err, &leak) || len(leak.Extents) != 7 || leak.Extents[0] != (extent.Leak{Label: "run 0", Size: 1 << 10}) {
		t.Fatalf("Close returned %v", err)
	}
	says(t, err, "7 extents", "7KiB", dir, `"run 0" (1KiB)`, `"run 4"`, "and 2 more")
	if strings.Contains(err.Error(), "run 5") {
		t.Errorf("%v goes on for ever", err)
	}
	if again := s.Close(); again != err {
		t.Errorf("a second Close returns %v", again)
	}
	errIs(t, last.Read(t.Context(), make([]byte, 1<<10)), extent.ErrClosed)
	last.Free()
}

func TestOptionsThatCannotBeAreRefused(t *testing.T) {
	for want, o := range map[string]extent.Options{
		"no directory": {},
		"-1 blocks":    {Dir: "d", Writes: -1},
		"off, lz4":     {Dir: "d", Compress: 9},
	} {
		_, err := extent.Open(o)
		says(t, err, want)
	}
}

func TestManyGoroutinesUseOneStore(t *testing.T) {
	for _, compress := range everyCompression {
		t.Run(compress.String(), func(t *testing.T) {
			for _, file := range []func(string) (extent.File, error){nil, new(memFile).open} {
				s := open(t, extent.Options{Compress: compress, Open: file})
				var workers sync.WaitGroup
				for w := range 8 {
					workers.Go(func() { churn(t, s, rand.New(rand.NewPCG(uint64(w), 0))) })
				}
				workers.Wait()
				mustHaveNothing(t, s)
			}
		})
	}
}

// churn writes, reads and frees extents, and changes its memory as soon as it may.
func churn(t *testing.T, s *extent.Store, r *rand.Rand) {
	type kept struct {
		e    *extent.Extent
		data []byte
	}
	var live []kept
	for i := range 30 {
		data := filled(r.IntN(1<<(8+r.IntN(14))), r.Uint64())
		clear(data[:len(data)/2])
		memory := bytes.Clone(data)
		live = append(live, kept{write(t, s, "churn", memory), data})
		clear(memory)
		for len(live) > 4 || i == 29 && len(live) > 0 {
			j := r.IntN(len(live))
			if r.IntN(4) == 0 {
				live[j].e.Free()
			} else {
				mustRead(t, live[j].e, live[j].data)
			}
			live[j] = live[len(live)-1]
			live = live[:len(live)-1]
		}
	}
}

func TestCompressionHasANameAndAList(t *testing.T) {
	for _, c := range everyCompression {
		if back, err := extent.ParseCompression(c.String()); back != c || err != nil {
			t.Errorf("%v reads as %v, %v", c, back, err)
		}
	}
	_, err := extent.ParseCompression("gzip")
	says(t, err, `"gzip"`, "off, lz4 or zstd")
	if got := extent.Compression(9).String(); got != "extent.Compression(9)" {
		t.Error(got)
	}
}

// mustRead reads an extent, which must have these bytes.
func mustRead(t testing.TB, e *extent.Extent, want []byte) {
	t.Helper()
	got := make([]byte, len(want))
	if err := e.Read(context.Background(), got); err != nil {
		t.Error(err)
	} else if !bytes.Equal(got, want) {
		t.Errorf("%d bytes came back different", len(want))
	}
}

// mustHaveNothing fails the test if the store keeps anything.
func mustHaveNothing(t testing.TB, s *extent.Store) {
	t.Helper()
	if got := s.Stats(); got.Extents != 0 || got.Bytes != 0 || got.Stored != 0 {
		t.Errorf("the store has %+v, want nothing", got)
	}
	if err := s.CheckSpace(nil); err != nil {
		t.Error(err)
	}
}

func errIs(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error is %v, want %v", err, want)
	}
}

// says fails the test unless the text of err has all of these in it.
func says(t testing.TB, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error, want one that says %q", parts)
		return
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error is %q, want it to say %q", err, part)
		}
	}
}
