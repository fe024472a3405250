package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/alecthomas/kong"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/mem"
	"github.com/seed14ed4225/sluice/monitor"
	"github.com/seed14ed4225/sluice/plan"
)

// memoryFlags say how much memory a job may take, in place of what it says itself.
type memoryFlags struct {
	Device   limitFlag       `name:"memory-device" placeholder:"LIMIT" help:"Most device memory: 64MiB, 25% or unlimited."`
	Pinned   limitFlag       `name:"memory-pinned" placeholder:"LIMIT" help:"Most pinned memory."`
	Host     limitFlag       `name:"memory-host" placeholder:"LIMIT" help:"Most host memory, where rows are."`
	Disk     limitFlag       `name:"memory-disk" placeholder:"LIMIT" help:"Most of the disk, in the folder of --spill-dir."`
	SpillDir folderFlag      `placeholder:"FOLDER" help:"Where rows go that do not fit into memory."`
	Compress compressionFlag `placeholder:"HOW" help:"How rows are compressed on disk: off, lz4, zstd."`
	Stats    bool            `help:"Show how much memory was used and spilled."`
}

// limitFlag is a mem.Limit as a flag.
type limitFlag struct{ mem.Limit }

// Decode reads a size, a share, or unlimited.
func (f *limitFlag) Decode(ctx *kong.DecodeContext) error {
	text, err := valueOf(ctx, "a limit such as 64MiB, 25% or unlimited")
	if err == nil {
		f.Limit, err = mem.ParseLimit(text)
	}
	return err
}

// valueOf reads the value of a flag.
func valueOf(ctx *kong.DecodeContext, what string) (string, error) {
	token := ctx.Scan.Pop()
	if !token.IsValue() {
		return "", fmt.Errorf("expected %s after it", what)
	}
	return token.String(), nil
}

// folderFlag is a folder's name. An empty one is more likely a mistake than meant.
type folderFlag string

// Decode takes any name but the empty one.
func (f *folderFlag) Decode(ctx *kong.DecodeContext) error {
	name, err := valueOf(ctx, "a folder")
	if err == nil && name == "" {
		err = errors.New("the name of a folder is empty")
	}
	*f = folderFlag(name)
	return err
}

// compressionFlag is how to compress, or nil if the job is to say.
type compressionFlag struct{ how *mem.Compression }

// Decode reads off, lz4 or zstd.
func (f *compressionFlag) Decode(ctx *kong.DecodeContext) error {
	text, err := valueOf(ctx, "off, lz4 or zstd")
	if err != nil {
		return err
	}
	for _, known := range []mem.Compression{mem.Off, mem.LZ4, mem.Zstd} {
		if known.String() == text {
			f.how = &known
			return nil
		}
	}
	return fmt.Errorf("must be one of off, lz4, zstd but got %q", text)
}

// flagOf is the flag for a setting of memory.
var flagOf = map[string]string{
	mem.Device.String(): "--memory-device",
	mem.Pinned.String(): "--memory-pinned",
	mem.Host.String():   "--memory-host",
	mem.Disk.String():   "--memory-disk",
	"spill_dir":         "--spill-dir",
	"compress":          "--compress",
}

// open makes the memory that the job runs in: nil if neither it nor a flag says anything about
// memory, and no node is for a device.
func (f memoryFlags) open(job *plan.Job, on device.Device, log *slog.Logger) (*mem.Resource, error) {
	memory, err := job.Memory(plan.Memory{
		On:     on,
		Device: f.Device.Limit, Pinned: f.Pinned.Limit, Host: f.Host.Limit, Disk: f.Disk.Limit,
		SpillDir: string(f.SpillDir), Compress: f.Compress.how,
		Logger: log,
	})
	if memory == nil && err == nil && f.Stats {
		// Without limits nothing would be counted.
		return job.Memory(plan.Memory{Device: mem.Unlimited, Pinned: mem.Unlimited, Host: mem.Unlimited})
	}
	return memory, inFlags(err)
}

// inFlags names the flags at fault in place of the settings that they stand for.
func inFlags(err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var parts []error
		for _, part := range joined.Unwrap() {
			parts = append(parts, inFlags(part))
		}
		return errors.Join(parts...)
	}
	var wrong *plan.MemoryError
	if errors.As(err, &wrong) {
		return usageError{fmt.Sprintf("%s: %v", flagOf[wrong.Setting], wrong.Err)}
	}
	return err
}

// patience is how long an interrupted run waits for its memory to be given back. By then
// only a disk or a device that does not answer is in the way, and nothing of
// what is left outlives the process.
const patience = time.Second

// patiently returns a context that ends a moment after ctx.
func patiently(ctx context.Context) (context.Context, context.CancelFunc) {
	closing, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(patience, cancel) })
	return closing, func() { stop(); cancel() }
}

// closeMemory ends the memory that a job ran in.
func closeMemory(ctx context.Context, memory *mem.Resource) error {
	closing, done := patiently(ctx)
	defer done()
	_, err := await(closing, func() (any, error) { return nil, memory.Close(closing) })
	return err
}

// showMemory shows what the memory was used for. If it cannot, there is nobody to tell.
func showMemory(out io.Writer, memory *mem.Resource) {
	_, _ = io.WriteString(out, monitor.Memory(memory.Stats()))
}
