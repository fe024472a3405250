package extent

// An Extent is a handle on bytes in a store's file, for one use: it is there from the write
// until it is read, or freed. Its methods may be called by many goroutines at once.
type Extent struct {
	store  *Store
	label  string
	size   int64
	blocks []block
	one    [1]block // of an extent of one block, which then is one allocation

	// Guarded by the store's mu.
	reading bool // a Read is in progress
	dropped bool // it was freed meanwhile, and the space is the Read's to free
	gone    bool // it was read or freed, and the space is free
}

// A block is where a piece of an extent's data is in the file.
type block struct {
	off    int64
	sum    uint64 // XXH3 of the stored bytes
	stored int32  // bytes taken in the file, whole pages; 0 until space is taken
	packed int32  // bytes of compressed data among them; 0: the data itself, and zeros
}

func newExtent(s *Store, label string, parts [][]byte) *Extent {
	e := &Extent{store: s, label: label}
	for _, part := range parts {
		e.size += int64(len(part))
	}
	if e.size <= blockSize {
		e.blocks = e.one[:(e.size+blockSize-1)/blockSize]
	} else {
		e.blocks = make([]block, (e.size+blockSize-1)/blockSize)
	}
	return e
}

// Size returns how many bytes of data the extent has.
func (e *Extent) Size() int64 { return e.size }

// Stored returns how many bytes of the file the extent takes, or took before it was
// consumed: at most Bound(e.Size()), less when they were compressed.
func (e *Extent) Stored() int64 {
	var n int64
	for i := range e.blocks {
		n += int64(e.blocks[i].stored)
	}
	return n
}

// Free drops the extent without reading it; its space is free at once, or when a Read in
// progress returns. After Read, Free or the store's Close it does nothing. It may
// wait for the file to be made shorter, but for nothing else.
func (e *Extent) Free() {
	s := e.store
	if !s.begin() {
		return // the file is gone, and with it the extent
	}
	defer s.calls.Done()
	s.mu.Lock()
	last := !e.gone && !e.reading
	if last {
		s.forget(e)
	}
	e.dropped = true
	s.mu.Unlock()
	if last {
		s.release(e.blocks)
		s.trim(true)
	}
}

// keep makes a written extent one of the store's.
func (s *Store) keep(e *Extent) {
	s.wrote.Add(e.size)
	s.wroteStored.Add(e.Stored())
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.live[e] = struct{}{}
	s.mu.bytes += e.size
}

// forget is the opposite of keep. The caller holds mu, and releases the blocks without it.
func (s *Store) forget(e *Extent) {
	e.gone = true
	delete(s.mu.live, e)
	s.mu.bytes -= e.size
}

// release makes the space of blocks free, of those that have any.
func (s *Store) release(blocks []block) {
	for i := range blocks {
		if b := &blocks[i]; b.stored > 0 {
			s.space.give(b.off, int64(b.stored))
		}
	}
}

// trim makes the file shorter if enough of its end is free, see space.trim.
func (s *Store) trim(spare bool) {
	s.space.trim(spare, func(end int64) error {
		file, err := s.openFile()
		if err != nil {
			return err
		}
		return file.Truncate(end)
	})
}

func (e *Extent) ioError(op Op, b *block, err error) error {
	return &IOError{
		Op: opNames[op], Label: e.label, Dir: e.store.options.Dir,
		Offset: b.off, Size: int64(b.stored), Err: cause(err),
	}
}
