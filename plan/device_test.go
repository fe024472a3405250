package plan_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seed14ed4225/sluice"
	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/device/cuda"
	"github.com/seed14ed4225/sluice/device/cuda/cudatest"
	"github.com/seed14ed4225/sluice/internal/machine"
	"github.com/seed14ed4225/sluice/mem"
	"github.com/seed14ed4225/sluice/plan"
)

// gpus are the devices of a simulated driver.
type gpus struct {
	*cudatest.Sim
	infos  []cuda.Info
	opened []int
	err    error // of Devices
}

// simulate makes some, which the test must use rightly and close.
func simulate(t *testing.T, count int) *gpus {
	g := &gpus{Sim: cudatest.New(cudatest.Options{Devices: count})}
	for i := range count {
		g.infos = append(g.infos, cuda.Info{Ordinal: i})
	}
	t.Cleanup(func() {
		if err := g.Check(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return g
}

func (g *gpus) Devices() ([]cuda.Info, error) { return g.infos, g.err }

func (g *gpus) Open(ordinal int, opts cuda.Options) (*cuda.Device, error) {
	g.opened = append(g.opened, ordinal)
	return g.Sim.Open(ordinal, opts)
}

// fill is a kind of node that fills buffers of device memory, keeps them all, and looks
// whether they come back as they were.
type fill struct {
	Buffers int `job:"buffers" doc:"how many, of 1 MiB each"`
}

func (f *fill) Schema([]*arrow.Schema) ([]*arrow.Schema, error) { return nil, nil }

func (f *fill) Add(to *sluice.Network, at plan.Place) error {
	to.Node(at.Name, f.run)
	return nil
}

func (f *fill) run(ctx context.Context) (err error) {
	memory := mem.FromContext(ctx)
	on, err := memory.Device().NewStream(device.StreamOptions{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, on.Close()) }()
	var kept []*mem.Registration
	defer func() {
		for _, r := range kept {
			r.Remove()
		}
	}()
	buffers := make([]*mem.Buffer, f.Buffers)
	for i := range buffers {
		if buffers[i], err = filled(ctx, memory, on, byte(i)); err != nil {
			return err
		}
		defer buffers[i].Release()
		kept = append(kept, memory.Register(ctx, "buffer", buffers[i]))
	}
	for i, b := range buffers {
		kept[i].Remove()
		if err := sameAgain(ctx, memory, b, byte(i)); err != nil {
			return fmt.Errorf("buffer %d: %w", i, err)
		}
		kept[i] = memory.Register(ctx, "buffer", b)
	}
	return nil
}

func filled(ctx context.Context, memory *mem.Resource, on device.Stream, value byte) (*mem.Buffer, error) {
	res, err := memory.Reserve(ctx, mem.Device, 1<<20)
	if err != nil {
		return nil, err
	}
	defer res.Release()
	b, err := res.Alloc(mem.Device, 1<<20, on)
	if err != nil {
		return nil, err
	}
	return b, b.Write(func(s device.Stream, dst device.Span) error { return s.Fill(dst, value) })
}

func sameAgain(ctx context.Context, memory *mem.Resource, b *mem.Buffer, value byte) error {
	res, err := memory.Reserve(ctx, mem.Device, b.RestoreNeed(mem.Device))
	if err != nil {
		return err
	}
	defer res.Release()
	if _, err := b.Restore(ctx, res); err != nil {
		return err
	}
	got := make([]byte, b.Size())
	err = b.Read(nil, func(src device.Span) error { return b.Stream().Copy(device.Bytes(got), src) })
	if err == nil {
		err = b.Stream().Sync(ctx)
	}
	if err == nil && !bytes.Equal(got, bytes.Repeat([]byte{value}, len(got))) {
		err = errors.New("it came back otherwise")
	}
	return err
}

// forDevice is a job of a node for a device and one for the host.
func forDevice(t *testing.T, sections string) *plan.Job {
	t.Helper()
	kinds := append(homemade(), plan.Kind{
		Name: "fill", Memory: []mem.Kind{mem.Device}, Settings: func() plan.Step { return &fill{} },
	})
	job, err := kinds.Parse("job.yaml", []byte(sections+`
nodes:
  fill: {kind: fill, buffers: 16}
  from: {kind: source, columns: x, out: xs}
  to: {kind: sink, in: xs}
`), nil)
	if err != nil {
		t.Fatal(err)
	}
	return job
}

// silent fails the test if anything is logged.
func silent(t *testing.T) *slog.Logger {
	return slog.New(slog.NewTextHandler(complaint{t}, nil))
}

type complaint struct{ t *testing.T }

func (c complaint) Write(p []byte) (int, error) {
	c.t.Errorf("logged: %s", p)
	return len(p), nil
}

func TestAJobWithANodeForADeviceRunsInItsMemory(t *testing.T) {
	g := simulate(t, 2)
	job := forDevice(t, "device: cuda:1\nmemory: {device: 4MiB, pinned: 4MiB, host: 64MiB}")
	d, err := job.OpenDevice(plan.DeviceOptions{CUDA: g, Logger: silent(t)})
	if err != nil {
		t.Fatal(err)
	}
	memory, err := job.Memory(plan.Memory{On: d})
	if err != nil {
		t.Fatal(err)
	}
	if got := memory.Device().Properties().Name; got != "cuda:1" {
		t.Errorf("the memory is of device %q", got)
	}
	if err := job.Run(t.Context(), plan.Env{Memory: memory, Logger: silent(t)}); err != nil {
		t.Error(err)
	}
	used := memory.Stats()
	closed(t, memory)
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	device, pinned := used.Kinds[mem.Device], used.Kinds[mem.Pinned]
	if device.Peak > 4<<20 || device.Spilled < 12<<20 || device.Restored < 12<<20 || pinned.Peak == 0 || pinned.Peak > 4<<20 {
		t.Errorf("16 MiB in 4, and device is %+v, pinned %+v", device, pinned)
	}
	if g.Calls("cuMemAllocFromPoolAsync") == 0 {
		t.Error("no memory was taken of the device")
	}
}

func TestRunOpensTheDeviceOfTheJobAndClosesIt(t *testing.T) {
	for _, sections := range []string{"device: cuda", "device: cuda:0\nmemory: {device: 4MiB}"} {
		g := simulate(t, 1)
		if err := forDevice(t, sections).Run(t.Context(), plan.Env{CUDA: g, Logger: silent(t)}); err != nil {
			t.Errorf("%q: %v", sections, err)
		}
		if len(g.opened) != 1 || g.Calls("cuMemAllocFromPoolAsync") == 0 {
			t.Errorf("%q: devices %v were opened, memory taken %d times", sections, g.opened, g.Calls("cuMemAllocFromPoolAsync"))
		}
	}
}

func TestANodeForADeviceHasTheHostDeviceIfTheJobSaysNothing(t *testing.T) {
	for _, sections := range []string{"", "device:", "device: host", "memory: {device: 4MiB}"} {
		g := simulate(t, 1)
		if err := forDevice(t, sections).Run(t.Context(), plan.Env{CUDA: g, Logger: silent(t)}); err != nil {
			t.Errorf("%q: %v", sections, err)
		}
		if g.Calls("cuInit") != 0 {
			t.Errorf("%q: the driver was asked", sections)
		}
	}
}

func TestLimitsThatAreNotGivenAreThoseOfTheDevice(t *testing.T) {
	tests := []struct {
		about, memory        string
		device, pinned, host int64
	}{
		{"nothing", "", 512 << 20, machine.Memory() / 4, math.MaxInt64},
		{"a share", "memory: {device: 25%, pinned: 1MiB}", 256 << 20, 1 << 20, machine.Memory() / 2},
		{"all of it", "memory: {device: 1GiB, host: 8MiB}", 1 << 30, machine.Memory() / 4, 8 << 20},
	}
	for _, tt := range tests {
		t.Run(tt.about, func(t *testing.T) {
			job := forDevice(t, "device: cuda:0\n"+tt.memory)
			d, err := job.OpenDevice(plan.DeviceOptions{CUDA: simulate(t, 1)})
			if err != nil {
				t.Fatal(err)
			}
			defer closing(t, d)
			memory, err := job.Memory(plan.Memory{On: d})
			if err != nil {
				t.Fatal(err)
			}
			defer closed(t, memory)
			for kind, want := range map[mem.Kind]int64{mem.Device: tt.device, mem.Pinned: tt.pinned, mem.Host: tt.host} {
				if got := memory.Limit(kind); got != want {
					t.Errorf("%v: a limit of %d, want %d", kind, got, want)
				}
			}
		})
	}
}

func closing(t *testing.T, d device.Device) {
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

// TestPinnedMemoryIsLimitedByTheJobAlone: the device's own limit would be a quarter of the
// machine's memory.
func TestPinnedMemoryIsLimitedByTheJobAlone(t *testing.T) {
	d, err := forDevice(t, "device: cuda:0").OpenDevice(plan.DeviceOptions{CUDA: simulate(t, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer closing(t, d)
	if info, err := d.Memory(device.InPinned); err != nil || info.Total < machine.Memory() {
		t.Errorf("got %+v, %v", info, err)
	}
}

func TestALimitIsAtMostWhatTheDeviceHas(t *testing.T) {
	const want = "job.yaml:2:18: memory: device: cuda:0 has 1GiB of memory; say less, a share such as 50%, or unlimited"
	g := simulate(t, 1)
	err := forDevice(t, "device: cuda:0\nmemory: {device: 2GiB}").Run(t.Context(), plan.Env{CUDA: g})
	if fmt.Sprint(err) != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestAJobThatCannotUseItsDeviceSaysSoAndRunsOnTheHost(t *testing.T) {
	g := simulate(t, 1)
	var said strings.Builder
	job := parse(t, "device: cuda:0\nmemory: {device: 2GiB}\nnodes:\n  first: {kind: source, columns: x, out: xs}\n  last: {kind: sink, in: xs}\n")
	if err := job.Run(t.Context(), plan.Env{CUDA: g, Logger: slog.New(slog.NewTextHandler(&said, nil))}); err != nil {
		t.Error(err)
	}
	const want = `job \"job\" runs on the host, not on cuda:0: no node works in device memory (first, last)`
	const limit = `a limit for device memory (2GiB) changes nothing`
	if got := said.String(); strings.Count(got, "\n") != 2 || strings.Count(got, "level=WARN") != 2 || !strings.Contains(got, want) || !strings.Contains(got, limit) {
		t.Errorf("got %s", got)
	}
	if len(g.opened) != 0 {
		t.Errorf("opened %v", g.opened)
	}
}

func TestWhoRunsAJobMaySayOnWhichDevice(t *testing.T) {
	tests := []struct {
		device string
		over   plan.DeviceName
		opened string
		want   string
	}{
		{"", "", "[]", "<nil>"},
		{"", "cuda:1", "[1]", "<nil>"},
		{"cuda:0", "cuda:1", "[1]", "<nil>"},
		{"cuda:7", "cuda", "[0]", "<nil>"},
		{"cuda:7", "host", "[]", "<nil>"},
		{"cuda:7", "", "[]", "job.yaml:1:9: device: there is no cuda:7; have host, cuda:0, cuda:1"},
		{"cuda:0", "cuda:2", "[]", "device: there is no cuda:2; have host, cuda:0, cuda:1"},
		{"cuda:0", "gpu", "[]", `device: unknown device "gpu"; write host, or cuda:0 for the first CUDA device`},
	}
	for _, tt := range tests {
		g := simulate(t, 2)
		d, err := forDevice(t, "device: "+tt.device).OpenDevice(plan.DeviceOptions{Name: tt.over, CUDA: g, Logger: silent(t)})
		if got := fmt.Sprint(err); got != tt.want {
			t.Errorf("%q, %q: got %s, want %s", tt.device, tt.over, got, tt.want)
		}
		if got := fmt.Sprint(g.opened); got != tt.opened || (d != nil) != (tt.opened != "[]") {
			t.Errorf("%q, %q: opened %s, want %s, and got %v", tt.device, tt.over, got, tt.opened, d)
		}
		if d != nil {
			closing(t, d)
		}
		var wrong *plan.DeviceError
		var inJob *plan.JobError
		if err != nil && (errors.As(err, &wrong) != (tt.over != "") || errors.As(err, &inJob) != (tt.over == "")) {
			t.Errorf("%q, %q: an error of type %T", tt.device, tt.over, err)
		}
	}
}

func TestAMachineWithoutDevicesSaysWhy(t *testing.T) {
	g := simulate(t, 0)
	g.err = fmt.Errorf("%w: install a driver", cuda.ErrUnavailable)
	err := forDevice(t, "device: cuda:0").Run(t.Context(), plan.Env{CUDA: g})
	const want = "job.yaml:1:9: device: there is no cuda:0, only host: no CUDA driver to work with: install a driver"
	if fmt.Sprint(err) != want || !errors.Is(err, cuda.ErrUnavailable) {
		t.Errorf("got %v, want %s", err, want)
	}
}

// TestADeviceThatCannotBeOpenedFailsTheRun: running again, when whoever has the device is
// done, may help, so it is no error of the job.
func TestADeviceThatCannotBeOpenedFailsTheRun(t *testing.T) {
	g := simulate(t, 1)
	g.Fail("cuDevicePrimaryCtxRetain", 1, 46)
	err := forDevice(t, "device: cuda:0").Run(t.Context(), plan.Env{CUDA: g})
	var driver *cuda.Error
	var inJob *plan.JobError
	if !errors.As(err, &driver) || driver.Code != 46 || errors.As(err, &inJob) || !strings.HasPrefix(err.Error(), "device cuda:0: ") {
		t.Errorf("got %v", err)
	}
}

func TestDevicesAreNamedByTheirNumber(t *testing.T) {
	for text, want := range map[string]plan.DeviceName{"host": plan.HostDevice, "cuda": "cuda:0", "cuda:0": "cuda:0", "cuda:12": "cuda:12"} {
		if got, err := plan.ParseDevice(text); err != nil || got != want {
			t.Errorf("%q: got %q, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "Host", "gpu", "CUDA:0", "cuda:", "cuda:-1", "cuda:+1", "cuda:01", "cuda:x", "cuda:99999999999", " host"} {
		if got, err := plan.ParseDevice(text); err == nil {
			t.Errorf("%q: got %q", text, got)
		}
	}
}

// blocked is a kind of node that does nothing until the run ends.
type blocked struct{ fill }

func (b *blocked) Add(to *sluice.Network, at plan.Place) error {
	to.Node(at.Name, func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}, sluice.Writes(at.Out...))
	return nil
}

func TestAStallIsReportedWhereWarningsGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kinds := append(homemade(), plan.Kind{Name: "blocked", Writes: plan.One, Settings: func() plan.Step { return &blocked{} }})
		job, err := kinds.Parse("job.yaml", []byte("nodes:\n  from: {kind: blocked, out: xs}\n  to: {kind: sink, in: xs}\n"), nil)
		if err != nil {
			t.Fatal(err)
		}
		var said strings.Builder
		network, err := job.Network(plan.Env{Logger: slog.New(slog.NewTextHandler(&said, nil))})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := network.Run(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(said.String(), "has not moved") {
			t.Errorf("got %v, and it said %q", err, &said)
		}
	})
}
