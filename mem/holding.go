package mem

import (
	"fmt"
	"sync"

	"github.com/seed14ed4225/sluice/device"
	"github.com/seed14ed4225/sluice/internal/arena"
	"github.com/seed14ed4225/sluice/internal/extent"
	"github.com/seed14ed4225/sluice/internal/size"
)

// A holding is memory of one kind, and who pays for it.
type holding struct {
	kind    Kind
	n       int64
	pool    *pool         // it came from; nil if it is unaccounted
	account *account      // that is charged with n bytes, or with what stored says; may be nil
	bytes   []byte        // of Host and Pinned, as Go sees them
	piece   arena.Piece   // behind Host memory of a pool
	block   *device.Block // of Device and Pinned
	stored  *stored       // of Disk
	off     int64         // where in that
}

// span returns bytes for a stream to work on. There are none on disk.
func (h *holding) span(off, n int64) device.Span {
	if h.block != nil {
		return h.block.Span(off, n)
	}
	return device.Bytes(h.bytes[off : off+n : off+n])
}

// allocate takes memory from the reservation, and charges it to an account, nil being
// the reservation's. A nil reservation takes memory that nobody counts. on is needed for
// Device and Pinned.
func (res *Reservation) allocate(k Kind, n int64, on device.Stream, a *account) (holding, error) {
	h := holding{kind: k, n: n}
	if n < 0 {
		return h, fmt.Errorf("mem: %d bytes of %v memory: a size cannot be negative", n, k)
	}
	if err := res.allocates(k, on); err != nil {
		return h, err
	}
	if res != nil {
		var err error
		if h.account, err = res.chargeTo(a, k, n); err != nil {
			return h, err
		}
		h.pool = res.account.scope.pool
	}
	var err error
	switch k {
	case Device, Pinned:
		if h.block, err = res.allocBlock(k, n, on, h.account); err != nil {
			return holding{}, err // nothing is charged
		}
		h.bytes = h.block.Bytes()
	default:
		if err = h.allocHost(); err != nil {
			if res != nil {
				res.unchargeFrom(h.account, k, n)
			}
			return holding{}, err
		}
	}
	return h, nil
}

// allocates returns why memory of a kind cannot be allocated by way of a stream.
func (res *Reservation) allocates(k Kind, on device.Stream) error {
	switch {
	case k >= Disk:
		return fmt.Errorf("mem: nothing can be allocated in %v: allocate in memory, and spill", k)
	case k == Host:
		return nil
	case on == nil:
		return fmt.Errorf("mem: %v memory needs a stream to be allocated on: %w", k, ErrNoStream)
	case res != nil && on.Device() != res.account.scope.device:
		return fmt.Errorf("mem: stream %q is of device %q, the memory of the reservation of device %q: use a stream of that",
			on.Name(), on.Device().Properties().Name, res.account.scope.device.Properties().Name)
	}
	return nil
}

func (h *holding) allocHost() error {
	switch {
	case h.n == 0:
	case h.pool == nil:
		h.bytes = arena.Make(h.n)
	default:
		piece, ok := h.pool.host.Alloc(h.n)
		if !ok {
			return fmt.Errorf("mem: the system has no %s of host memory left, though the limit allows it; lower the limit: %w",
				size.Format(h.n), ErrNoMemory)
		}
		h.piece, h.bytes = piece, piece.Bytes
	}
	return nil
}

// stored is what lies on disk in one extent, of one buffer or of several that were
// spilled together.
type stored struct {
	extent  *extent.Extent
	account *account
	charged int64

	mu struct {
		sync.Mutex
		bodies int // that lie in it
	}
}

// release is called for each body that lies in it no more.
func (s *stored) release() {
	s.mu.Lock()
	s.mu.bodies--
	last := s.mu.bodies == 0
	s.mu.Unlock()
	if last {
		s.extent.Free() // if it was not read
		s.account.refund(Disk, s.charged)
	}
}
