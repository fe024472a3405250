//go:build sluicedebug

package mem

import (
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
)

// A trace remembers where a buffer was allocated and released.
type trace struct {
	mu struct {
		sync.Mutex
		born, died []byte
	}
}

func (t *trace) allocated() {
	stack := debug.Stack()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mu.born = stack
}

func (t *trace) released() {
	stack := debug.Stack()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mu.died = stack
}

// story tells of a buffer that was released.
func (t *trace) story() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return fmt.Sprintf("\nallocated at\n%s\nreleased at\n%s", t.mu.born, t.mu.died)
}

func (t *trace) birth() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.mu.born)
}

// allocations remembers where what is live on an account was allocated. It has a lock of
// its own, which is taken last.
type allocations struct {
	mu struct {
		sync.Mutex
		live map[*body]struct{}
	}
}

func (l *allocations) add(b *body) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.live == nil {
		l.mu.live = map[*body]struct{}{}
	}
	l.mu.live[b] = struct{}{}
}

func (l *allocations) remove(b *body) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.mu.live, b)
}

func (l *allocations) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var text strings.Builder
	for b := range l.mu.live {
		fmt.Fprintf(&text, "\n%d bytes allocated at\n%s", b.n, b.trace.birth())
	}
	return text.String()
}
