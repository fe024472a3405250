package cudatest

import (
	"bytes"
	"fmt"
	"slices"
	"unsafe"

	"github.com/seed14ed4225/sluice/device/cuda/internal/driver"
	"github.com/seed14ed4225/sluice/device/cuda/internal/ptx"
)

// A Kernel is a kernel in Go.
type Kernel struct {
	// Params are the sizes of the parameters in bytes. PTX whose kernel of that name has
	// others does not compile here; nil takes what the PTX says.
	Params []int

	// Run does what the kernel does, with all its threads. The arguments are the bits
	// of each; a pointer is turned into memory by bytes, which fails if there are
	// not n bytes of live device or pinned memory at that address. An error is a mistake that
	// [Sim.Check] reports.
	Run func(threads int64, args []uint64, bytes func(at uint64, n int64) ([]byte, error)) error
}

// AddKernel puts a kernel into every module that is loaded from now on whose PTX has one of
// that name, or which is no PTX and mentions it. The kernels of this project are there
// already.
func (s *Sim) AddKernel(name string, k Kernel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.kernels[name] = &k
}

// A simFunction is a kernel of a module.
type simFunction struct {
	*Kernel
	params []int
	of     *simModule
}

type simModule struct {
	dev       *simDevice
	functions map[string]driver.Function
	strange   []string // kernels that the image has and nobody has added
}

// What a block may have.
const (
	maxThreads = 1024
	maxShared  = 48 << 10
)

// ModuleLoadDataEx is of the driver. An image in which there is no kernel that was added
// does not compile.
func (s *Sim) ModuleLoadDataEx(image []byte) (driver.Module, string, driver.Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, r := s.enter("cuModuleLoadDataEx")
	if r != driver.Success {
		return 0, "", r
	}
	m := &simModule{dev: d, functions: map[string]driver.Function{}}
	found, log := s.find(m, image)
	if log == "" && len(found) == 0 {
		log = "no Go version of a kernel in this PTX; add one with Sim.AddKernel"
	}
	if log != "" {
		return 0, "simulated: " + log, driver.InvalidPTX
	}
	for name, f := range found {
		h := driver.Function(s.handle())
		m.functions[name] = h
		s.mu.functions[h] = f
	}
	h := driver.Module(s.handle())
	s.mu.modules[h] = m
	return h, "", driver.Success
}

// find returns the kernels of an image, with the lock held, or what is wrong with it.
func (s *Sim) find(m *simModule, image []byte) (found map[string]*simFunction, log string) {
	found = map[string]*simFunction{}
	text := ptx.Kernels(image)
	for _, k := range text {
		known := s.mu.kernels[k.Name]
		if known == nil {
			m.strange = append(m.strange, k.Name)
			continue
		}
		params := make([]int, len(k.Params))
		for i, p := range k.Params {
			params[i] = p.Bytes
		}
		if known.Params != nil && !slices.Equal(known.Params, params) {
			return nil, fmt.Sprintf("kernel %q has parameters of %v bytes, in Go they are of %v", k.Name, params, known.Params)
		}
		found[k.Name] = &simFunction{known, params, m}
	}
	if len(text) > 0 {
		return found, ""
	}
	for name, k := range s.mu.kernels {
		if bytes.Contains(image, []byte(name)) {
			found[name] = &simFunction{k, k.Params, m}
		}
	}
	return found, ""
}

// ModuleUnload is of the driver.
func (s *Sim) ModuleUnload(h driver.Module) driver.Result {
	s.mu.Lock()
	defer s.mu.Unlock()
	const call = "cuModuleUnload"
	if d, r := s.enter(call); d == nil {
		return r
	}
	m := s.mu.modules[h]
	if m == nil {
		return s.violate(driver.InvalidHandle, "%s: there is no module %#x", call, h)
	}
	for _, f := range m.functions {
		delete(s.mu.functions, f)
	}
	delete(s.mu.modules, h)
	return driver.Success
}

// ModuleGetFunction is of the driver.
func (s *Sim) ModuleGetFunction(h driver.Module, name string) (driver.Function, driver.Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	const call = "cuModuleGetFunction"
	if _, r := s.enter(call); r != driver.Success {
		return 0, r
	}
	m := s.mu.modules[h]
	if m == nil {
		return 0, s.violate(driver.InvalidHandle, "%s: there is no module %#x", call, h)
	}
	f, is := m.functions[name]
	if slices.Contains(m.strange, name) {
		return 0, s.violate(driver.NotFound, "%s: nobody has said what kernel %q does: call AddKernel", call, name)
	}
	if !is {
		return 0, driver.NotFound
	}
	return f, driver.Success
}

func (s *Sim) function(call string, h driver.Function) (*simFunction, driver.Result) {
	d, r := s.enter(call)
	if r != driver.Success {
		return nil, r
	}
	f := s.mu.functions[h]
	if f == nil || f.of.dev != d {
		return nil, s.violate(driver.InvalidHandle, "%s: there is no kernel %#x in this context", call, h)
	}
	return f, driver.Success
}

// FuncGetParamInfo is of the driver.
func (s *Sim) FuncGetParamInfo(h driver.Function, index int) (uint64, driver.Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, r := s.function("cuFuncGetParamInfo", h)
	switch {
	case r != driver.Success:
		return 0, r
	case index >= len(f.params):
		return 0, driver.InvalidValue
	}
	return uint64(f.params[index]), driver.Success
}

// OccupancyMaxPotentialBlockSize is of the driver.
func (s *Sim) OccupancyMaxPotentialBlockSize(h driver.Function, _ uint64) (minGrid, block int, r driver.Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, r = s.function("cuOccupancyMaxPotentialBlockSize", h)
	return 4, 128, r
}

// LaunchKernel is of the driver.
func (s *Sim) LaunchKernel(h driver.Function, shape driver.Shape, sh driver.Stream, values []uint64) driver.Result {
	s.mu.Lock()
	defer s.mu.Unlock()
	const call = "cuLaunchKernel"
	f, r := s.function(call, h)
	if r != driver.Success {
		return r
	}
	d := f.of.dev
	st, r := s.stream(call, d, sh)
	if r != driver.Success {
		return r
	}
	threads := int64(1)
	for _, n := range []uint32{shape.GridX, shape.GridY, shape.GridZ, shape.BlockX, shape.BlockY, shape.BlockZ} {
		threads *= int64(n)
	}
	if perBlock := int64(shape.BlockX) * int64(shape.BlockY) * int64(shape.BlockZ); threads == 0 || perBlock > maxThreads || shape.SharedBytes > maxShared {
		return driver.InvalidValue
	}
	if len(values) != len(f.params) {
		return s.violate(driver.InvalidValue, "%s: %d arguments for %d parameters", call, len(values), len(f.params))
	}
	args := append([]uint64(nil), values...)
	st.push(func() error {
		err := f.Run(threads, args, func(at uint64, n int64) ([]byte, error) {
			return s.reach(call, d, driver.Pointer(at), uint64(n))
		})
		if err != nil {
			return fmt.Errorf("kernel: %w", err)
		}
		return nil
	})
	return driver.Success
}

// reach returns device or pinned memory at the moment a kernel comes to use it. Pinned
// memory has one address on both sides.
func (s *Sim) reach(call string, d *simDevice, at driver.Pointer, n uint64) ([]byte, error) {
	if n == 0 {
		return nil, nil
	}
	s.mu.Lock()
	for _, h := range s.mu.pinned {
		off := uint64(at) - uint64(uintptr(unsafe.Pointer(&h.mem[0])))
		if size := uint64(len(h.mem)); off < size && n <= size-off {
			defer s.mu.Unlock()
			return h.mem[off:][:n], nil
		}
	}
	s.mu.Unlock()
	return s.bytes(call, d, at, n)
}
