package table

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"pgregory.net/rapid"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/mem"
)

func TestAChunkTakesOverTheReferenceAndGivesItBackOnce(t *testing.T) {
	checked := memory.NewCheckedAllocator(memory.DefaultAllocator)
	builder := array.NewRecordBuilder(checked, arrow.NewSchema([]arrow.Field{field("n", int64Type)}, nil))
	appendValue(builder.Field(0), 7)
	batch := builder.NewRecordBatch()
	builder.Release()

	chunk := NewChunk(batch)
	if chunk.Rows() != 1 || chunk.Schema().Field(0).Name != "n" || chunk.Batch() != batch {
		t.Errorf("%d rows, %v", chunk.Rows(), chunk.Schema())
	}
	m := sluice.NewMessage(0, chunk)
	m.Release()
	chunk.Release() // harmless
	assertNoLeak(t, checked)
	defer func() {
		if recover() == nil {
			t.Error("Batch gave out what was released")
		}
	}()
	chunk.Batch()
}

func TestContentCountsEachBufferOnceAndWhole(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{field("a", codedType), field("b", codedType), field("n", int64Type)}, nil)
	values := batchOf(arrow.NewSchema([]arrow.Field{field("", codedType), field("", int64Type)}, nil),
		[]any{"one", 1}, []any{"two", 2}, []any{"one", 3})
	shared, numbers := values.Column(0), values.Column(1)
	chunk := NewChunk(array.NewRecordBatch(schema, []arrow.Array{shared, shared, numbers}, 3))
	defer chunk.Release()
	bytes := func(a arrow.ArrayData) (n int64) {
		for _, b := range a.Buffers() {
			if b != nil {
				n += int64(b.Len())
			}
		}
		return n
	}
	dict := shared.(*array.Dictionary)
	want := bytes(dict.Data()) + bytes(dict.Dictionary().Data()) + bytes(numbers.Data())
	if got := chunk.Content(); got.In(mem.Host) != want || got.Total() != want || got.Spillable {
		t.Errorf("%+v, want %d bytes of host memory", got, want)
	}
	slice := NewChunk(chunk.Batch().NewSlice(1, 2))
	defer slice.Release()
	if got := slice.Content().In(mem.Host); got != want {
		t.Errorf("a slice keeps %d bytes alive, says %d", want, got)
	}
}

func TestACopyThatIsCountedSharesNothingAndIsTheSame(t *testing.T) {
	r := ample()
	rapid.Check(t, func(t *rapid.T) {
		for _, batch := range drawBatches(t, everyType()) {
			chunk := NewChunk(batch)
			want := asText(rowsOf(batch))
			m := sluice.NewMessage(3, chunk)
			res := reserved(t, r, mem.Host, batchCopyBytes(batch))
			copied, err := m.Copy(context.Background(), res)
			if err != nil {
				t.Fatal(err)
			}
			res.Release()
			second, err := sluice.Peek[*Chunk](&copied)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range batch.Columns() {
				scribble(c.Data())
			}
			m.Release()
			if got := asText(rowsOf(second.Batch())); !slices.Equal(got, want) {
				t.Fatalf("the copy is\n%v\nnot\n%v", got, want)
			}
			copied.Release()
		}
		assertNothingTaken(t, r)
	})
}

func TestACopyOfWhatNobodyCountsHasTheSameMemory(t *testing.T) {
	checked := memory.NewCheckedAllocator(memory.DefaultAllocator)
	ctx := withAllocator(context.Background(), checked)
	rapid.Check(t, func(t *rapid.T) {
		for _, batch := range drawBatches(t, everyType()) {
			batch := copyBatch(checked, batch)
			chunk := NewChunk(batch)
			want := asText(rowsOf(batch))
			before := checked.CurrentAlloc()
			copied, err := chunk.Copy(ctx, nil)
			if err != nil || checked.CurrentAlloc() != before {
				t.Fatalf("%d bytes, %d with the copy: %v", before, checked.CurrentAlloc(), err)
			}
			second := copied.(*Chunk)
			if a, b := chunk.Content(), second.Content(); a != b {
				t.Fatalf("content %v, of the copy %v", a, b)
			}
			chunk.Release()
			if got := asText(rowsOf(second.Batch())); !slices.Equal(got, want) {
				t.Fatalf("the copy is\n%v\nnot\n%v", got, want)
			}
			second.Release()
		}
		assertNoLeak(t, checked)
	})
}

// scribble overwrites all memory of an array.
func scribble(d arrow.ArrayData) {
	for _, b := range d.Buffers() {
		if b != nil {
			for i := range b.Bytes() {
				b.Bytes()[i] = 0x55
			}
		}
	}
	if dict, ok := d.Dictionary().(*array.Data); ok && dict != nil {
		scribble(dict)
	}
}

func TestCopyOfACancelledContextIsItsError(t *testing.T) {
	chunk := NewChunk(batchOf(arrow.NewSchema([]arrow.Field{field("n", int64Type)}, nil), []any{1}))
	defer chunk.Release()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := chunk.Copy(ctx, nil); err == nil {
		t.Error("copied all the same")
	}
}

func ExampleNewChunk() {
	schema := arrow.NewSchema([]arrow.Field{{Name: "delay", Type: arrow.PrimitiveTypes.Int64}}, nil)
	builder := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer builder.Release()
	builder.Field(0).(*array.Int64Builder).AppendValues([]int64{5, 90, -3}, nil)

	chunk := NewChunk(builder.NewRecordBatch())
	defer chunk.Release()
	fmt.Println(chunk.Rows(), "rows,", chunk.Content().In(mem.Host) > 0)
	// Output: 3 rows, true
}
