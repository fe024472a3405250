package table

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/mem"
)

// wide has columns whose pages are of very different sizes: numbers, few words, many words, long text.
func wide(rows, from int) arrow.RecordBatch {
	schema := arrow.NewSchema([]arrow.Field{
		field("long", stringType), field("n", int64Type), field("word", stringType),
		field("many", stringType), field("half", int64Type),
	}, nil)
	made := make([][]any, rows)
	for i := range made {
		at := from + i
		made[i] = []any{fmt.Sprint(strings.Repeat("x", at%300), at*7919), at, fmt.Sprint("word ", at%13), fmt.Sprint("many ", at*31), at / 2}
	}
	return batchOf(schema, made...)
}

// TestAFileDoesNotDependOnTheWorkers writes the same rows with one worker and with more, with room for
// all the pages that wait for the columns before them, and with none.
func TestAFileDoesNotDependOnTheWorkers(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		w := Write{Path: filepath.Join(dir, "a.parquet"), Overwrite: true}
		w.Codec = rapid.SampledFrom([]Codec{CodecNone, CodecSnappy, CodecGzip, CodecZstd}).Draw(t, "codec")
		w.RowGroupRows = rapid.SampledFrom([]int{0, 100, 1000}).Draw(t, "rows")
		w.RowGroupBytes = rapid.SampledFrom([]int64{0, 1, 64 << 10}).Draw(t, "bytes")
		limit := rapid.SampledFrom([]int64{0, 16 << 20, 256 << 20}).Draw(t, "limit")
		var batches []arrow.RecordBatch
		for i := range rapid.IntRange(1, 5).Draw(t, "batches") {
			batches = append(batches, wide(700, 700*i))
			defer batches[i].Release()
		}
		var first []byte
		for _, workers := range []int{1, 2, 5} {
			w.Workers = workers
			var r *mem.Resource
			if limit > 0 {
				r = makeResource(dir, limit)
			}
			if err := written(t, r, w, nil, batches...); err != nil {
				t.Fatal(err)
			}
			if err := r.Close(context.Background()); err != nil {
				t.Error(err)
			}
			got, err := os.ReadFile(w.Path)
			if err != nil {
				t.Fatal(err)
			}
			if first == nil {
				first = got
			} else if !bytes.Equal(got, first) {
				t.Fatalf("with %d workers it is another file", workers)
			}
		}
		if diff := cmp.Diff(asText(allRows(batches)), asText(readParquet(t, w.Path))); diff != "" {
			t.Fatal(diff)
		}
	})
	assertOnly(t, dir, "a.parquet")
}

// TestOneColumnUnderTwoNamesIsWrittenAtTheSameTime: arrays note down what they are first asked for.
func TestOneColumnUnderTwoNamesIsWrittenAtTheSameTime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.parquet")
	one := numbered(3000)
	defer one.Release()
	schema := arrow.NewSchema([]arrow.Field{field("a", stringType), field("b", stringType), field("c", stringType)}, nil)
	text := one.Column(1)
	for range 3 {
		batch := array.NewRecordBatch(schema, []arrow.Array{text, text, text}, 3000)
		if err := written(t, nil, Write{Path: path, Overwrite: true, Workers: 3}, nil, batch, batch); err != nil {
			t.Error(err)
		}
		batch.Release()
	}
}

// TestAnyTargetThatFailsEndsAllWorkers has the target fail at every place there is.
func TestAnyTargetThatFailsEndsAllWorkers(t *testing.T) {
	batch := wide(2000, 0)
	defer batch.Release()
	w := Write{Path: StandardStream, Format: FormatParquet, RowGroupRows: 500, Workers: 5}
	var whole bytes.Buffer
	if err := written(t, nil, w, &whole, batch, batch); err != nil {
		t.Fatal(err)
	}
	for room := 0; room < whole.Len(); room += 1 + whole.Len()/50 {
		err := written(t, ample(), w, &fullDisk{left: room}, batch, batch)
		if !errors.Is(err, syscall.ENOSPC) || !strings.HasPrefix(err.Error(), `node "write": standard output: writing failed after `) {
			t.Errorf("with room for %d bytes: %v", room, err)
		}
	}
}

// cancelling cancels when so much was written.
type cancelling struct {
	left   int
	cancel func()
}

func (c *cancelling) Write(p []byte) (int, error) {
	if c.left -= len(p); c.left < 0 {
		c.cancel()
	}
	return len(p), nil
}

func TestAWriteThatIsCancelledEndsAllWorkers(t *testing.T) {
	batch := wide(2000, 0)
	defer batch.Release()
	for _, after := range []int{0, 10_000, 100_000} {
		r := newResource(t, 64<<20)
		net := sluice.NewNetwork("test", sluice.WithMemory(r))
		in := net.Channel("in")
		net.Node("source", func(ctx context.Context) error {
			for i := 0; ; i++ { // without an end
				batch.Retain()
				if err := send(ctx, in, sluice.SeqNum(i), NewChunk(batch)); err != nil {
					return err
				}
			}
		}, sluice.Writes(in))
		ctx, cancel := context.WithCancel(t.Context())
		net.Node(Write{Path: StandardStream, Format: FormatParquet, RowGroupRows: 700, Workers: 4}.Node("write", in, &cancelling{after, cancel}))
		if err := net.Run(ctx); !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "node") {
			t.Errorf("after %d bytes: %v", after, err)
		}
		cancel()
	}
}

// TestWorkersThatFindNoMemoryAreDoneWithout: what one worker can write many can, whatever the limit is, and however
// much of it others have.
func TestWorkersThatFindNoMemoryAreDoneWithout(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.parquet")
	batch := wide(300, 0)
	defer batch.Release()
	for _, tt := range []struct{ limit, taken int64 }{
		{512 << 10, 0}, {1 << 20, 0}, {4 << 20, 0}, {64 << 20, 0},
		{64 << 20, 64<<20 - (64<<20/8 + 24*64<<20/512) - 1<<20}, // the first worker's is left, and some for the rows
	} {
		r := newResource(t, tt.limit)
		taken, err := r.Reserve(context.Background(), mem.Host, tt.taken)
		if err != nil {
			t.Fatal(err)
		}
		for _, workers := range []int{1, 8} {
			err = written(t, r, Write{Path: path, Overwrite: true, Workers: workers}, nil, batch, batch, batch, batch, batch)
			if err != nil {
				t.Errorf("%+v, %d workers: %v", tt, workers, err)
			}
		}
		if host := r.Stats().Kinds[mem.Host]; host.Overbooked != 0 || host.Peak > tt.limit {
			t.Errorf("%+v: %+v", tt, host)
		}
		taken.Release()
	}
}
