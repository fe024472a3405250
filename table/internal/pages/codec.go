package pages

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/format"
	"github.com/pierrec/lz4/v4"
)

var errUncompressedSize = errors.New("does not decompress to the size in its header")

// zstdDecoders write no further than the slice they are given and start no goroutine. Each
// serves one reader at a time: a decoder for all would let as many of them in as
// there were processors when it was made, four at most.
var zstdDecoders sync.Pool // of *zstd.Decoder

// slack is how many bytes beyond those wanted a decoder may write on, because it then need not
// look where it is at every step. Scratch has more than that.
const slack = 16

func decompressZstd(dst, src []byte) (err error) {
	decoder, ok := zstdDecoders.Get().(*zstd.Decoder)
	if !ok {
		decoder, err = zstd.NewReader(nil, zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderConcurrency(1))
		if err != nil {
			return err
		}
	}
	defer zstdDecoders.Put(decoder)
	got, err := decoder.DecodeAll(src, dst[:0:min(cap(dst), len(dst)+slack)])
	return decompressed(len(got), len(dst), err)
}

// decompress fills dst from src, or says why that is not what src holds; what dst has room for
// beyond its length may be written to. The codecs are called here rather than through parquet-go
// because each must stop there, whatever the compressed bytes say.
func decompress(codec format.CompressionCodec, dst, src []byte) error {
	switch codec {
	case format.Snappy:
		return decompressSnappy(dst, src)
	case format.Zstd:
		return decompressZstd(dst, src)
	case format.Lz4Raw:
		n, err := lz4.UncompressBlock(src, dst)
		return decompressed(n, len(dst), err)
	case format.Gzip:
		r, err := gzip.NewReader(bytes.NewReader(src))
		if err != nil {
			return err
		}
		return decompressStream(dst, r)
	case format.Brotli:
		return decompressStream(dst, brotli.NewReader(bytes.NewReader(src)))
	default:
		return fmt.Errorf("compressed with %v, which is not supported; snappy, zstd, gzip, brotli and LZ4_RAW are", codec)
	}
}

func decompressSnappy(dst, src []byte) error {
	n, err := snappy.DecodedLen(src)
	if err != nil {
		return err
	}
	if n != len(dst) {
		return errUncompressedSize
	}
	_, err = snappy.Decode(dst, src)
	return err
}

func decompressStream(dst []byte, r io.Reader) error {
	n, err := io.ReadFull(r, dst)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errUncompressedSize
	}
	if err == nil {
		var beyond [1]byte
		if extra, more := r.Read(beyond[:]); extra > 0 {
			return errUncompressedSize
		} else if !errors.Is(more, io.EOF) {
			err = more
		}
	}
	return decompressed(n, len(dst), err)
}

func decompressed(got, want int, err error) error {
	if err != nil {
		return fmt.Errorf("decompressing: %w", err)
	}
	if got != want {
		return errUncompressedSize
	}
	return nil
}

// maxRatio bounds how much a codec can possibly have saved, so that a page of a
// few bytes is not given a gigabyte because its header says so. The bounds are
// those of the formats, rounded up.
func maxRatio(codec format.CompressionCodec) int64 {
	switch codec {
	case format.Uncompressed:
		return 1
	case format.Snappy:
		return 32
	case format.Lz4Raw:
		return 256
	case format.Gzip:
		return 1 << 11
	default: // zstd: 128 KiB in four bytes; brotli: 16 MiB in a few
		return 1 << 16
	}
}
