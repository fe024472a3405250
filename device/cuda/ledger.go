package cuda

import (
	"sync"

	"github.com/seed14ed4225/sluice/device"
)

// A ledger knows which blocks of a device nobody has freed, to say so when the device
// is closed. Only the debug build knows where each was allocated.
type ledger struct {
	mu struct {
		sync.Mutex
		blocks int
		bytes  int64
		born   map[*device.Block]string
	}
}

// enter notes a block that somebody owns from now on.
func (l *ledger) enter(b *device.Block) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.blocks++
	l.mu.bytes += b.Size()
	if debugging {
		if l.mu.born == nil {
			l.mu.born = map[*device.Block]string{}
		}
		l.mu.born[b] = here()
	}
}

// leave notes that the owner has freed it.
func (l *ledger) leave(b *device.Block) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.blocks--
	l.mu.bytes -= b.Size()
	delete(l.mu.born, b)
}

// close returns what is left over as an error, or nil.
func (l *ledger) close(name string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.blocks == 0 {
		return nil
	}
	err := &device.LeakError{Device: name, Blocks: l.mu.blocks, Bytes: l.mu.bytes}
	for _, where := range l.mu.born {
		err.Where = append(err.Where, where)
	}
	return err
}
