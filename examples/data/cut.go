//go:build ignore

// Cut makes flights-200k.parquet, the sample beside it, out of the flights
// file it is told:
//
//	go run cut.go path/to/flights-3m.parquet flights-200k.parquet
//
// It keeps the first row of every fifteen and writes row groups of 25,000
// rows, small enough that a scan has something to overlap.
package main

import (
	"errors"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/parquet-go/parquet-go"
)

const (
	every       = 15
	rowsInGroup = 25_000
)

// flight is the schema of the sample: that of the source, with the encodings
// that make it small. Dates rise, so their differences are.
type flight struct {
	Date        int64  `parquet:"date,optional,timestamp(microsecond:local),delta"`
	Delay       int64  `parquet:"delay,optional,dict"`
	Distance    int64  `parquet:"distance,optional,dict"`
	Origin      string `parquet:"origin,optional,dict"`
	Destination string `parquet:"destination,optional,dict"`
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("cut: ")
	if len(os.Args) != 3 {
		log.Fatal("usage: go run cut.go INPUT.parquet OUTPUT.parquet")
	}
	if err := cut(os.Args[1], os.Args[2]); err != nil {
		log.Fatal(err)
	}
}

func cut(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	size, err := in.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	flights, err := parquet.OpenFile(in, size)
	if err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}

	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	sample := parquet.NewGenericWriter[flight](out,
		parquet.Compression(&parquet.Zstd),
		parquet.MaxRowsPerRowGroup(rowsInGroup),
		parquet.KeyValueMetadata("source", "every 15th row of flights-3m.parquet, vega-datasets 3.2.1"),
	)

	row := 0
	buffer := make([]parquet.Row, every*100)
	for _, group := range flights.RowGroups() {
		rows := group.Rows()
		for {
			n, err := rows.ReadRows(buffer)
			kept := buffer[:0:0]
			for _, r := range buffer[:n] {
				if row%every == 0 {
					kept = append(kept, r) // whole rows, so that a null stays one
				}
				row++
			}
			if _, err := sample.WriteRows(kept); err != nil {
				return fmt.Errorf("%s: %w", to, err)
			}
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return fmt.Errorf("%s: row %d: %w", from, row, err)
			}
		}
		if err := rows.Close(); err != nil {
			return err
		}
	}
	return sample.Close()
}
