package cuda

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/seed14ed4225/sluice/device/cuda/internal/driver"
	"github.com/seed14ed4225/sluice/device/cuda/internal/ptx"
	"github.com/seed14ed4225/sluice/internal/suggest"
)

// A Module is compiled code on a device. Close it when no kernel of it will be launched
// any more; closing the device closes what is left.
type Module struct {
	dev     *Device
	name    string
	handle  driver.Module
	kernels []ptx.Kernel // that the image says it has; nil if it is no PTX
	closed  atomic.Bool

	mu struct {
		sync.Mutex
		functions map[string]*Function
	}
}

// A CompileError says why the driver does not take a module. It wraps the *[Error] of the call.
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
// much PTX, and waits for work in progress. The error wraps a *[CompileError] if the driver
// does not take the image; it is that of [Device.Err] if the device has ended.
func (d *Device) Load(name string, image []byte) (*Module, error) {
	if len(image) == 0 {
		return nil, fmt.Errorf("device %q: module %q is empty", d.name, name)
	}
	m := &Module{dev: d, name: name, kernels: ptx.Kernels(image)}
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
	if m.closed.Swap(true) || d.mu.err != nil { // it goes with the device
		d.mu.Unlock()
		return nil
	}
	h := m.handle
	delete(d.mu.modules, h)
	d.enter() // under the lock that Close takes before it gives up the device's own count
	d.mu.Unlock()
	defer d.leave()
	return d.call("cuModuleUnload", func() driver.Result { return d.drv.ModuleUnload(h) })
}

// closedErr returns what a closed module says.
func (m *Module) closedErr() error {
	if !m.closed.Load() {
		return nil
	}
	return &closedError{fmt.Sprintf("device %q: module %q", m.dev.name, m.name)}
}

// Function returns a kernel of the module by its name in the PTX: C++ mangles names that are
// not extern "C". If there is none of that name, and the module is PTX, the error says which
// there are. After Close it wraps [device.ErrClosed].
func (m *Module) Function(name string) (*Function, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.closedErr(); err != nil {
		return nil, err
	}
	if f := m.mu.functions[name]; f != nil {
		return f, nil
	}
	f := &Function{dev: m.dev, of: m, name: name}
	missing := false
	err := m.dev.ask("cuModuleGetFunction", func() (r driver.Result) {
		f.handle, r = m.dev.drv.ModuleGetFunction(m.handle, name)
		missing = r == driver.NotFound
		return r
	})
	if err == nil {
		err = f.learn()
	}
	if err == nil {
		m.mu.functions[name] = f
		return f, nil
	}
	hint := ""
	if missing {
		hint = suggest.Phrase(name, m.names())
	}
	return nil, fmt.Errorf("device %q: module %q: kernel %q: %w%s", m.dev.name, m.name, name, err, hint)
}

func (m *Module) names() []string {
	names := make([]string, len(m.kernels))
	for i, k := range m.kernels {
		names[i] = k.Name
	}
	return names
}
