package main

import (
	"context"
	"errors"
	"log/slog"

	"github.com/alecthomas/kong"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/plan"
)

// deviceFlags say on which device a job runs, in place of what it says itself.
type deviceFlags struct {
	On deviceFlag `name:"device" placeholder:"DEVICE" help:"The device for nodes that can use one: host, or cuda:0 and so on."`
}

// deviceFlag is the name of a device, empty if the job is to say.
type deviceFlag struct{ plan.DeviceName }

// Decode reads a name. Whether there is such a device shows later.
func (f *deviceFlag) Decode(ctx *kong.DecodeContext) error {
	text, err := valueOf(ctx, "host, or a CUDA device such as cuda:0,")
	if err == nil {
		f.DeviceName, err = plan.ParseDevice(text)
	}
	return err
}

// openDevice opens what the job runs on: nil for the host.
func (f deviceFlags) openDevice(ctx context.Context, job *plan.Job, devices plan.CUDA, log *slog.Logger) (device.Device, error) {
	d, err := await(ctx, func() (device.Device, error) {
		return job.OpenDevice(plan.DeviceOptions{Name: f.On.DeviceName, CUDA: devices, Logger: log})
	})
	var wrong *plan.DeviceError
	if errors.As(err, &wrong) {
		err = usageError{"--device: " + wrong.Err.Error()}
	}
	return d, err
}

// closeDevice ends what a job ran on, after its memory.
func closeDevice(ctx context.Context, d device.Device) error {
	if d == nil {
		return nil
	}
	closing, done := patiently(ctx)
	defer done()
	_, err := await(closing, func() (any, error) { return nil, d.Close() })
	return err
}
