package devicetest

import (
	"context"
	"errors"
	"sync"

	"github.com/seed14ed4225/sluice/device"
)

var closing = []test{
	{"ClosingWakesWhoeverWaitsAndDoesNotWait", func(e *env) {
		s, behind := e.stream("s"), e.stream("behind")
		b := e.alloc(s, 100)
		reached, open := e.gate(s)
		e.come("start of the gate", reached)
		e.ok(s.Free(b)) // is not done yet, but the owner has done his part
		e.ok(behind.WaitFor(s.Record()))
		const waiters = 20
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		errs := make([]error, waiters)
		var all sync.WaitGroup
		for i := range waiters {
			ev := []device.Stream{s, behind}[i%2].Record()
			all.Go(func() { errs[i] = ev.Wait(ctx) })
		}
		e.ok(e.d.Close()) // although the function hangs
		all.Wait()
		for _, err := range errs {
			e.is(err, device.ErrClosed)
		}
		open()
	}},
	{"AClosedDeviceRefusesEverything", func(e *env) {
		s := e.stream("s")
		b, early := e.alloc(s, 10), s.Record()
		e.ok(e.wait(early))
		e.ok(s.Free(b))
		e.ok(e.d.Close())
		e.ok(e.d.Close())
		e.ok(e.wait(early)) // what has completed stays so
		e.is(e.d.Err(), device.ErrClosed)
		e.is(s.Err(), device.ErrClosed)
		e.is(e.sync(s), device.ErrClosed)
		e.is(s.Do("late", func() error { return nil }), device.ErrClosed)
		e.is(s.WaitFor(early), device.ErrClosed)
		e.is(s.Copy(device.Bytes(make([]byte, 1)), device.Bytes(make([]byte, 1))), device.ErrClosed)
		_, err := s.Alloc(1)
		e.is(err, device.ErrClosed)
		_, err = e.d.AllocPinned(1)
		e.is(err, device.ErrClosed)
		_, err = e.d.NewStream(device.StreamOptions{})
		e.is(err, device.ErrClosed)
		e.ok(s.Close())
		if e.d.Properties().Name == "" {
			e.Error("a closed device has no name")
		}
	}},
	{"WhatNobodyFreedIsReported", func(e *env) {
		s := e.stream("s")
		e.alloc(s, 1000)
		e.pinned(s, 24)
		e.ok(s.Free(e.alloc(s, 5)))
		err := e.d.Close()
		var leak *device.LeakError
		if !errors.As(err, &leak) || leak.Blocks != 2 || leak.Bytes != 1024 || leak.Device != e.d.Properties().Name {
			e.Fatalf("Close returned %v, want a leak of 2 blocks of 1024 bytes", err)
		}
	}},
	{"AClosedStreamDoesWhatIsQueued", func(e *env) {
		s := e.stream("s")
		b, late := e.alloc(s, 10), e.alloc(s, 10)
		got := make([]byte, 10)
		_, open := e.gate(s)
		e.ok(s.Fill(b.All(), 8))
		e.ok(s.Copy(device.Bytes(got), b.All()))
		ev := s.Record()
		e.ok(s.Close())
		e.ok(s.Close())
		e.is(s.Fill(b.All(), 1), device.ErrClosed)
		e.is(s.Do("late", func() error { return nil }), device.ErrClosed)
		_, err := s.Alloc(1)
		e.is(err, device.ErrClosed)
		e.ok(s.Free(b)) // behind the copy
		e.pending(ev)
		open()
		e.ok(e.wait(ev))
		if got[9] != 8 {
			e.Error("what was queued was not done")
		}
		e.ok(s.Free(late)) // and on a stream with nothing left to do
		other := e.stream("other")
		kept := e.alloc(other, 10)
		e.ok(other.Fill(kept.All(), 6))
		e.holds(other, kept.All(), 6) // the device does not mind
	}},
	{"AClosedStreamSaysWhenItsFreesAreDone", func(e *env) {
		s := e.stream("s")
		b := e.alloc(s, 10)
		_, open := e.gate(s)
		e.ok(s.Close())
		e.ok(s.Free(b))
		freed := s.Record()
		e.pending(freed)
		open()
		e.ok(e.wait(freed))
		e.ok(e.sync(s)) // and when it has nothing left to do
	}},
	{"AClosedStreamFreesAfterAWaitForOthers", func(e *env) {
		for _, idle := range []bool{true, false} {
			s, reader := e.stream("s"), e.stream("reader")
			b := e.alloc(s, 10)
			e.ok(s.Fill(b.All(), 7))
			e.ok(e.sync(s))
			openOwn := func() {}
			if !idle {
				_, openOwn = e.gate(s)
			}
			_, open := e.gate(reader)
			got := make([]byte, 10)
			e.ok(reader.Copy(device.Bytes(got), b.All()))
			read := reader.Record()
			e.ok(s.Close())
			e.ok(s.WaitFor(read))
			e.ok(s.Free(b))
			freed := s.Record()
			openOwn()
			e.pending(freed)
			open()
			e.ok(e.wait(freed))
			if got[9] != 7 {
				e.Error("memory was freed before another stream had read it")
			}
		}
	}},
	{"AClosedStreamThatWaitsWakesWhenItsDeviceIsClosed", func(e *env) {
		s, gone := e.stream("s"), e.stream("gone")
		elsewhere := device.NewEvent("elsewhere", nil) // of a device that lives on
		e.ok(s.Close())
		e.ok(gone.Close())
		e.ok(s.WaitFor(elsewhere))
		behind := s.Record()
		e.pending(behind)
		e.ok(e.d.Close())
		e.is(e.wait(behind), device.ErrClosed)
		for _, closed := range []device.Stream{s, gone} {
			e.is(e.sync(closed), device.ErrClosed)
			e.is(closed.WaitFor(elsewhere), device.ErrClosed)
		}
		elsewhere.Complete(nil)
	}},
	{"ClosingAmongWorkFromManyGoroutines", func(e *env) {
		const goroutines = 6
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		busy := make(chan struct{}, goroutines)
		errs := make([]error, goroutines)
		var all sync.WaitGroup
		for g := range goroutines {
			s, bytes := e.stream("s"), make([]byte, 70_000)
			all.Go(func() {
				for i := 0; ; i++ {
					if errs[g] = roundTrip(ctx, s, bytes); errs[g] != nil {
						return
					}
					if i == 2 {
						busy <- struct{}{}
					}
				}
			})
		}
		for range goroutines {
			<-busy
		}
		err := e.d.Close()
		var leak *device.LeakError
		if err != nil && !errors.As(err, &leak) { // somebody may be between Alloc and Free
			e.Error(err)
		}
		all.Wait()
		for _, err := range errs {
			e.is(err, device.ErrClosed)
		}
	}},
}

// roundTrip moves some bytes to the device and back. It leaves no garbage: on one processor, collections keep the scheduler
// from noticing that a goroutine and the one that works off its stream let nobody else run.
func roundTrip(ctx context.Context, s device.Stream, bytes []byte) error {
	b, err := s.Alloc(int64(len(bytes)))
	if err != nil {
		return err
	}
	err = s.Copy(b.All(), device.Bytes(bytes))
	if err == nil {
		err = s.Copy(device.Bytes(bytes), b.All())
	}
	return errors.Join(err, s.Free(b), s.Sync(ctx))
}
