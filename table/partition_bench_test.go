package table

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/seed14ed4225/sluice/mem"
	"github.com/seed14ed4225/sluice/shuffle"
)

// Three columns of six million numbers go into partitions by the first, and come out again. In the
// same run the chunks are copied as they are: all of them are kept if there is room, else each is
// released at once, and none is spilled.
func BenchmarkPartition(b *testing.B) {
	const rows, inChunk = 6_000_000, 65536
	var batches []arrow.RecordBatch
	for from := 0; from < rows; from += inChunk {
		schema := arrow.NewSchema([]arrow.Field{
			field("a", arrow.PrimitiveTypes.Int64), field("b", arrow.PrimitiveTypes.Int64), field("c", arrow.PrimitiveTypes.Int64),
		}, nil)
		builder := array.NewRecordBuilder(memory.DefaultAllocator, schema)
		for i := from; i < min(from+inChunk, rows); i++ {
			for c := range 3 {
				builder.Field(c).(*array.Int64Builder).Append(int64(i) * int64(c+1))
			}
		}
		batches = append(batches, builder.NewRecordBatch())
		builder.Release()
	}
	defer func() {
		for _, batch := range batches {
			batch.Release()
		}
	}()
	for _, limit := range []int64{0, 64 << 20} {
		for _, parts := range []int{16, 64} {
			name := fmt.Sprintf("%d/unlimited", parts)
			var r *mem.Resource
			if limit > 0 {
				name = fmt.Sprintf("%d/%dMiB", parts, limit>>20)
				r = newResource(b, limit)
			} else {
				r = newResource(b, 1<<34)
			}
			b.Run(name, func(b *testing.B) {
				var copied time.Duration
				for b.Loop() {
					start := time.Now()
					if err := inNode(b.Context(), r, func(ctx context.Context) error { return copyAll(ctx, batches, limit == 0) }); err != nil {
						b.Fatal(err)
					}
					b.StopTimer()
					copied += time.Since(start)
					b.StartTimer()
					if err := inNode(b.Context(), r, func(ctx context.Context) error { return partitionAll(ctx, batches, parts) }); err != nil {
						b.Fatal(err)
					}
				}
				took := b.Elapsed() - copied
				b.ReportMetric(float64(b.N)*rows*24/took.Seconds()/1e9, "GB/s")
				b.ReportMetric(took.Seconds()/copied.Seconds(), "copies")
				b.ReportMetric(float64(r.Stats().Kinds[mem.Host].Spilled)/float64(b.N)/1e6, "MB-spilled")
			})
		}
	}
}

// copyAll copies the batches, one after the other, and keeps all copies if there is room.
func copyAll(ctx context.Context, batches []arrow.RecordBatch, keep bool) error {
	var kept []*Chunk
	for _, batch := range batches {
		res, err := budgetOf(ctx).reserve(ctx, batchCopyBytes(batch))
		if err != nil {
			return err
		}
		own := newAllocator(ctx, res)
		kept = append(kept, own.Chunk(copyBatch(own, batch)))
		res.Release()
		if !keep {
			kept[0].Release()
			kept = kept[:0]
		}
	}
	for _, chunk := range kept {
		chunk.Release()
	}
	return nil
}

func partitionAll(ctx context.Context, batches []arrow.RecordBatch, parts int) error {
	s, err := shuffle.New(ctx, shuffle.Options{Name: "rows", By: ByKey("a"), Parts: parts})
	if err != nil {
		return err
	}
	defer s.Close()
	for _, batch := range batches {
		batch.Retain()
		chunk := NewChunk(batch)
		if err := s.Insert(ctx, chunk); err != nil {
			chunk.Release()
			return err
		}
	}
	if err := s.Finish(ctx); err != nil {
		return err
	}
	for {
		p, err := s.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		for err == nil {
			var payload any
			if payload, err = p.Next(ctx); err == nil {
				payload.(*Chunk).Release()
			}
		}
		if !errors.Is(err, io.EOF) {
			return err
		}
	}
}
