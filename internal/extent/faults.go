package extent

import (
	"fmt"
	"io"
	"sync"
)

// Op is a kind of operation on the file, that a test can make go wrong, see [Faults].
type Op uint8

// The operations.
const (
	OpOpen Op = iota
	OpWrite
	OpRead
	OpTruncate
	OpClose

	ops = iota
)

var opNames = [ops]string{"open", "write", "read", "truncate", "close"}

// String names the operation as errors do.
func (o Op) String() string {
	if int(o) < len(opNames) {
		return opNames[o]
	}
	return fmt.Sprintf("extent.Op(%d)", uint8(o))
}

// Faults make the file of a store misbehave, for tests of what is built on it. Give its
// Open to a store and say at any time what shall go wrong. Operations are counted from the
// moment a fault is asked for, the next one is 1, in the order in which they are begun. A
// fault happens once, a full disk until it is lifted. Methods are safe for concurrent use
// and return at once. The zero Faults does nothing.
type Faults struct {
	mu struct {
		sync.Mutex
		rules []*rule
		full  bool
		limit int64
	}
}

// A rule says what happens to one operation.
type rule struct {
	op    Op
	left  int // operations to go
	err   error
	short bool
	flip  bool
	bit   int64
	hang  *Hang
}

// Open opens the file that a store would, and makes it misbehave. It is for Options.Open.
func (f *Faults) Open(dir string) (File, error) {
	if _, err := f.strike(OpOpen, 0); err != nil {
		return nil, err
	}
	file, err := openPrivate(dir)
	if err != nil {
		return nil, err
	}
	return f.Wrap(file), nil
}

// Wrap makes a file misbehave.
func (f *Faults) Wrap(file File) File { return &faultyFile{file, f} }

// Fail makes the nth operation of a kind fail with err, and do nothing. A close that is to
// fail closes the file all the same.
func (f *Faults) Fail(op Op, nth int, err error) { f.add(&rule{op: op, left: nth, err: err}) }

// Short makes the nth write or read stop halfway: a read with io.EOF, as if the file
// ended there, a write without a word.
func (f *Faults) Short(op Op, nth int) { f.transfer(&rule{op: op, left: nth, short: true}) }

// Flip turns over one bit of what the nth write puts into the file, or of what the nth read
// brings; the caller's memory is left alone by a write. Bits are counted from the
// first, and over again when there are not as many.
func (f *Faults) Flip(op Op, nth int, bit int64) {
	f.transfer(&rule{op: op, left: nth, flip: true, bit: bit})
}

// Full makes the disk full when the file is size bytes long: writes that go beyond stop
// there with the system's error.
func (f *Faults) Full(size int64) { f.setFull(true, size) }

// Lift makes room on a full disk again.
func (f *Faults) Lift() { f.setFull(false, 0) }

// Hang makes the nth operation of a kind hang, before it does anything, until it is
// released.
func (f *Faults) Hang(op Op, nth int) *Hang {
	h := &Hang{reached: make(chan struct{}), released: make(chan struct{})}
	f.add(&rule{op: op, left: nth, hang: h})
	return h
}

// A Hang is an operation that hangs.
type Hang struct {
	reached, released chan struct{}
	once              sync.Once
}

// Reached returns a Go channel that is closed when the operation has begun to hang.
func (h *Hang) Reached() <-chan struct{} { return h.reached }

// Release lets the operation go on. Once is enough; before it hangs is fine.
func (h *Hang) Release() { h.once.Do(func() { close(h.released) }) }

func (f *Faults) transfer(r *rule) {
	if r.op != OpWrite && r.op != OpRead {
		panic(fmt.Sprintf("extent: a fault of the bytes of %v, which has none: choose write or read", r.op))
	}
	f.add(r)
}

func (f *Faults) add(r *rule) {
	if r.op >= ops || r.left < 1 {
		panic(fmt.Sprintf("extent: a fault for operation %d of kind %v: operations count from 1", r.left, r.op))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mu.rules = append(f.mu.rules, r)
}

func (f *Faults) setFull(full bool, limit int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mu.full, f.mu.limit = full, limit
}

// A strike is what happens to the bytes of an operation.
type strike struct {
	flip  bool
	bit   int64
	most  int   // bytes to transfer
	after error // that it then ends with
}

// strike counts an operation on size bytes and does to it what was asked for.
func (f *Faults) strike(op Op, size int) (strike, error) {
	now := strike{most: size}
	for _, r := range f.due(op) {
		switch {
		case r.hang != nil:
			close(r.hang.reached)
			<-r.hang.released
		case r.short:
			now.most = size / 2
			if op == OpRead {
				now.after = io.EOF
			}
		case r.flip:
			now.flip, now.bit = true, r.bit
		default:
			return now, r.err
		}
	}
	return now, nil
}

// due counts an operation, and returns the rules whose turn it is.
func (f *Faults) due(op Op) (due []*rule) {
	f.mu.Lock()
	defer f.mu.Unlock()
	kept := f.mu.rules[:0]
	for _, r := range f.mu.rules {
		if r.op == op {
			r.left--
		}
		if r.left == 0 {
			due = append(due, r)
		} else {
			kept = append(kept, r)
		}
	}
	clear(f.mu.rules[len(kept):])
	f.mu.rules = kept
	return due
}

// room says how much of a write of size bytes fits on the disk.
func (f *Faults) room(size int, off int64) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.mu.full {
		return size
	}
	return int(min(int64(size), max(0, f.mu.limit-off)))
}

type faultyFile struct {
	file   File
	faults *Faults
}

func (f *faultyFile) WriteAt(b []byte, off int64) (int, error) {
	now, err := f.faults.strike(OpWrite, len(b))
	if err != nil {
		return 0, err
	}
	if room := f.faults.room(len(b), off); room < now.most {
		now.most, now.after = room, diskFull
	}
	if now.flip {
		turned := alignedMemory(len(b))
		copy(turned, b)
		flip(turned, now.bit)
		b = turned
	}
	n, err := f.file.WriteAt(b[:now.most&^(pageSize-1)], off)
	if err == nil {
		err = now.after
	}
	return n, err
}

func (f *faultyFile) ReadAt(b []byte, off int64) (int, error) {
	now, err := f.faults.strike(OpRead, len(b))
	if err != nil {
		return 0, err
	}
	n, err := f.file.ReadAt(b[:now.most&^(pageSize-1)], off)
	if now.flip {
		flip(b[:n], now.bit)
	}
	if err == nil {
		err = now.after
	}
	return n, err
}

func (f *faultyFile) Truncate(size int64) error {
	if _, err := f.faults.strike(OpTruncate, 0); err != nil {
		return err
	}
	return f.file.Truncate(size)
}

func (f *faultyFile) Close() error {
	_, err := f.faults.strike(OpClose, 0)
	if closed := f.file.Close(); err == nil {
		err = closed
	}
	return err
}

func flip(b []byte, bit int64) {
	if len(b) > 0 {
		bit %= int64(len(b)) * 8
		b[bit/8] ^= 1 << (bit % 8)
	}
}
