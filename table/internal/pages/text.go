package pages

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

var errTooLong = errors.New("more than 2 GiB of text in one chunk, which 32-bit offsets cannot address; " +
	"read fewer rows at a time")

// A span is where a value lies in the bytes of its page.
type span struct{ from, to uint32 }

// texts are strings one after the other, as Arrow lays them out.
type texts struct {
	offsets slab[int32] // one more than strings
	bytes   slab[uint8]
	total   int // the most strings there will be
}

func newTexts(mem memory.Allocator, total int) texts {
	return texts{offsets: slab[int32]{mem: mem}, bytes: slab[uint8]{mem: mem}, total: total}
}

func (t *texts) len() int { return max(t.offsets.n-1, 0) }

// append adds rows strings: the spans of src, in the rows whose bit is set, or in
// all of them if bits is nil, and empty ones elsewhere. more is the most bytes of
// text there will be after them.
func (t *texts) append(src []byte, spans []span, rows int, more int64, bits []byte, offset int) error {
	size := 0
	for _, s := range spans {
		size += int(s.to - s.from)
	}
	if size > math.MaxInt32-t.bytes.n {
		return errTooLong
	}
	if t.offsets.n == 0 {
		t.offsets.extend(1, t.total+1)[0] = 0
	}
	end := int32(t.bytes.n)
	dst := t.bytes.extend(size, int(min(int64(t.bytes.n+size)+more, math.MaxInt32)))
	next := 0
	for i, ends := 0, t.offsets.extend(rows, t.total+1); i < rows; i++ {
		if bits == nil || bitutil.BitIsSet(bits, offset+i) {
			n := copy(dst, src[spans[next].from:spans[next].to])
			dst = dst[n:]
			end += int32(n)
			next++
		}
		ends[i] = end
	}
	return nil
}

func (t *texts) take() (offsets, values *memory.Buffer) {
	if t.offsets.n == 0 {
		t.offsets.extend(1, 1)[0] = 0
	}
	return t.offsets.take(), t.bytes.take()
}

func (t *texts) release() {
	t.offsets.release()
	t.bytes.release()
}

// locator finds the strings of a page that is not dictionary encoded.
type locator struct {
	spans    scratch[span]
	prefixes scratch[int32] // how much of the string before is repeated
	lengths  scratch[int32]
	rebuilt  scratch[byte]
}

func newLocator(mem memory.Allocator) locator {
	return locator{
		spans: scratch[span]{mem: mem}, prefixes: scratch[int32]{mem: mem},
		lengths: scratch[int32]{mem: mem}, rebuilt: scratch[byte]{mem: mem},
	}
}

func (l *locator) release() {
	l.spans.release()
	l.prefixes.release()
	l.lengths.release()
	l.rebuilt.release()
}

// locate returns the strings wanted as spans in the bytes it also returns, which may
// be those of the page. Both are good until the next call.
func (l *locator) locate(p page, want wanted) ([]byte, []span, error) {
	switch p.encoding {
	case format.Plain:
		spans, err := l.plain(p.data, want)
		return p.data, spans, err
	case format.DeltaLengthByteArray:
		if want.n == 0 {
			return nil, nil, nil
		}
		lengths, rest, err := decodeLengths(&l.lengths, p.data, want)
		if err != nil {
			return nil, nil, err
		}
		spans, err := l.consecutive(lengths, len(rest), want)
		return rest, spans, err
	case format.DeltaByteArray:
		if want.n == 0 {
			return nil, nil, nil
		}
		return l.prefixed(p.data, want)
	default:
		return nil, nil, errEncoding(p.encoding)
	}
}

func (l *locator) plain(data []byte, want wanted) ([]span, error) {
	if len(data)/4 < want.skip+want.n { // each string has its length before it
		return nil, errRuns
	}
	spans := l.spans.of(want.n)
	at := 0
	for i := range want.skip + want.n {
		if len(data)-at < 4 {
			return nil, errRuns
		}
		length := binary.LittleEndian.Uint32(data[at:])
		at += 4
		if int64(length) > int64(len(data)-at) {
			return nil, errRuns
		}
		if i >= want.skip {
			spans[i-want.skip] = span{uint32(at), uint32(at) + length}
		}
		at += int(length)
	}
	return spans, nil
}

// equal gives the spans of n strings of one width from a place on.
func (l *locator) equal(from, n, width int) []span {
	spans := l.spans.of(n)
	for i := range spans {
		spans[i] = span{uint32(from), uint32(from + width)}
		from += width
	}
	return spans
}

// consecutive gives the spans of strings that follow each other in size bytes.
func (l *locator) consecutive(lengths []int32, size int, want wanted) ([]span, error) {
	spans := l.spans.of(want.n)
	at := 0
	for i, length := range lengths[:want.skip+want.n] {
		if length < 0 || int(length) > size-at {
			return nil, errRuns
		}
		if i >= want.skip {
			spans[i-want.skip] = span{uint32(at), uint32(at) + uint32(length)}
		}
		at += int(length)
	}
	return spans, nil
}

// prefixed puts strings together of which only what follows the prefix shared with
// the one before is there.
func (l *locator) prefixed(data []byte, want wanted) ([]byte, []span, error) {
	prefixes, lengths, rest, err := l.affixes(data, want)
	if err != nil {
		return nil, nil, err
	}
	total, err := prefixedSize(prefixes, lengths, len(rest))
	if err != nil {
		return nil, nil, err
	}
	// Those before the ones wanted are put together, too, since those wanted may
	// begin like them.
	spans, out := l.spans.of(want.n), l.rebuilt.of(int(total))[:0]
	last := 0
	for i, prefix := range prefixes[:want.skip+want.n] {
		from := len(out)
		out = append(out, out[last:last+int(prefix)]...)
		out = append(out, rest[:lengths[i]]...)
		rest, last = rest[lengths[i]:], from
		if i >= want.skip {
			spans[i-want.skip] = span{uint32(from), uint32(len(out))}
		}
	}
	return out, spans, nil
}

func (l *locator) affixes(data []byte, want wanted) (prefixes, lengths []int32, rest []byte, err error) {
	if prefixes, rest, err = decodeLengths(&l.prefixes, data, want); err != nil {
		return nil, nil, nil, err
	}
	exactly := wanted{n: len(prefixes), all: len(prefixes)}
	lengths, rest, err = decodeLengths(&l.lengths, rest, exactly)
	return prefixes, lengths, rest, err
}

// prefixedSize returns how long strings are together, of which so much is repeated
// from the one before and so much new. size is how many new bytes there are.
func prefixedSize(prefixes, lengths []int32, size int) (total int64, err error) {
	last := int64(0)
	for i, prefix := range prefixes {
		if prefix < 0 || int64(prefix) > last || lengths[i] < 0 || int(lengths[i]) > size {
			return 0, errRuns
		}
		size -= int(lengths[i])
		last = int64(prefix) + int64(lengths[i])
		if total += last; total > math.MaxInt32 {
			return 0, errTooLong
		}
	}
	return total, nil
}

// decodeLengths decodes all lengths that data begins with and returns what follows.
func decodeLengths(into *scratch[int32], data []byte, want wanted) (lengths []int32, rest []byte, err error) {
	there, rest, err := checkDelta(want, data)
	if err != nil {
		return nil, nil, err
	}
	lengths, err = decodeInt32(&parquet.DeltaBinaryPacked, into.of(there), data)
	if err == nil && len(lengths) != there {
		err = fmt.Errorf("%d lengths instead of %d", len(lengths), there)
	}
	return lengths, rest, err
}
