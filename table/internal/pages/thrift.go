package pages

import (
	"encoding/binary"
	"errors"
	"fmt"
)

var (
	errShort     = errors.New("ends in the middle of its metadata")
	errMalformed = errors.New("malformed metadata")
)

// Types of fields and elements in Thrift's compact protocol.
const (
	thriftStop   = 0
	thriftTrue   = 1
	thriftFalse  = 2
	thriftByte   = 3
	thriftI16    = 4
	thriftI32    = 5
	thriftI64    = 6
	thriftDouble = 7
	thriftBinary = 8
	thriftList   = 9
	thriftSet    = 10
	thriftMap    = 11
	thriftStruct = 12
)

// maxNesting is far above what Parquet's metadata nests, and far below what
// would overflow a stack.
const maxNesting = 32

// thriftSize returns how many bytes of b the one struct at its beginning takes.
//
// It exists to look before decoding: a decoder allocates a list as long as its
// header says, so a header that lies about its length asks for all the memory of
// the machine. Here every element of a list is looked for before anybody makes
// room for it. errShort means that b ends too early, errMalformed that more bytes
// would not help.
func thriftSize(b []byte) (int, error) {
	w := thriftWalk{rest: b}
	if err := w.fields(0); err != nil {
		return 0, err
	}
	return len(b) - len(w.rest), nil
}

type thriftWalk struct{ rest []byte }

func (w *thriftWalk) fields(depth int) error {
	if depth > maxNesting {
		return fmt.Errorf("%w: nested too deep", errMalformed)
	}
	for {
		head, err := w.byte()
		if err != nil {
			return err
		}
		kind := head & 0x0f
		if kind == thriftStop {
			return nil
		}
		if head>>4 == 0 { // the field's number follows instead of the step to it
			if _, err := w.uvarint(); err != nil {
				return err
			}
		}
		if kind == thriftTrue || kind == thriftFalse {
			continue // the type is the value
		}
		if err := w.value(kind, depth); err != nil {
			return err
		}
	}
}

func (w *thriftWalk) value(kind byte, depth int) error {
	switch kind {
	case thriftTrue, thriftFalse, thriftByte:
		return w.skip(1)
	case thriftI16, thriftI32, thriftI64:
		_, err := w.uvarint()
		return err
	case thriftDouble:
		return w.skip(8)
	case thriftBinary:
		n, err := w.uvarint()
		if err != nil {
			return err
		}
		return w.skip(n)
	case thriftList, thriftSet:
		return w.list(depth)
	case thriftMap:
		return w.pairs(depth)
	case thriftStruct:
		return w.fields(depth + 1)
	default:
		return fmt.Errorf("%w: no type %d", errMalformed, kind)
	}
}

func (w *thriftWalk) list(depth int) error {
	head, err := w.byte()
	if err != nil {
		return err
	}
	n := uint64(head >> 4)
	if n == 15 {
		if n, err = w.uvarint(); err != nil {
			return err
		}
	}
	return w.elements(n, depth, head&0x0f)
}

func (w *thriftWalk) pairs(depth int) error {
	n, err := w.uvarint()
	if err != nil || n == 0 {
		return err
	}
	kinds, err := w.byte()
	if err != nil {
		return err
	}
	return w.elements(n, depth, kinds>>4, kinds&0x0f)
}

func (w *thriftWalk) elements(n uint64, depth int, kinds ...byte) error {
	if depth > maxNesting {
		return fmt.Errorf("%w: nested too deep", errMalformed)
	}
	for range n { // ends early enough: each element takes a byte at least
		for _, kind := range kinds {
			if err := w.value(kind, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *thriftWalk) byte() (byte, error) {
	if len(w.rest) == 0 {
		return 0, errShort
	}
	b := w.rest[0]
	w.rest = w.rest[1:]
	return b, nil
}

func (w *thriftWalk) uvarint() (uint64, error) {
	v, n := binary.Uvarint(w.rest)
	switch {
	case n == 0:
		return 0, errShort
	case n < 0:
		return 0, fmt.Errorf("%w: number of more than 64 bits", errMalformed)
	}
	w.rest = w.rest[n:]
	return v, nil
}

func (w *thriftWalk) skip(n uint64) error {
	if n > uint64(len(w.rest)) {
		return errShort
	}
	w.rest = w.rest[n:]
	return nil
}
