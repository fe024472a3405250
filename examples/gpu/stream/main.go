// Command stream sends a file through a GPU that has no room for it: in pieces, each
// copied to the device, computed on, copied back and written, all at the same time. What it
// computes is y = a·x + y on float32, x being a ramp that stays on the device.
//
//	go run ./examples/gpu/stream -trace timeline.json
//
// Without a GPU, or with -device host, the same code runs on the host device. Without -in
// the program makes a file of its own, and removes it. Open the timeline in Perfetto or in
// chrome://tracing: each stream is a row, and where copies in both directions and kernels
// are above each other, all parts of the device work at once.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/mem"
	"github.com/seed14ed4225/sluice/monitor"
)

func main() { os.Exit(status()) }

// status runs the command, and returns what it ends with.
func status() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s, err := parse(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "stream:", err)
		return 2
	}
	switch err := run(ctx, s, os.Stdout, open); {
	case err != nil && ctx.Err() != nil:
		fmt.Fprintln(os.Stderr, "stream: interrupted")
		return 130
	case err != nil:
		fmt.Fprintln(os.Stderr, "stream:", err)
		return 1
	}
	return 0
}

// run opens the device and the files, and closes them, and says how it went.
func run(ctx context.Context, s *settings, stdout io.Writer, open opener) (err error) {
	if err := s.distinct(); err != nil {
		return err
	}
	var timeline *monitor.Timeline
	d, err := open(s.device, func(a device.Activity) { timeline.Add(a) })
	if err != nil {
		return err
	}
	defer closing(&err, d)
	f, err := openFiles(ctx, s)
	if err != nil {
		return err
	}
	defer closing(&err, f)

	timeline = monitor.NewTimeline(f.traceTo())
	elapsed, err := stream(ctx, d, f.in, f.out, s)
	if closed := d.Close(); err == nil { // tells the timeline the rest
		err = closed
	}
	if closed := timeline.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "%s of floats in pieces of %s through %s of %s: %.2f s, %.2f GB/s\n\n%v",
		mem.Bytes(s.size), mem.Bytes(s.piece), mem.Bytes(s.limit), d.Properties().Name,
		elapsed.Seconds(), float64(s.size)/1e9/elapsed.Seconds(), timeline.Summary())
	return err
}

// stream runs the network in limited memory of the device.
func stream(ctx context.Context, d device.Device, in io.ReaderAt, out io.WriterAt, s *settings) (elapsed time.Duration, err error) {
	r, err := mem.New(mem.Options{Device: d, Limits: [mem.Kinds]mem.Limit{
		mem.Device: mem.Bytes(s.limit),
		mem.Pinned: mem.Bytes(int64(2*s.files+streamsInTurn) * s.piece), // those being read or written, and on their way
	}})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, r.Close(context.WithoutCancel(ctx))) }()
	streams, err := device.NewStreamPool(d, streamsInTurn, device.StreamOptions{Name: "piece"})
	if err != nil {
		return 0, err
	}
	defer closing(&err, streams)
	start := time.Now()
	err = newNetwork(&job{settings: s, in: in, out: out, streams: streams}, r).Run(ctx)
	return time.Since(start), err
}

// closing closes what was used: only then is it known whether all went well.
func closing(err *error, c io.Closer) {
	if closed := c.Close(); *err == nil {
		*err = closed
	}
}
