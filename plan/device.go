package plan

import (
	"cmp"
	"fmt"
	"log/slog"
	"slices"
	"strconv"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/device/cuda"
	"github.com/seed14ed4225/sluice/internal/machine"
	"github.com/seed14ed4225/sluice/internal/suggest"
	"github.com/seed14ed4225/sluice/mem"
)

// CUDA are the CUDA devices that jobs can name. [Installed] are those of this machine;
// tests bring simulated ones.
type CUDA interface {
	// Devices is as [cuda.Devices].
	Devices() ([]cuda.Info, error)
	// Open is as [cuda.Open].
	Open(ordinal int, opts cuda.Options) (*cuda.Device, error)
}

// Installed are the CUDA devices of this machine.
type Installed struct{}

// Devices lists the devices.
func (Installed) Devices() ([]cuda.Info, error) { return cuda.Devices() }

// Open opens a device.
func (Installed) Open(ordinal int, opts cuda.Options) (*cuda.Device, error) {
	return cuda.Open(ordinal, opts)
}

// DeviceOptions say how a job is given its device. The zero value leaves the choice to
// the job.
type DeviceOptions struct {
	// Name goes before what the job says, unless it is empty.
	Name DeviceName
	// CUDA are the devices to choose from; nil stands for [Installed].
	CUDA CUDA
	// Logger is told if the job cannot use the device; nil means [slog.Default].
	Logger *slog.Logger
}

// A DeviceError is what is wrong with the device that the caller of [Job.OpenDevice] named.
type DeviceError struct {
	Name DeviceName
	Err  error
}

func (e *DeviceError) Error() string { return fmt.Sprintf("device: %v", e.Err) }

// Unwrap returns what is wrong.
func (e *DeviceError) Unwrap() error { return e.Err }

// OpenDevice opens the device that the job is to run on, to be given to [Job.Memory].
// The caller closes it after the memory. It is nil for the host device, which the memory
// makes itself. It is nil, too, if no node of the job works in device memory: the job runs
// on the host then, and a warning says so.
//
// A name that is wrong, or of a device that is not there, is a [JobError] if it is the
// job's and a [DeviceError] if it is that of the options. A device that is there and cannot
// be opened is neither. Opening one may take a good part of a second.
func (j *Job) OpenDevice(opts DeviceOptions) (device.Device, error) {
	name, err := ParseDevice(string(cmp.Or(opts.Name, j.device.Value, HostDevice)))
	if name == HostDevice {
		return nil, nil
	}
	if opts.CUDA == nil {
		opts.CUDA = Installed{}
	}
	if err == nil {
		err = missing(name, opts.CUDA)
	}
	switch {
	case err == nil:
	case opts.Name != "":
		return nil, &DeviceError{Name: opts.Name, Err: err}
	default:
		return nil, &JobError{File: j.file, Position: j.device.Position, Err: fmt.Errorf("device: %w", err)}
	}
	if !j.worksIn(mem.Device) {
		cmp.Or(opts.Logger, slog.Default()).Warn(fmt.Sprintf("job %q runs on the host, not on %s: no node works in device memory (%s)",
			j.name, name, suggest.List(j.nodeNames())))
		return nil, nil
	}
	// How much is pinned is for the limits of the memory to say, not for the device.
	d, err := opts.CUDA.Open(name.ordinal(), cuda.Options{PinnedMemory: machine.Memory()})
	if err != nil {
		return nil, fmt.Errorf("device %s: %w", name, err)
	}
	return d, nil
}

// missing returns an error if there is no device of the name, which says which there are.
func missing(name DeviceName, from CUDA) error {
	infos, err := from.Devices()
	if err != nil {
		return fmt.Errorf("there is no %s, only host: %w", name, err)
	}
	have := []string{string(HostDevice)}
	for _, info := range infos {
		if info.Ordinal == name.ordinal() {
			return nil
		}
		have = append(have, cudaPrefix+strconv.Itoa(info.Ordinal))
	}
	return fmt.Errorf("there is no %s; have %s", name, suggest.List(have))
}

// worksIn reports whether any node can work in a kind of memory.
func (j *Job) worksIn(kind mem.Kind) bool {
	return slices.ContainsFunc(j.nodes, func(n *node) bool { return slices.Contains(n.kind.WorksIn(), kind) })
}

func (j *Job) nodeNames() []string {
	names := make([]string, len(j.nodes))
	for i, n := range j.nodes {
		names[i] = n.name
	}
	return names
}
