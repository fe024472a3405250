package pages

import (
	"encoding/binary"
	"fmt"
	"sort"

	"github.com/parquet-go/parquet-go/format"
)

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

// checkCodes looks for the first n dictionary codes of a page without decoding them, if what they
// stand for takes more than a little memory. Who made its marks has seen those before the last of them.
func checkCodes(n, width int, p page) error {
	data := p.data
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
		return nil
	}
	seen := p.markBefore(n)
	r := runs{src: data[1+seen.at:], width: bits, left: n - seen.value}
	if r.skip(r.left) > 0 {
		_, err := r.next() // which is what stands in the way
		return err
	}
	return nil
}

// codesOf returns the runs of n dictionary codes of a page, those after the first skip, as
// checkCodes has seen them. over is how many of the first run's are to be left out.
// Whether they are in range is for the caller to check.
func codesOf(p page, skip, n int) (found runs, over int) {
	if n == 0 {
		return runs{}, 0
	}
	data, bits := p.data[1:], uint(p.data[0])
	if bits == 0 { // all are the same; some writers leave out the runs
		return runs{src: binary.AppendUvarint(nil, uint64(n)<<1), left: n}, 0
	}
	from := p.markBefore(skip)
	data, skip = data[from.at:], skip-from.value
	found = runs{src: data, width: bits, left: skip + n}
	return found, found.skip(skip)
}

// decodeCodes fills codes with the ones wanted of a page, for a dictionary of so many entries.
func decodeCodes(codes []int32, entries int, want wanted, p page) error {
	r, over := codesOf(p, want.skip, len(codes))
	for len(codes) > 0 {
		stretch, err := r.next()
		if err != nil {
			return err
		}
		into := codes[:stretch.count-over]
		codes = codes[len(into):]
		if len(into) == 0 { // whatever code it repeats, no value has it
			continue
		}
		if stretch.packed == nil {
			if uint(stretch.value) >= uint(entries) {
				return errNoEntry(stretch.value, entries)
			}
			fill(into, int32(stretch.value))
		} else {
			unpackFrom(into, over, stretch.packed, r.width)
			for _, code := range into {
				if uint(code) >= uint(entries) {
					return errNoEntry(uint32(code), entries)
				}
			}
		}
		over = 0
	}
	return nil
}

func fill[T any](dst []T, value T) {
	for i := range dst {
		dst[i] = value
	}
}

// A mark is where in the codes of a page a value lies at which a run begins. Runs can
// only be found one after the other; from marks on, pieces of a page need not begin
// with the first.
type mark struct{ value, at int }

// markBefore returns the last mark before a value, or at it; if there is none, where the values begin.
func (p page) markBefore(value int) mark {
	i := sort.Search(len(p.marks), func(i int) bool { return p.marks[i].value > value })
	if i == 0 {
		return mark{}
	}
	return p.marks[i-1]
}

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
	for {
		r.skip(betweenMarks - 1)
		if _, err := r.next(); err != nil {
			return marks
		}
		marks = append(marks, mark{value: n - r.left, at: r.at})
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
