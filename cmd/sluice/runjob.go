package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/seed14ed4225/sluice/mem"
	"github.com/seed14ed4225/sluice/plan"
	"github.com/seed14ed4225/sluice/table"
)

type runCommand struct {
	jobFlags
	deviceFlags
	memoryFlags
	Workers workers   `placeholder:"N" help:"How many goroutines a node computes with, if its settings do not say. Default is what the job says, or one for each processor."`
	Format  rowFormat `placeholder:"FORMAT" help:"How to print rows: table, csv, or json with one object per line. Default is what the job says, or table."`
}

// workers are how many goroutines a node computes with, 0 if the job is to say.
type workers int

// Decode reads the value of --workers. One that begins with a minus is like a flag, but never meant as one.
func (w *workers) Decode(ctx *kong.DecodeContext) error {
	token := ctx.Scan.Pop()
	n, err := strconv.Atoi(token.String())
	switch {
	case token.IsEOL():
		return errors.New("expected a number after it")
	case err != nil:
		return fmt.Errorf("expected a number after it, but got %q", token)
	case n < 0:
		return fmt.Errorf("%d: it cannot be negative", n)
	}
	*w = workers(n)
	return nil
}

// rowFormat is how to print rows, empty if the job is to say.
type rowFormat table.Format

var rowFormats = []string{string(table.FormatTable), string(table.FormatCSV), string(table.FormatJSON)}

// Decode reads the value of --format.
func (f *rowFormat) Decode(ctx *kong.DecodeContext) error {
	text, err := valueOf(ctx, strings.Join(rowFormats, ", "))
	if err != nil {
		return err
	}
	if !slices.Contains(rowFormats, text) {
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

A job runs within limits of memory if it has a section "memory", or with the
flags for it, which go before what the job says. What does not fit waits on disk, if there
is a folder for it:

  sluice run sorted.yaml --memory-host 64MiB --spill-dir /var/tmp --stats

Nodes that work in device memory do so on the device that the job or --device says,
such as cuda:0; see sluice devices and sluice kinds. A job without such nodes says so and runs
on the host.

With --stats, "spilled" counts bytes each time they are moved, and the peak of disk is
what was promised for them before compression.

The exit status is 0 when all went well, 1 when the job failed while it ran, 2
when the job or the command line is wrong, 130 after Ctrl-C, and 143 after SIGTERM.`
}

func (c *runCommand) Run(ctx context.Context, std streams, has offer) error {
	job, err := c.load(ctx, std.in, has.kinds)
	if err != nil {
		return err
	}
	if _, err := await(ctx, func() (any, error) { return nil, job.Check() }); err != nil {
		return err
	}
	log := slog.New(warnings{std.err})
	device, err := c.openDevice(ctx, job, has.devices, log)
	if err != nil {
		return err
	}
	memory, err := await(ctx, func() (*mem.Resource, error) { return c.open(job, device, log) })
	if err != nil {
		return errors.Join(err, closeDevice(ctx, device))
	}
	defer limitHeap(memory)()
	err = c.runIn(ctx, memory, job, std, log)
	if c.Stats {
		showMemory(std.err, memory)
	}
	closing := closeMemory(ctx, memory)
	if closing == nil { // else somebody may still be at what is in it
		closing = closeDevice(ctx, device)
	}
	if closing != nil {
		err = errors.Join(err, closing)
	}
	return err
}

// showRowGroups says how many row groups each scan of Parquet has read, and how many it did not have to;
// and how many rows that and pages left out of the others have spared it.
func showRowGroups(out io.Writer, counts map[string]*table.ScanCount) {
	for _, node := range slices.Sorted(maps.Keys(counts)) {
		c := counts[node]
		_, _ = fmt.Fprintf(out, "row groups of %s: %d read, %d skipped; rows skipped: %d\n", node, c.Read(), c.Skipped(), c.SkippedRows())
	}
}

// runIn runs a job that was checked.
func (c *runCommand) runIn(ctx context.Context, memory *mem.Resource, job *plan.Job, std streams, log *slog.Logger) error {
	out := newPatientWriter(ctx, std.out)
	defer out.close()
	rowGroups := make(map[string]*table.ScanCount)
	network, err := job.Network(plan.Env{
		Stdout: out,
		Format: table.Format(c.Format),
		Memory: memory, Workers: int(c.Workers), RowGroups: rowGroups,
		Logger: log,
	})
	if err != nil {
		return err
	}
	err = job.Locate(network.Run(ctx))
	if c.Stats {
		showRowGroups(std.err, rowGroups)
	}
	return err
}
