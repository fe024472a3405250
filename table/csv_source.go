package table

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/seed14ed4225/sluice/internal/size"
	"github.com/seed14ed4225/sluice/internal/suggest"
)

// csvSample is the bytes at the beginning of a file that types are inferred from.
const csvSample = 256 << 10

// A csvSource is a file or standard input, unpacked.
type csvSource struct {
	path     string
	in       io.Reader     // nil if it is standard input, of which nobody has read anything yet
	codec    Codec         // how it is packed
	file     *os.File      // nil if it is standard input
	stdin    *bufio.Reader // nil if it is a file
	size     int64         // when it was opened
	modified time.Time
	pump     *pump // nil if reading ends by itself
}

func openCSV(path string, stdin *bufio.Reader) (*csvSource, error) {
	if path == StandardStream {
		s := &csvSource{path: "standard input", stdin: stdin}
		begin, _ := stdin.Peek(longestMagic) // an error comes again when it is read
		s.codec = packedAs(begin)
		return s, nil
	}
	// Looked at first: opening a pipe waits for who writes to it.
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		return nil, fmt.Errorf("%s: is not a regular file, and files are opened more than once; read it as standard input, %s", path, StandardStream)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, suggest.File(path, err))
	}
	s := &csvSource{path: path, in: file, file: file}
	if err := s.open(); err != nil {
		return nil, errors.Join(s.wrap(err), s.close())
	}
	return s, nil
}

func (s *csvSource) open() error {
	info, err := s.file.Stat()
	if err != nil {
		return err
	}
	if info.IsDir() {
		return errors.New("is a directory")
	}
	s.size, s.modified = info.Size(), info.ModTime()
	begin := make([]byte, longestMagic)
	n, err := s.file.ReadAt(begin, 0)
	if err != nil && err != io.EOF {
		return err
	}
	s.codec = packedAs(begin[:n])
	if _, named, _ := formatOf(s.path); named != CodecNone && named != s.codec {
		return fmt.Errorf("is not packed with %s, as its name says", named)
	}
	s.in, err = unpacking(s.codec, s.file)
	return err
}

// magics are what packed files begin with.
var magics = map[Codec]string{CodecGzip: "\x1f\x8b", CodecZstd: "\x28\xb5\x2f\xfd"}

const longestMagic = 4

// packedAs says how what begins like this is packed. No CSV in UTF-8 begins like any of them.
func packedAs(begin []byte) Codec {
	for codec, magic := range magics {
		if bytes.HasPrefix(begin, []byte(magic)) {
			return codec
		}
	}
	return CodecNone
}

// unpacking reads what is packed like that. Nobody needs to close it: it has no goroutines.
func unpacking(codec Codec, in io.Reader) (io.Reader, error) {
	switch codec {
	case CodecGzip:
		return gzip.NewReader(in)
	case CodecZstd:
		return zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(zstdWindow))
	default:
		return in, nil
	}
}

// zstdWindow is the farthest that a packed file may refer back, which is what its packer makes of
// levels up to 19; and unpackBytes what unpacking takes, then.
const zstdWindow = 8 << 20

func (s *csvSource) unpackBytes() int64 {
	switch s.codec {
	case CodecZstd:
		return 2*zstdWindow + 1<<20
	case CodecGzip:
		return 128 << 10
	default:
		return 0
	}
}

// start has standard input, which many may look at, read by this source from now on, until ctx ends.
func (s *csvSource) start(ctx context.Context) (err error) {
	if s.stdin == nil {
		return nil
	}
	if s.in, err = unpacking(s.codec, s.stdin); err != nil {
		return s.wrap(err)
	}
	s.pump = startPump(ctx, s.path, s.in)
	return nil
}

// Read reads on; errors name the file.
func (s *csvSource) Read(p []byte) (int, error) {
	if s.pump != nil {
		return s.pump.Read(p)
	}
	n, err := s.in.Read(p)
	return n, s.wrap(err)
}

// unchanged says whether the file is still the one that was opened: what was written to it while
// it was read may have been read in part.
func (s *csvSource) unchanged() error {
	if s.file == nil {
		return nil
	}
	info, err := s.file.Stat()
	if err == nil && (info.Size() != s.size || !info.ModTime().Equal(s.modified)) {
		return fmt.Errorf("%s: the file was changed while it was read", s.path)
	}
	return s.wrap(err)
}

func (s *csvSource) wrap(err error) error {
	if err == nil || errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	return fmt.Errorf("%s: %w", s.path, plainCause(err))
}

func (s *csvSource) close() error {
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}

// sample returns the beginning of the file and whether that is all of it. Of standard input it
// stays there to be read.
func (s *csvSource) sample() (text []byte, all bool, err error) {
	from, more := s, false
	if s.stdin != nil {
		begin, err := s.stdin.Peek(s.stdin.Size())
		if err != nil && err != io.EOF {
			return nil, false, s.wrap(err)
		}
		if more = err == nil; s.codec == CodecNone {
			return begin, !more, nil
		}
		in, err := unpacking(s.codec, bytes.NewReader(begin))
		if err != nil {
			return nil, false, s.wrap(err)
		}
		from = &csvSource{path: s.path, in: in}
	}
	text = make([]byte, csvSample)
	n, err := io.ReadFull(from, text)
	switch {
	case err == io.EOF || err == io.ErrUnexpectedEOF: // as ReadFull says it
		return text[:n], !more, nil
	case more && errors.Is(err, io.ErrUnexpectedEOF): // as unpacking says it
		if n == 0 {
			return nil, false, fmt.Errorf("%s: %s of it are too little to unpack anything", s.path, size.Readable(int64(s.stdin.Size())))
		}
		return text[:n], false, nil
	default:
		return text[:n], false, err
	}
}

// csvSuffixes are how the CSV files of a directory are told from what else is in it.
var csvSuffixes = []string{".csv", ".tsv", ".csv.gz", ".tsv.gz", ".csv.zst", ".tsv.zst"}

func hasSuffix(name string, suffixes []string) bool {
	for _, suffix := range suffixes {
		if strings.HasSuffix(name, suffix) {
			return true
		}
	}
	return false
}
