package plan

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"syscall"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/table"
)

var printKind = Kind{
	Name:     "print",
	Summary:  "write rows to standard output",
	Reads:    One,
	Prints:   true,
	Settings: func() Step { return &printing{} },
}

type printing struct {
	Format outputFormat `job:"format" doc:"table (if not given), csv, or json with one object per line; --format wins"`
}

func (s *printing) Schema(in []*arrow.Schema) ([]*arrow.Schema, error) {
	_, err := table.Print{Format: table.Format(s.Format)}.Schema(in[0])
	return nil, err
}

func (s *printing) Add(to *sluice.Network, at Place) error {
	format := table.Format(s.Format)
	if at.Env.Format != "" {
		format = at.Env.Format
	}
	name, run, in := table.Print{Format: format}.Node(at.Name, at.In[0], at.Env.stdout())
	to.Node(name, untilClosed(run), in)
	return nil
}

// closedPipe says whether a write failed because its reader has gone away.
func closedPipe(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe)
}

// outputFormat is a table.Format as a setting.
type outputFormat table.Format

var outputFormats = []string{string(table.FormatTable), string(table.FormatCSV), string(table.FormatJSON)}

// UnmarshalText reads the name of a format.
func (f *outputFormat) UnmarshalText(text []byte) error {
	if !slices.Contains(outputFormats, string(text)) {
		return fmt.Errorf("unknown format %q%s", shorten(string(text)), instead(string(text), outputFormats))
	}
	*f = outputFormat(text)
	return nil
}
