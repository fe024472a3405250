package mem

import (
	"context"
	"sync"
)

// Spilled is several buffers in slower memory, as one: on disk they share an extent. It
// is used up by Restore or Release. Methods are safe for concurrent use.
type Spilled struct {
	label string
	size  int64

	mu struct {
		sync.Mutex
		buffers []*Buffer
		busy    bool // a call moves them
		gone    bool
	}
}

// SpillBuffers moves buffers together to a slower kind of memory, of which res must have
// [Need] of their size left; what res has of several kinds is tried fastest first.
// Buffers that are as slow or slower already stay where they are, and come along. Where there
// is not enough for all, those of one kind are moved. The label says in errors what they
// belong to.
//
// On success the buffers belong to the Spilled, and the caller's references are gone.
// On an error they are untouched: [ErrShared] if there are references or slices besides
// those given, [ErrPending] if a call uses one of them, and the errors of [Buffer.Spill].
func SpillBuffers(ctx context.Context, res *Reservation, label string, buffers ...*Buffer) (*Spilled, error) {
	list := shares(buffers)
	for i := range list {
		l := &list[i]
		l.sole = true
		l.body.mu.Lock()
		err := l.movable()
		l.body.mu.Unlock()
		if err != nil {
			return nil, err
		}
	}
	if _, err := spill(ctx, res, label, list); err != nil {
		return nil, err
	}
	s := &Spilled{label: label}
	for _, b := range buffers {
		s.size += b.n
	}
	s.mu.buffers = handOver(buffers)
	return s, nil
}

// handOver gives the references of buffers to new ones.
func handOver(buffers []*Buffer) []*Buffer {
	list := make([]*Buffer, len(buffers))
	for i, b := range buffers {
		o := b.lock()
		list[i] = &Buffer{body: o, off: b.off, n: b.n, refs: 1}
		list[i].trace.allocated()
		b.refs--
		b.trace.released()
		o.mu.Unlock()
	}
	return list
}

// begin makes the caller the only one who moves them.
func (s *Spilled) begin() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.mu.gone:
		return ErrConsumed
	case s.mu.busy:
		return ErrPending
	}
	s.mu.busy = true
	return nil
}

// end ends what begin began, and releases the buffers if somebody wanted that meanwhile.
func (s *Spilled) end() {
	s.mu.Lock()
	s.mu.busy = false
	var released []*Buffer
	if s.mu.gone {
		released, s.mu.buffers = s.mu.buffers, nil
	}
	s.mu.Unlock()
	for _, b := range released {
		b.Release()
	}
}

// Spill moves them on to a kind that is slower still, as [Buffer.Spill] does.
func (s *Spilled) Spill(ctx context.Context, res *Reservation) (freed int64, err error) {
	if s.begin() != nil {
		return 0, nil
	}
	defer s.end()
	return spill(ctx, res, s.label, shares(s.mu.buffers))
}

// Restore moves the buffers to the fastest kind of which res has enough left for all
// that are not there, and gives them to the caller, in the order in which they were
// spilled. They are charged to who reserved res. It waits for the disk and the device.
//
// On an error (ctx, a read, a checksum, the device, an [*OverdrawnError]) the handle stays
// good, and Restore can be tried again. On success it is used up: [ErrConsumed] from
// then on. [ErrPending] says that another call moves them.
func (s *Spilled) Restore(ctx context.Context, res *Reservation) ([]*Buffer, error) {
	if err := s.begin(); err != nil {
		return nil, err
	}
	defer s.end()
	if _, err := restore(ctx, res, shares(s.mu.buffers)); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.gone { // released meanwhile
		return nil, ErrConsumed
	}
	s.mu.gone = true
	restored := handOver(s.mu.buffers)
	s.mu.buffers = nil
	return restored, nil
}

// Release frees them. Once is enough, and after Restore it does nothing.
func (s *Spilled) Release() {
	s.mu.Lock()
	s.mu.gone = true
	if s.mu.busy { // whoever moves them releases them in the end
		s.mu.Unlock()
		return
	}
	released := s.mu.buffers
	s.mu.buffers = nil
	s.mu.Unlock()
	for _, b := range released {
		b.Release()
	}
}

// Content returns what they own, where it is now.
func (s *Spilled) Content() Content {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.gone {
		return Content{}
	}
	return ContentOf(s.mu.buffers...)
}

// Size returns the bytes of all buffers together.
func (s *Spilled) Size() int64 { return s.size }

// Kind returns the slowest kind that one of them is in.
func (s *Spilled) Kind() Kind {
	s.mu.Lock()
	defer s.mu.Unlock()
	var slowest Kind
	for _, b := range s.mu.buffers {
		slowest = max(slowest, b.Kind())
	}
	return slowest
}
