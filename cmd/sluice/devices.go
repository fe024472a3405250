package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"text/tabwriter"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/device/cuda"
	"github.com/seed14ed4225/sluice/internal/machine"
	"github.com/seed14ed4225/sluice/internal/size"
	"github.com/seed14ed4225/sluice/plan"
)

type devicesCommand struct{}

func (devicesCommand) Help() string {
	return `The first column is what a job calls the device, or --device. How much memory of
a CUDA device is free is what a program finds that opens it now. The driver is named by the CUDA
version that it is of. Why a device cannot be used, or why there is none, is on the standard error.`
}

func (devicesCommand) Run(ctx context.Context, std streams, has offer) error {
	list, err := await(ctx, func() (deviceList, error) { return listDevices(has.devices) })
	if shown := show(std.out, list.table); shown != nil {
		return errors.Join(shown, err)
	}
	_, _ = io.WriteString(std.err, list.notes) // if it cannot, there is nobody to tell
	return err
}

// A deviceList describes the devices of the machine.
type deviceList struct {
	table string // with a line for each
	notes string // why there is no more than the host, or one cannot be used, a line each
}

// listDevices lists the devices. The error is about a driver that is there and does not work;
// the host is listed all the same.
func listDevices(devices plan.CUDA) (deviceList, error) {
	var text strings.Builder
	lines := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	line := func(cells ...string) { _, _ = fmt.Fprintln(lines, strings.Join(cells, "\t")) } // to memory
	infos, err := devices.Devices()
	header := []string{"device", "model", "memory", "free", "capability", "driver", "PCI", "UUID"}
	if len(infos) == 0 {
		header = header[:3] // what is known of the host
	}
	line(header...)
	line(string(plan.HostDevice), cores(runtime.NumCPU()), size.Rounded(machine.Memory()))
	var notes []string
	for _, info := range infos {
		name := fmt.Sprintf("cuda:%d", info.Ordinal)
		free, err := freeMemory(devices, info.Ordinal)
		if err != nil {
			free = "unknown"
			notes = append(notes, fmt.Sprintf("%s cannot be used: %v\n", name, err))
		}
		line(name, info.Model, size.Rounded(info.Memory), free,
			fmt.Sprintf("%d.%d", info.Capability[0], info.Capability[1]),
			fmt.Sprintf("CUDA %d.%d", info.DriverVersion[0], info.DriverVersion[1]),
			info.PCI, info.UUID)
	}
	_ = lines.Flush() // to memory
	if none := errors.Is(err, cuda.ErrUnavailable) || errors.Is(err, cuda.ErrNoDevice); none {
		notes, err = []string{fmt.Sprintf("no CUDA device: %v\n", err)}, nil
	}
	return deviceList{text.String(), strings.Join(notes, "")}, err
}

func cores(n int) string {
	if n == 1 {
		return "1 core"
	}
	return fmt.Sprintf("%d cores", n)
}

// freeMemory opens a device, as only who has it open is told.
func freeMemory(devices plan.CUDA, ordinal int) (free string, err error) {
	d, err := devices.Open(ordinal, cuda.Options{KeepMemory: 1})
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	info, err := d.Memory(device.InDevice)
	return size.Rounded(info.Free), err
}
