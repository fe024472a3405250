package plan

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/internal/size"
	"github.com/seed14ed4225/sluice/table"
)

var writeKind = Kind{
	Name:     "write",
	Summary:  "write rows to a file of Parquet or CSV, which is there when all of them are",
	Reads:    One,
	Settings: func() Step { return &writing{Header: true} },
}

type writing struct {
	File          At[string] `job:"file,required" doc:"file to write, or - for standard output; nothing is seen of it until it is whole" also:"path files filename output to target"`
	Format        fileFormat `job:"format" doc:"parquet or csv; if not given, what the name ends in: .parquet, .csv or .tsv, the latter with .gz or .zst behind it if it is to be compressed; csv for -" also:"type"`
	Overwrite     bool       `job:"overwrite" doc:"whether to replace a file that is there; it is an error if not given" also:"replace force"`
	Compression   codec      `job:"compression" doc:"none, snappy (Parquet only), gzip or zstd; if not given, snappy for Parquet and what the name says for CSV" also:"codec compress"`
	RowGroupRows  int        `job:"row_group_rows,min=1" doc:"Parquet: most rows of a row group; 1048576 if not given"`
	RowGroupBytes size.Size  `job:"row_group_bytes,min=1" doc:"Parquet: most memory that the rows of a row group take before they are encoded, such as 16MiB; 64MiB if not given, and never more than an eighth of the limit of host memory"`
	Workers       int        `job:"workers,min=1" doc:"Parquet: how many columns are encoded at once; what the job says if not given"`
	Delimiter     string     `job:"delimiter" doc:"CSV: the character between fields; a comma if not given, a tab for .tsv" also:"separator sep delim"`
	Header        bool       `job:"header" doc:"CSV: whether the first line has the names of the columns" also:"headers column_names"`
	NullText      string     `job:"null_text" doc:"CSV: what stands for a null; an empty field if not given" also:"null nulls null_value null_values na"`
	QuoteAll      bool       `job:"quote_all" doc:"CSV: whether all values are in quotes; only those that have to be, if not given" also:"quotes quote quoted quoting"`
}

func (s *writing) settings() table.Write {
	return table.Write{
		Path: s.File.Value, Format: table.Format(s.Format), Overwrite: s.Overwrite, Codec: table.Codec(s.Compression),
		RowGroupRows: s.RowGroupRows, RowGroupBytes: s.RowGroupBytes.Bytes(),
		Workers: s.Workers,
		CSV:     table.WriteCSV{Delimiter: s.Delimiter, NoHeader: !s.Header, Null: s.NullText, QuoteAll: s.QuoteAll},
	}
}

func (s *writing) Schema(in []*arrow.Schema) ([]*arrow.Schema, error) {
	_, err := s.settings().Schema(in[0])
	return nil, s.File.Wrong(err)
}

func (s *writing) Add(to *sluice.Network, at Place) error {
	settings := s.settings()
	if settings.IsParquet() { // CSV has one worker, whatever the job says of all nodes
		settings.Workers = at.workers(settings.Workers)
	}
	name, run, in := settings.Node(at.Name, at.In[0], at.Env.stdout())
	if s.File.Value == table.StandardStream {
		run = untilClosed(run)
	}
	to.Node(name, run, in)
	return nil
}

// untilClosed has a node that prints end well when nobody reads on: returning nil stops what
// feeds it, and nobody is to be bothered with an error about it.
func untilClosed(run func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := run(ctx); err != nil && !closedPipe(err) {
			return err
		}
		return nil
	}
}
