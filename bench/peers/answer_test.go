package main

import (
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// The same values make the same answer, whichever engine they are in: nulls, text that is
// too long for DuckDB's vectors, pieces of arrays, timestamps of another unit.
func TestBothEnginesAreDigestedAlike(t *testing.T) {
	const sql = `select * from (values
		(-1::bigint, 0.5::double, 'no longer than', epoch_ms(1500)),
		(null,       null,        'at most twelve', null),
		(7,          -2,          null,             epoch_ms(-3)),
		(8,          1e300,       '',               epoch_ms(0)),
		(9,          0,           'short',          epoch_ms(9))) as t(a, b, c, d)`
	d := newDuck(t)
	want := ask(t, d, sql)

	schema := arrow.NewSchema([]arrow.Field{
		{Name: "a", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
		{Name: "b", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
		{Name: "c", Type: arrow.BinaryTypes.String, Nullable: true},
		{Name: "d", Type: &arrow.TimestampType{Unit: arrow.Millisecond}, Nullable: true},
	}, nil)
	rows := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer rows.Release()
	there := []bool{true, true, false, true, true, true}
	rows.Field(0).(*array.Int64Builder).AppendValues([]int64{5, -1, 6, 7, 8, 9}, there)
	rows.Field(1).(*array.Float64Builder).AppendValues([]float64{5, 0.5, 6, -2, 1e300, 0}, there)
	rows.Field(2).(*array.StringBuilder).AppendValues(
		[]string{"before", "no longer than", "at most twelve", "", "", "short"}, []bool{true, true, true, false, true, true})
	rows.Field(3).(*array.TimestampBuilder).AppendValues([]arrow.Timestamp{5, 1500, 6, -3, 0, 9}, there)
	all := rows.NewRecordBatch()
	defer all.Release()
	whole, first, rest := all.NewSlice(1, 6), all.NewSlice(1, 3), all.NewSlice(3, 6)
	for name, batches := range map[string][]arrow.RecordBatch{"one batch": {whole}, "two": {first, rest}} {
		if got := digestOf(t, batches...); got != want {
			t.Errorf("%s: %+v, DuckDB's is %+v", name, got, want)
		}
	}
	swapped := digestOf(t, rest, first)
	if swapped.set != want.set || swapped.sequence == want.sequence {
		t.Errorf("in another order: %+v, was %+v", swapped, want)
	}
	if less := digestOf(t, first); less.set == want.set {
		t.Error("the digest does not notice that rows are missing")
	}
}

func digestOf(t *testing.T, batches ...arrow.RecordBatch) answer {
	t.Helper()
	d := digest{ordered: true}
	for _, rows := range batches {
		if err := d.batch(rows); err != nil {
			t.Fatal(err)
		}
	}
	return d.answer
}

func TestDigestKnowsWhichColumnAValueIsIn(t *testing.T) {
	d := newDuck(t)
	one, other := ask(t, d, "select 1::bigint, 2::bigint"), ask(t, d, "select 2::bigint, 1::bigint")
	if one.set == other.set {
		t.Error("swapped columns have one digest")
	}
}

func TestDigestForgivesTheLastBitsOnly(t *testing.T) {
	d := newDuck(t)
	if ask(t, d, "select 0.1::double + 0.2::double") != ask(t, d, "select 0.3::double") {
		t.Error("a difference in the last bit counts")
	}
	if ask(t, d, "select 0.3::double") == ask(t, d, "select 0.30000001::double") {
		t.Error("a difference in the eighth digit does not count")
	}
}
