package device

import (
	"fmt"
	"unsafe"
)

// A Span is a run of bytes to copy from, copy to, or fill: a part of a [Block], or
// ordinary memory by way of [Bytes]. It owns nothing. The zero Span is of no bytes.
type Span struct {
	block  *Block // nil for ordinary memory
	host   []byte // of ordinary memory
	off, n int64  // in the block
}

// Bytes returns ordinary memory as a span. What is queued keeps b alive. Its bytes are
// the device's until an event behind the operation has completed.
func Bytes(b []byte) Span { return Span{host: b, n: int64(len(b))} }

// Len returns how many bytes the span is of.
func (s Span) Len() int64 { return s.n }

// Place returns where the bytes lie.
func (s Span) Place() Place {
	if s.block == nil {
		return InHost
	}
	return s.block.Place()
}

// Block returns the block the span is a part of, or nil for ordinary memory.
func (s Span) Block() *Block { return s.block }

// Offset returns where in its block the span begins; 0 for ordinary memory.
func (s Span) Offset() int64 { return s.off }

// Host returns the bytes of ordinary memory, and nil for a part of a block.
func (s Span) Host() []byte { return s.host }

// Address returns where the span begins, as the device knows it.
func (s Span) Address() uint64 {
	if s.block == nil {
		return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(s.host))))
	}
	return s.block.Address() + uint64(s.off)
}

// CheckCopy returns nil if a copy on a device is allowed, else an error that says
// why not: [ErrForeign], [ErrFreed], [ErrOutOfBounds], [ErrLength] or [ErrOverlap].
// It is for those who write a device.
func CheckCopy(d Device, dst, src Span) error {
	if err := CheckFill(d, dst); err != nil {
		return fmt.Errorf("destination: %w", err)
	}
	if err := CheckFill(d, src); err != nil {
		return fmt.Errorf("source: %w", err)
	}
	if dst.n != src.n {
		return fmt.Errorf("%w: %d bytes to copy into %d", ErrLength, src.n, dst.n)
	}
	// Host, pinned and device addresses are one space, also on CUDA.
	if a, b, n := dst.Address(), src.Address(), uint64(dst.n); n > 0 && a < b+n && b < a+n {
		return fmt.Errorf("%w: go through a block in between", ErrOverlap)
	}
	return nil
}

// CheckFill returns nil if the span may be used on a device, else [ErrForeign],
// [ErrFreed] or [ErrOutOfBounds]. It is for those who write a device.
func CheckFill(d Device, s Span) error {
	b := s.block
	switch {
	case b == nil:
		return nil
	case b.spec.Device != d:
		return foreign(b, d)
	case b.freed.Load():
		return fmt.Errorf("%w%s", ErrFreed, b.trace.story())
	case s.off < 0 || s.n < 0 || s.off > b.Size()-s.n:
		return fmt.Errorf("%w: %d bytes from %d on, in a block of %d", ErrOutOfBounds, s.n, s.off, b.Size())
	}
	return nil
}

func foreign(b *Block, d Device) error {
	return fmt.Errorf("%w %q, not of %q: copy by way of host memory", ErrForeign, b.spec.Device.Properties().Name, d.Properties().Name)
}
