package main

import (
	"context"
	"errors"
	"io"
	"os"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/parquet-go/parquet-go"
	"golang.org/x/sync/errgroup"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/table"
)

// scanChunks reads a file into chunks, and lets go of each.
func scanChunks(ctx context.Context, path string) (answer, error) {
	var values int64
	net := sluice.NewNetwork("scan")
	rows := net.Channel("rows")
	net.Node(table.Scan{Files: []string{path}}.Node("scan", rows))
	net.Node("count", func(ctx context.Context) error {
		for m, err := range rows.All(ctx) {
			if err != nil {
				return err
			}
			chunk, err := sluice.Peek[*table.Chunk](&m)
			if err == nil {
				values += int64(chunk.Rows()) * int64(chunk.Schema().NumFields())
			}
			if m.Release(); err != nil {
				return err
			}
		}
		return nil
	}, sluice.Reads(rows))
	err := net.Run(ctx)
	return answer{rows: values}, err
}

// scanBatches reads it with arrow-go into record batches: columns in parallel, and text
// as dictionaries, which is what suits that reader best.
func scanBatches(ctx context.Context, path string) (found answer, err error) {
	in, err := file.OpenParquetFile(path, true)
	if err != nil {
		return answer{}, err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	schema := in.MetaData().Schema
	settings := pqarrow.ArrowReadProperties{Parallel: true, BatchSize: 1 << 17}
	for i := range schema.NumColumns() {
		settings.SetReadDict(i, schema.Column(i).PhysicalType().String() == "BYTE_ARRAY")
	}
	reader, err := pqarrow.NewFileReader(in, settings, memory.DefaultAllocator)
	if err != nil {
		return answer{}, err
	}
	batches, err := reader.GetRecordReader(ctx, nil, nil)
	if err != nil {
		return answer{}, err
	}
	defer batches.Release()
	for batches.Next() {
		found.rows += batches.RecordBatch().NumRows() * batches.RecordBatch().NumCols()
	}
	return found, batches.Err()
}

// scanPages reads it with parquet-go as far as decoded pages, which the reader reuses:
// less than the others do, who put the values together to columns. As many row groups at
// a time as there are threads.
func scanPages(ctx context.Context, path string, threads int) (found answer, err error) {
	in, err := os.Open(path)
	if err != nil {
		return answer{}, err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	info, err := in.Stat()
	if err != nil {
		return answer{}, err
	}
	opened, err := parquet.OpenFile(in, info.Size(), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return answer{}, err
	}
	var values atomic.Int64
	groups, ctx := errgroup.WithContext(ctx)
	groups.SetLimit(threads)
	for _, group := range opened.RowGroups() {
		groups.Go(func() error {
			for _, column := range group.ColumnChunks() {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				n, err := readPages(column)
				if err != nil {
					return err
				}
				values.Add(n)
			}
			return nil
		})
	}
	err = groups.Wait()
	return answer{rows: values.Load()}, err
}

func readPages(column parquet.ColumnChunk) (values int64, err error) {
	pages := column.Pages()
	defer func() { err = errors.Join(err, pages.Close()) }()
	for {
		page, err := pages.ReadPage()
		if errors.Is(err, io.EOF) {
			return values, nil
		}
		if err != nil {
			return values, err
		}
		values += page.NumValues()
		parquet.Release(page)
	}
}
