package table

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/seed14ed4225/sluice/internal/suggest"
)

// csvSample is the bytes at the beginning of a file that types are inferred from.
const csvSample = 256 << 10

// A csvSource is a file, unpacked, or standard input.
type csvSource struct {
	path     string
	in       io.Reader
	file     *os.File      // nil if it is standard input
	zstd     *zstd.Decoder // nil if it is not packed like that
	size     int64         // when it was opened
	modified time.Time
	pump     *pump // nil if reading ends by itself
}

func openCSV(path string, stdin *bufio.Reader) (*csvSource, error) {
	if path == StandardStream {
		return &csvSource{path: "standard input", in: stdin}, nil
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
	_, codec, _ := formatOf(s.path)
	switch codec {
	case CodecGzip:
		s.in, err = gzip.NewReader(s.file)
	case CodecZstd:
		s.zstd, err = zstd.NewReader(s.file, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(zstdWindow))
		s.in = s.zstd
	}
	return err
}

// zstdWindow is the farthest that a packed file may refer back, which is what its packer makes of
// levels up to 19; and unpackBytes what unpacking takes, then.
const zstdWindow = 8 << 20

func (s *csvSource) unpackBytes() int64 {
	switch {
	case s.zstd != nil:
		return 2*zstdWindow + 1<<20
	case s.file != nil && s.in != io.Reader(s.file):
		return 128 << 10
	default:
		return 0
	}
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
	if s.zstd != nil {
		s.zstd.Close()
	}
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}

// sample returns the beginning of the file and whether that is all of it. Of standard input it
// stays there to be read.
func (s *csvSource) sample() (text []byte, all bool, err error) {
	if s.file == nil {
		stdin := s.in.(*bufio.Reader)
		text, err = stdin.Peek(stdin.Size())
		if err == io.EOF {
			return text, true, nil
		}
		return text, false, s.wrap(err)
	}
	text = make([]byte, csvSample)
	n, err := io.ReadFull(s, text)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return text[:n], true, nil
	}
	return text[:n], false, err
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
