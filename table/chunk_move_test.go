package table

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"pgregory.net/rapid"

	"github.com/seed14ed4225/sluice/mem"
)

// reserved reserves or fails.
func reserved(t failer, r *mem.Resource, k mem.Kind, n int64) *mem.Reservation {
	t.Helper()
	res, err := r.Reserve(context.Background(), k, n)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// countedIn is a chunk of the rows of a batch, which stays the caller's.
func countedIn(t failer, r *mem.Resource, batch arrow.RecordBatch) *Chunk {
	t.Helper()
	batch.Retain()
	chunk, err := counted(mem.NewContext(context.Background(), r), batch)
	if err != nil {
		t.Fatal(err)
	}
	return chunk
}

func spill(t failer, r *mem.Resource, chunk *Chunk) (int64, error) {
	t.Helper()
	res := reserved(t, r, mem.Disk, mem.Need(mem.Disk, chunk.Content().Total()))
	defer res.Release()
	return chunk.Spill(context.Background(), res)
}

func restore(t failer, r *mem.Resource, chunk *Chunk) (int64, error) {
	t.Helper()
	res := reserved(t, r, mem.Host, chunk.Content().In(mem.Disk))
	defer res.Release()
	return chunk.Restore(context.Background(), res)
}

func assertNothingTaken(t failer, r *mem.Resource) {
	t.Helper()
	for k, s := range r.Stats().Kinds {
		if s.Used != 0 || s.Reserved != 0 || s.Overbooked != 0 {
			t.Errorf("%v memory at the end: %+v", mem.Kind(k), s)
		}
	}
}

func TestAChunkComesBackFromDiskAsItWas(t *testing.T) {
	r := ample()
	rapid.Check(t, func(t *rapid.T) {
		for _, batch := range drawBatches(t, everyType()) {
			chunk := countedIn(t, r, batch)
			want := asText(rowsOf(batch))
			content := chunk.Content()
			batch.Release()
			for range rapid.IntRange(1, 3).Draw(t, "times") {
				freed, err := spill(t, r, chunk)
				if err != nil || freed != content.In(mem.Host) {
					t.Fatalf("freed %d of %+v: %v", freed, content, err)
				}
				if freed > 0 {
					assertOnDisk(t, chunk)
				}
				if chunk.Rows() != len(want) || chunk.Schema() == nil {
					t.Fatalf("%d rows of %d", chunk.Rows(), len(want))
				}
				if rapid.Bool().Draw(t, "released") {
					break
				}
				restored, err := restore(t, r, chunk)
				if err != nil || restored != content.In(mem.Host) || chunk.Content() != content {
					t.Fatalf("restored %d of %+v to %+v: %v", restored, content, chunk.Content(), err)
				}
				if got := asText(rowsOf(chunk.Batch())); !slices.Equal(got, want) {
					t.Fatalf("came back as\n%v\nnot\n%v", got, want)
				}
			}
			chunk.Release()
			assertNothingTaken(t, r)
		}
	})
}

func assertOnDisk(t failer, chunk *Chunk) {
	t.Helper()
	content := chunk.Content()
	if content.In(mem.Host) != 0 || content.In(mem.Disk) == 0 || content.Spillable {
		t.Fatalf("after spilling: %+v", content)
	}
	var away *ResidencyError
	if err := chunk.Resident(); !errors.As(err, &away) || away.Kind != mem.Disk || !strings.Contains(err.Error(), "At(mem.Host)") {
		t.Fatalf("%v", err)
	}
	defer func() {
		if recover() == nil {
			t.Fatal("Batch gave out rows that are on disk")
		}
	}()
	chunk.Batch()
}

func TestSlicesAndSharedColumnsComeBack(t *testing.T) {
	r := ample()
	rapid.Check(t, func(t *rapid.T) {
		for _, batch := range drawBatches(t, everyType()) {
			need := batchCopyBytes(batch)
			res := reserved(t, r, mem.Host, need)
			own := NewAllocator(res)
			whole := copyBatch(own, batch)
			res.Release()
			from := rapid.Int64Range(0, batch.NumRows()).Draw(t, "from")
			to := rapid.Int64Range(from, batch.NumRows()).Draw(t, "to")
			chunk := own.Chunk(whole.NewSlice(from, to))
			whole.Release()
			want := asText(rowsOf(batch)[from:to])
			batch.Release()
			if _, err := spill(t, r, chunk); err != nil {
				t.Fatal(err)
			}
			if _, err := restore(t, r, chunk); err != nil {
				t.Fatal(err)
			}
			if got := asText(rowsOf(chunk.Batch())); !slices.Equal(got, want) {
				t.Fatalf("came back as\n%v\nnot\n%v", got, want)
			}
			chunk.Release()
			assertNothingTaken(t, r)
		}
	})
}

func someRows() arrow.RecordBatch {
	return batchOf(arrow.NewSchema([]arrow.Field{field("n", int64Type), field("text", codedType)}, nil),
		[]any{1, "one"}, []any{2, "two"}, []any{nil, "two"})
}

func TestArraysThatSomebodyKeepsStayWhereTheyAre(t *testing.T) {
	r := ample()
	batch := someRows()
	defer batch.Release()
	want := asText(rowsOf(batch))
	chunk := countedIn(t, r, batch)
	kept := chunk.Batch().Column(1)
	kept.Retain()
	if freed, err := spill(t, r, chunk); freed != 0 || err != nil {
		t.Errorf("freed %d, %v", freed, err)
	}
	if got := asText(rowsOf(chunk.Batch())); !slices.Equal(got, want) {
		t.Errorf("is now %v", got)
	}
	if content := chunk.Content(); content.Spillable {
		t.Errorf("is shared, and says %+v", content)
	}
	chunk.Release()
	if used := r.Stats().Kinds[mem.Host].Used; used == 0 {
		t.Error("memory that is still in use is not counted")
	}
	if valueOf(kept, 1) != "two" {
		t.Errorf("what was kept has changed to %v", valueOf(kept, 1))
	}
	kept.Release()
	assertNothingTaken(t, r)
}

func TestAChunkWithArraysFromElsewhereIsNotSpilled(t *testing.T) {
	r := ample()
	batch := someRows()
	first := countedIn(t, r, batch)
	batch.Release()
	res := reserved(t, r, mem.Host, 1<<10)
	own := NewAllocator(res)
	shared := first.Batch()
	shared.Retain()
	second := own.Chunk(shared)
	res.Release()
	if content := second.Content(); content.Spillable || content.Total() != 0 {
		t.Errorf("owns %+v", content)
	}
	if freed, err := second.Spill(t.Context(), nil); freed != 0 || err != nil {
		t.Errorf("freed %d, %v", freed, err)
	}
	first.Release()
	if rows := rowsOf(second.Batch()); len(rows) != 3 {
		t.Errorf("%v", rows)
	}
	second.Release()
	assertNothingTaken(t, r)
}

func TestACopyOfACountedChunkTakesWhatWasReserved(t *testing.T) {
	r := ample()
	batch := someRows()
	chunk := countedIn(t, r, batch)
	batch.Release()
	defer assertNothingTaken(t, r)
	defer chunk.Release()
	res := reserved(t, r, mem.Host, chunk.Content().Total())
	defer res.Release()
	copied, err := chunk.Copy(t.Context(), res)
	if err != nil {
		t.Fatal(err)
	}
	if got := copied.(*Chunk).Content(); !got.Spillable || got != chunk.Content() || res.Left(mem.Host) != 0 {
		t.Errorf("%+v, left %d", got, res.Left(mem.Host))
	}
	copied.(*Chunk).Release()
	var overdrawn *mem.OverdrawnError
	if _, err := chunk.Copy(t.Context(), res); !errors.As(err, &overdrawn) {
		t.Errorf("%v", err)
	}
	if _, err := spill(t, r, chunk); err != nil {
		t.Fatal(err)
	}
	var away *ResidencyError
	if _, err := chunk.Copy(t.Context(), nil); !errors.As(err, &away) {
		t.Errorf("%v", err)
	}
}

// Buffers of any size, slices of them, and dictionaries that several chunks have.
func TestACopyTakesWhatItSaysWhereverTheChunkHasBeen(t *testing.T) {
	r := ample()
	rapid.Check(t, func(t *rapid.T) {
		for _, batch := range drawBatches(t, everyType()) {
			whole := countedIn(t, r, batch)
			want := asText(rowsOf(batch))
			batch.Release()
			from := newAllocator(context.Background(), reserved(t, r, mem.Host, 0))
			s := whole.share(from)
			var columns []arrow.Array
			for i := range whole.Schema().NumFields() {
				columns = append(columns, s.column(i))
			}
			s.release()
			chunk := from.Chunk(array.NewRecordBatch(whole.Schema(), columns, int64(whole.Rows())))
			for _, column := range columns {
				column.Release()
			}
			need := chunk.CopyNeed()
			if rapid.Bool().Draw(t, "alone") {
				whole.Release()
				if _, err := spill(t, r, chunk); err != nil {
					t.Fatal(err)
				}
				if away := chunk.CopyNeed(); away != need {
					t.Fatalf("a copy takes %d bytes, and %d when it is away", need, away)
				}
				if _, err := restore(t, r, chunk); err != nil {
					t.Fatal(err)
				}
			}
			if again := chunk.CopyNeed(); again != need {
				t.Fatalf("a copy takes %d bytes, and now %d", need, again)
			}
			res := reserved(t, r, mem.Host, need)
			copied, err := chunk.Copy(context.Background(), res)
			if err != nil {
				t.Fatal(err)
			}
			res.Release()
			if got := asText(rowsOf(copied.(*Chunk).Batch())); !slices.Equal(got, want) {
				t.Fatalf("the copy is\n%v\nnot\n%v", got, want)
			}
			copied.(*Chunk).Release()
			chunk.Release()
			whole.Release()
		}
		assertNothingTaken(t, r)
	})
}

// A faultyFile fails to write or read when it is told to.
type faultyFile struct {
	mem.File
	write, read *atomic.Bool
	flip        *atomic.Bool // a bit of what is read
}

var errDisk = errors.New("disk on fire")

func (f faultyFile) WriteAt(p []byte, off int64) (int, error) {
	if f.write.Load() {
		return 0, errDisk
	}
	return f.File.WriteAt(p, off)
}

func (f faultyFile) ReadAt(p []byte, off int64) (int, error) {
	if f.read.Load() {
		return 0, errDisk
	}
	n, err := f.File.ReadAt(p, off)
	if f.flip.Load() && n > 0 {
		p[0] ^= 1
	}
	return n, err
}

// memoryFile is a file in memory.
type memoryFile struct {
	mu struct {
		sync.Mutex
		bytes []byte
	}
}

func (f *memoryFile) WriteAt(p []byte, off int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if more := off + int64(len(p)) - int64(len(f.mu.bytes)); more > 0 {
		f.mu.bytes = append(f.mu.bytes, make([]byte, more)...)
	}
	return copy(f.mu.bytes[off:], p), nil
}

func (f *memoryFile) ReadAt(p []byte, off int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return copy(p, f.mu.bytes[off:]), nil
}

func (f *memoryFile) Truncate(n int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mu.bytes = f.mu.bytes[:min(n, int64(len(f.mu.bytes)))]
	return nil
}

func (f *memoryFile) Close() error { return nil }

func TestAFailingDiskLeavesTheChunkWhereItIs(t *testing.T) {
	var write, read, flip atomic.Bool
	options := mem.Options{SpillDir: t.TempDir(), Files: func(string) (mem.File, error) {
		return faultyFile{&memoryFile{}, &write, &read, &flip}, nil
	}}
	options.Limits[mem.Host], options.Limits[mem.Disk] = mem.Bytes(1<<20), mem.Bytes(1<<20)
	r, err := mem.New(options)
	if err != nil {
		t.Fatal(err)
	}
	batch := someRows()
	defer batch.Release()
	want := asText(rowsOf(batch))
	chunk := countedIn(t, r, batch)
	content := chunk.Content()

	write.Store(true)
	if freed, err := spill(t, r, chunk); freed != 0 || !errors.Is(err, errDisk) {
		t.Errorf("freed %d, %v", freed, err)
	}
	if got := asText(rowsOf(chunk.Batch())); !slices.Equal(got, want) || chunk.Content() != content {
		t.Errorf("is now %v, %+v", got, chunk.Content())
	}
	write.Store(false)
	if _, err := spill(t, r, chunk); err != nil {
		t.Fatal(err)
	}
	for _, fault := range []*atomic.Bool{&read, &flip} {
		fault.Store(true)
		if _, err := restore(t, r, chunk); err == nil || !strings.Contains(err.Error(), "a chunk of 3 rows") {
			t.Errorf("%v, want an error that says what is lost", err)
		}
		assertOnDisk(t, chunk)
		fault.Store(false)
	}
	if _, err := restore(t, r, chunk); err != nil {
		t.Fatal(err)
	}
	if got := asText(rowsOf(chunk.Batch())); !slices.Equal(got, want) {
		t.Errorf("came back as %v", got)
	}
	chunk.Release()
	if err := r.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
