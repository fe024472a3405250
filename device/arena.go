package device

import (
	"sync/atomic"

	"github.com/seed14ed4225/sluice/internal/arena"
)

// hostMemory is the memory of one place of a host device.
type hostMemory struct {
	arena.Arena
	place Place
}

// A hostBlock is a block of a host device with the memory behind it.
type hostBlock struct {
	Block
	mem   []byte
	piece arena.Piece
	from  *hostMemory
	refs  atomic.Int32 // the owner's, and one per use by an operation in flight
}

// release gives up a reference, and the memory with the last. It returns whether
// others are left.
func (b *hostBlock) release() bool {
	if b.refs.Add(-1) > 0 {
		return true
	}
	b.from.Free(b.piece)
	return false
}

func (m *hostMemory) init(p Place, limit int64) {
	m.place = p
	m.Init(limit, limit)
}

func (m *hostMemory) info() MemoryInfo {
	return MemoryInfo{Total: m.Limit(), Free: m.Limit() - m.Used()}
}

// full returns the error for a request that cannot be met.
func (m *hostMemory) full(n int64) error {
	info := m.info()
	return &OutOfMemoryError{Place: m.place, Asked: n, Free: info.Free, Total: info.Total}
}

// alloc returns a block with n bytes behind it.
func (m *hostMemory) alloc(n int64) (*hostBlock, error) {
	piece, ok := m.Alloc(n)
	if !ok {
		return nil, m.full(n)
	}
	return &hostBlock{mem: piece.Bytes, piece: piece, from: m}, nil
}
