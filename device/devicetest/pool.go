package devicetest

import (
	"context"
	"sync"

	"github.com/seed14ed4225/sluice/device"
)

var pool = []test{
	{"APoolGivesItsStreamsInTurn", func(e *env) {
		p := e.pool(3)
		var got [7]device.Stream
		for i := range got {
			got[i] = e.next(p)
		}
		for i := range got {
			for j := range got {
				if (got[i] == got[j]) != (i%3 == j%3) {
					e.Errorf("streams %d and %d: %q and %q", i, j, got[i].Name(), got[j].Name())
				}
			}
			e.ok(e.sync(got[i]))
		}
	}},
	{"AFailedStreamIsReplaced", func(e *env) {
		p := e.pool(1)
		failed := e.next(p)
		e.ok(failed.Do("breaks", func() error { return errTest }))
		e.is(e.sync(failed), errTest)
		fresh := e.next(p)
		if fresh == failed {
			e.Fatal("the pool gave the failed stream again")
		}
		e.ok(e.sync(fresh))
	}},
	{"AClosedPoolHasClosedItsStreams", func(e *env) {
		p := e.pool(2)
		s := e.next(p)
		e.ok(p.Close())
		e.ok(p.Close())
		_, err := p.Stream()
		e.is(err, device.ErrClosed)
		e.is(s.Do("late", func() error { return nil }), device.ErrClosed)
	}},
	{"APoolOfNoStreamsIsRefused", func(e *env) {
		if _, err := device.NewStreamPool(e.d, 0, device.StreamOptions{}); err == nil {
			e.Error("no error")
		}
	}},
	{"APoolOfAClosedDeviceSaysSo", func(e *env) {
		p := e.pool(1)
		e.ok(e.d.Close())
		_, err := p.Stream()
		e.is(err, device.ErrClosed)
	}},
	{"SeveralGoroutinesMayShareAPool", func(e *env) {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		p := e.pool(3)
		var all sync.WaitGroup
		for range 6 {
			all.Go(func() {
				for range 20 {
					s, err := p.Stream()
					if err == nil {
						err = s.Sync(ctx)
					}
					if err != nil {
						e.Error(err)
						return
					}
				}
			})
		}
		all.Wait()
	}},
}

func (e *env) pool(size int) *device.StreamPool {
	e.Helper()
	p, err := device.NewStreamPool(e.d, size, device.StreamOptions{Name: "pool"})
	e.ok(err)
	e.cleanups = append(e.cleanups, func() {
		if err := p.Close(); err != nil {
			e.Errorf("closing the pool: %v", err)
		}
	})
	return p
}

func (e *env) next(p *device.StreamPool) device.Stream {
	e.Helper()
	s, err := p.Stream()
	e.ok(err)
	return s
}
