package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/plan"
	"github.com/seed14ed4225/sluice/table"
)

type runCommand struct {
	jobFlags
	Format rowFormat `placeholder:"FORMAT" help:"How to print rows: table, csv, or json with one object per line. Default is what the job says, or table."`
}

// rowFormat is how to print rows, empty if the job is to say.
type rowFormat table.Format

var rowFormats = []string{string(table.FormatTable), string(table.FormatCSV), string(table.FormatJSON)}

// UnmarshalText reads the value of --format.
func (f *rowFormat) UnmarshalText(text []byte) error {
	if !slices.Contains(rowFormats, string(text)) {
		return fmt.Errorf("must be one of %s but got %q", strings.Join(rowFormats, ", "), text)
	}
	*f = rowFormat(text)
	return nil
}

func (c *runCommand) Help() string {
	return `The job is checked first: nothing starts if a file or a column that it names is
not there.

  sluice run flights.yaml
  sluice run flights.yaml -p 'files=data/*.parquet' -p top=3 --format csv

The exit status is 0 when all went well, 1 when the job failed while it ran, 2
when the job or the command line is wrong, and 130 after Ctrl-C.`
}

func (c *runCommand) Run(ctx context.Context, std streams) error {
	job, err := c.load(ctx, std.in)
	if err != nil {
		return err
	}
	if _, err := await(ctx, func() (any, error) { return nil, job.Check() }); err != nil {
		return err
	}
	out := newPatientWriter(ctx, std.out)
	defer out.close()
	network, err := job.Network(plan.Env{
		Stdout:  out,
		Format:  table.Format(c.Format),
		Options: []sluice.NetworkOption{sluice.WithLogger(slog.New(slog.NewTextHandler(std.err, nil)))},
	})
	if err != nil {
		return err
	}
	return job.Locate(network.Run(ctx))
}
