package cuda_test

import (
	"errors"
	"fmt"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/device/cuda"
	"github.com/seed14ed4225/sluice/device/cuda/cudatest"
)

// A program that wants a GPU, and makes do with the host where there is none.
func ExampleOpen() {
	open := func() (device.Device, error) {
		d, err := cuda.Open(0, cuda.Options{})
		if errors.Is(err, cuda.ErrUnavailable) || errors.Is(err, cuda.ErrNoDevice) {
			return device.NewHost(device.HostOptions{})
		}
		return d, err
	}
	d, err := open()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(d.Properties().Name == "cuda:0" || d.Properties().Name == "host", d.Close())
	// Output: true <nil>
}

// A test of a program that works on a GPU, anywhere.
func ExampleOpenDriver() {
	sim := cudatest.New(cudatest.Options{})
	d, err := sim.Open(0, cuda.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	s, err := d.NewStream(device.StreamOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	b, err := s.Alloc(1 << 20)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(d.Properties().Model, b)
	fmt.Println(s.Free(b), d.Close())
	// Output:
	// Simulated GPU block of 1048576 bytes of device memory
	// <nil> <nil>
}
