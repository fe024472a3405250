package device

// Debugging says whether this is the debug build.
const Debugging = debugging

// Mapped returns how many bytes of device memory are mapped.
func (d *Host) Mapped() int64 { return d.device.Mapped() }

// Open returns how many streams the device knows of.
func (d *Host) Open() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.mu.open)
}
