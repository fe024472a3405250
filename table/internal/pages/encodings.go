package pages

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sort"

	"github.com/parquet-go/parquet-go/format"
)

// maxBlock is the most values a block of the delta encoding may have. Writers
// use 128, or a few times that.
const maxBlock = 1 << 16

// oldDictionary is what the first version of the format called both the encoding
// of a dictionary and that of codes.
const oldDictionary format.Encoding = 2

func isDictionary(enc format.Encoding) bool {
	return enc == format.RLEDictionary || enc == oldDictionary
}

// lookFirst is how many bytes are worth a look at whether there is something to put
// into them. Values packed in runs have to be walked for it, which takes half as long
// as to decode them.
const lookFirst = 1 << 20

// checkCodes looks for n dictionary codes in data without decoding them, if what they
// stand for takes more than a little memory.
func checkCodes(n, width int, data []byte) error {
	if n == 0 {
		return nil
	}
	if len(data) == 0 {
		return errRuns
	}
	bits := uint(data[0])
	if bits > 32 {
		return fmt.Errorf("index of %d bits", bits)
	}
	if bits == 0 || int64(n)*int64(width) <= lookFirst {
		return nil // of no bits: a dictionary of one entry; some writers leave out the runs
	}
	r := runs{src: data[1:], width: bits, left: n}
	for {
		if _, err := r.next(); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
	}
}

// decodeCodes fills codes with indexes into a dictionary, those of the page after the
// first skip, which checkCodes has seen. Whether they are in range is for the caller to
// check.
func decodeCodes(codes []int32, skip int, p page) error {
	if len(codes) == 0 {
		return nil
	}
	data, bits := p.data[1:], uint(p.data[0])
	if i := sort.Search(len(p.marks), func(i int) bool { return p.marks[i].value > skip }); i > 0 {
		from := p.marks[i-1]
		data, skip = data[from.at:], skip-from.value
	}
	return decodeRuns(codes, skip, data, bits)
}

// A mark is where in the codes of a page a value lies at which a run begins. Runs can
// only be found one after the other; from marks on, pieces of a page need not begin
// with the first.
type mark struct{ value, at int }

// betweenMarks is how many values there are between marks, or more.
const betweenMarks = 4096

// markCodes walks the codes of a page with n values at most. It stops where something
// is wrong; who decodes them finds it again.
func markCodes(n int, data []byte) []mark {
	if n <= betweenMarks || len(data) == 0 || data[0] == 0 || data[0] > 32 {
		return nil
	}
	data, bits := data[1:], uint(data[0])
	var marks []mark
	r := runs{src: data, width: bits, left: n}
	for next := betweenMarks; ; {
		if _, err := r.next(); err != nil {
			return marks
		}
		if value := n - r.left; value >= next {
			marks = append(marks, mark{value: value, at: r.at})
			next = value + betweenMarks
		}
	}
}

// checkFixed looks at encoded values before a decoder does: those wanted must be
// there, and what the encoding's own header says must agree. It returns how many
// there are.
func checkFixed(enc format.Encoding, want wanted, width int, data []byte) (there int, err error) {
	there = len(data) / width
	switch enc {
	case format.Plain:
		if there < want.skip+want.n {
			return 0, errRuns
		}
		return there, nil
	case format.ByteStreamSplit:
		if len(data)%width != 0 || want.check(uint64(there), "split values") != nil {
			return 0, fmt.Errorf("%d bytes of split values instead of %d", len(data), want.all*width)
		}
		return there, nil
	case format.DeltaBinaryPacked:
		there, _, err = checkDelta(want, data)
		return there, err
	default:
		return 0, errEncoding(enc)
	}
}

func errEncoding(enc format.Encoding) error {
	return fmt.Errorf("encoding %v is not supported for this type", enc)
}

// checkDelta walks delta encoded integers without decoding them, and returns how many
// there are, and what follows.
func checkDelta(want wanted, data []byte) (there int, rest []byte, err error) {
	var head [4]uint64 // block size, miniblocks, values, the first of them
	for i := range head {
		if head[i], data, err = uvarint(data); err != nil {
			return 0, nil, err
		}
	}
	block, miniblocks, count := head[0], head[1], head[2]
	if block == 0 || block > maxBlock || miniblocks == 0 || miniblocks > block || block%miniblocks != 0 {
		return 0, nil, fmt.Errorf("delta encoding in blocks of %d values in %d parts", block, miniblocks)
	}
	if err := want.check(count, "delta encoded values"); err != nil {
		return 0, nil, err
	}
	perMiniblock := int(block / miniblocks)
	for left := int(count) - 1; left > 0; {
		if _, data, err = uvarint(data); err != nil { // the smallest difference
			return 0, nil, err
		}
		if len(data) < int(miniblocks) {
			return 0, nil, errRuns
		}
		widths := data[:miniblocks]
		data = data[miniblocks:]
		for _, width := range widths {
			if left <= 0 {
				break
			}
			if width > 64 {
				return 0, nil, fmt.Errorf("delta encoded differences of %d bits", width)
			}
			// The last part may be cut short after its last value.
			size := (min(left, perMiniblock)*int(width) + 7) / 8
			if size > len(data) {
				return 0, nil, errRuns
			}
			data = data[min(perMiniblock*int(width)/8, len(data)):]
			left -= perMiniblock
		}
	}
	return int(count), data, nil
}

func uvarint(data []byte) (v uint64, rest []byte, err error) {
	v, size := binary.Uvarint(data)
	if size <= 0 {
		return 0, nil, errors.New("malformed delta encoding")
	}
	return v, data[size:], nil
}
