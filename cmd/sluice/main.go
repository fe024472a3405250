// Command sluice runs jobs: networks that read Parquet files, filter, group and
// sort their rows, and print what comes out, written down in YAML.
//
//	sluice run flights.yaml -p top=5 --format csv
//	sluice run sorted.yaml --memory-host 64MiB --spill-dir /var/tmp --stats
//	sluice graph flights.yaml
//	sluice devices
//
// The exit status is 0 when all went well, 1 when a job failed while it ran,
// and 2 when it could not be started, because the job or the command line is
// wrong. It is 130 after Ctrl-C and 143 after a termination signal; a second
// signal ends the process on the spot. Rows go to standard output and all else
// to standard error. Nobody reading the output any more is no error.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/seed14ed4225/sluice/plan"
)

func main() {
	// Without this, writing to a closed pipe would kill the process before the
	// network could end as it should.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := interruptible(context.Background())
	status := run(ctx, os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}, offer{plan.Builtin(), plan.Installed{}})
	stop()
	os.Exit(status)
}

// streams are where a command reads and writes.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// An offer is what jobs can be made of and run on.
type offer struct {
	kinds   plan.Kinds
	devices plan.CUDA
}
