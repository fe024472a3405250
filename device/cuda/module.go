package cuda

import (
	"fmt"
	"strings"
	"sync"

	"github.com/seed14ed4225/sluice/device/cuda/internal/driver"
)

// A Module is compiled code on a device. Close it when no kernel of it will be launched
// any more; closing the device closes what is left.
type Module struct {
	dev    *Device
	name   string
	handle driver.Module

	mu struct {
		sync.Mutex
		functions map[string]*Function
	}
}

// A CompileError says why the driver does not take a module.
type CompileError struct {
	Module string
	Log    string // what the driver's compiler says, "" if nothing
	Err    error  // an *Error
}

func (e *CompileError) Error() string {
	if e.Log == "" {
		return fmt.Sprintf("module %q: %v", e.Module, e.Err)
	}
	return fmt.Sprintf("module %q: %v\n%s", e.Module, e.Err, strings.TrimSpace(e.Log))
}

func (e *CompileError) Unwrap() error { return e.Err }

// Load gives the device a module: PTX, which the driver compiles for the card, or a
// cubin for exactly this kind of card. The name is for errors. Load may take seconds for
// much PTX, and waits for work in progress. The error is a *[CompileError], or that of
// [Device.Err].
func (d *Device) Load(name string, image []byte) (*Module, error) {
	if len(image) == 0 {
		return nil, fmt.Errorf("device %q: module %q is empty", d.name, name)
	}
	m := &Module{dev: d, name: name}
	m.mu.functions = map[string]*Function{}
	var log string
	err := d.ask("cuModuleLoadDataEx", func() (r driver.Result) {
		if m.handle, log, r = d.drv.ModuleLoadDataEx(image); r == driver.Success {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.mu.modules[m.handle] = struct{}{}
		}
		return r
	})
	if err == nil {
		return m, nil
	}
	if ended := d.Err(); ended != nil {
		return nil, ended
	}
	return nil, fmt.Errorf("device %q: %w", d.name, &CompileError{Module: name, Log: log, Err: err})
}

// ask is call for those who hold no lock: the device is not closed meanwhile.
func (d *Device) ask(name string, f func() driver.Result) error {
	d.mu.Lock()
	if err := d.mu.err; err != nil {
		d.mu.Unlock()
		return err
	}
	d.enter()
	d.mu.Unlock()
	defer d.leave()
	return d.call(name, f)
}

// Close unloads the module. No kernel of it may be queued or running: synchronise first.
// Closing again does nothing.
func (m *Module) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	d := m.dev
	d.mu.Lock()
	h := m.handle
	_, loaded := d.mu.modules[h]
	if h == 0 || !loaded || d.mu.err != nil { // goes with the device
		d.mu.Unlock()
		return nil
	}
	m.handle = 0
	delete(d.mu.modules, h)
	d.enter() // under the lock that Close takes before it gives up the device's own count
	d.mu.Unlock()
	defer d.leave()
	return d.call("cuModuleUnload", func() driver.Result { return d.drv.ModuleUnload(h) })
}

// Function returns a kernel of the module by its name in the PTX: C++ mangles names that are
// not extern "C".
func (m *Module) Function(name string) (*Function, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if f := m.mu.functions[name]; f != nil {
		return f, nil
	}
	if m.handle == 0 {
		return nil, &closedError{fmt.Sprintf("device %q: module %q", m.dev.name, m.name)}
	}
	d := m.dev
	f := &Function{dev: d, name: name}
	err := d.ask("cuModuleGetFunction", func() (r driver.Result) {
		if f.handle, r = d.drv.ModuleGetFunction(m.handle, name); r != driver.Success {
			return r
		}
		_, f.block, r = d.drv.OccupancyMaxPotentialBlockSize(f.handle, 0)
		if r != driver.Success {
			return r
		}
		return f.learn()
	})
	if err != nil {
		return nil, fmt.Errorf("device %q: module %q: kernel %q: %w", d.name, m.name, name, err)
	}
	m.mu.functions[name] = f
	return f, nil
}

// A Function is a kernel.
type Function struct {
	dev    *Device
	name   string
	handle driver.Function
	block  int      // threads a block should have
	known  bool     // whether the driver tells the parameters
	params []uint64 // their sizes in bytes
}

// learn asks for the parameters.
func (f *Function) learn() driver.Result {
	for i := 0; ; i++ {
		size, r := f.dev.drv.FuncGetParamInfo(f.handle, i)
		switch r {
		case driver.Success:
			f.params = append(f.params, size)
		case driver.InvalidValue: // there are no more
			f.known = true
			return driver.Success
		case driver.NotSupported:
			return driver.Success
		default:
			return r
		}
	}
}

// Name returns the kernel's name.
func (f *Function) Name() string { return f.name }

// Threads returns how many threads of the kernel a block should have to keep the
// device busy.
func (f *Function) Threads() int { return f.block }
