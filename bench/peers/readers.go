package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding"
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
// less than the others do, who put the values together to columns.
func scanPages(ctx context.Context, path string, threads int) (found answer, err error) {
	return scanColumns(ctx, path, threads, func(parquet.Page) error { return nil })
}

// scanArrays reads it with parquet-go as far as a consumer needs it: the numbers of each page, not the
// codes of a dictionary, in an array, one for every row. Text stays codes. The arrays are used again.
func scanArrays(ctx context.Context, path string, threads int) (found answer, err error) {
	return scanColumns(ctx, path, threads, func(page parquet.Page) error {
		if page.NumNulls() > 0 {
			return errors.New("there are nulls, which parquet-go's pages leave out")
		}
		switch page.Type().Kind() {
		case parquet.Int64:
			return toArray(&wholeArrays, page, (*encoding.Values).Int64)
		case parquet.Double:
			return toArray(&floatArrays, page, (*encoding.Values).Double)
		case parquet.ByteArray:
			if page.Dictionary() == nil {
				return errors.New("text without a dictionary")
			}
			return nil
		default:
			return fmt.Errorf("unexpected type %s", page.Type())
		}
	})
}

// Arrays that are not in use.
var wholeArrays, floatArrays sync.Pool

// toArray puts the values of a page into an array of its own.
func toArray[T any](arrays *sync.Pool, page parquet.Page, of func(*encoding.Values) []T) error {
	into, _ := arrays.Get().(*[]T)
	if into == nil {
		into = new([]T)
	}
	defer arrays.Put(into)
	n := int(page.NumValues())
	*into = slices.Grow((*into)[:0], n)[:n]
	values := page.Data()
	if dict := page.Dictionary(); dict != nil {
		entries := dict.Page().Data()
		all := of(&entries)
		for i, code := range values.Int32() {
			(*into)[i] = all[code]
		}
		return nil
	}
	copy(*into, of(&values))
	return nil
}

// scanColumns reads all columns with parquet-go, as many row groups at a time as there are threads, and
// has something done with each page.
func scanColumns(ctx context.Context, path string, threads int, do func(parquet.Page) error) (found answer, err error) {
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
				n, err := readPages(column, do)
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

func readPages(column parquet.ColumnChunk, do func(parquet.Page) error) (values int64, err error) {
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
		err = do(page)
		parquet.Release(page)
		if err != nil {
			return values, err
		}
	}
}
