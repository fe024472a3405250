package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"runtime"
	"strings"

	"github.com/seed14ed4225/sluice/mem"
)

const (
	bytesPerFloat = 4
	largestPiece  = 1 << 30
	mostFiles     = 1 << 10
)

// settings are the flags.
type settings struct {
	in, out, device, trace string
	a                      float64
	piece, limit           int64
	size                   int64 // of the file
	files                  int   // nodes that read it, and as many that write
}

func parse(args []string, usage io.Writer) (*settings, error) {
	s := &settings{a: 2, piece: 4 << 20, limit: 32 << 20, size: 256 << 20}
	f := flag.NewFlagSet("stream", flag.ContinueOnError)
	f.SetOutput(usage)
	f.StringVar(&s.in, "in", "", "a file of float32 in the machine's byte order; without one, a temporary file is made")
	f.StringVar(&s.out, "out", "", "where the results go; without one, into a temporary file")
	f.StringVar(&s.device, "device", "auto", "host, cuda:0 and so on, or auto: the first GPU, or else the host")
	f.StringVar(&s.trace, "trace", "", "write the timeline of the device to this file, as a Chrome trace")
	f.Float64Var(&s.a, "a", s.a, "the a of y = a·x + y")
	f.IntVar(&s.files, "files", min(8, runtime.GOMAXPROCS(0)), "how many nodes read, and as many write; one is rarely as fast as a GPU")
	sizeVar(f, &s.piece, "piece", "bytes of a message")
	sizeVar(f, &s.limit, "limit", "bytes of device memory the network may take")
	sizeVar(f, &s.size, "size", "bytes of the file, if there is no -in; the results take as much again")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if _, err := ordinalOf(s.device); err != nil && s.device != "host" {
		return nil, err
	}
	switch least := leastPieces * s.piece; {
	case f.NArg() > 0:
		return nil, fmt.Errorf("unexpected %s; there are flags only", strings.Join(f.Args(), " "))
	case math.IsNaN(s.a) || math.IsInf(float64(float32(s.a)), 0):
		return nil, fmt.Errorf("-a %v: want what a float32 can be", s.a)
	case s.files < 1 || s.files > mostFiles:
		return nil, fmt.Errorf("-files %d: want 1 to %d", s.files, mostFiles)
	case s.piece > largestPiece:
		return nil, fmt.Errorf("-piece %s: want at most %s", mem.Bytes(s.piece), mem.Bytes(largestPiece))
	case s.limit < least:
		return nil, fmt.Errorf("-limit %s is too little for pieces of %s: want at least %s, which is %d pieces",
			mem.Bytes(s.limit), mem.Bytes(s.piece), mem.Bytes(least), leastPieces)
	}
	return s, nil
}

// sizeVar adds a flag for bytes that are whole floats.
func sizeVar(f *flag.FlagSet, into *int64, name, usage string) {
	f.Func(name, fmt.Sprintf("%s (default %s)", usage, mem.Bytes(*into)), func(text string) error {
		limit, err := mem.ParseLimit(text)
		n, ok := limit.Bytes()
		if err != nil || !ok || n <= 0 || n%bytesPerFloat != 0 {
			return errors.New("want whole floats in bytes, such as 4MiB")
		}
		*into = n
		return nil
	})
}
