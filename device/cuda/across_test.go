package cuda_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/device/cuda"
	"github.com/seed14ed4225/sluice/device/cuda/cudatest"
)

// errBroken is what makes a host device fail.
var errBroken = errors.New("broken")

// A pair is two devices, one of which waits for the other.
type pair struct {
	waits, other device.Device
	fail         func() // makes the other fail for good
}

// pairs are the ways in which devices of two kinds, or two of one, can wait for each other.
var pairs = map[string]func(t *testing.T) pair{
	"cuda for cuda": func(t *testing.T) pair {
		sim := newSim(t, cudatest.Options{Devices: 2})
		return pair{openAt(t, sim, 0), openAt(t, sim, 1), func() { sim.Break(1, 700) }}
	},
	"cuda for host": func(t *testing.T) pair {
		host := newHost(t)
		return pair{openAt(t, newSim(t, cudatest.Options{}), 0), host, func() { host.Fail(errBroken) }}
	},
	"host for cuda": func(t *testing.T) pair {
		sim := newSim(t, cudatest.Options{})
		return pair{newHost(t), openAt(t, sim, 0), func() { sim.Break(0, 700) }}
	},
	"cuda for the same GPU opened twice": func(t *testing.T) pair {
		sim := newSim(t, cudatest.Options{})
		return pair{openAt(t, sim, 0), openAt(t, sim, 0), nil} // one context: both fail
	},
}

func openAt(t *testing.T, sim *cudatest.Sim, ordinal int) *cuda.Device {
	t.Helper()
	d, err := sim.Open(ordinal, cuda.Options{})
	errIs(t, err, nil)
	t.Cleanup(func() { errIs(t, d.Close(), nil) })
	return d
}

func newHost(t *testing.T) *device.Host {
	t.Helper()
	d, err := device.NewHost(device.HostOptions{})
	errIs(t, err, nil)
	t.Cleanup(func() { errIs(t, d.Close(), nil) })
	return d
}

// held queues a gate and a fill on one stream of the other device, and on a stream of the device
// that waits something behind it, whose event it returns.
func (p pair) held(t *testing.T) (behind *device.Event, ran *atomic.Bool, open func(), s device.Stream) {
	t.Helper()
	s = newStream(t, p.waits, "waits")
	other := newStream(t, p.other, "other")
	opened, ran := make(chan struct{}), &atomic.Bool{}
	var before atomic.Bool
	errIs(t, other.Do("gate", func() error { <-opened; before.Store(true); return nil }), nil)
	b, err := other.Alloc(100)
	errIs(t, err, nil)
	errIs(t, other.Fill(b.All(), 1), nil) // so that the driver has a part in it
	errIs(t, other.Free(b), nil)
	errIs(t, s.WaitFor(other.Record()), nil)
	errIs(t, s.Do("behind", func() error {
		ran.Store(true)
		if !before.Load() {
			t.Error("it did not wait")
		}
		return nil
	}), nil)
	behind = s.Record()
	if done, err := behind.Query(); done {
		t.Fatalf("it did not wait: %v", err)
	}
	return behind, ran, func() { close(opened) }, s
}

func TestAStreamWaitsForAnEventOfAnotherDevice(t *testing.T) {
	for name, make := range pairs {
		t.Run(name, func(t *testing.T) {
			behind, ran, open, _ := make(t).held(t)
			open()
			errIs(t, behind.Wait(t.Context()), nil)
			if !ran.Load() {
				t.Error("what was behind it was not done")
			}
		})
	}
}

func TestAStreamFailsWhenTheDeviceItWaitsForDoes(t *testing.T) {
	for name, make := range pairs {
		t.Run(name, func(t *testing.T) {
			p := make(t)
			if p.fail == nil {
				t.Skip("one context: both fail")
			}
			behind, ran, open, s := p.held(t)
			p.fail()
			var failed *device.FailedError
			var op *device.OpError
			err := behind.Wait(t.Context()) // although the gate is closed
			if !errors.As(err, &failed) || failed.Device != p.other.Properties().Name || !errors.As(err, &op) || op.Stream != "waits" {
				t.Errorf("error is %v, want one of stream waits because of device %q", err, p.other.Properties().Name)
			}
			open()
			errIs(t, p.waits.Err(), nil)
			if s.Err() == nil || ran.Load() {
				t.Errorf("the stream went on: %v", s.Err())
			}
			mustSync(t, newStream(t, p.waits, "another")) // the device does
		})
	}
}

func TestAStreamFailsWhenTheDeviceItWaitsForIsClosed(t *testing.T) {
	for name, make := range pairs {
		t.Run(name, func(t *testing.T) {
			p := make(t)
			behind, _, open, _ := p.held(t)
			errIs(t, p.other.Close(), nil)
			errIs(t, behind.Wait(t.Context()), device.ErrClosed)
			open()
			errIs(t, p.waits.Err(), nil)
			mustSync(t, newStream(t, p.waits, "another"))
		})
	}
}

func TestADeviceThatEndsWakesAStreamThatWaitsForAnother(t *testing.T) {
	for name, make := range pairs {
		t.Run(name, func(t *testing.T) {
			p := make(t)
			behind, _, open, _ := p.held(t)
			errIs(t, p.waits.Close(), nil)
			errIs(t, behind.Wait(t.Context()), device.ErrClosed) // although the gate is closed
			open()
			errIs(t, p.other.Err(), nil)
		})
	}
}

func TestAClosedDeviceGivesEverythingBackThoughAStreamWaitsForAnother(t *testing.T) {
	sim := cudatest.New(cudatest.Options{})
	d, err := sim.Open(0, cuda.Options{})
	errIs(t, err, nil)
	s := newStream(t, d, "s")
	watched := make(watch, 1)
	never := device.NewEvent("elsewhere", watched)
	errIs(t, s.WaitFor(never), nil)
	b, err := s.Alloc(100)
	errIs(t, err, nil)
	errIs(t, s.Fill(b.All(), 1), nil)
	errIs(t, s.Free(b), nil)
	<-watched
	errIs(t, d.Close(), nil)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	errIs(t, sim.Check(ctx), nil)
	never.Complete(nil)
}

// watch is the source of an event, and tells when somebody waits for it.
type watch chan struct{}

func (w watch) Poll(*device.Event)  {}
func (w watch) Watch(*device.Event) { w <- struct{}{} }
