package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/apache/arrow-go/v18/parquet/file"
)

const writeJob = `
params: {file: , to: , codec: }
nodes:
  scan: {kind: scan, files: "${file}", out: flights}
  write: {kind: write, in: flights, file: "${to}", overwrite: true, compression: "${codec}", row_group_rows: %d}
`

// copiedGroup is how many rows a row group of a copy has, on both sides.
const copiedGroup = 1 << 20

// write compares copies of all flights, in row groups of the same size and with the same compression:
// zstd at level 1, which is the one that Sluice has. While it is measured only the number of rows is
// compared; afterwards both files are read, and every row is.
func (b *bench) write(ctx context.Context) {
	for _, codec := range []string{"snappy", "zstd"} {
		what, want := "copy of all flights, "+codec, target{most: 2}
		ours, theirs := filepath.Join(b.folder, "ours.parquet"), filepath.Join(b.folder, "theirs.parquet")
		options := fmt.Sprintf("format parquet, row_group_size %d, compression %s", copiedGroup, codec)
		if codec == "zstd" {
			options += ", compression_level 1"
		}
		j := job{text: fmt.Sprintf(writeJob, copiedGroup), params: map[string]string{"file": b.flights, "to": ours, "codec": codec}}
		sql := fmt.Sprintf("copy (select * from %s) to %s (%s)", quoted(b.flights), quoted(theirs), options)
		times, err := race(ctx, b.rounds,
			contender{"Sluice", func(ctx context.Context) (answer, error) {
				_, err := j.run(ctx)
				return written(ours, err)
			}},
			contender{"DuckDB", func(context.Context) (answer, error) {
				_, err := b.duck.query(sql, false)
				return written(theirs, err)
			}},
		)
		if err == nil && failures(times) == nil {
			err = b.sameRows(b.flights, ours, theirs)
		}
		if err != nil {
			b.add(result{what: what, target: want, err: err})
			continue
		}
		b.add(against(what, times, want))
	}
}

// written counts the rows of a file that was made, unless it failed.
func written(path string, failed error) (found answer, err error) {
	if failed != nil {
		return answer{}, failed
	}
	made, err := file.OpenParquetFile(path, false)
	if err != nil {
		return answer{}, err
	}
	defer func() { err = errors.Join(err, made.Close()) }()
	return answer{rows: made.NumRows()}, nil
}

// sameRows returns an error if a copy has not the rows of the first file, in their order.
func (b *bench) sameRows(first string, copies ...string) error {
	want, err := b.duck.query("select * from "+quoted(first), true)
	if err != nil {
		return err
	}
	for _, path := range copies {
		got, err := b.duck.query("select * from "+quoted(path), true)
		if err != nil {
			return err
		}
		if got != want {
			return fmt.Errorf("%w: %s has %+v, and what it is a copy of %+v", errWrong, filepath.Base(path), got, want)
		}
	}
	return nil
}
