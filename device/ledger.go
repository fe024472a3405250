package device

import "sync"

// A ledger knows which blocks of a device nobody has freed, to say so when the device
// is closed. Only the debug build remembers each of them.
type ledger struct {
	mu struct {
		sync.Mutex
		blocks int
		bytes  int64
		each   map[*Block]struct{}
	}
}

// enter notes a block that somebody owns from now on.
func (l *ledger) enter(b *Block) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.blocks++
	l.mu.bytes += b.Size()
	if debugging {
		if l.mu.each == nil {
			l.mu.each = map[*Block]struct{}{}
		}
		l.mu.each[b] = struct{}{}
	}
}

// leave notes that the owner has freed it.
func (l *ledger) leave(b *Block) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.blocks--
	l.mu.bytes -= b.Size()
	if debugging {
		delete(l.mu.each, b)
	}
}

// close returns what is left over as an error, or nil.
func (l *ledger) close(device string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.blocks == 0 {
		return nil
	}
	err := &LeakError{Device: device, Blocks: l.mu.blocks, Bytes: l.mu.bytes}
	for b := range l.mu.each {
		err.Where = append(err.Where, b.trace.birth())
	}
	return err
}
