package table

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/seed14ed4225/sluice/internal/extent"
	"github.com/seed14ed4225/sluice/mem"
	"github.com/seed14ed4225/sluice/shuffle"
)

func TestChunksThatArePackedComeBackAsOne(t *testing.T) {
	r := ample()
	rapid.Check(t, func(t *rapid.T) {
		var chunks []any
		var rows [][]any
		var bytes int64
		for _, batch := range drawBatches(t, plainSchema(everyType())) {
			if batch.NumRows() > 0 {
				res := reserved(t, r, mem.Host, batchCopyBytes(batch))
				own := NewAllocator(res)
				whole := copyBatch(own, batch)
				res.Release()
				from := rapid.Int64Range(0, batch.NumRows()-1).Draw(t, "from")
				to := rapid.Int64Range(from+1, batch.NumRows()).Draw(t, "to")
				chunk := own.Chunk(whole.NewSlice(from, to))
				whole.Release()
				chunks, rows = append(chunks, chunk), append(rows, rowsOf(batch)[from:to]...)
				bytes += chunk.Content().In(mem.Host)
			}
			batch.Release()
		}
		if len(chunks) == 0 {
			return
		}
		least := chunks[0].(*Chunk).Content().In(mem.Host)
		room := rapid.Int64Range(mem.Need(mem.Disk, least), mem.Need(mem.Disk, bytes)).Draw(t, "room")
		res := reserved(t, r, mem.Disk, room)
		made, n, err := ByKey().Pack(context.Background(), "test", chunks, res)
		res.Release()
		if err != nil || n < 1 || n < len(chunks) && room >= mem.Need(mem.Disk, bytes) {
			t.Fatalf("packed %d of %d: %v", n, len(chunks), err)
		}
		packed := made.(*Chunk)
		assertOnDisk(t, packed)
		if again, err := spill(t, r, packed); err != nil || again != 0 {
			t.Fatalf("spilled %d bytes again: %v", again, err)
		}
		for _, c := range chunks[n:] {
			rows = rows[:len(rows)-c.(*Chunk).Rows()]
			c.(*Chunk).Release()
		}
		for range rapid.IntRange(0, 2).Draw(t, "times") {
			content := packed.Content()
			if restored, err := restore(t, r, packed); err != nil || restored != content.In(mem.Disk) {
				t.Fatalf("restored %d of %+v: %v", restored, content, err)
			}
			if got := asText(rowsOf(packed.Batch())); packed.Rows() != len(rows) || !slices.Equal(got, asText(rows)) {
				t.Fatalf("came back as\n%v\nnot\n%v", got, asText(rows))
			}
			if _, err := spill(t, r, packed); err != nil {
				t.Fatal(err)
			}
		}
		packed.Release()
		assertNothingTaken(t, r)
	})
}

func TestAPackThatFailsLeavesTheChunksWhereTheyAre(t *testing.T) {
	var files extent.Faults
	r, err := mem.New(mem.Options{
		Limits:   [mem.Kinds]mem.Limit{mem.Host: mem.Bytes(1 << 20), mem.Disk: mem.Bytes(1 << 20)},
		SpillDir: t.TempDir(), Files: files.Open,
	})
	if err != nil {
		t.Fatal(err)
	}
	rows := keyBatch(int64Type, 1, 2, nil)
	defer rows.Release()
	chunk := countedIn(t, r, rows)
	res := reserved(t, r, mem.Disk, 4096)
	broken := errors.New("broken")
	files.Fail(extent.OpWrite, 1, broken)
	if _, _, err := ByKey().Pack(t.Context(), "test", []any{chunk}, res); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	if err := chunk.Resident(); err != nil {
		t.Error(err)
	}
	made, _, err := ByKey().Pack(t.Context(), "test", []any{chunk}, res)
	res.Release()
	if err != nil {
		t.Fatal(err)
	}
	files.Fail(extent.OpRead, 1, broken)
	if _, err := restore(t, r, made.(*Chunk)); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	if _, err := restore(t, r, made.(*Chunk)); err != nil || !slices.Equal(asText(rowsOf(made.(*Chunk).Batch())), asText(rowsOf(rows))) {
		t.Errorf("%v", err)
	}
	made.(*Chunk).Release()
	assertNothingTaken(t, r)
	if err := r.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// A limit of 4 MiB makes pieces of 16 KiB. What is remembered of a spilled byte must not grow
// beside that limit.
func TestWhatIsRememberedOfSpilledRowsIsLittle(t *testing.T) {
	if raceDetector {
		t.Skip("what the race detector remembers is counted, too")
	}
	const most = 0.01 // bytes of the Go heap for each that is spilled
	r := newResource(t, 4<<20)
	var values []any
	for i := range 4096 {
		values = append(values, i)
	}
	batch := keyBatch(int64Type, values...)
	defer batch.Release()
	err := inNode(t.Context(), r, func(ctx context.Context) error {
		s, err := shuffle.New(ctx, shuffle.Options{Name: "test", By: ByKey("k"), Parts: 8})
		if err != nil {
			return err
		}
		defer s.Close()
		heap := func() int64 {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			return int64(m.HeapAlloc)
		}
		var before, first int64
		for i := range 2000 { // 64 MB
			if i == 500 { // the disk has its staging memory, which is the same however much is spilled
				before, first = heap(), r.Stats().Kinds[mem.Host].Spilled
			}
			if err := insertCopy(ctx, s, batch); err != nil {
				return err
			}
		}
		if err := s.Finish(ctx); err != nil {
			return err
		}
		grown, spilled := heap()-before, r.Stats().Kinds[mem.Host].Spilled-first
		if first == 0 || spilled < 40<<20 {
			t.Errorf("only %d bytes were spilled", spilled)
		}
		t.Logf("%d bytes of heap for %d that were spilled: %.2f %%", grown, spilled, 100*float64(grown)/float64(spilled))
		if float64(grown) > most*float64(spilled) {
			t.Errorf("that is more than %.0f %%", 100*most)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
