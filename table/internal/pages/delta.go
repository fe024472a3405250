package pages

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/parquet-go/parquet-go/encoding"
	"github.com/parquet-go/parquet-go/format"
)

// A delta is a page of delta encoded integers: the first of them, and differences between neighbours in blocks, each
// of some parts that have as many bits for every difference as the largest of theirs needs, above the least of the block.
type delta struct {
	count   int
	perPart int
	parts   int // of a block
	first   int64
	blocks  []byte
}

// maxBlock is the most values a block may have. Writers use 128, or a few times that.
const maxBlock = 1 << 16

func newDelta(data []byte) (d delta, err error) {
	var head [4]uint64 // block size, parts, values, the first of them
	for i := range head {
		if head[i], data, err = uvarint(data); err != nil {
			return d, err
		}
	}
	block, parts, count := head[0], head[1], head[2]
	if block == 0 || block > maxBlock || parts == 0 || parts > block || block%parts != 0 {
		return d, fmt.Errorf("delta encoding in blocks of %d values in %d parts", block, parts)
	}
	if count > math.MaxInt {
		return d, errRuns
	}
	return delta{count: int(count), perPart: int(block / parts), parts: int(parts), first: zigzag(head[3]), blocks: data}, nil
}

// each calls do for each part with n differences of so many bits, which are above the least, and returns what follows.
func (d *delta) each(do func(least int64, n int, bits uint, packed []byte)) (rest []byte, err error) {
	data := d.blocks
	for left := d.count - 1; left > 0; {
		var least uint64
		if least, data, err = uvarint(data); err != nil {
			return nil, err
		}
		if len(data) < d.parts {
			return nil, errRuns
		}
		widths := data[:d.parts]
		data = data[d.parts:]
		for _, bits := range widths {
			if left <= 0 {
				break
			}
			if bits > 64 {
				return nil, fmt.Errorf("delta encoded differences of %d bits", bits)
			}
			// The last part may be cut short after its last value.
			n := min(left, d.perPart)
			size := (n*int(bits) + 7) / 8
			if size > len(data) {
				return nil, errRuns
			}
			do(zigzag(least), n, uint(bits), data[:size])
			data = data[min(d.perPart*int(bits)/8, len(data)):]
			left -= d.perPart
		}
	}
	return data, nil
}

// checkDelta walks delta encoded integers without decoding them, and returns how many
// there are, and what follows.
func checkDelta(want wanted, data []byte) (there int, rest []byte, err error) {
	d, err := newDelta(data)
	if err != nil {
		return 0, nil, err
	}
	if err := want.check(uint64(d.count), "delta encoded values"); err != nil {
		return 0, nil, err
	}
	rest, err = d.each(func(int64, int, uint, []byte) {})
	return d.count, rest, err
}

// decodeInt32 decodes integers of 32 bits into dst, which is as long as there are integers. Their delta encoding is
// arithmetic of 32 bits, modulo its range, but there are writers, DuckDB among them, that do it with 64: then differences
// may have 33 bits, and the first of unsigned integers is above any of int32. It comes to the same, but not for
// the decoder of parquet-go, which refuses the one and gets the other wrong.
func decodeInt32(by encoding.Encoding, dst []int32, data []byte) ([]int32, error) {
	if by.Encoding() != format.DeltaBinaryPacked {
		return by.DecodeInt32(dst, data)
	}
	d, err := newDelta(data)
	if err != nil {
		return nil, err
	}
	wide := d.first != int64(int32(d.first))
	if _, err := d.each(func(_ int64, _ int, bits uint, _ []byte) { wide = wide || bits > 32 }); err != nil {
		return nil, err
	}
	if !wide || d.count == 0 {
		return by.DecodeInt32(dst, data)
	}
	last := d.first
	dst[0] = int32(last)
	into := dst[1:]
	_, err = d.each(func(least int64, n int, bits uint, packed []byte) {
		for i := range into[:n] {
			last += least + int64(bitsAt(packed, uint(i)*bits, bits))
			into[i] = int32(last)
		}
		into = into[n:]
	})
	return dst, err
}

// bitsAt returns so many bits, 64 at most, from one on.
func bitsAt(packed []byte, from, bits uint) uint64 {
	at, shift := from/8, from%8
	var word [9]byte
	copy(word[:], packed[at:])
	v := binary.LittleEndian.Uint64(word[:]) >> shift
	v |= uint64(word[8]) << (64 - shift) // 0 if shift is
	return v & (1<<bits - 1)
}

func uvarint(data []byte) (v uint64, rest []byte, err error) {
	v, size := binary.Uvarint(data)
	if size <= 0 {
		return 0, nil, errors.New("malformed delta encoding")
	}
	return v, data[size:], nil
}

func zigzag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }
