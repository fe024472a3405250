package device

import (
	"fmt"
	"sync/atomic"
)

// A Block is memory that a device allocated: device memory by [Stream.Alloc], or
// pinned host memory by [Device.AllocPinned]. Whoever allocated it owns it and gives
// it back with [Stream.Free], exactly once. A block is a handle, not the memory: it may
// be kept after the free, and using it then is an error, not a disaster.
type Block struct {
	spec  BlockSpec
	freed atomic.Bool
	trace trace
}

// A BlockSpec says what a new block is. It is for those who write a device.
type BlockSpec struct {
	Device  Device
	Place   Place
	Size    int64  // bytes
	Address uint64 // as the device knows it
	Bytes   []byte // of pinned memory: as Go sees it
	Native  any    // whatever the device wants to find again
}

// NewBlock makes a block of memory that a device has allocated. It is for those who
// write a device.
func NewBlock(spec BlockSpec) *Block {
	b := new(Block)
	b.init(spec)
	return b
}

func (b *Block) init(spec BlockSpec) {
	b.spec = spec
	b.trace.allocated()
}

// Size returns the bytes that were asked for.
func (b *Block) Size() int64 { return b.spec.Size }

// Place returns where the bytes lie: InPinned or InDevice.
func (b *Block) Place() Place { return b.spec.Place }

// Device returns the device that allocated the block.
func (b *Block) Device() Device { return b.spec.Device }

// Address returns where the block begins, as the device knows it: what a kernel
// is given. It says nothing about whether the process can reach it.
func (b *Block) Address() uint64 { return b.spec.Address }

// Bytes returns pinned memory as Go sees it, and nil for device memory, which only
// the device can reach. Do not touch the bytes while work that uses them is queued,
// nor after the block was freed.
func (b *Block) Bytes() []byte { return b.spec.Bytes }

// Native returns what the device that made the block wants to find again.
func (b *Block) Native() any { return b.spec.Native }

// Span returns n bytes of the block from offset off on, to copy or fill. Whether that
// lies within the block is looked at when the span is used.
func (b *Block) Span(off, n int64) Span { return Span{block: b, off: off, n: n} }

// All returns the whole block as a span.
func (b *Block) All() Span { return b.Span(0, b.Size()) }

// String describes the block for people.
func (b *Block) String() string {
	return fmt.Sprintf("block of %d bytes of %s memory", b.Size(), b.Place())
}

// Retire marks the block as freed, so that every later use is refused. A second
// time it fails with [ErrFreed], and with [ErrForeign] for a block of another device.
// It is for those who write a device: their Stream.Free begins with it.
func (b *Block) Retire(d Device) error {
	if b.spec.Device != d {
		return foreign(b, d)
	}
	if !b.freed.CompareAndSwap(false, true) {
		return fmt.Errorf("%w already%s", ErrFreed, b.trace.story())
	}
	b.trace.retired()
	return nil
}
