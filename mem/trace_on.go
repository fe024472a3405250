//go:build sluicedebug

package mem

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
)

// A trace remembers where a buffer was allocated and released.
type trace struct {
	mu struct {
		sync.Mutex
		born, died site
	}
}

// A site is the calls that led there. Their names are looked up only when somebody wants to read
// them: that takes several times as long as to allocate.
type site struct {
	calls [24]uintptr // without those that led to these
	n     int
}

// here is the site of what calls its caller.
func here() (s site) {
	s.n = runtime.Callers(3, s.calls[:])
	return s
}

func (s *site) String() string {
	if s.n == 0 {
		return "nowhere\n"
	}
	var text strings.Builder
	frames := runtime.CallersFrames(s.calls[:s.n])
	for more := true; more; {
		var at runtime.Frame
		at, more = frames.Next()
		fmt.Fprintf(&text, "%s\n\t%s:%d\n", at.Function, at.File, at.Line)
	}
	return text.String()
}

func (t *trace) allocated() {
	at := here()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mu.born = at
}

func (t *trace) released() {
	at := here()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mu.died = at
}

// story tells of a buffer that was released.
func (t *trace) story() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return fmt.Sprintf("\nallocated at\n%s\nreleased at\n%s", &t.mu.born, &t.mu.died)
}

func (t *trace) birth() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.mu.born.String()
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
