package extent_test

import (
	"errors"
	"io"
	"sync"
	"testing"

	"github.com/seed14ed4225/sluice/internal/extent"
)

var errTest = errors.New("the cable is out")

// Each of these writes fails, and the store must go on as if it had not been.
func TestAFailedWriteKeepsNothingAndNamesItsCause(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault func(*extent.Faults)
		is    error
		says  string
	}{
		{"open fails", func(f *extent.Faults) { f.Fail(extent.OpOpen, 1, errTest) }, errTest, `open "run 3"`},
		{"first write fails", func(f *extent.Faults) { f.Fail(extent.OpWrite, 1, errTest) }, errTest, `write "run 3"`},
		{"last write fails", func(f *extent.Faults) { f.Fail(extent.OpWrite, 5, errTest) }, errTest, `write "run 3"`},
		{"short write", func(f *extent.Faults) { f.Short(extent.OpWrite, 3) }, io.ErrShortWrite, "bytes at"},
		{"disk full", func(f *extent.Faults) { f.Full(2<<20 + 4096) }, extent.ErrDiskFull, "make room there"},
		{"disk full, as the system says it", func(f *extent.Faults) { f.Full(0) }, extent.DiskFull, "lower disk limit"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var faults extent.Faults
			dir := t.TempDir()
			s := open(t, extent.Options{Dir: dir, Open: faults.Open})
			data := filled(4<<20+100, 1)

			c.fault(&faults)
			e, err := s.Write(t.Context(), "run 3", data)
			errIs(t, err, c.is)
			says(t, err, c.says, dir, "run 3")
			var at *extent.IOError
			if e != nil || !errors.As(err, &at) || at.Label != "run 3" || at.Dir != dir {
				t.Errorf("Write returned %v, %#v", e, err)
			}
			if full := c.is == extent.ErrDiskFull || c.is == extent.DiskFull; errors.Is(err, extent.ErrDiskFull) != full {
				t.Errorf("%v is a full disk: %v", err, !full)
			}
			mustHaveNothing(t, s)

			faults.Lift()
			mustRead(t, write(t, s, "run 3", data), data)
			mustHaveNothing(t, s)
		})
	}
}

func TestAFullDiskGetsBackWhatIsFree(t *testing.T) {
	var faults extent.Faults
	file := new(memFile)
	s := open(t, extent.Options{Open: faults.Wrapped(file)})
	kept := write(t, s, "kept", filled(1<<20, 1))
	write(t, s, "freed", filled(4<<20, 1)).Free()
	if len(file.mu.data) != 5<<20 {
		t.Errorf("the file has %d bytes, want it to keep what was freed", len(file.mu.data))
	}
	faults.Full(6 << 20)
	_, err := s.Write(t.Context(), "too much", make([]byte, 7<<20))
	errIs(t, err, extent.ErrDiskFull)
	if got := s.Stats().File; len(file.mu.data) != 1<<20 || got != 1<<20 {
		t.Errorf("the file has %d bytes, by the statistics %d, want the 1 MiB that is live", len(file.mu.data), got)
	}
	mustRead(t, kept, filled(1<<20, 1))
}

// Each of these reads fails; the extent stays, and comes back when it is read again.
func TestAFailedReadLeavesTheExtent(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault func(*extent.Faults)
		is    error
	}{
		{"first read fails", func(f *extent.Faults) { f.Fail(extent.OpRead, 1, errTest) }, errTest},
		{"last read fails", func(f *extent.Faults) { f.Fail(extent.OpRead, 5, errTest) }, errTest},
		{"short read", func(f *extent.Faults) { f.Short(extent.OpRead, 2) }, io.ErrUnexpectedEOF},
		{"flipped on the way", func(f *extent.Faults) { f.Flip(extent.OpRead, 2, 12345) }, nil},
	} {
		for _, compress := range everyCompression {
			t.Run(c.name+", "+compress.String(), func(t *testing.T) {
				var faults extent.Faults
				dir := t.TempDir()
				s := open(t, extent.Options{Dir: dir, Compress: compress, Open: faults.Open})
				data := filled(4<<20+100, 1)
				clear(data[1<<20 : 3<<20])
				e := write(t, s, "run 3", data)

				c.fault(&faults)
				err := e.Read(t.Context(), make([]byte, len(data)))
				says(t, err, "run 3", dir)
				var corrupt *extent.CorruptError
				if c.is != nil {
					errIs(t, err, c.is)
				} else if !errors.As(err, &corrupt) {
					t.Errorf("error is %v, want a *CorruptError", err)
				}
				if got := s.Stats(); got.Extents != 1 || got.Read != 0 {
					t.Errorf("stats are %+v", got)
				}
				mustRead(t, e, data)
				mustHaveNothing(t, s)
			})
		}
	}
}

func TestABitFlippedInTheFileIsFound(t *testing.T) {
	for _, compress := range everyCompression {
		for _, bit := range []int64{0, 1, 77777, 8*extent.PageSize - 1} {
			var faults extent.Faults
			dir := t.TempDir()
			s := open(t, extent.Options{Dir: dir, Compress: compress, Open: faults.Open})
			data := make([]byte, 3<<20)
			fill(data[:1<<20], 1)
			faults.Flip(extent.OpWrite, 2, bit)
			e := write(t, s, "partition 5", data)
			for range 2 {
				err := e.Read(t.Context(), make([]byte, len(data)))
				var corrupt *extent.CorruptError
				if !errors.As(err, &corrupt) {
					t.Fatalf("%v, bit %d: error is %v, want a *CorruptError", compress, bit, err)
				}
				if corrupt.Label != "partition 5" || corrupt.Dir != dir {
					t.Errorf("%+v", corrupt)
				}
				says(t, err, "partition 5", dir, "checksum")
			}
			e.Free()
			mustHaveNothing(t, s)
		}
	}
}

func TestAFileThatCannotBeCutIsUsedAsItIs(t *testing.T) {
	var faults extent.Faults
	s := open(t, extent.Options{Open: faults.Wrapped(new(memFile))})
	e := write(t, s, "tail", make([]byte, 2<<20))
	faults.Full(3 << 20)
	faults.Fail(extent.OpTruncate, 1, errTest)
	e.Free()
	_, err := s.Write(t.Context(), "too much", make([]byte, 4<<20))
	errIs(t, err, extent.ErrDiskFull)
	if got := s.Stats().File; got < 3<<20 {
		t.Errorf("the file counts as %d bytes after it was not cut", got)
	}
	data := filled(3<<20, 1)
	mustRead(t, write(t, s, "fits", data), data)
	mustHaveNothing(t, s)
}

func TestCloseSaysThatTheFileDoesNotClose(t *testing.T) {
	var faults extent.Faults
	dir := t.TempDir()
	s, err := extent.Open(extent.Options{Dir: dir, Open: faults.Open})
	if err != nil {
		t.Fatal(err)
	}
	write(t, s, "a", make([]byte, 10)).Free()
	faults.Fail(extent.OpClose, 1, errTest)
	err = s.Close()
	errIs(t, err, errTest)
	says(t, err, "close", dir)
}

func TestOthersGoOnWhileOneOperationHangs(t *testing.T) {
	for _, op := range []extent.Op{extent.OpWrite, extent.OpRead, extent.OpTruncate} {
		t.Run(op.String(), func(t *testing.T) {
			var faults extent.Faults
			s := open(t, extent.Options{Open: faults.Wrapped(new(memFile))})
			size := 100
			if op == extent.OpTruncate {
				size = extent.SpareSpace + extent.PageSize // the least that it is done for
			}
			small := write(t, s, "small", make([]byte, 100))
			hole, behind := write(t, s, "hole", make([]byte, 100)), write(t, s, "behind", make([]byte, 100))
			big := write(t, s, "big", make([]byte, size))
			hole.Free()
			hang := faults.Hang(op, 1)
			var stuck sync.WaitGroup
			stuck.Go(func() {
				switch op {
				case extent.OpWrite:
					write(t, s, "hangs", make([]byte, 100)).Free()
				case extent.OpRead:
					mustRead(t, small, make([]byte, 100))
				default:
					big.Free()
				}
			})
			<-hang.Reached()
			if op != extent.OpWrite { // which hangs in this hole
				write(t, s, "goes on", make([]byte, 100)).Free()
			}
			if op != extent.OpRead {
				mustRead(t, small, make([]byte, 100))
			}
			s.Stats()
			hang.Release()
			stuck.Wait()
			behind.Free()
			big.Free()
			mustHaveNothing(t, s)
		})
	}
}

func TestFaultsThatMakeNoSenseAreRefused(t *testing.T) {
	var faults extent.Faults
	for name, ask := range map[string]func(){
		"operation 0":     func() { faults.Fail(extent.OpWrite, 0, errTest) },
		"no such kind":    func() { faults.Hang(extent.Op(100), 1) },
		"short truncate":  func() { faults.Short(extent.OpTruncate, 1) },
		"flip of an open": func() { faults.Flip(extent.OpOpen, 1, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("accepted")
				}
			}()
			ask()
		})
	}
}
