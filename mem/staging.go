package mem

import (
	"context"
	"sync"

	"github.com/seed14ed4225/sluice/device"
)

// staging lets one at a time take host memory through which bytes go between device
// memory and disk. It is beyond what is reserved, as much as the largest payload that
// takes this way: whoever makes room cannot wait for room.
type staging struct{ token chan struct{} }

func (s *staging) init() { s.token = make(chan struct{}, 1) }

func (s *staging) lock(ctx context.Context) error {
	select {
	case s.token <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *staging) unlock() { <-s.token }

// stage returns host memory for bodies, which nobody is charged for.
func (p *pool) stage(list []share) ([]holding, error) {
	made := make([]holding, 0, len(list))
	for _, l := range list {
		h := holding{kind: Host, n: l.body.n, pool: p}
		if err := h.allocHost(); err != nil {
			takeBack(nil, made, nil, nil)
			return nil, err
		}
		made = append(made, h)
	}
	return made, nil
}

// onHost calls f with the memory of bodies where Go can see it: where they are, or
// copies of what is in device memory.
func (p *pool) onHost(ctx context.Context, list []share, f func([]holding) error) error {
	views := make([]holding, len(list))
	var away []share
	for i, l := range list {
		views[i] = l.body.mu.at
		if views[i].kind == Device {
			away = append(away, l)
		}
	}
	if away == nil {
		return f(views)
	}
	s, err := mover(p, Host, away)
	if err != nil {
		return err
	}
	if err := p.staging.lock(ctx); err != nil {
		return err
	}
	defer p.staging.unlock()
	staged, err := p.stage(away)
	if err != nil {
		return err
	}
	from := make([]holding, len(away))
	for i, l := range away {
		from[i] = l.body.mu.at
	}
	event, err := transfer(ctx, s, staged, from)
	if err != nil {
		for _, l := range away {
			if event != nil {
				l.body.mu.Lock()
				l.body.addRead(s, event)
				l.body.mu.Unlock()
			}
		}
		takeBack(nil, staged, s, event)
		return err
	}
	next := 0
	for i := range views {
		if views[i].kind == Device {
			views[i] = staged[next]
			next++
		}
	}
	err = f(views)
	takeBack(nil, staged, nil, nil)
	return err
}

// streams are those of a resource, for moving memory. They are made when they are needed.
type streams struct {
	mu struct {
		sync.Mutex
		pool   *device.StreamPool
		closed bool
	}
}

// movers is how many streams memory is moved on.
const movers = 2

func (s *streams) stream(d device.Device) (device.Stream, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.closed {
		return nil, ErrClosed
	}
	if s.mu.pool == nil {
		made, err := device.NewStreamPool(d, movers, device.StreamOptions{Name: "memory"})
		if err != nil {
			return nil, err
		}
		s.mu.pool = made
	}
	return s.mu.pool.Stream()
}

func (s *streams) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.closed = true
	if s.mu.pool != nil {
		_ = s.mu.pool.Close() // a stream has nothing to say that its buffers have not
	}
}
