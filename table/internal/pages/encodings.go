package pages

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

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

// checkCodes looks for n dictionary codes in data without decoding them.
func checkCodes(n int, data []byte) error {
	if n == 0 {
		return nil
	}
	if len(data) == 0 {
		return errRuns
	}
	width := uint(data[0])
	if width > 32 {
		return fmt.Errorf("index of %d bits", width)
	}
	if width == 0 {
		return nil // a dictionary of one entry; some writers leave out the runs
	}
	r := runs{rest: data[1:], width: width, left: n}
	for {
		if _, err := r.next(); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
	}
}

// decodeCodes fills codes with indexes into a dictionary, from data that
// checkCodes has seen. Whether they are in range is for the caller to check.
func decodeCodes(codes []int32, data []byte) error {
	if len(codes) == 0 {
		return nil
	}
	return decodeRuns(codes, data[1:], uint(data[0]))
}

// checkFixed looks at encoded values before a decoder does: there must be n of
// them, and what the encoding's own header says must agree. It returns the bytes
// to decode.
func checkFixed(enc format.Encoding, n, width int, data []byte) ([]byte, error) {
	switch enc {
	case format.Plain:
		if len(data)/width < n {
			return nil, errRuns
		}
		return data[:n*width], nil
	case format.ByteStreamSplit:
		if len(data) != n*width {
			return nil, fmt.Errorf("%d bytes of split values instead of %d", len(data), n*width)
		}
		return data, nil
	case format.DeltaBinaryPacked:
		_, err := checkDelta(n, data)
		return data, err
	default:
		return nil, errEncoding(enc)
	}
}

func errEncoding(enc format.Encoding) error {
	return fmt.Errorf("encoding %v is not supported for this type", enc)
}

// checkDelta walks n delta encoded integers without decoding them, and returns
// what follows.
func checkDelta(n int, data []byte) (rest []byte, err error) {
	var head [4]uint64 // block size, miniblocks, values, the first of them
	for i := range head {
		if head[i], data, err = uvarint(data); err != nil {
			return nil, err
		}
	}
	block, miniblocks, values := head[0], head[1], head[2]
	if block == 0 || block > maxBlock || miniblocks == 0 || miniblocks > block || block%miniblocks != 0 {
		return nil, fmt.Errorf("delta encoding in blocks of %d values in %d parts", block, miniblocks)
	}
	if values != uint64(n) {
		return nil, fmt.Errorf("%d delta encoded values instead of %d", values, n)
	}
	perMiniblock := int(block / miniblocks)
	for left := n - 1; left > 0; {
		if _, data, err = uvarint(data); err != nil { // the smallest difference
			return nil, err
		}
		if len(data) < int(miniblocks) {
			return nil, errRuns
		}
		widths := data[:miniblocks]
		data = data[miniblocks:]
		for _, width := range widths {
			if left <= 0 {
				break
			}
			if width > 64 {
				return nil, fmt.Errorf("delta encoded differences of %d bits", width)
			}
			// The last part may be cut short after its last value.
			size := (min(left, perMiniblock)*int(width) + 7) / 8
			if size > len(data) {
				return nil, errRuns
			}
			data = data[min(perMiniblock*int(width)/8, len(data)):]
			left -= perMiniblock
		}
	}
	return data, nil
}

func uvarint(data []byte) (v uint64, rest []byte, err error) {
	v, size := binary.Uvarint(data)
	if size <= 0 {
		return 0, nil, errors.New("malformed delta encoding")
	}
	return v, data[size:], nil
}
