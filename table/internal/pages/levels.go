package pages

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/parquet-go/bitpack"
)

var errRuns = errors.New("holds fewer values than its header says")

// A run is a stretch of values in Parquet's hybrid encoding: count times the
// same value, or count values packed in width bits each.
type run struct {
	count  int
	value  uint32
	packed []byte // nil for a repeated value
}

// runs reads the hybrid encoding of run lengths and packed bits. Runs are cut at
// the number of values wanted: a writer rounds packed runs up to eight, and a
// damaged count must not be believed.
type runs struct {
	rest  []byte
	width uint // bits, at most 32
	left  int  // values wanted yet
}

// next returns io.EOF after the last value wanted, and errRuns when the input
// ends before.
func (r *runs) next() (run, error) {
	if r.left == 0 {
		return run{}, io.EOF
	}
	if len(r.rest) == 0 {
		return run{}, errRuns
	}
	head, n := binary.Uvarint(r.rest)
	if n <= 0 {
		return run{}, errors.New("malformed run length")
	}
	r.rest = r.rest[n:]
	if head&1 == 0 {
		return r.repeated(head >> 1)
	}
	return r.packed(head >> 1)
}

func (r *runs) repeated(count uint64) (run, error) {
	size := int(r.width+7) / 8
	if len(r.rest) < size {
		return run{}, errRuns
	}
	var value [4]byte
	copy(value[:], r.rest[:size])
	r.rest = r.rest[size:]
	n := int(min(count, uint64(r.left)))
	r.left -= n
	return run{count: n, value: binary.LittleEndian.Uint32(value[:])}, nil
}

func (r *runs) packed(groups uint64) (run, error) {
	n := int(min(groups, uint64(r.left/8+1))) * 8
	n = min(n, r.left)
	size := (n*int(r.width) + 7) / 8
	if len(r.rest) < size {
		return run{}, errRuns
	}
	found := run{count: n, packed: r.rest[:size]}
	// Some writers cut the last group short at the end of the page.
	most := uint64(len(r.rest))
	r.rest = r.rest[min(min(groups, most)*uint64(r.width), most):]
	r.left -= n
	return found, nil
}

// decodeRuns fills dst from src, the hybrid encoding with values of width bits.
// src must have padding beyond its length, see scratch.
func decodeRuns(dst []int32, src []byte, width uint) error {
	if width == 0 {
		clear(dst)
		return nil
	}
	r := runs{rest: src, width: width, left: len(dst)}
	for {
		stretch, err := r.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		into := dst[:stretch.count]
		dst = dst[stretch.count:]
		if stretch.packed == nil {
			for i := range into {
				into[i] = int32(stretch.value)
			}
			continue
		}
		bitpack.Unpack(into, padded(stretch.packed), width)
	}
}

// padded gives the bit unpacker the bytes beyond b that it may load, though it
// does not use them.
func padded(b []byte) []byte {
	if cap(b)-len(b) >= bitpack.PaddingInt64 {
		return b
	}
	return append(make([]byte, 0, len(b)+bitpack.PaddingInt64), b...)
}

// decodeLevels reads n definition levels of a flat optional column, one bit each:
// set where there is a value. Bits are written into the bitmap from offset on,
// and the number of set ones is returned.
func decodeLevels(bitmap []byte, offset, n int, src []byte) (set int, err error) {
	r := runs{rest: src, width: 1, left: n}
	for {
		stretch, err := r.next()
		if errors.Is(err, io.EOF) {
			return set, nil
		}
		if err != nil {
			return set, err
		}
		switch {
		case stretch.packed != nil:
			bitutil.CopyBitmap(stretch.packed, 0, stretch.count, bitmap, offset)
			set += bitutil.CountSetBits(stretch.packed, 0, stretch.count)
		case stretch.value > 1:
			return set, fmt.Errorf("definition level %d in a flat column", stretch.value)
		default:
			bitutil.SetBitsTo(bitmap, int64(offset), int64(stretch.count), stretch.value == 1)
			set += stretch.count * int(stretch.value)
		}
		offset += stretch.count
	}
}

// allPresent reports whether the levels are one run of n values, none null: the
// usual case, in which no bitmap is needed.
func allPresent(n int, src []byte) bool {
	r := runs{rest: src, width: 1, left: n}
	stretch, err := r.next()
	return err == nil && stretch.packed == nil && stretch.value == 1 && stretch.count == n
}
