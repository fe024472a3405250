package device

import (
	"fmt"
	"sync"
)

// A StreamPool hands out a fixed number of streams in turn, for work that should
// overlap but needs no stream to itself. Streams are made when they are first needed and
// shared from then on: what one user queues may wait behind another's work, and if one
// makes a stream fail, everyone who works on it sees the error. After that the pool
// replaces it.
type StreamPool struct {
	device Device
	opts   StreamOptions

	mu struct {
		sync.Mutex
		streams []Stream
		next    int
		closed  bool
	}
}

// NewStreamPool makes a pool of that many streams, named after opts.Name with a number
// behind. Fewer than one is an error. Close the pool when nothing more will be queued on
// its streams.
func NewStreamPool(d Device, size int, opts StreamOptions) (*StreamPool, error) {
	if opts.Name == "" {
		opts.Name = "pool"
	}
	if size < 1 {
		return nil, fmt.Errorf("device %q: pool %q of %d streams: it needs at least 1", d.Properties().Name, opts.Name, size)
	}
	p := &StreamPool{device: d, opts: opts}
	p.mu.streams = make([]Stream, size)
	return p, nil
}

// Stream returns the stream whose turn it is. Do not close it: it belongs to the pool.
// Stream does not wait. It fails with [ErrClosed] after Close, and with the error of
// [Device.NewStream].
func (p *StreamPool) Stream() (Stream, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.closed {
		return nil, &closedError{fmt.Sprintf("device %q: stream pool %q", p.device.Properties().Name, p.opts.Name)}
	}
	i := p.mu.next
	s := p.mu.streams[i]
	if s == nil || s.Err() != nil {
		opts := p.opts
		opts.Name = fmt.Sprintf("%s %d", opts.Name, i+1)
		fresh, err := p.device.NewStream(opts)
		if err != nil {
			return nil, err
		}
		if s != nil {
			if err := s.Close(); err != nil {
				_ = fresh.Close()
				return nil, err
			}
		}
		s, p.mu.streams[i] = fresh, fresh
	}
	p.mu.next = (i + 1) % len(p.mu.streams)
	return s, nil
}

// Close closes the streams, see [Stream]. Closing again does nothing.
func (p *StreamPool) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.closed = true
	var first error
	for i, s := range p.mu.streams {
		if s == nil {
			continue
		}
		p.mu.streams[i] = nil
		if err := s.Close(); err != nil && first == nil {
			first = err
		}
	}
	return first
}
