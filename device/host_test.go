package device_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/device/devicetest"
)

func TestTheHostDeviceIsADevice(t *testing.T) {
	for _, c := range []struct {
		name string
		opts device.HostOptions
	}{
		{"as it comes", device.HostOptions{DeviceMemory: 64 << 20, PinnedMemory: 64 << 20}},
		{"with one worker", device.HostOptions{DeviceMemory: 64 << 20, PinnedMemory: 64 << 20, Workers: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			faults := map[device.Device]*device.Faults{}
			devicetest.Run(t, func(t *testing.T) device.Device {
				opts := c.opts
				opts.Faults = new(device.Faults)
				d, err := device.NewHost(opts)
				errIs(t, err, nil)
				faults[d] = opts.Faults
				return d
			}, devicetest.Caps{
				Faults: func(d device.Device) devicetest.Faults { return devicetest.HostFaults(faults[d]) },
				Break: func(d device.Device) error {
					d.(*device.Host).Fail(errTest)
					return nil
				},
				ExactMemory: true,
			})
		})
	}
}

// Without faults, what has nothing before it on its stream is done at once.
func TestTheHostDeviceIsADeviceWithoutFaults(t *testing.T) {
	devicetest.Run(t, func(t *testing.T) device.Device {
		d, err := device.NewHost(device.HostOptions{DeviceMemory: 64 << 20, PinnedMemory: 64 << 20})
		errIs(t, err, nil)
		return d
	}, devicetest.Caps{
		Break: func(d device.Device) error {
			d.(*device.Host).Fail(errTest)
			return nil
		},
		ExactMemory: true,
	})
}

func TestNegativeOptionsAreRefusedByName(t *testing.T) {
	for name, opts := range map[string]device.HostOptions{
		"DeviceMemory": {DeviceMemory: -1},
		"PinnedMemory": {PinnedMemory: -1},
		"Workers":      {Workers: -1},
	} {
		if _, err := device.NewHost(opts); err == nil || !strings.Contains(err.Error(), name+" is -1") {
			t.Errorf("%s: %v", name, err)
		}
	}
	d := newHost(t, device.HostOptions{})
	if _, err := d.NewStream(device.StreamOptions{Priority: 7}); err == nil || !strings.Contains(err.Error(), "priority 7") {
		t.Errorf("priority 7: %v", err)
	}
	if _, err := d.Memory(device.InHost); err == nil {
		t.Error("the device has a limit for ordinary memory")
	}
}

func TestTheZeroOptionsWork(t *testing.T) {
	d := newHost(t, device.HostOptions{})
	if p := d.Properties(); p.Name != "host" || p.Workers != runtime.GOMAXPROCS(0) {
		t.Errorf("%+v", p)
	}
	for _, place := range []device.Place{device.InDevice, device.InPinned} {
		if info, err := d.Memory(place); err != nil || info.Total < 64<<20 || info.Free != info.Total {
			t.Errorf("%v: %+v, %v", place, info, err)
		}
	}
	a, b := newStream(t, d, ""), newStream(t, d, "")
	if a.Name() == "" || a.Name() == b.Name() {
		t.Errorf("streams without a name are called %q and %q", a.Name(), b.Name())
	}
}

func TestTheLimitIsExactAndPerPlace(t *testing.T) {
	d := newHost(t, device.HostOptions{DeviceMemory: 1_000_000, PinnedMemory: 1000})
	s := newStream(t, d, "s")
	all, err := s.Alloc(1_000_000)
	errIs(t, err, nil)
	_, err = s.Alloc(1)
	errIs(t, err, device.ErrOutOfMemory)
	want := `device "host": stream "s": allocation of 1 bytes of device memory: out of device memory: asked for 1 bytes, 0 of 1000000 are free`
	if err.Error() != want {
		t.Errorf("error is %q, want %q", err, want)
	}
	pinned, err := d.AllocPinned(1000)
	errIs(t, err, nil)
	_, err = d.AllocPinned(1)
	errIs(t, err, device.ErrOutOfMemory)
	errIs(t, s.Free(all), nil)
	errIs(t, s.Free(pinned), nil)
}

func TestFunctionsReachDeviceMemory(t *testing.T) {
	d := newHost(t, device.HostOptions{})
	s := newStream(t, d, "s")
	b, err := s.Alloc(100)
	errIs(t, err, nil)
	errIs(t, s.Fill(b.All(), 20), nil)
	errIs(t, s.Do("add", func() error {
		for i := range d.Bytes(b) {
			d.Bytes(b)[i]++
		}
		return nil
	}), nil)
	got := make([]byte, 100)
	errIs(t, s.Copy(device.Bytes(got), b.All()), nil)
	errIs(t, s.Free(b), nil)
	mustSync(t, s)
	if !bytes.Equal(got, bytes.Repeat([]byte{21}, 100)) {
		t.Errorf("%v", got)
	}
}

// atWork returns how many goroutines work for streams.
func atWork() int {
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	n := 0
	for stack := range bytes.SplitSeq(stacks, []byte("\n\n")) {
		// Not those of tests before, which may still be about to end.
		if bytes.Contains(stack, []byte("synctest bubble")) {
			n += bytes.Count(stack, []byte(".(*hostStream).work(")) + bytes.Count(stack, []byte(".(*copier).work("))
		}
	}
	return n
}

func TestAnIdleStreamHasNoGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newHost(t, device.HostOptions{Workers: 4})
		block := make([]byte, 8<<20)
		var streams [50]device.Stream
		for i := range streams {
			streams[i] = newStream(t, d, fmt.Sprint(i))
			errIs(t, streams[i].Fill(device.Bytes(block[:1000]), 1), nil)
			mustSync(t, streams[i])
		}
		errIs(t, streams[0].Fill(device.Bytes(block), 1), nil) // by several
		mustSync(t, streams[0])
		synctest.Wait()
		if n := atWork(); n > 0 {
			t.Errorf("%d goroutines are left", n)
		}
	})
}

func TestAStreamThatWaitsHasNoGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newHost(t, device.HostOptions{})
		first := newStream(t, d, "first")
		open := make(chan struct{})
		errIs(t, first.Do("gate", func() error { <-open; return nil }), nil)
		begin := first.Record()
		var called atomic.Int32
		var ends []*device.Event
		for i := range 1000 {
			s := newStream(t, d, fmt.Sprint(i))
			errIs(t, s.WaitFor(begin), nil)
			errIs(t, s.Do("count", func() error { called.Add(1); return nil }), nil)
			ends = append(ends, s.Record())
		}
		synctest.Wait()
		if n := atWork(); n != 1 {
			t.Errorf("1000 waiting streams and the one they wait for hold %d goroutines, want 1", n)
		}
		close(open)
		for _, e := range ends {
			errIs(t, e.Wait(context.Background()), nil)
		}
		if n := called.Load(); n != 1000 {
			t.Errorf("%d functions were called", n)
		}
	})
}

func TestAClosedStreamIsForgottenWhenItIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newHost(t, device.HostOptions{})
		idle, busy := newStream(t, d, "idle"), newStream(t, d, "busy")
		open := make(chan struct{})
		errIs(t, busy.Do("gate", func() error { <-open; return nil }), nil)
		errIs(t, idle.Close(), nil)
		errIs(t, busy.Close(), nil)
		if n := d.Open(); n != 1 {
			t.Errorf("the device knows %d streams, want the one that is busy", n)
		}
		close(open)
		synctest.Wait()
		if n := d.Open(); n != 0 {
			t.Errorf("the device knows %d streams", n)
		}
	})
}

func TestAFunctionThatLeavesByGoexitIsAFailure(t *testing.T) {
	d := newHost(t, device.HostOptions{})
	s := newStream(t, d, "s")
	errIs(t, s.Do("leaves", func() error { runtime.Goexit(); return nil }), nil)
	err := s.Sync(context.Background())
	if err == nil || !strings.Contains(err.Error(), `function "leaves": it called runtime.Goexit`) {
		t.Errorf("error is %v", err)
	}
}

func TestAStreamMayWaitForAnotherDevice(t *testing.T) {
	near, far := newHost(t, device.HostOptions{Name: "near"}), newHost(t, device.HostOptions{Name: "far"})
	a, b := newStream(t, far, "a"), newStream(t, near, "b")
	open := make(chan struct{})
	errIs(t, a.Do("gate", func() error { <-open; return nil }), nil)
	errIs(t, b.WaitFor(a.Record()), nil)
	end := b.Record()
	if done, _ := end.Query(); done {
		t.Error("it did not wait")
	}
	close(open)
	errIs(t, end.Wait(context.Background()), nil)

	stuck := make(chan struct{})
	errIs(t, a.Do("stuck", func() error { <-stuck; return nil }), nil)
	errIs(t, b.WaitFor(a.Record()), nil)
	errIs(t, far.Close(), nil)
	errIs(t, b.Sync(context.Background()), device.ErrClosed)
	close(stuck)
}

func TestAStreamThatWaitsForAnotherDeviceIsNotLostWhenItsOwnFails(t *testing.T) {
	for _, c := range []struct {
		name string
		when func(source *polled, e *device.Event, fail func())
	}{
		{"while it waits", func(source *polled, e *device.Event, fail func()) {
			go func() {
				synctest.Wait()
				fail()
			}()
		}},
		{"when it begins to wait", func(source *polled, e *device.Event, fail func()) { source.poll = fail }},
		{"before the event comes", func(source *polled, e *device.Event, fail func()) {
			source.poll = func() {
				fail()
				e.Complete(nil)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newHost(t, device.HostOptions{})
				s := newStream(t, d, "s")
				b, err := s.Alloc(1000)
				errIs(t, err, nil)
				open := make(chan struct{})
				errIs(t, s.Do("gate", func() error { <-open; return nil }), nil)
				var source polled
				e := device.NewEvent("far", &source)
				errIs(t, s.WaitFor(e), nil)
				end := s.Record()
				errIs(t, s.Free(b), nil)
				c.when(&source, e, func() { d.Fail(errTest) })
				close(open)
				errIs(t, end.Wait(context.Background()), errTest)
				synctest.Wait()
				if info, _ := d.Memory(device.InDevice); info.Free != info.Total {
					t.Errorf("%+v: what was freed behind the wait is still in use", info)
				}
				if n := atWork(); n > 0 {
					t.Errorf("%d goroutines are left", n)
				}
			})
		})
	}
}

func TestABrokenDeviceNamesTheOperation(t *testing.T) {
	var faults device.Faults
	d := newHost(t, device.HostOptions{Faults: &faults})
	s, other := newStream(t, d, "s"), newStream(t, d, "other")
	faults.Break(device.OpFill, 2, errTest)
	host := make([]byte, 10)
	errIs(t, s.Fill(device.Bytes(host), 1), nil)
	errIs(t, s.Fill(device.Bytes(host), 2), nil)
	for _, s := range []device.Stream{s, other} {
		err := s.Sync(context.Background())
		if s == other {
			err = d.Err()
		}
		want := `device "host" has failed for good: device "host": stream "s": fill of 10 bytes in host: test failure`
		if errIs(t, err, errTest); err.Error() != want {
			t.Errorf("error is %q, want %q", err, want)
		}
	}
	if host[0] != 1 {
		t.Errorf("the operation that broke the device wrote %d", host[0])
	}
}

func TestSteadyStateMapsNoMemory(t *testing.T) {
	if device.Debugging {
		t.Skip("the debug build unmaps what is freed")
	}
	d := newHost(t, device.HostOptions{})
	s := newStream(t, d, "s")
	sizes := []int64{100, 300, 5000, 100_000, 1 << 20, 5_000_000}
	var first int64
	for round := range 100 {
		for _, n := range sizes {
			b, err := s.Alloc(n - int64(round)%10) // of the same size class
			errIs(t, err, nil)
			errIs(t, s.Fill(b.All(), 1), nil)
			errIs(t, s.Free(b), nil)
			mustSync(t, s)
		}
		if round == 0 {
			first = d.Mapped()
		}
	}
	if now := d.Mapped(); now != first {
		t.Errorf("%d bytes are mapped after 100 rounds, %d after the first", now, first)
	}
}

func TestMemoryOfOtherSizesMakesRoom(t *testing.T) {
	const limit = 64 << 20
	d := newHost(t, device.HostOptions{DeviceMemory: limit})
	s := newStream(t, d, "s")
	for n := int64(1 << 20); n < limit; n += 3 << 20 {
		b, err := s.Alloc(n)
		errIs(t, err, nil)
		errIs(t, s.Free(b), nil)
		mustSync(t, s)
		if mapped := d.Mapped(); mapped > limit*5/4 {
			t.Fatalf("%d bytes are mapped for one block of %d, with a limit of %d", mapped, n, limit)
		}
	}
}

func TestCloseGivesTheMemoryBackWhenTheLastOperationIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newHost(t, device.HostOptions{})
		s := newStream(t, d, "s")
		b, err := s.Alloc(1000)
		errIs(t, err, nil)
		open := make(chan struct{})
		errIs(t, s.Do("slow", func() error {
			<-open
			d.Bytes(b)[999]++ // faults if it is gone
			return nil
		}), nil)
		synctest.Wait()
		var leak *device.LeakError
		if err := d.Close(); !errors.As(err, &leak) {
			t.Errorf("Close = %v", err)
		}
		if d.Mapped() == 0 {
			t.Error("the memory is gone while a function uses it")
		}
		close(open)
		synctest.Wait()
		if d.Mapped() != 0 {
			t.Error("the memory is still there")
		}
	})
}

// A free that does not wait for another stream is a mistake. Memory is not reused
// under the other stream all the same, and the debug build says what is wrong.
func TestAFreeThatDoesNotWaitHarmsNobodyElse(t *testing.T) {
	const n = 100_000
	d := newHost(t, device.HostOptions{})
	frees, uses := newStream(t, d, "frees"), newStream(t, d, "uses")
	b, err := frees.Alloc(n)
	errIs(t, err, nil)
	errIs(t, frees.Fill(b.All(), 1), nil)
	errIs(t, uses.WaitFor(frees.Record()), nil)
	open := make(chan struct{})
	errIs(t, uses.Do("gate", func() error { <-open; return nil }), nil)
	got := make([]byte, n)
	errIs(t, uses.Copy(device.Bytes(got), b.All()), nil)
	errIs(t, frees.Free(b), nil)
	err = frees.Sync(context.Background())
	if device.Debugging {
		errIs(t, err, device.ErrInUse)
	} else {
		errIs(t, err, nil)
	}
	other := newStream(t, d, "other")
	for range 20 {
		c, err := other.Alloc(n)
		errIs(t, err, nil)
		errIs(t, other.Fill(c.All(), 2), nil)
		errIs(t, other.Free(c), nil)
	}
	mustSync(t, other)
	close(open)
	mustSync(t, uses)
	if !bytes.Equal(got, bytes.Repeat([]byte{1}, n)) {
		t.Error("the memory was reused while a stream had it to read")
	}
	if info, err := d.Memory(device.InDevice); err != nil || info.Free != info.Total {
		t.Errorf("%+v, %v at the end", info, err)
	}
}
