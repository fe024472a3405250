package plan

import (
	"errors"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/table"
)

var scanKind = Kind{
	Name:     "scan",
	Summary:  "read Parquet or CSV files, some rows at a time, in order",
	Writes:   One,
	Settings: func() Step { return &scan{csvScan: csvScan{Header: true}} },
}

type scan struct {
	Files   []At[string] `job:"files,required" doc:"file, glob or folder of Parquet or CSV files, or a list of them, none of them twice; of a folder the *.parquet in it, or with format: csv the *.csv and *.tsv (small letters, hidden ones too, no subfolders); - is standard input, for CSV" also:"path paths file filename input from source"`
	Columns []At[string] `job:"columns" doc:"columns to read, in this order; all if not given" also:"select fields"`
	Rows    int          `job:"rows,min=1" doc:"most rows of a chunk, which is what is read and handed on at a time; 65536 if not given" also:"chunk_rows batch_size"`
	Tickets int          `job:"tickets,min=1" doc:"most chunks in memory at once, from reading until the last node lets go; twice the processors if not given"`
	Format  fileFormat   `job:"format" doc:"parquet or csv; if not given, csv for names in .csv and .tsv, with .gz or .zst behind it or not, and parquet for others" also:"type"`
	csvScan
}

// csvScan is what there is to say about CSV.
type csvScan struct {
	Delimiter string              `job:"delimiter" doc:"CSV: the character between fields; a comma if not given, a tab for .tsv" also:"separator sep delim"`
	Header    bool                `job:"header" doc:"CSV: whether the first line has the names of the columns" also:"headers"`
	Names     []string            `job:"names" doc:"CSV without a header: the names of the columns; column_1, column_2 and so on if not given" also:"column_names"`
	Types     Mapping[columnType] `job:"types" doc:"CSV: types of columns by name, as in {delay: int32, price: 'decimal(12, 2)'}; what is not given is inferred from the first rows of the first file" also:"schema dtypes column_types"`
	NullText  []string            `job:"null_text" doc:"CSV: what stands for a null when it is not in quotes, one or several; the empty field if not given" also:"null nulls null_value null_values na"`
	OnError   onError             `job:"on_error,null" doc:"CSV: what to do with a row that cannot be read: fail (if not given), skip the row, or null for the value; what was skipped is counted in a warning" also:"errors bad_rows"`
}

func (s *scan) settings() table.Scan {
	return table.Scan{
		Files: values(s.Files), Columns: values(s.Columns), Rows: s.Rows, Tickets: s.Tickets,
		Format: table.Format(s.Format), CSV: s.csv(),
	}
}

func (s *csvScan) csv() table.CSV {
	c := table.CSV{
		Delimiter: s.Delimiter, NoHeader: !s.Header, Names: s.Names, Null: s.NullText, OnError: table.OnError(s.OnError),
	}
	for _, column := range s.Types {
		if c.Types == nil {
			c.Types = make(map[string]arrow.DataType)
		}
		c.Types[column.Name.Value] = column.Value.Value.DataType
	}
	return c
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
		for _, column := range s.Types {
			if column.Name.Value == unknown.Column {
				return column.Name.Wrong(err)
			}
		}
	}
	// Which of several files is it? The one that fails on its own.
	for _, file := range s.Files {
		one := s.settings()
		one.Files = []string{file.Value}
		if _, err := one.Schema(); err != nil {
			return file.Wrong(err)
		}
	}
	return s.Files[0].Wrong(err) // each is fine, but they do not agree
}

func (s *scan) Add(to *sluice.Network, at Place) error {
	settings := s.settings()
	settings.Logger = at.Env.Logger
	settings.Readers = at.workers(0)
	if !settings.IsCSV() {
		settings.Prune = at.condition
		if at.Env.RowGroups != nil {
			settings.Count = new(table.ScanCount)
			at.Env.RowGroups[at.Name] = settings.Count
		}
	}
	to.Node(settings.Node(at.Name, at.Out[0]))
	return nil
}

// values gives settings without their positions.
func values[T any](settings []At[T]) []T {
	var plain []T
	for _, s := range settings {
		plain = append(plain, s.Value)
	}
	return plain
}
