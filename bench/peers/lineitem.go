package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
)

// The shape of TPC-H's lineitem at scale 1.
const (
	ordersAtScale1 = 1_500_000
	linesAtScale1  = 6_001_215
	mostLines      = 7 // of an order
	parts          = 200_000
	mostQuantity   = 50
)

// linesOf returns how many lines go with a number of orders.
func linesOf(orders int) int { return int(int64(orders) * linesAtScale1 / ordersAtScale1) }

// writeLines writes a Parquet file of lines that look like TPC-H's: orders in rising order
// with one to seven lines each, of which only the first eight of 32 keys are used, parts and
// quantities at random. The same number of orders gives the same rows on every machine.
// Snappy, and row groups of the length that DuckDB writes.
func writeLines(path string, orders int) (err error) {
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "l_orderkey", Type: arrow.PrimitiveTypes.Int64},
		{Name: "l_partkey", Type: arrow.PrimitiveTypes.Int64},
		{Name: "l_quantity", Type: arrow.PrimitiveTypes.Float64},
	}, nil)
	const group = 122_880 // rows
	w, err := pqarrow.NewFileWriter(schema, out,
		parquet.NewWriterProperties(parquet.WithCompression(compress.Codecs.Snappy), parquet.WithMaxRowGroupLength(group)),
		pqarrow.DefaultWriterProps())
	if err != nil {
		return errors.Join(err, out.Close())
	}
	defer func() { // closes the file, too
		if closing := w.Close(); err == nil && closing != nil {
			err = fmt.Errorf("%s: %w", path, closing)
		}
	}()
	rows := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer rows.Release()
	flush := func() error {
		batch := rows.NewRecordBatch()
		defer batch.Release()
		return w.Write(batch)
	}
	random := rand.New(rand.NewPCG(1, 2))
	pending, left := 0, linesOf(orders)
	for order := range orders {
		after := orders - order - 1 // each has at least one line, and at most seven
		lines := min(max(1+random.IntN(mostLines), left-mostLines*after), left-after)
		for range lines {
			rows.Field(0).(*array.Int64Builder).Append(int64(order/8*32 + order%8 + 1))
			rows.Field(1).(*array.Int64Builder).Append(1 + random.Int64N(parts))
			rows.Field(2).(*array.Float64Builder).Append(float64(1 + random.IntN(mostQuantity)))
		}
		left -= lines
		if pending += lines; pending > group-mostLines { // one more order might not fit
			if err := flush(); err != nil {
				return err
			}
			pending = 0
		}
	}
	return flush()
}
