package cuda

import (
	"fmt"
	"sync"
)

// A Program is PTX, or a cubin, that is loaded on a device when first a kernel of it is
// wanted there, once, and unloaded when the device is closed. It is what a package
// with kernels keeps in a variable:
//
//	//go:embed kernels.ptx
//	var ptx []byte
//	var program = cuda.NewProgram("kernels", ptx)
//
// A program holds on to no device. Methods are safe for concurrent use.
type Program struct {
	name  string
	image []byte
}

// NewProgram makes a program of an image, which must not be changed any more. The name is for
// errors. Nothing is loaded yet.
func NewProgram(name string, image []byte) *Program { return &Program{name, image} }

// Function returns a kernel of the program on a device. The first call for a device loads the
// program, with what that costs, and others wait for it meanwhile; if it fails the next
// call tries again. Errors are those of [Device.Load] and [Module.Function].
func (p *Program) Function(d *Device, kernel string) (*Function, error) {
	if d == nil {
		return nil, fmt.Errorf("program %q: kernel %q: the device is nil: give an open one", p.name, kernel)
	}
	m, err := d.programs.module(d, p)
	if err != nil {
		return nil, err
	}
	return m.Function(kernel)
}

// programs are those that a device has loaded. They are kept by the device, not by the
// program, so that a program keeps no device alive, and is unloaded with each.
type programs struct {
	mu struct {
		sync.Mutex
		loaded map[*Program]*Module
	}
}

func (ps *programs) module(d *Device, p *Program) (*Module, error) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if m := ps.mu.loaded[p]; m != nil {
		return m, d.Err()
	}
	m, err := d.Load(p.name, p.image)
	if err != nil {
		return nil, err
	}
	if ps.mu.loaded == nil {
		ps.mu.loaded = map[*Program]*Module{}
	}
	ps.mu.loaded[p] = m
	return m, nil
}
