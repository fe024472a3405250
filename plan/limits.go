package plan

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/internal/extent"
	"github.com/seed14ed4225/sluice/internal/machine"
	"github.com/seed14ed4225/sluice/internal/size"
	"github.com/seed14ed4225/sluice/mem"
)

// smallestHost is the least limit of host memory that a job is started with. Whether a
// chunk of rows fits shows only when it is read; into less than this none does.
const smallestHost = 64 << 10

// newMemory makes a resource that a job can run in.
func newMemory(opts mem.Options) (*mem.Resource, error) {
	wrong := senseless(opts)
	resource, err := mem.New(opts)
	if len(wrong) == 0 {
		return resource, err
	}
	if err == nil {
		err = resource.Close(context.Background()) // nobody has used it
	}
	return nil, errors.Join(append(wrong, err)...)
}

// senseless returns what is wrong with the options for a job, beyond what a resource
// refuses.
func senseless(opts mem.Options) (wrong []error) {
	limit := func(k mem.Kind, err error) {
		wrong = append(wrong, &mem.OptionError{Option: fmt.Sprintf("limit for %v", k), Kind: k, Err: err})
	}
	if n, ok := opts.Limits[mem.Host].Bytes(); ok && 0 <= n && n < smallestHost {
		limit(mem.Host, tooLittle(n))
	}
	for _, k := range []mem.Kind{mem.Pinned, mem.Host} {
		if there := machine.Memory(); exceeds(opts.Limits[k], there) {
			limit(k, fmt.Errorf("this machine has %s of memory; say less, a share such as 50%%, or unlimited", size.Rounded(there)))
		}
	}
	if d := opts.Device; d != nil {
		info, err := d.Memory(device.InDevice)
		if there := info.Total; err == nil && exceeds(opts.Limits[mem.Device], there) {
			limit(mem.Device, fmt.Errorf("%s has %s of memory; say less, a share such as 50%%, or unlimited",
				d.Properties().Name, size.Rounded(there)))
		}
	}
	if opts.SpillDir == "" {
		if opts.Compress != mem.Off {
			wrong = append(wrong, &mem.OptionError{Option: "compression", Kind: mem.Kinds, Err: errors.New("there is no spill directory for it")})
		}
		return wrong
	}
	// If it cannot be told what is free, nothing is known against the limit.
	if free, err := extent.Free(opts.SpillDir); err == nil && exceeds(opts.Limits[mem.Disk], free) {
		limit(mem.Disk, fmt.Errorf("%s are free in %q; say less, a share such as 90%%, or name another folder",
			size.Rounded(free), opts.SpillDir))
	}
	return wrong
}

// exceeds reports whether a limit is a size larger than what there is.
func exceeds(l mem.Limit, there int64) bool {
	n, ok := l.Bytes()
	return ok && l != mem.Unlimited && n > there
}

// tooLittle explains why no job can run in n bytes. A number below 1024 is likely to be
// one of MiB.
func tooLittle(n int64) error {
	switch {
	case n == 0:
		return errors.New("a job cannot run without host memory; give it some MiB, or leave the limit out")
	case n < 1<<10:
		return fmt.Errorf("%d is %d bytes, in which no rows fit; did you mean %dMiB?", n, n, n)
	default:
		return fmt.Errorf("no rows fit into %s; give it %s at least, better some MiB, or leave the limit out",
			size.Readable(n), size.Readable(smallestHost))
	}
}
