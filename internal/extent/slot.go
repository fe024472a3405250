package extent

import (
	"context"
	"sync"
)

// A slot lets one block be on its way, and has what that takes. A store has as many as
// blocks may be in flight; they are made once and never collected before the store is.
type slot struct {
	codec  codec  // nil when the store does not compress
	staged []byte // a block of data, where the caller's memory does not do
	packed []byte // a compressed block
}

// The staging memory is aligned for direct I/O, and made when it is first needed:
// a store that is given aligned memory and does not compress never has any.

func (t *slot) staging() []byte {
	if t.staged == nil {
		t.staged = alignedMemory(blockSize)
	}
	return t.staged
}

func (t *slot) packing() []byte {
	if t.packed == nil {
		t.packed = alignedMemory(packedMax)
	}
	return t.packed
}

// each cuts data into blocks and calls do for every one, several at once, as far as there
// are slots. After the first failure, or when ctx has ended, it begins no more. It returns
// when the last one that began is over, so that nobody touches data any more.
//
// One goroutine per block is simple, and cheap beside a block. An extent of one block, the
// most frequent, needs none.
func (s *Store) each(ctx context.Context, data span, do func(i int, piece span, t *slot) error) error {
	if data.n <= blockSize {
		t, err := s.slot(ctx)
		if err == nil {
			err = do(0, data, t)
			s.slots <- t
		}
		return err
	}
	var running sync.WaitGroup
	var first failure
	for i := 0; data.n > 0 && first.get() == nil; i++ {
		t, err := s.slot(ctx)
		if err != nil {
			first.set(err)
			break
		}
		piece := data.next(min(data.n, blockSize))
		running.Go(func() {
			first.set(do(i, piece, t))
			s.slots <- t
		})
	}
	running.Wait()
	return first.get()
}

// slot waits for a slot. The context counts also when there is one: calls are cancelled
// between blocks.
func (s *Store) slot(ctx context.Context) (*slot, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case t := <-s.slots:
		return t, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// A failure is the first error of several goroutines.
type failure struct {
	mu struct {
		sync.Mutex
		err error
	}
}

func (f *failure) set(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mu.err == nil {
		f.mu.err = err
	}
}

func (f *failure) get() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mu.err
}
