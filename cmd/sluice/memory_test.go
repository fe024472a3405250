package main

import (
	"context"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed14ed4225/sluice/mem"
)

// stuck is state whose spilling takes until it is let go, whatever happens meanwhile.
type stuck struct{ reached, letGo chan struct{} }

func (s stuck) Content() mem.Content {
	return mem.Content{Bytes: mem.Of(mem.Host, 1), Spillable: true}
}

func (s stuck) Spill(context.Context, *mem.Reservation) (int64, error) {
	close(s.reached)
	<-s.letGo
	return 0, nil
}

func TestAnInterruptedRunWaitsOnlyAMomentForADiskThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var limits [mem.Kinds]mem.Limit
		limits[mem.Host], limits[mem.Disk] = mem.Bytes(1), mem.Bytes(1<<20)
		memory, err := mem.New(mem.Options{Limits: limits, SpillDir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		res, err := memory.Reserve(t.Context(), mem.Host, 1)
		if err != nil {
			t.Fatal(err)
		}
		s := stuck{make(chan struct{}), make(chan struct{})}
		memory.Register(t.Context(), "stuck", s)
		go func() {
			res, err := memory.Reserve(t.Context(), mem.Host, 1)
			if err == nil {
				res.Release()
			}
		}()
		<-s.reached
		res.Release()

		ctx, interrupt := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Hour, func() { interrupt(interruption{syscall.SIGINT}) })
		before := time.Now()
		_ = closeMemory(ctx, memory)
		if got, want := time.Since(before), time.Hour+patience; got != want {
			t.Errorf("it waited %v, want %v", got, want)
		}
		close(s.letGo)
		synctest.Wait()
	})
}
