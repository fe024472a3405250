package plan

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/mem"
	"github.com/seed14ed4225/sluice/table"
)

var scanKind = Kind{
	Name:     "scan",
	Summary:  "read Parquet files, some rows at a time, in order",
	Writes:   One,
	Settings: func() Step { return &scan{} },
}

type scan struct {
	Files   []At[string] `job:"files,required" doc:"file, glob or folder of Parquet files, or a list of them, none of them twice; of a folder the *.parquet in it (small letters, hidden ones too, no subfolders)"`
	Columns []At[string] `job:"columns" doc:"columns to read, in this order; all if not given"`
	Rows    int          `job:"rows,min=1" doc:"most rows of a chunk, which is what is read and handed on at a time; 65536 if not given"`
	Tickets int          `job:"tickets,min=1" doc:"most chunks in memory at once, from reading until the last node lets go; twice the processors if not given"`
}

func (s *scan) settings() table.Scan {
	return table.Scan{Files: values(s.Files), Columns: values(s.Columns), Rows: s.Rows, Tickets: s.Tickets}
}

func (s *scan) Schema([]*arrow.Schema) ([]*arrow.Schema, error) {
	for i, column := range s.Columns {
		for _, before := range s.Columns[:i] {
			if before.Value == column.Value {
				return nil, column.Wrong(fmt.Errorf("column %q is here twice", column.Value))
			}
		}
	}
	for i, file := range s.Files {
		for _, before := range s.Files[:i] {
			if before.Value == file.Value {
				return nil, file.Wrong(fmt.Errorf("file %q is here twice", file.Value))
			}
		}
	}
	schema, err := s.settings().Schema()
	if err != nil {
		return nil, s.locate(err)
	}
	return []*arrow.Schema{schema}, nil
}

// locate finds the setting that an error of the whole scan is about.
func (s *scan) locate(err error) error {
	var unknown *table.ColumnError
	if errors.As(err, &unknown) {
		for _, column := range s.Columns {
			if column.Value == unknown.Column {
				return column.Wrong(err)
			}
		}
	}
	// Which of several files is it? The one that fails on its own.
	for _, file := range s.Files {
		if _, err := (table.Scan{Files: []string{file.Value}, Columns: values(s.Columns)}).Schema(); err != nil {
			return file.Wrong(err)
		}
	}
	return s.Files[0].Wrong(err) // each is fine, but they do not agree
}

func (s *scan) Add(to *sluice.Network, at Place) error {
	to.Node(s.settings().Node(at.Name, at.Out[0]))
	return nil
}

// fewestRows is how small a chunk is worth suggesting. What a chunk of fewer takes is
// mostly pages, which are unpacked whole, however few of their rows are wanted.
const fewestRows = 4096

// fewerRows suggests rows for a chunk, a power of two such that four chunks would fit into
// the limit, as one is read while others are worked on; or false if that would not help.
func (s *scan) fewerRows(short *mem.NoMemoryError) (rows int64, ok bool) {
	if short.Limit < short.Need/2 {
		return 0, false // the pages alone are likely to be too large
	}
	now := int64(cmp.Or(s.Rows, 1<<16))
	for rows = fewestRows; 2*rows < now && 2*rows <= short.Limit/4/max(1, short.Need/now); {
		rows *= 2
	}
	return rows, rows < now
}

// values gives settings without their positions.
func values[T any](settings []At[T]) []T {
	var plain []T
	for _, s := range settings {
		plain = append(plain, s.Value)
	}
	return plain
}
