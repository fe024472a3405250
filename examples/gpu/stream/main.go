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
	"runtime"
	"strings"
	"time"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/device/cuda"
	"github.com/seed14ed4225/sluice/mem"
	"github.com/seed14ed4225/sluice/monitor"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, open)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "stream:", err)
		os.Exit(1)
	}
}

// run does what the arguments say.
func run(ctx context.Context, args []string, stdout io.Writer, open opener) (err error) {
	s, err := parse(args, stdout)
	if err != nil {
		return err
	}
	in, out, cleanUp, err := s.open()
	if err != nil {
		return err
	}
	defer cleanUp()
	defer closing(&err, out)

	var traceTo io.Writer // nil: only the summary
	if s.trace != "" {
		file, err := os.Create(s.trace)
		if err != nil {
			return err
		}
		defer closing(&err, file)
		traceTo = file
	}
	timeline := monitor.NewTimeline(traceTo)
	d, err := open(s.device, timeline.Add)
	if err != nil {
		return err
	}
	elapsed, err := stream(ctx, d, in, out, s)
	if closed := d.Close(); err == nil { // tells the timeline the rest
		err = closed
	}
	if closed := timeline.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s of floats in pieces of %s through %s of %s: %.2f s, %.2f GB/s\n\n%v",
		mem.Bytes(s.size), mem.Bytes(s.piece), mem.Bytes(s.limit), d.Properties().Name,
		elapsed.Seconds(), float64(s.size)/1e9/elapsed.Seconds(), timeline.Summary())
	return nil
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
	defer streams.Close()
	start := time.Now()
	err = newNetwork(&job{settings: s, in: in, out: out, streams: streams}, r).Run(ctx)
	return time.Since(start), err
}

// An opener opens a device by its name, and has it tell the trace what it does.
type opener func(name string, trace device.Trace) (device.Device, error)

// open knows "host", "cuda:0" and so on, and "auto", which is the first GPU if there is one.
func open(name string, trace device.Trace) (device.Device, error) {
	host := func() (device.Device, error) { return device.NewHost(device.HostOptions{Trace: trace}) }
	ordinal := 0
	switch {
	case name == "host":
		return host()
	case name == "auto":
	default:
		if n, err := fmt.Sscanf(name+"\n", "cuda:%d\n", &ordinal); n != 1 || err != nil {
			return nil, fmt.Errorf("-device %s: want host, cuda:0, cuda:1 and so on, or auto", name)
		}
	}
	d, err := cuda.Open(ordinal, cuda.Options{Trace: trace})
	if err == nil {
		return d, nil
	}
	if name == "auto" && (errors.Is(err, cuda.ErrUnavailable) || errors.Is(err, cuda.ErrNoDevice)) {
		return host()
	}
	return nil, err
}

// closing closes what was written to: only then is it known to be there.
func closing(err *error, c io.Closer) {
	if closed := c.Close(); *err == nil {
		*err = closed
	}
}

// settings are the flags.
type settings struct {
	in, out, device, trace string
	a                      float64
	piece, limit           int64
	size                   int64 // of the file
	files                  int   // nodes that read it, and as many that write
}

func parse(args []string, stdout io.Writer) (*settings, error) {
	s := &settings{a: 2, piece: 4 << 20, limit: 32 << 20, size: 256 << 20}
	f := flag.NewFlagSet("stream", flag.ContinueOnError)
	f.SetOutput(stdout)
	f.StringVar(&s.in, "in", "", "a file of float32 in the machine's byte order; without one, -size of them are made")
	f.StringVar(&s.out, "out", "", "where the results go; without one, into a temporary file")
	f.StringVar(&s.device, "device", "auto", "host, cuda:0 and so on, or auto: the first GPU, or else the host")
	f.StringVar(&s.trace, "trace", "", "write the timeline of the device to this file, as a Chrome trace")
	f.Float64Var(&s.a, "a", s.a, "the a of y = a·x + y")
	for _, size := range []struct {
		name, usage string
		into        *int64
	}{
		{"piece", "bytes of a message", &s.piece},
		{"limit", "bytes of device memory the network may take", &s.limit},
		{"size", "bytes of the file, if there is no -in", &s.size},
	} {
		f.Func(size.name, fmt.Sprintf("%s, such as %s", size.usage, mem.Bytes(*size.into)), func(text string) error {
			limit, err := mem.ParseLimit(text)
			if err != nil {
				return err
			}
			n, ok := limit.Bytes()
			if !ok || n <= 0 || n%bytesPerFloat != 0 {
				return errors.New("want whole floats in bytes, such as 4MiB")
			}
			*size.into = n
			return nil
		})
	}
	f.IntVar(&s.files, "files", min(8, runtime.GOMAXPROCS(0)), "how many nodes read, and as many write; one is rarely as fast as a GPU")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if f.NArg() > 0 {
		return nil, fmt.Errorf("unexpected %s; there are flags only", strings.Join(f.Args(), " "))
	}
	if s.files < 1 {
		return nil, fmt.Errorf("-files %d: want at least 1", s.files)
	}
	if least := leastPieces * s.piece; s.limit < least {
		return nil, fmt.Errorf("-limit %s is too little for pieces of %s: want at least %s, which is %d pieces",
			mem.Bytes(s.limit), mem.Bytes(s.piece), mem.Bytes(least), leastPieces)
	}
	return s, nil
}
