package extent

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Options say where and how a store keeps its extents.
type Options struct {
	// Dir is the directory of the file. It must exist; [Check] says so beforehand.
	Dir string

	// Compress says how blocks are compressed. The default is Off.
	Compress Compression

	// Writes is how many blocks are written and read at once, over all calls. The default,
	// for 0, is 4. It also bounds the staging memory, see the package's documentation.
	Writes int

	// Open opens the file. The default, for nil, is a private one in Dir, of mode 0600, that
	// has no name while it is open. A test gives that of a [Faults].
	Open func(dir string) (File, error)
}

const defaultWrites = 4

// A Store keeps extents in one file. Its methods and those of its extents may be called by
// many goroutines at once.
//
//  1. The file is opened by the first write that has bytes to write; a store that nobody
//     spills to costs nothing.
//  2. It starts goroutines while a call of several blocks goes on, and has none otherwise.
//  3. The space of an extent is free as soon as it was read or freed, or its write failed.
//  4. An error, whichever it is, ends the call and nothing else: the store goes on working.
type Store struct {
	options Options
	slots   chan *slot // those that no block uses

	file struct {
		sync.Mutex
		File // nil until it is open
	}
	space space

	mu struct {
		sync.Mutex
		live   map[*Extent]struct{}
		bytes  int64 // of data in them
		closed bool
	}
	calls    sync.WaitGroup // grows under mu, and not once closed is set
	closing  sync.Once
	closeErr error

	wrote, wroteStored, read, readStored atomic.Int64
}

// Open makes a store. It does not touch the disk: see [Check]. The caller closes it.
func Open(o Options) (*Store, error) {
	switch {
	case o.Dir == "" && o.Open == nil:
		return nil, errors.New("extent: no directory is named to keep extents in")
	case o.Compress >= compressions:
		return nil, fmt.Errorf("extent: %v is not known: choose off, lz4 or zstd", o.Compress)
	case o.Writes < 0:
		return nil, fmt.Errorf("extent: %d blocks cannot be written at once: give 1 or more, or 0 for %d", o.Writes, defaultWrites)
	case o.Writes == 0:
		o.Writes = defaultWrites
	}
	if o.Open == nil {
		o.Open = openPrivate
	}
	s := &Store{options: o, slots: make(chan *slot, o.Writes)}
	for range o.Writes {
		codec, err := newCodec(o.Compress)
		if err != nil {
			return nil, fmt.Errorf("extent: %v: %w", o.Compress, err)
		}
		s.slots <- &slot{codec: codec}
	}
	s.mu.live = make(map[*Extent]struct{})
	return s, nil
}

// Stats is what a store has and did.
type Stats struct {
	Extents int   // that were neither read nor freed
	Bytes   int64 // of data in them
	Stored  int64 // of the file that they, and writes going on, take

	// File is how long the file is. It becomes shorter when more than 64 MiB, and more than
	// what is taken, are free at its end, and when the disk turns out to be full. It keeps
	// less than that, because space that was written before is faster to write to.
	File int64

	Written, WrittenStored int64 // so far, bytes of data and of the file
	Read, ReadStored       int64 // likewise; both count what succeeded
}

// Stats returns what the store has and did. It never waits for the disk.
func (s *Store) Stats() Stats {
	taken, end := s.space.stats()
	s.mu.Lock()
	defer s.mu.Unlock()
	return Stats{
		Extents: len(s.mu.live), Bytes: s.mu.bytes, Stored: taken, File: end,
		Written: s.wrote.Load(), WrittenStored: s.wroteStored.Load(),
		Read: s.read.Load(), ReadStored: s.readStored.Load(),
	}
}

// Close refuses new calls, waits for those in progress and closes the file. Extents that were
// neither read nor freed are lost; the error is then, or has in it, a *LeakError. Later
// calls return what the first did.
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.mu.Lock()
		s.mu.closed = true
		s.mu.Unlock()
		s.calls.Wait()
		s.closeErr = errors.Join(s.leaks(), s.closeFile())
	})
	return s.closeErr
}

func (s *Store) leaks() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.mu.live) == 0 {
		return nil
	}
	e := &LeakError{Dir: s.options.Dir}
	for x := range s.mu.live {
		e.Extents = append(e.Extents, Leak{x.label, x.size})
	}
	slices.SortFunc(e.Extents, func(a, b Leak) int { return strings.Compare(a.Label, b.Label) })
	return e
}

// begin counts a call in, unless the store is closed. The caller says s.calls.Done.
func (s *Store) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.closed {
		return false
	}
	s.calls.Add(1)
	return true
}

// openFile returns the file, opened if it is not. A failure is tried again by the next call.
func (s *Store) openFile() (File, error) {
	s.file.Lock()
	defer s.file.Unlock()
	if s.file.File == nil {
		f, err := s.options.Open(s.options.Dir)
		if err != nil {
			return nil, err
		}
		s.file.File = f
	}
	return s.file.File, nil
}

func (s *Store) closeFile() error {
	s.file.Lock()
	defer s.file.Unlock()
	if s.file.File == nil {
		return nil
	}
	if err := s.file.Close(); err != nil {
		return fmt.Errorf("extent: close the spill file in %q: %w", s.options.Dir, cause(err))
	}
	return nil
}
