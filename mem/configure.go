package mem

import (
	"errors"
	"fmt"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/internal/extent"
	"github.com/seed14ed4225/sluice/internal/machine"
)

// setAsidePart of a limit is kept for progress.
const setAsidePart = 8

// configure resolves the options and opens what they name. All that is wrong is said at
// once.
func (p *pool) configure(opts Options) error {
	var wrong []error
	reject := func(k Kind, option string, err error) {
		wrong = append(wrong, &OptionError{Option: option, Kind: k, Err: err})
	}
	limits := opts.Limits
	defaults := [Kinds]Limit{Device: Share(0.5), Pinned: Share(0.25), Host: Share(0.5), Disk: Bytes(0)}
	if opts.SpillDir != "" {
		defaults[Disk] = Share(0.9)
		if !limits[Disk].set {
			p.diskDir = opts.SpillDir
		}
		if opts.Files == nil {
			if err := extent.Check(opts.SpillDir); err != nil {
				reject(Kinds, "spill directory", err)
			}
		}
	} else if limit := limits[Disk]; limit.set && limit != Bytes(0) {
		reject(Disk, "limit for disk", errors.New("there is no spill directory for it; name one"))
	}
	for k := range limits {
		kind := Kind(k)
		if !limits[k].set {
			limits[k] = defaults[k]
		}
		option := fmt.Sprintf("limit for %v memory", kind)
		if kind == Disk {
			option = "limit for disk"
		}
		if err := limits[k].check(); err != nil {
			reject(kind, option, err)
			continue
		}
		if wrong != nil && kind == Disk {
			continue // there may be no directory to look at
		}
		n, err := limits[k].of(func() (int64, error) { return there(kind, opts) })
		if err != nil {
			reject(kind, option, err)
			continue
		}
		p.limits[k] = n
		if kind != Disk {
			p.setAside[k] = n / setAsidePart
		}
	}
	switch opts.Compress {
	case Off, LZ4, Zstd:
	default:
		reject(Kinds, "compression", fmt.Errorf("%v: want off, lz4 or zstd", opts.Compress))
	}
	if wrong != nil {
		return errors.Join(wrong...)
	}
	return p.open(opts)
}

// there returns how much of a kind of memory there is.
func there(k Kind, opts Options) (int64, error) {
	switch k {
	case Disk:
		return extent.Free(opts.SpillDir)
	case Device:
		if opts.Device != nil {
			info, err := opts.Device.Memory(device.InDevice)
			return info.Total, err
		}
	}
	return machine.Memory(), nil
}

func (p *pool) open(opts Options) error {
	p.spilling.init()
	p.device = opts.Device
	if p.device == nil {
		// A host device takes 0 for its default, so one without memory gets a byte.
		made, err := device.NewHost(device.HostOptions{
			DeviceMemory: max(1, p.limits[Device]), PinnedMemory: max(1, p.limits[Pinned]),
		})
		if err != nil {
			return fmt.Errorf("mem: %w", err)
		}
		p.device, p.ownsDevice = made, true
	}
	p.host.init(p.limits[Host])
	p.staging.init()
	if p.limits[Disk] == 0 {
		return nil
	}
	store, err := extent.Open(extent.Options{Dir: opts.SpillDir, Compress: opts.Compress, Open: opts.Files})
	if err != nil {
		return &OptionError{Option: "spill directory", Kind: Kinds, Err: err}
	}
	p.store = store
	return nil
}
