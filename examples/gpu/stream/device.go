package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/device/cuda"
)

// An opener opens a device by its name, and has it tell the trace what it does.
type opener func(name string, trace device.Trace) (device.Device, error)

// open knows host, cuda:0 and so on, and auto, which is the first GPU if there is one that
// works, and says why where it is not.
func open(name string, trace device.Trace) (device.Device, error) {
	if name == "host" {
		return device.NewHost(device.HostOptions{Trace: trace})
	}
	ordinal, err := ordinalOf(name)
	if err != nil {
		return nil, err
	}
	d, err := cuda.Open(ordinal, cuda.Options{Trace: trace})
	if err == nil {
		return d, nil
	}
	if name != "auto" {
		return nil, err
	}
	if !errors.Is(err, cuda.ErrUnavailable) && !errors.Is(err, cuda.ErrNoDevice) {
		return nil, fmt.Errorf("%w (-device host does without)", err)
	}
	fmt.Fprintf(os.Stderr, "stream: on the host, because there is no GPU: %v\n", err)
	return open("host", trace)
}

func ordinalOf(name string) (int, error) {
	if name == "auto" {
		return 0, nil
	}
	digits, ok := strings.CutPrefix(name, "cuda:")
	n, err := strconv.ParseUint(digits, 10, 31)
	if !ok || err != nil {
		return 0, fmt.Errorf("-device %q: want host, cuda:0, cuda:1 and so on, or auto", name)
	}
	return int(n), nil
}
