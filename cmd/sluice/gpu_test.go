package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/device/cuda"
	"github.com/seed14ed4225/sluice/device/cuda/cudatest"
	"github.com/seed14ed4225/sluice/mem"
	"github.com/seed14ed4225/sluice/plan"
)

// simulated are the devices of a simulated driver.
type simulated struct {
	*cudatest.Sim
	count int
}

func simulate(count int) simulated {
	return simulated{cudatest.New(cudatest.Options{Devices: count}), count}
}

func (s simulated) Devices() (infos []cuda.Info, err error) {
	for i := range s.count {
		d, err := s.Open(i, cuda.Options{})
		if err != nil {
			return nil, err
		}
		infos = append(infos, d.Info())
		if err := d.Close(); err != nil {
			return nil, err
		}
	}
	return infos, nil
}

// mainWithGPUs is main on a machine with two simulated GPUs, with a kind of node for them. It
// fails if one was used wrongly, or not closed.
func mainWithGPUs() {
	gpus := simulate(2)
	ctx, stop := interruptible(context.Background())
	status := run(ctx, os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}, offer{append(plan.Builtin(), blankKind), gpus})
	stop()
	if err := gpus.Check(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = 99
	}
	os.Exit(status)
}

// blankKind is of nodes that clear a megabyte of device memory and warn of where that is.
var blankKind = plan.Kind{
	Name: "blank", Summary: "clear device memory",
	Memory:   []mem.Kind{mem.Device, mem.Host},
	Settings: func() plan.Step { return &blank{} },
}

type blank struct{}

func (*blank) Schema([]*arrow.Schema) ([]*arrow.Schema, error) { return nil, nil }

func (*blank) Add(to *sluice.Network, at plan.Place) error {
	to.Node(at.Name, func(ctx context.Context) (err error) {
		memory := mem.FromContext(ctx)
		at.Env.Logger.Warn("cleared on " + memory.Device().Properties().Name)
		on, err := memory.Device().NewStream(device.StreamOptions{})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, on.Close()) }()
		res, err := memory.Reserve(ctx, mem.Device, 1<<20)
		if err != nil {
			return err
		}
		defer res.Release()
		b, err := res.Alloc(mem.Device, 1<<20, on)
		if err != nil {
			return err
		}
		defer b.Release()
		return b.Write(func(s device.Stream, dst device.Span) error { return s.Fill(dst, 0) })
	})
	return nil
}
