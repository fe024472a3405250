package cuda

import (
	"fmt"

	"github.com/seed14ed4225/sluice/device/cuda/internal/driver"
)

// limits are the largest shapes a device launches. Where a number is 0 it is not known, and
// the driver has the say.
type limits struct {
	threads int // of a block
	block   [3]int
	grid    [3]int
	shared  int // bytes of a block
}

// ask asks the driver for the limits of a device.
func (l *limits) ask(d *Device) driver.Result {
	for _, a := range []struct {
		attribute int
		to        *int
	}{
		{driver.AttrMaxThreadsPerBlock, &l.threads},
		{driver.AttrMaxBlockX, &l.block[0]}, {driver.AttrMaxBlockX + 1, &l.block[1]}, {driver.AttrMaxBlockX + 2, &l.block[2]},
		{driver.AttrMaxGridX, &l.grid[0]}, {driver.AttrMaxGridX + 1, &l.grid[1]}, {driver.AttrMaxGridX + 2, &l.grid[2]},
		{driver.AttrMaxSharedPerBlock, &l.shared},
	} {
		var r driver.Result
		if *a.to, r = d.drv.DeviceGetAttribute(a.attribute, d.at); r != driver.Success {
			return r
		}
	}
	return driver.Success
}

// check returns why the device would refuse a shape that has numbers from 1 on.
func (l *limits) check(s Shape) error {
	threads := 1
	for i := range 3 {
		if l.grid[i] > 0 && s.Grid[i] > l.grid[i] {
			return fmt.Errorf("a grid of %v: the device takes at most %v", s.Grid, l.grid)
		}
		if l.block[i] > 0 && s.Block[i] > l.block[i] {
			return fmt.Errorf("blocks of %v: the device takes at most %v, and %d threads together", s.Block, l.block, l.threads)
		}
		threads *= s.Block[i]
	}
	if l.threads > 0 && threads > l.threads {
		return fmt.Errorf("blocks of %v are %d threads: the device takes at most %d", s.Block, threads, l.threads)
	}
	if l.shared > 0 && s.SharedBytes > l.shared {
		return fmt.Errorf("%d bytes of shared memory: the device takes at most %d", s.SharedBytes, l.shared)
	}
	return nil
}
