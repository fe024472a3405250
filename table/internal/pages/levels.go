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
	src   []byte
	at    int  // a place rather than the rest of src: this is stored for every run
	width uint // bits, at most 32
	left  int  // values wanted yet
}

// next returns io.EOF after the last value wanted, and errRuns when the input
// ends before.
func (r *runs) next() (run, error) {
	if r.left == 0 {
		return run{}, io.EOF
	}
	if r.at >= len(r.src) {
		return run{}, errRuns
	}
	head, n := uint64(r.src[r.at]), 1 // most runs are short
	if head >= 0x80 {
		if head, n = binary.Uvarint(r.src[r.at:]); n <= 0 {
			return run{}, errors.New("malformed run length")
		}
	}
	r.at += n
	if head&1 == 0 {
		return r.repeated(head >> 1)
	}
	return r.packed(head >> 1)
}

func (r *runs) repeated(count uint64) (run, error) {
	size := int(r.width+7) / 8
	if len(r.src)-r.at < size {
		return run{}, errRuns
	}
	var value uint32
	if len(r.src)-r.at >= 4 {
		value = binary.LittleEndian.Uint32(r.src[r.at:]) & (1<<(8*size) - 1)
	} else {
		for i := range size {
			value |= uint32(r.src[r.at+i]) << (8 * i)
		}
	}
	r.at += size
	n := int(min(count, uint64(r.left)))
	r.left -= n
	return run{count: n, value: value}, nil
}

func (r *runs) packed(groups uint64) (run, error) {
	n := int(min(groups, uint64(r.left/8+1))) * 8
	n = min(n, r.left)
	size := (n*int(r.width) + 7) / 8
	if len(r.src)-r.at < size {
		return run{}, errRuns
	}
	found := run{count: n, packed: r.src[r.at:][:size]}
	// Some writers cut the last group short at the end of the page.
	most := uint64(len(r.src) - r.at)
	r.at += int(min(min(groups, most)*uint64(r.width), most))
	r.left -= n
	return found, nil
}

// skip steps over the runs that lie within the next n values, and returns how many of the n the
// run after them has. If it comes to one that is damaged it stays before it.
func (r *runs) skip(n int) (over int) {
	n = min(n, r.left)
	for n > 0 {
		if n -= r.skipShort(n); n == 0 {
			return 0
		}
		before := *r
		stretch, err := r.next()
		if err != nil || stretch.count > n {
			*r = before
			return n
		}
		n -= stretch.count
	}
	return 0
}

// skipShort steps over as many of the runs within the next n values as repeat a value and have a head of one byte,
// which are what there are most of, and returns how many values they have.
func (r *runs) skipShort(n int) (skipped int) {
	src, at, step := r.src, r.at, 1+int(r.width+7)/8
	for len(src)-at >= step && src[at]&0x81 == 0 {
		count := int(src[at] >> 1)
		if count > n-skipped {
			break
		}
		skipped += count
		at += step
	}
	r.at, r.left = at, r.left-skipped
	return skipped
}

// unpackFrom unpacks values of width bits that lie after the first skip. Those lie
// in groups of eight, which begin at whole bytes.
func unpackFrom(dst []int32, skip int, packed []byte, width uint) {
	packed = packed[skip/8*int(width):]
	if skip %= 8; skip > 0 {
		var group [8]int32
		n := min(8, skip+len(dst))
		bitpack.Unpack(group[:n], padded(packed), width)
		dst = dst[copy(dst, group[skip:n]):]
		if len(dst) == 0 {
			return
		}
		packed = packed[width:]
	}
	bitpack.Unpack(dst, padded(packed), width)
}

// padded gives the bit unpacker the bytes beyond b that it may load, though it
// does not use them.
func padded(b []byte) []byte {
	if cap(b)-len(b) >= bitpack.PaddingInt64 {
		return b
	}
	return append(make([]byte, 0, len(b)+bitpack.PaddingInt64), b...)
}

// decodeLevels reads n definition levels of a flat optional column after the first
// skip, one bit each: set where there is a value. Bits are written into the bitmap
// from offset on; how many are set is returned, and how many were before them.
func decodeLevels(bitmap []byte, offset, skip, n int, src []byte) (before, set int, err error) {
	r := runs{src: src, width: 1, left: skip + n}
	for {
		stretch, err := r.next()
		if err != nil {
			if errors.Is(err, io.EOF) {
				return before, set, nil
			}
			return 0, 0, err
		}
		if stretch.value > 1 && stretch.packed == nil {
			return 0, 0, fmt.Errorf("definition level %d in a flat column", stretch.value)
		}
		over := min(skip, stretch.count)
		before += stretch.ones(0, over)
		if n := stretch.count - over; n > 0 {
			set += stretch.ones(over, n)
			if stretch.packed != nil {
				bitutil.CopyBitmap(stretch.packed, over, n, bitmap, offset)
			} else {
				bitutil.SetBitsTo(bitmap, int64(offset), int64(n), stretch.value == 1)
			}
			offset += n
		}
		skip -= over
	}
}

// ones counts the ones among n values of one bit from a place on.
func (r run) ones(from, n int) int {
	if r.packed != nil {
		return bitutil.CountSetBits(r.packed, from, n)
	}
	return n * int(r.value)
}

// allPresent reports whether the levels are one run of n values, none null: the
// usual case, in which no bitmap is needed.
func allPresent(n int, src []byte) bool {
	r := runs{src: src, width: 1, left: n}
	stretch, err := r.next()
	return err == nil && stretch.packed == nil && stretch.value == 1 && stretch.count == n
}
