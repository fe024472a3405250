package cuda

import (
	"github.com/seed14ed4225/sluice/device/cuda/internal/driver"
	"github.com/seed14ed4225/sluice/device/cuda/internal/ptx"
)

// A Function is a kernel. It is of no use once its module is closed.
type Function struct {
	dev    *Device
	of     *Module
	name   string
	handle driver.Function
	block  int     // threads a block should have
	limits limits  // of the device
	known  bool    // whether the parameters are
	params []param // in order
}

// A param is what is known about a parameter of a kernel.
type param struct {
	bytes uint64
	kind  ptx.Kind // Bits if nobody says
}

// Name returns the kernel's name.
func (f *Function) Name() string { return f.name }

// Threads returns how many threads of the kernel a block should have to keep the
// device busy.
func (f *Function) Threads() int { return f.block }

// learn asks how the kernel is to be launched.
func (f *Function) learn() error {
	d := f.dev
	err := d.ask("cuOccupancyMaxPotentialBlockSize", func() (r driver.Result) {
		_, f.block, r = d.drv.OccupancyMaxPotentialBlockSize(f.handle, 0)
		return r
	})
	if err == nil {
		err = d.ask("cuDeviceGetAttribute", func() driver.Result { return f.limits.ask(d) })
	}
	if err == nil {
		err = d.ask("cuFuncGetParamInfo", f.learnParams)
	}
	return err
}

// learnParams asks for the parameters. The driver knows their sizes if it is new enough;
// PTX says these and more, but of a cubin, or PTX that cannot be read, there is none.
func (f *Function) learnParams() driver.Result {
	var text ptx.Kernel
	for _, k := range f.of.kernels {
		if k.Name == f.name {
			text = k
		}
	}
	for i := 0; ; i++ {
		size, r := f.dev.drv.FuncGetParamInfo(f.handle, i)
		switch r {
		case driver.Success:
			p := param{bytes: size}
			if i < len(text.Params) && uint64(text.Params[i].Bytes) == size {
				p.kind = text.Params[i].Kind
			}
			f.params = append(f.params, p)
			continue
		case driver.InvalidValue: // there are no more
			f.known = true
		case driver.NotSupported:
			f.known = text.Known
			for _, p := range text.Params {
				f.params = append(f.params, param{uint64(p.Bytes), p.Kind})
			}
		default:
			return r
		}
		return driver.Success
	}
}
